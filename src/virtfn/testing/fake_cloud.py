"""A cloud in memory that keeps Neutron's and nova's rules, with their words (measured on release 2026.2).

``hook`` is called before each read and write and may raise. Objects of one kind are written one after the other, but as
if ``parallel`` of them were at work at once: those beside one that is refused are written. A server is built while it
is looked at: after ``patience`` observations it runs and its ports are bound; where no VF is free it is in ERROR, as
nova leaves it.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from virtfn.errors import CloudError, StillNeeded, VirtfnError
from virtfn.model.cloud import CloudObject, DesiredCloud, Kind, ObservedCloud, meant_by
from virtfn.model.cloud.fields import by_kind, field_of, find, refuse_fixed, whole
from virtfn.model.cloud.references import References, references
from virtfn.model.cloud.survey import QUOTAS, CloudSurvey
from virtfn.model.plan import DEFINITION, Target, Value
from virtfn.testing.fake_cloud_rules import MADE_BY_NEUTRON, FakeRules, free_address, unbound

_ON_A_NETWORK = (Kind.PORT, Kind.SUBNET)
Hook = Callable[[str, Target, str, Value], None]
_NO_HOST = "No valid host was found. There are not enough hosts available."
_NO_CANDIDATE = "No valid host was found. "
"""Placement's word, before anybody looks at VFs: no host has room for the flavor, or all that have are disabled."""
_NO_RETRY = (
    "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance {}."
)


@dataclass
class _Kept:
    """An object of the cloud; ``spec`` is "" for what others made. ``network``: the id of a port's or subnet's.

    ``has_no_address``: it is a port that was to have none.
    """

    spec: str
    seen: CloudObject
    network: str = ""
    has_no_address: bool = False
    looks: int = 0
    tried: tuple[str, ...] = ()
    vfs: list[tuple[str, str, str]] = field(default_factory=list)


class FakeCloud:
    """Implements the Cloud protocol."""

    def __init__(
        self, rules: FakeRules | None = None, *, patience: int = 0, hook: Hook | None = None, parallel: int = 4
    ) -> None:
        self.rules = rules or FakeRules()
        self.patience = patience
        self.hook = hook
        self.parallel = parallel
        self._kept: dict[str, _Kept] = {}
        self._numbers = itertools.count(1)
        self._macs = itertools.count(1)

    def observe(self, spec: str) -> ObservedCloud:
        """What bears the spec's tag, and foreign networks and ports beside it. Servers are built meanwhile."""
        self._build_all()
        ours = self._ours(spec)
        ids = {one.id for one in ours if one.kind is Kind.NETWORK}
        others = tuple(
            self._shown(kept, spec)
            for kept in self._kept.values()
            if kept.spec != spec
            and (kept.seen.kind is Kind.NETWORK or (kept.seen.kind is Kind.PORT and kept.network in ids))
        )
        images, flavors = references(self.rules.known_images), references(self.rules.known_flavors)
        return ObservedCloud("fake", ours, others, images, flavors)

    def survey(self, desired: DesiredCloud, observed: ObservedCloud) -> CloudSurvey:
        """What the rules say, what is used of it, and where servers of ours that failed were tried."""
        used = Counter(QUOTAS[one.kind] for one in self.everything())
        uses = Counter((physical, host) for kept in self._kept.values() for host, physical, _ in kept.vfs)
        tried = {one.seen.name: one.tried for one in self._kept.values() if one.spec == desired.name and one.tried}
        return self.rules.survey(used, uses, tried, {one.image for one in desired.servers})

    def refresh(self, spec: str, before: ObservedCloud) -> ObservedCloud:
        """The same with our ports and servers as they are now. Servers are built meanwhile."""
        self._build_all()
        again = (Kind.PORT, Kind.SERVER)
        kept = [one for one in before.ours if one.kind not in again]
        now = [one for one in self._ours(spec) if one.kind in again]
        return replace(before, ours=tuple(one for kind in Kind for one in (*kept, *now) if one.kind is kind))

    def add_foreign(self, kind: Kind, name: str, fields: Mapping[str, Value], **facts: Value) -> None:
        """Something that another user has made."""
        one = CloudObject(kind, name, self._new_id(kind), dict(fields), dict(facts))
        network = self._networks("").meant(str(fields["network"]))[0] if kind in _ON_A_NETWORK else ""
        self._kept[one.id] = _Kept("", one, network)

    def break_server(self, name: str, fault: str) -> None:
        """What becomes of a server that ran, when its host fails it."""
        for one in self._kept.values():
            if (one.seen.kind, one.seen.name) == (Kind.SERVER, name):
                self._fail(one, fault)

    def everything(self) -> tuple[CloudObject, ...]:
        """All objects, whoever made them."""
        return tuple(kept.seen for kept in self._kept.values())

    def read(self, target: Target, field: str) -> Value:
        """One field; None where the object is not there. Raises UsageError where two bear the name."""
        self._tell("read", target, field, None)
        spec, _, _ = meant_by(target)
        return field_of(find(self._ours(spec), target), field)

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields, one after the other: each its value or its error."""
        return [self._read_or_error(target, field) for target, field in keys]

    def write(self, target: Target, field: str, value: Value) -> None:
        """Make, change or delete. Raises CloudError."""
        self.write_all([(target, field, value)])

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """An object's fields at once; objects of one kind as if ``parallel`` were at work, until one is refused."""
        for objects in by_kind(changes):
            for start in range(0, len(objects), self.parallel):
                refused = [fault for one in objects[start : start + self.parallel] if (fault := self._refusal(*one))]
                for other in refused[1:]:
                    refused[0].add_note(f"refused as well: {other}")
                if refused:
                    raise refused[0]

    def _refusal(self, target: Target, fields: Mapping[str, Value]) -> VirtfnError | None:
        try:
            for name, value in fields.items():
                self._tell("write", target, name, value)
            self._write(target, fields)
        except VirtfnError as fault:
            return fault
        return None

    def _build_all(self) -> None:
        for kept in list(self._kept.values()):
            self._build(kept)

    def _read_or_error(self, target: Target, field: str) -> Value | VirtfnError:
        try:
            return self.read(target, field)
        except VirtfnError as error:
            return error

    def _tell(self, action: str, target: Target, field: str, value: Value) -> None:
        if self.hook:
            self.hook(action, target, field, value)

    def _write(self, target: Target, fields: Mapping[str, Value]) -> None:
        spec, kind, name = meant_by(target)
        found = find(self._ours(spec), target)
        if DEFINITION not in fields:
            if found is None:
                raise CloudError("404 Not Found", where=str(target), status=404)
            self._change(found, fields)
        elif fields[DEFINITION] is None:
            if found is not None:
                self._delete(found)
        else:
            self._create(spec, kind, name, whole(fields))

    def _create(self, spec: str, kind: Kind, name: str, fields: dict[str, Value]) -> None:
        if kind is Kind.NETWORK:
            self._check_network(fields)
        network = self._network_of(spec, fields) if kind in _ON_A_NETWORK else ""
        one = CloudObject(kind, name, self._new_id(kind), {**MADE_BY_NEUTRON.get(kind, {}), **fields})
        if kind is Kind.PORT:
            self._check_port(network, fields)
            one = replace(one, fields={**one.fields, **self._addresses(network), **fields})
            one = replace(one, facts=unbound(one))
        if kind is Kind.SERVER:
            self.rules.check_server(fields)
            self._check_addresses(self._ports_of(_Kept(spec, one)))
            facts = {"status": "BUILD", "asked": fields.get("host")}
            told = {name: value for name, value in fields.items() if name != "user_data"}  # nova does not show it
            one = replace(one, fields={**told, "host": None, "availability_zone": None}, facts=facts)
        self._kept[one.id] = _Kept(spec, one, network, "fixed_ip" in fields and fields["fixed_ip"] is None)

    def _network_of(self, spec: str, fields: Mapping[str, Value]) -> str:
        """By the name of one of the spec's own, or by the id of one of others."""
        word = str(fields["network"])
        for one in self._of(Kind.NETWORK):
            own = self._kept[one.id].spec == spec
            if word == (one.name if own else one.id):
                return one.id
        raise CloudError(f"there is none of the name {word}", where="network", status=404)

    def _ours(self, spec: str) -> tuple[CloudObject, ...]:
        return tuple(self._shown(kept, spec) for kept in self._kept.values() if kept.spec == spec)

    def _shown(self, kept: _Kept, spec: str) -> CloudObject:
        """As the spec sees it: its own networks by name, those of others by id."""
        fields, facts = dict(kept.seen.fields), dict(kept.seen.facts)
        if kept.network:
            on = self._kept[kept.network]
            fields["network"] = on.seen.name if on.spec == spec else on.seen.id
        if kept.seen.kind is Kind.NETWORK:
            facts["subnets"] = len(self._on(kept.seen, Kind.SUBNET))
        return replace(kept.seen, fields=fields, facts=facts)

    def _addresses(self, network: str) -> dict[str, Value]:
        """What Neutron gives a port: a MAC, and a free IP address of the first subnet's first pool if there is one."""
        on_it = [kept.seen for kept in self._kept.values() if kept.network == network]
        taken = {one.fields.get("fixed_ip") for one in on_it}
        first = next((one.fields["pools"] for one in on_it if one.kind is Kind.SUBNET), None)
        return {"mac": f"fa:16:3e:00:00:{next(self._macs):02x}", "fixed_ip": free_address(first, taken)}

    def _check_network(self, fields: Mapping[str, Value]) -> None:
        self.rules.check_network(fields)
        physical = fields["physical_network"]
        for other in self._of(Kind.NETWORK):
            if fields["type"] == "flat" == other.fields["type"] and other.fields["physical_network"] == physical:
                message = f"Unable to create the flat network. Physical network {physical} is in use."
                raise CloudError(message, where="network", status=409)

    def _check_port(self, network: str, fields: Mapping[str, Value]) -> None:
        for other in (kept for kept in self._kept.values() if kept.seen.kind is Kind.PORT and kept.network == network):
            if fields.get("mac") and other.seen.fields.get("mac") == fields["mac"]:
                message = f"Unable to complete operation for network {fields['network']}. "
                raise CloudError(f"{message}The mac address {fields['mac']} is in use.", where="port", status=409)

    def _check_addresses(self, ports: list[_Kept]) -> None:
        for port in ports:
            is_told = port.has_no_address and "ip_allocation" in self.rules.extensions
            if port.seen.fields.get("fixed_ip") is None and not is_told:
                message = f"Port {port.seen.id} requires a FixedIP in order to be used."
                raise CloudError(message, where="server", status=400)

    def _change(self, found: CloudObject, fields: Mapping[str, Value]) -> None:
        refuse_fixed(found, fields)
        self._kept[found.id].seen = replace(found, fields={**found.fields, **fields})

    def _delete(self, found: CloudObject) -> None:
        holder = self._kept.get(str(found.facts.get("device")))
        if holder:
            message, hint = f"server {holder.seen.name} has it, and is still there", "delete it first"
            raise StillNeeded(message, where=f"port {found.name}", hint=hint, status=409)
        if found.kind is Kind.NETWORK and self._on(found, Kind.PORT):
            message = f"Unable to complete operation on network {found.id}. "
            raise CloudError(
                f"{message}There are one or more ports still in use on the network.", where=found.name, status=409
            )
        if found.kind is Kind.SUBNET and self._on(self._kept[self._kept[found.id].network].seen, Kind.PORT):
            message = f"Unable to complete operation on subnet {found.id}: "
            raise CloudError(
                f"{message}One or more ports have an IP allocation from this subnet.", where=found.name, status=409
            )
        if found.kind is Kind.NETWORK:
            for subnet in self._on(found, Kind.SUBNET):
                del self._kept[subnet.id]
        self._release(self._kept.pop(found.id))

    def _release(self, server: _Kept) -> None:
        self.rules.vfs += server.vfs
        server.vfs = []
        for port in self._ports_of(server):
            port.seen = replace(port.seen, facts=unbound(port.seen))

    def _build(self, server: _Kept) -> None:
        """One step of nova's: after ``patience`` looks, VFs for all ports from one host, or ERROR."""
        if server.seen.facts.get("status") != "BUILD":
            return
        server.looks += 1
        if server.looks <= self.patience:
            return
        ports = self._ports_of(server)
        for host in dict.fromkeys(host for host, _, _ in self.rules.vfs):
            taken = self._fitting(host, ports) if self._may_run(server, host) else None
            if taken is None:
                continue
            is_served = all(self._is_served(host, physical) for _, physical, _ in taken)
            if not is_served or any(self._is_bare_and_secured(port) for port in ports):
                server.tried = (host,)
                self._fail(server, _NO_RETRY.format(server.seen.id))
                return
            self._run(server, ports, taken)
            return
        self._fail(server, _NO_HOST if self._is_offered_a_host(server) else _NO_CANDIDATE)

    def _may_run(self, server: _Kept, host: str) -> bool:
        group, asked = server.seen.fields.get("server_group"), server.seen.facts.get("asked")
        mates = [
            one.facts.get("host")
            for one in self._of(Kind.SERVER)
            if group and one.id != server.seen.id and one.fields.get("server_group") == group
        ]
        fits = self.rules.takes_servers(host) and self._is_offered_a_host(server)
        return fits and asked in (None, host) and host not in mates

    def _is_offered_a_host(self, server: _Kept) -> bool:
        flavor = server.seen.fields.get("flavor")
        return flavor not in self.rules.too_small_for and any(one.enabled for one in self.rules.hosts)

    def _fitting(self, host: str, ports: Sequence[_Kept]) -> list[tuple[str, str, str]] | None:
        taken: list[tuple[str, str, str]] = []
        for port in ports:
            physical = self._physical(port)
            free = (vf for vf in self.rules.vfs if vf[:2] == (host, physical) and vf not in taken)
            found = next(free, None)
            if found is None:
                return None
            taken.append(found)
        return taken

    def _is_served(self, host: str, physical: str) -> bool:
        return any(
            agent.host == host and agent.alive and physical in agent.physical_networks for agent in self.rules.agents
        )

    def _is_bare_and_secured(self, port: _Kept) -> bool:
        """Nova cannot apply security groups there, and builds nothing."""
        network = self._kept[port.network].seen
        return network.fields.get("port_security", True) is not False and not self._on(network, Kind.SUBNET)

    def _run(self, server: _Kept, ports: Sequence[_Kept], taken: list[tuple[str, str, str]]) -> None:
        host = taken[0][0]
        server.vfs = taken
        self.rules.vfs = [vf for vf in self.rules.vfs if vf not in taken]
        fields = {**server.seen.fields, "host": host, "availability_zone": "nova"}
        server.seen = replace(server.seen, fields=fields, facts={"status": "ACTIVE", "host": host})
        for port, (_, _, slot) in zip(ports, taken, strict=True):
            bound: dict[str, Value] = {"status": "ACTIVE", "vif_type": "hw_veb", "host": host, "pci_slot": slot}
            held: dict[str, Value] = {"owner": "compute:nova", "device": server.seen.id}
            port.seen = replace(port.seen, facts={**port.seen.facts, **bound, **held})

    def _fail(self, server: _Kept, fault: str) -> None:
        fields = {name: value for name, value in server.seen.fields.items() if name != "ports"}
        server.seen = replace(server.seen, fields=fields, facts={"status": "ERROR", "fault": fault, "host": None})

    def _ports_of(self, server: _Kept) -> list[_Kept]:
        names = server.seen.fields.get("ports") if server.seen.kind is Kind.SERVER else None
        if not isinstance(names, Sequence):
            return []
        by_name = {
            kept.seen.name: kept
            for kept in self._kept.values()
            if kept.spec == server.spec and kept.seen.kind is Kind.PORT
        }
        return [by_name[str(name)] for name in names if str(name) in by_name]

    def _physical(self, port: _Kept) -> str:
        return str(self._kept[port.network].seen.fields["physical_network"])

    def _networks(self, spec: str) -> References:
        """What networks are called; a name means the spec's own first."""
        own = (one.seen.id for one in self._kept.values() if one.spec == spec)
        return references(self._of(Kind.NETWORK), first=own)

    def _of(self, kind: Kind) -> list[CloudObject]:
        return [kept.seen for kept in self._kept.values() if kept.seen.kind is kind]

    def _on(self, network: CloudObject, kind: Kind) -> list[CloudObject]:
        return [kept.seen for kept in self._kept.values() if kept.seen.kind is kind and kept.network == network.id]

    def _new_id(self, kind: Kind) -> str:
        return f"{kind.value}-{next(self._numbers)}"
