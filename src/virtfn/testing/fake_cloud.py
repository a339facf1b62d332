"""A cloud in memory that keeps Neutron's and nova's rules, with their words (measured on release 2026.2).

``hook`` is called before each read and write and may raise. Objects of one kind are written one after the other, but as
if ``parallel`` of them were handled at once: those beside one that is refused are written. A server is built while it
is looked at: after ``patience`` observations it runs and its ports are bound; where no VF is free it is in ERROR, as
nova leaves it.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from virtfn.errors import CloudError, StillNeeded, VirtfnError
from virtfn.model.cloud import DesiredCloud, Kind, meant_by
from virtfn.model.cloud.fields import by_kind, field_of, find, refuse_fixed, whole
from virtfn.model.cloud.observed import (
    NOT_TOLD,
    O,
    ObservedCloud,
    ObservedNetwork,
    ObservedObject,
    ObservedPort,
    ObservedServer,
    ObservedSubnet,
)
from virtfn.model.cloud.references import References, references
from virtfn.model.cloud.survey import QUOTAS, CloudSurvey
from virtfn.model.plan import DEFINITION, Target, Value
from virtfn.testing.fake_cloud_rules import FakeRules, changed, free_address, new_object, unbound

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

    ``has_no_address``: it is a port that was to have none. Of a server: the ports and the host that were asked for, how
    often it was looked at, the hosts where it was tried, and its VFs.
    """

    spec: str
    seen: ObservedObject
    network: str = ""
    has_no_address: bool = False
    ports: tuple[str, ...] = ()
    asked_host: str | None = None
    looks: int = 0
    tried: tuple[str, ...] = ()
    vfs: list[tuple[str, str, str]] = field(default_factory=list)


class FakeCloud:
    """Implements the Cloud protocol."""

    def __init__(
        self,
        rules: FakeRules | None = None,
        *,
        name: str = "fake",
        patience: int = 0,
        hook: Hook | None = None,
        parallel: int = 4,
    ) -> None:
        self.name = name
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
        theirs = [(kept, self._shown(kept, spec)) for kept in self._kept.values() if kept.spec != spec]
        others = tuple(
            one
            for kept, one in theirs
            if isinstance(one, ObservedNetwork) or (isinstance(one, ObservedPort) and kept.network in ids)
        )
        images, flavors = references(self.rules.known_images), references(self.rules.known_flavors)
        return ObservedCloud(self.name, ours, others, images, flavors)

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

    def add_foreign(self, kind: Kind, name: str, fields: Mapping[str, Value], *, device_owner: str = "") -> None:
        """Something that another user has made."""
        one = new_object(kind, name, self._new_id(kind), fields)
        if isinstance(one, ObservedPort):
            one = replace(one, device_owner=device_owner)
        network = self._networks("").meant(str(fields["network"]))[0] if kind in _ON_A_NETWORK else ""
        self._kept[one.id] = _Kept("", one, network)

    def break_server(self, name: str, fault: str) -> None:
        """What becomes of a server that ran, when its host fails it."""
        for one in self._kept.values():
            if (one.seen.kind, one.seen.name) == (Kind.SERVER, name):
                self._fail(one, fault)

    def everything(self) -> tuple[ObservedObject, ...]:
        """All objects, of all owners."""
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
        """An object's fields at once; objects of one kind as if ``parallel`` at once, until one is refused."""
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
        if kind is Kind.PORT:
            self._check_port(network, fields)
            fields = {**self._addresses(network), **fields}
        kept = _Kept(spec, new_object(kind, name, self._new_id(kind), fields), network)
        kept.has_no_address = "fixed_ip" in fields and fields["fixed_ip"] is None
        if isinstance(kept.seen, ObservedPort):
            kept.seen = unbound(kept.seen)
        if isinstance(kept.seen, ObservedServer):
            self.rules.check_server(fields)
            kept.asked_host = str(fields["host"]) if "host" in fields else None
            kept.ports = kept.seen.ports if isinstance(kept.seen.ports, tuple) else ()
            self._check_addresses(self._ports_of(kept))
            kept.seen = replace(kept.seen, host=None, availability_zone=None, status="BUILD")
        self._kept[kept.seen.id] = kept

    def _network_of(self, spec: str, fields: Mapping[str, Value]) -> str:
        """By the name of one of the spec's own, or by the id of one of others."""
        word = str(fields["network"])
        for one in self._of(ObservedNetwork):
            own = self._kept[one.id].spec == spec
            if word == (one.name if own else one.id):
                return one.id
        raise CloudError(f"there is none of the name {word}", where="network", status=404)

    def _ours(self, spec: str) -> tuple[ObservedObject, ...]:
        return tuple(self._shown(kept, spec) for kept in self._kept.values() if kept.spec == spec)

    def _shown(self, kept: _Kept, spec: str) -> ObservedObject:
        """As the spec sees it: its own networks by name, those of others by id."""
        seen = kept.seen
        if isinstance(seen, ObservedPort | ObservedSubnet):
            on = self._kept[kept.network]
            return replace(seen, network=on.seen.name if on.spec == spec else on.seen.id)
        if isinstance(seen, ObservedNetwork):
            return replace(seen, subnets=len(self._on(seen.id, ObservedSubnet)))
        return seen

    def _addresses(self, network: str) -> dict[str, Value]:
        """What Neutron gives a port: a MAC, and a free IP address of the first subnet's first pool if there is one."""
        taken = {one.fixed_ip for one in self._on(network, ObservedPort)}
        pools = next((one.pools for one in self._on(network, ObservedSubnet)), ())
        return {"mac": f"fa:16:3e:00:00:{next(self._macs):02x}", "fixed_ip": free_address(pools, taken)}

    def _check_network(self, fields: Mapping[str, Value]) -> None:
        self.rules.check_network(fields)
        physical = fields["physical_network"]
        for other in self._of(ObservedNetwork):
            if fields["type"] == "flat" == other.type and other.physical_network == physical:
                message = f"Unable to create the flat network. Physical network {physical} is in use."
                raise CloudError(message, where="network", status=409)

    def _check_port(self, network: str, fields: Mapping[str, Value]) -> None:
        for other in self._on(network, ObservedPort):
            if fields.get("mac") and other.mac == fields["mac"]:
                message = f"Unable to complete operation for network {fields['network']}. "
                raise CloudError(f"{message}The mac address {fields['mac']} is in use.", where="port", status=409)

    def _check_addresses(self, ports: Iterable[tuple[_Kept, ObservedPort]]) -> None:
        for kept, port in ports:
            is_told = kept.has_no_address and "ip_allocation" in self.rules.extensions
            if port.fixed_ip is None and not is_told:
                message = f"Port {port.id} requires a FixedIP in order to be used."
                raise CloudError(message, where="server", status=400)

    def _change(self, found: ObservedObject, fields: Mapping[str, Value]) -> None:
        refuse_fixed(found, fields)
        self._kept[found.id].seen = changed(found, fields)

    def _delete(self, found: ObservedObject) -> None:
        holder = self._kept.get(found.device_id) if isinstance(found, ObservedPort) else None
        if holder:
            message, hint = f"server {holder.seen.name} has it, and is still there", "delete it first"
            raise StillNeeded(message, where=f"port {found.name}", hint=hint, status=409)
        if found.kind is Kind.NETWORK and self._on(found.id, ObservedPort):
            message = f"Unable to complete operation on network {found.id}. "
            raise CloudError(
                f"{message}There are one or more ports still in use on the network.", where=found.name, status=409
            )
        if found.kind is Kind.SUBNET and self._on(self._kept[found.id].network, ObservedPort):
            message = f"Unable to complete operation on subnet {found.id}: "
            raise CloudError(
                f"{message}One or more ports have an IP allocation from this subnet.", where=found.name, status=409
            )
        if found.kind is Kind.NETWORK:
            for subnet in self._on(found.id, ObservedSubnet):
                del self._kept[subnet.id]
        self._release(self._kept.pop(found.id))

    def _release(self, server: _Kept) -> None:
        self.rules.vfs += server.vfs
        server.vfs = []
        for kept, port in self._ports_of(server):
            kept.seen = unbound(port)

    def _build(self, server: _Kept) -> None:
        """One step of nova's: after ``patience`` looks, VFs for all ports from one host, or ERROR."""
        if not isinstance(server.seen, ObservedServer) or server.seen.status != "BUILD":
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
            if not is_served or any(self._is_bare_and_secured(kept) for kept, _ in ports):
                server.tried = (host,)
                self._fail(server, _NO_RETRY.format(server.seen.id))
                return
            self._run(server, server.seen, ports, taken)
            return
        self._fail(server, _NO_HOST if self._is_offered_a_host(server) else _NO_CANDIDATE)

    def _may_run(self, server: _Kept, host: str) -> bool:
        group = getattr(server.seen, "server_group", None)
        mates = [
            one.host
            for one in self._of(ObservedServer)
            if group and one.id != server.seen.id and one.server_group == group
        ]
        fits = self.rules.takes_servers(host) and self._is_offered_a_host(server)
        return fits and server.asked_host in (None, host) and host not in mates

    def _is_offered_a_host(self, server: _Kept) -> bool:
        flavor = getattr(server.seen, "flavor", "")
        return flavor not in self.rules.too_small_for and any(one.enabled for one in self.rules.hosts)

    def _fitting(self, host: str, ports: Sequence[tuple[_Kept, ObservedPort]]) -> list[tuple[str, str, str]] | None:
        taken: list[tuple[str, str, str]] = []
        for kept, _ in ports:
            physical = self._network(kept).physical_network
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
        return self._network(port).port_security is not False and not self._on(port.network, ObservedSubnet)

    def _run(
        self,
        kept: _Kept,
        server: ObservedServer,
        ports: Sequence[tuple[_Kept, ObservedPort]],
        taken: list[tuple[str, str, str]],
    ) -> None:
        host = taken[0][0]
        kept.vfs = taken
        self.rules.vfs = [vf for vf in self.rules.vfs if vf not in taken]
        kept.seen = replace(server, host=host, availability_zone="nova", status="ACTIVE", ports=kept.ports)
        for (at, port), (_, _, slot) in zip(ports, taken, strict=True):
            bound = replace(port, status="ACTIVE", vif_type="hw_veb", host=host, pci_slot=slot)
            at.seen = replace(bound, device_owner="compute:nova", device_id=server.id)

    def _fail(self, kept: _Kept, fault: str) -> None:
        if isinstance(kept.seen, ObservedServer):
            kept.seen = replace(kept.seen, status="ERROR", fault=fault, host=None, ports=NOT_TOLD)

    def _ports_of(self, server: _Kept) -> list[tuple[_Kept, ObservedPort]]:
        by_name = {
            kept.seen.name: (kept, kept.seen)
            for kept in self._kept.values()
            if kept.spec == server.spec and isinstance(kept.seen, ObservedPort)
        }
        return [by_name[name] for name in server.ports if name in by_name]

    def _network(self, port: _Kept) -> ObservedNetwork:
        (found,) = (one for one in self._of(ObservedNetwork) if one.id == port.network)
        return found

    def _networks(self, spec: str) -> References:
        """What networks are called; a name means the spec's own first."""
        own = (one.seen.id for one in self._kept.values() if one.spec == spec)
        return references(self._of(ObservedNetwork), first=own)

    def _of(self, kind: type[O]) -> list[O]:
        return [kept.seen for kept in self._kept.values() if isinstance(kept.seen, kind)]

    def _on(self, network: str, kind: type[O]) -> list[O]:
        """Ports, or subnets, on the network with this id."""
        seen = (kept.seen for kept in self._kept.values() if kept.network == network)
        return [one for one in seen if isinstance(one, kind)]

    def _new_id(self, kind: Kind) -> str:
        return f"{kind.value}-{next(self._numbers)}"
