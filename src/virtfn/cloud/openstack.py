"""An OpenStack cloud as a world: observed by a spec's tag, read and written by field."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from virtfn.cloud import from_sdk as reading
from virtfn.cloud.connection import connect
from virtfn.cloud.listing import Listing
from virtfn.cloud.sdk_errors import refusals
from virtfn.cloud.survey import Surveyor
from virtfn.cloud.writer import Writer
from virtfn.errors import VirtfnError
from virtfn.model.cloud import DesiredCloud, Kind, meant_by
from virtfn.model.cloud.fields import by_kind, field_of, find
from virtfn.model.cloud.observed import (
    ObservedCloud,
    ObservedNetwork,
    ObservedObject,
    ObservedPort,
    ObservedServer,
)
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.plan import DEFINITION, Target, Value

_EVERY_FIELD = frozenset({DEFINITION, "ports", "server_group"})
"""Those that take a call of their own."""


class OpenStackCloud:
    """Implements the Cloud protocol by openstacksdk. ``cloud`` is an entry of clouds.yaml; None: OS_... variables."""

    def __init__(self, cloud: str | None, *, parallel: int = 4) -> None:
        self.parallel = parallel
        self._cloud = cloud
        self._label = f"cloud {cloud}" if cloud else "cloud"

    @cached_property
    def _sdk(self) -> Any:
        return connect(self._cloud)

    @cached_property
    def _listing(self) -> Listing:
        return Listing(self._sdk)

    @cached_property
    def _writer(self) -> Writer:
        def ours(spec: str, kind: Kind) -> list[ObservedObject]:
            return self._ours(spec, {kind}, frozenset())

        return Writer(self._sdk, self._listing, ours, self.parallel)

    def observe(self, spec: str) -> ObservedCloud:
        """What bears the spec's tag, and networks and ports beside it. Raises CloudError."""
        self._writer.forget()
        self._listing.forget()
        with refusals(self._label):
            networks = self._listing.networks()
            ours = self._ours(spec, Kind, networks=networks)
            others = self._others(spec, networks, ours)
            names = self._listing.images, self._listing.flavors
            return ObservedCloud(self._cloud or "env", tuple(ours), tuple(others), *names)

    def survey(self, desired: DesiredCloud, observed: ObservedCloud) -> CloudSurvey:
        """What is known of the cloud itself, for preflight and diagnosis: about a dozen calls. Raises nothing."""
        return Surveyor(self._sdk, self._label).survey(desired, observed)

    def refresh(self, spec: str, before: ObservedCloud) -> ObservedCloud:
        """What was observed before, with the spec's ports and servers as they are now: two calls. Raises CloudError."""
        ids = {kind: {one.id for one in before.ours if one.kind is kind} for kind in Kind}
        with refusals(self._label):
            servers = self._listing.servers(spec)  # before their ports, which are then as late as what they say
            ports = self._listing.ports_again(spec, ids[Kind.PORT])
            names = reading.Names(
                flavors=before.flavors.names,
                groups={
                    one.id: one.server_group
                    for one in before.ours
                    if isinstance(one, ObservedServer) and one.server_group
                },
                ports=reading.ports_by_server(ports),
            )
            own = self._listing.own_networks(spec, ports)
        now: list[ObservedObject] = [reading.port(one, own) for one in ports]
        now += [reading.server(one, names) for one in servers]
        kept = [one for one in before.ours if one.kind not in (Kind.PORT, Kind.SERVER)]
        return replace(before, ours=tuple(one for kind in Kind for one in (*kept, *now) if one.kind is kind))

    def read(self, target: Target, field: str) -> Value:
        """One field; None where the object is not there. Raises CloudError, UsageError (two of the name)."""
        (found,) = self.read_all([(target, field)])
        if isinstance(found, VirtfnError):
            raise found
        return found

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields: what is of one kind is listed once."""
        wanted: dict[str, list[tuple[Kind, str]]] = {}
        for target, field in keys:
            spec, kind, _ = meant_by(target)
            wanted.setdefault(spec, []).append((kind, field))
        listed = {spec: self._listed_or_fault(spec, asked) for spec, asked in wanted.items()}
        return [_field(listed[meant_by(target)[0]], target, field) for target, field in keys]

    def write(self, target: Target, field: str, value: Value) -> None:
        """Make, change or delete. Raises CloudError."""
        self.write_all([(target, field, value)])

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """The fields of an object in one call; objects of one kind at once, kind by kind, until one is refused."""
        for objects in by_kind(changes):
            self._writer.write(objects)

    def _listed_or_fault(self, spec: str, asked: Sequence[tuple[Kind, str]]) -> list[ObservedObject] | VirtfnError:
        try:
            with refusals(self._label):
                return self._ours(spec, {kind for kind, _ in asked}, frozenset(field for _, field in asked))
        except VirtfnError as fault:
            return fault

    def _ours(
        self,
        spec: str,
        kinds: Iterable[Kind],
        fields: frozenset[str] = _EVERY_FIELD,
        *,
        networks: Sequence[Any] | None = None,
    ) -> list[ObservedObject]:
        """What bears the spec's tag, of these kinds, in the order of ``Kind``.

        Of servers only what has these ``fields`` is read. ``networks`` are all, where they have been listed.
        """
        asked, listing = set(kinds), self._listing
        if Kind.NETWORK in asked and networks is None:
            networks = listing.networks()
        has_servers = Kind.SERVER in asked
        servers = listing.servers(spec) if has_servers else []  # before their ports
        subnets = listing.subnets(spec) if Kind.SUBNET in asked else []
        ports = listing.ports(spec) if Kind.PORT in asked or (has_servers and "ports" in fields) else []
        grouped = Kind.SERVER_GROUP in asked or (has_servers and "server_group" in fields)
        groups = listing.groups(spec) if grouped else []
        own = listing.own_networks(spec, [*subnets, *ports])
        names = reading.Names(
            flavors=listing.flavors.names if has_servers else {},
            groups={member: name for one, name in groups for member in one.member_ids or ()},
            ports=reading.ports_by_server(ports),
        )
        found: dict[Kind, Sequence[ObservedObject]] = {
            Kind.NETWORK: [reading.network(one) for one in networks or () if listing.is_marked(one, spec)],
            Kind.SUBNET: [reading.subnet(one, own) for one in subnets],
            Kind.PORT: [reading.port(one, own) for one in ports],
            Kind.SERVER_GROUP: [reading.server_group(*pair) for pair in groups],
            Kind.SERVER: [reading.server(one, names) for one in servers],
        }
        return [one for kind in Kind if kind in asked for one in found[kind]]

    def _others(
        self, spec: str, networks: Sequence[Any], ours: Sequence[ObservedObject]
    ) -> list[ObservedNetwork | ObservedPort]:
        """Networks that are not ours, and ports that are not ours on networks that are."""
        ids = {one.id for one in ours}
        mine = [one.id for one in ours if one.kind is Kind.NETWORK]
        ports = self._listing.ports_on(mine)
        own = self._listing.own_networks(spec, ports)
        return [
            *(reading.network(one) for one in networks if one.id not in ids),
            *(reading.port(one, own) for one in ports if one.id not in ids),
        ]


def _field(listed: list[ObservedObject] | VirtfnError, target: Target, field: str) -> Value | VirtfnError:
    if isinstance(listed, VirtfnError):
        return listed
    try:
        return field_of(find(listed, target), field)
    except VirtfnError as fault:
        return fault
