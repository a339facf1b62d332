"""An OpenStack cloud as a world: observed by a spec's tag, read and written by field."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from virtfn.cloud import making, reading
from virtfn.cloud.connection import connect
from virtfn.cloud.refusals import refusals
from virtfn.errors import CloudDenied, CloudError, VirtfnError
from virtfn.model.cloud import Catalog, CloudObject, Kind, NicAgent, ObservedCloud, meant_by, tag_of
from virtfn.model.cloud_fields import DEFINITION, by_object, field_of, find, whole
from virtfn.model.inventory import Known, Unknown
from virtfn.model.plan import Target, Value

_ADMIN_ONLY = Unknown("the cloud tells it to administrators only")
_NIC_SWITCH = "NIC Switch agent"


class OpenStackCloud:
    """Implements the Cloud protocol by openstacksdk. ``cloud`` is an entry of clouds.yaml; None: OS_... variables."""

    def __init__(self, cloud: str | None) -> None:
        self._cloud = cloud
        self._label = f"cloud {cloud}" if cloud else "cloud"

    @cached_property
    def _sdk(self) -> Any:
        return connect(self._cloud)

    @cached_property
    def _project(self) -> str:
        return str(self._sdk.current_project_id)

    @cached_property
    def _images(self) -> dict[str, str]:
        return {one.id: one.name for one in self._sdk.image.images()}

    @cached_property
    def _flavors(self) -> dict[str, str]:
        return {one.id: one.name for one in self._sdk.compute.flavors(details=False)}

    def observe(self, spec: str) -> ObservedCloud:
        """What bears the spec's tag, and networks and ports beside it. Raises CloudError."""
        with refusals(self._label):
            ours = self._ours(spec, Kind)
            networks = [one for one in ours if one.kind is Kind.NETWORK]
            others = self._other_networks(networks) + self._other_ports(networks, ours)
            return ObservedCloud(
                self._cloud or "env", tuple(ours), tuple(others), self._catalog(), self._agents(others + networks)
            )

    def read(self, target: Target, field: str) -> Value:
        """One field; None where the object is not there. Raises CloudError, UsageError (two of the name)."""
        (found,) = self.read_all([(target, field)])
        if isinstance(found, VirtfnError):
            raise found
        return found

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields: what is of one kind is listed once."""
        wanted: dict[str, set[Kind]] = {}
        for target, _ in keys:
            spec, kind, _ = meant_by(target)
            wanted.setdefault(spec, set()).add(kind)
        listed: dict[str, list[CloudObject] | VirtfnError] = {
            spec: self._listed_or_fault(spec, kinds) for spec, kinds in wanted.items()
        }
        return [_field(listed[meant_by(target)[0]], target, field) for target, field in keys]

    def write(self, target: Target, field: str, value: Value) -> None:
        """Make, change or delete. Raises CloudError."""
        self.write_all([(target, field, value)])

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """The fields of an object in one call, object by object, until one is refused."""
        for target, fields in by_object(changes):
            with refusals(str(target)):
                self._write(target, fields)

    def _write(self, target: Target, fields: dict[str, Value]) -> None:
        spec, kind, name = meant_by(target)
        if fields.get(DEFINITION) is not None:
            making.create(self._sdk, spec, kind, name, whole(fields), lambda *asked: self._id_of(spec, *asked))
            return
        found = find(self._ours(spec, [kind]), target)
        if DEFINITION in fields:
            if found is not None:
                making.delete(self._sdk, found)
        elif found is None:
            raise CloudError("it is not there any more", where=str(target), status=404)
        else:
            making.change(self._sdk, found, fields)

    def _id_of(self, spec: str, kind: Kind, name: str) -> str:
        own = [one for one in self._ours(spec, [kind]) if one.name == name]
        others = list(self._sdk.network.networks(name=name)) if kind is Kind.NETWORK and not own else []
        ids = [one.id for one in own or others]
        if len(ids) != 1:
            raise CloudError(f"there are {len(ids)} of the name {name}", where=kind.value.replace("_", " "))
        return str(ids[0])

    def _listed_or_fault(self, spec: str, kinds: Iterable[Kind]) -> list[CloudObject] | VirtfnError:
        try:
            with refusals(self._label):
                return self._ours(spec, kinds)
        except VirtfnError as fault:
            return fault

    def _ours(self, spec: str, kinds: Iterable[Kind]) -> list[CloudObject]:
        """What bears the spec's tag, of these kinds, in the order of ``Kind``."""
        asked = set(kinds)
        network, compute = self._sdk.network, self._sdk.compute
        groups = [
            (one, name)
            for one in (compute.server_groups() if asked & {Kind.SERVER_GROUP, Kind.SERVER} else ())
            if (name := reading.group_name(spec, one.name)) is not None
        ]
        ports = self._tagged(network.ports, spec) if asked & {Kind.PORT, Kind.SERVER} else []
        names = reading.Names(
            networks=self._network_names() if asked & {Kind.SUBNET, Kind.PORT} else {},
            images=self._images if Kind.SERVER in asked else {},
            flavors=self._flavors if Kind.SERVER in asked else {},
            groups={member: name for one, name in groups for member in one.member_ids or ()},
            ports=reading.ports_by_server(ports),
        )
        found: dict[Kind, list[CloudObject]] = {Kind.SERVER_GROUP: [reading.group_object(*pair) for pair in groups]}
        if Kind.NETWORK in asked:
            found[Kind.NETWORK] = [reading.network_object(one) for one in self._tagged(network.networks, spec)]
        if Kind.SUBNET in asked:
            found[Kind.SUBNET] = [reading.subnet_object(one, names) for one in self._tagged(network.subnets, spec)]
        if Kind.PORT in asked:
            found[Kind.PORT] = [reading.port_object(one, names) for one in ports]
        if Kind.SERVER in asked:
            servers = [one for one in compute.servers() if (one.metadata or {}).get(reading.MARK) == spec]
            found[Kind.SERVER] = [reading.server_object(one, names) for one in servers]
        return [one for kind in Kind if kind in asked for one in found.get(kind, ())]

    def _tagged(self, listing: Callable[..., Iterable[Any]], spec: str) -> list[Any]:
        """Objects of our project with the tag, or with it as description: a run may die before it can set tags."""
        tag = tag_of(spec)
        found = [*listing(project_id=self._project, tags=tag), *listing(project_id=self._project, description=tag)]
        return list({one.id: one for one in found}.values())

    def _network_names(self) -> dict[str, str]:
        return {one.id: one.name for one in self._sdk.network.networks(fields=["id", "name"])}

    def _other_networks(self, ours: Sequence[CloudObject]) -> list[CloudObject]:
        ids = {one.id for one in ours}
        return [reading.network_object(one) for one in self._sdk.network.networks() if one.id not in ids]

    def _other_ports(self, networks: Sequence[CloudObject], ours: Sequence[CloudObject]) -> list[CloudObject]:
        ids = {one.id for one in ours}
        names = reading.Names({one.id: one.name for one in networks}, {}, {}, {}, {})
        return [
            reading.port_object(port, names)
            for one in networks
            for port in self._sdk.network.ports(network_id=one.id)
            if port.id not in ids
        ]

    def _catalog(self) -> Catalog:
        keys = tuple(one.name for one in self._sdk.compute.keypairs())
        return Catalog(tuple(self._images.values()), tuple(self._flavors.values()), keys)

    def _agents(self, networks: Sequence[CloudObject]) -> Known[tuple[NicAgent, ...]]:
        """The NIC Switch agents; others than administrators get no error, but an empty list."""
        try:
            with refusals(self._label):
                found = tuple(map(reading.nic_agent, self._sdk.network.agents(agent_type=_NIC_SWITCH)))
        except CloudDenied:
            return _ADMIN_ONLY
        is_admin = any(one.fields.get("type") is not None for one in networks)
        return found if found or is_admin else _ADMIN_ONLY


def _field(listed: list[CloudObject] | VirtfnError, target: Target, field: str) -> Value | VirtfnError:
    if isinstance(listed, VirtfnError):
        return listed
    try:
        return field_of(find(listed, target), field)
    except VirtfnError as fault:
        return fault
