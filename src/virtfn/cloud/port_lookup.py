"""Ports by name, with their servers, networks and projects, and the agents that serve them. Reads only."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from virtfn.cloud.connection import connect
from virtfn.cloud.from_sdk import ADMIN_ONLY, nic_agent
from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import CloudDenied, CloudError, UsageError
from virtfn.model.addresses import PciAddress
from virtfn.model.cloud.mirror import MirrorPort, NameMatches, PortNetwork, PortOwner, Project
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.cloud.references import is_uuid
from virtfn.model.inventory import Known, Unknown

T = TypeVar("T")

_NO_SINGLE_SEGMENT = Unknown("only administrators can read it, and only of networks with one segment")
_NIC_SWITCH = "NIC Switch agent"
_PLAIN = re.compile(r"[\w. -]+")
"""Names that nova's filter, a regular expression, finds as they stand; for others all servers are looked through."""


class OpenStackPorts:
    """Implements the CloudPorts protocol by openstacksdk. ``cloud`` is an entry of clouds.yaml; None: OS_... variables.

    What is looked up on the way (networks, projects, servers) is requested once.
    """

    def __init__(self, cloud: str | None) -> None:
        self._cloud = cloud
        self._label = f"cloud {cloud}" if cloud else "cloud"
        self._networks: dict[str, PortNetwork] = {}
        self._projects: dict[str, Project] = {}
        self._owners: dict[str, PortOwner | None] = {}

    @cached_property
    def _sdk(self) -> Any:
        return connect(self._cloud)

    def named(self, word: str) -> NameMatches:
        """All ports and servers with this name; those with this id alone, where there are any. Raises CloudError."""
        with refusals(self._label):
            ports = {one.id: one for one in self._matching_ports(word)}
            servers = {one.id: one for one in self._matching_servers(word)}
            number = word.lower()
            if number in ports or number in servers:  # an id goes before names that others have chosen
                ports = {one: port for one, port in ports.items() if one == number}
                servers = {one: server for one, server in servers.items() if one == number}
            return NameMatches(
                tuple(self._port(one) for one in ports.values()),
                tuple((self._owner_of(one), self._ports_of(one.id)) for one in servers.values()),
            )

    def nic_agents(self) -> Known[tuple[NicAgent, ...]]:
        """The NIC Switch agents; Unknown where only administrators can read them. Raises CloudError."""
        try:
            with refusals(self._label):
                return tuple(map(nic_agent, self._sdk.network.agents(agent_type=_NIC_SWITCH)))
        except CloudDenied:
            return ADMIN_ONLY

    def _matching_ports(self, word: str) -> Iterator[Any]:
        if is_uuid(word):
            yield from self._sdk.network.ports(id=word.lower())
        yield from self._sdk.network.ports(name=word)

    def _matching_servers(self, word: str) -> Iterator[Any]:
        if is_uuid(word):
            found = self._or_none(lambda: self._sdk.compute.get_server(word.lower()))
            yield from () if found is None else (found,)
        for one in self._servers({"name": word} if _PLAIN.fullmatch(word) else {}):
            if one.name == word:
                yield one

    def _servers(self, filters: dict[str, str]) -> Iterable[Any]:
        """Of all projects where we may see them, else of our own."""
        every = self._or_none(lambda: list(self._sdk.compute.servers(all_projects=True, **filters)))
        return self._sdk.compute.servers(**filters) if every is None else every

    def _ports_of(self, server: str) -> tuple[MirrorPort, ...]:
        return tuple(self._port(one) for one in self._sdk.network.ports(device_id=server))

    def _port(self, one: Any) -> MirrorPort:
        told = one.binding_vif_type is not None
        profile = one.binding_profile or {}
        security = one.is_port_security_enabled
        return MirrorPort(
            id=one.id,
            name=one.name or "",
            project=self._project(one.project_id),
            network=self._network(one.network_id),
            vnic_type=one.binding_vnic_type,
            mac=one.mac_address,
            status=one.status,
            port_security=Unknown("this cloud has no port security") if security is None else security,
            trusted=str(profile.get("trusted", "")).lower() == "true" if told else ADMIN_ONLY,
            vif_type=one.binding_vif_type if told else ADMIN_ONLY,
            host=one.binding_host_id or "" if told else ADMIN_ONLY,
            pci_slot=_address(profile.get("pci_slot")) if told else ADMIN_ONLY,
            physical_network=profile.get("physical_network") if told else ADMIN_ONLY,
            owner=self._server(one.device_id) if (one.device_owner or "").startswith("compute:") else None,
            device=one.device_id or "",
        )

    def _network(self, network: str) -> PortNetwork:
        if network not in self._networks:
            one = self._sdk.network.get_network(network)
            told = one.provider_network_type is not None
            self._networks[network] = PortNetwork(
                one.id,
                one.name,
                self._project(one.project_id),
                one.provider_physical_network if told else _NO_SINGLE_SEGMENT,
                one.provider_network_type if told else _NO_SINGLE_SEGMENT,
            )
        return self._networks[network]

    def _server(self, server: str) -> PortOwner | None:
        if server not in self._owners:
            found = self._or_none(lambda: self._sdk.compute.get_server(server))
            self._owners[server] = None if found is None else self._owner_of(found)
        return self._owners[server]

    def _owner_of(self, server: Any) -> PortOwner:
        return PortOwner(server.id, server.name, self._project(server.project_id), server.status)

    def _project(self, project: str) -> Project:
        if project not in self._projects:
            found = self._or_none(lambda: self._sdk.identity.get_project(project))
            self._projects[project] = Project(project, found.name if found else "")
        return self._projects[project]

    def _or_none(self, call: Callable[[], T]) -> T | None:
        """What is answered; None where there is no such thing, or it is not for us."""
        try:
            with refusals(self._label):
                return call()
        except CloudError as fault:
            if fault.status in (403, 404):
                return None
            raise


def _address(slot: str | None) -> Known[PciAddress | None]:
    if not slot:
        return None
    try:
        return PciAddress.parse(slot)
    except UsageError as fault:
        return Unknown(str(fault))
