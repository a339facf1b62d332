"""What the cloud lists, as the SDK gives it: each question is asked of the whole project, not of each object."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from virtfn.cloud import reading
from virtfn.model.cloud import tag_of

_IDS_A_CALL = 100
"""As many ids as fit into an address of 8 KiB, which is what web servers take."""


class Listing:
    """Lists of one connection. Images, flavors and the names of networks are remembered, nothing else is."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._network_names: dict[str, str] = {}

    @cached_property
    def _project(self) -> str:
        return str(self._sdk.current_project_id)

    @cached_property
    def images(self) -> Mapping[str, str]:
        """Names by id."""
        return {one.id: one.name for one in self._sdk.image.images()}

    @cached_property
    def flavors(self) -> Mapping[str, str]:
        """Names by id."""
        return {one.id: one.name for one in self._sdk.compute.flavors(details=False)}

    def networks(self) -> list[Any]:
        """All that we may see, ours or not."""
        found = list(self._sdk.network.networks())
        self._network_names = {one.id: one.name for one in found}
        return found

    def network_names(self, of: Iterable[Any]) -> Mapping[str, str]:
        """Names by id of the networks that these subnets or ports are on."""
        if any(one.network_id not in self._network_names for one in of):
            self._network_names = {one.id: one.name for one in self._sdk.network.networks(fields=["id", "name"])}
        return self._network_names

    def subnets(self, spec: str) -> list[Any]:
        """Those that bear the spec's mark."""
        return [one for one in self._sdk.network.subnets(project_id=self._project) if self.is_marked(one, spec)]

    def ports(self, spec: str) -> list[Any]:
        """Those that bear the spec's mark: a project may have thousands, so both marks are asked for by themselves."""
        tag, ports = tag_of(spec), self._sdk.network.ports
        found = [*ports(project_id=self._project, tags=tag), *ports(project_id=self._project, description=tag)]
        return list({one.id: one for one in found}.values())

    def ports_again(self, spec: str, known: Iterable[str]) -> list[Any]:
        """Those that bear the spec's mark, in one call where none of the known ids has lost its description."""
        found = list(self._sdk.network.ports(project_id=self._project, description=tag_of(spec)))
        return found if set(known) <= {one.id for one in found} else self.ports(spec)

    def ports_on(self, networks: Sequence[str], fields: Sequence[str] = ()) -> list[Any]:
        """All ports on the networks with these ids, whoever has made them; of them these ``fields``, or all."""
        parts = [networks[at : at + _IDS_A_CALL] for at in range(0, len(networks), _IDS_A_CALL)]
        named = {"fields": list(fields)} if fields else {}
        return [one for part in parts for one in self._sdk.network.ports(network_id=list(part), **named)]

    def groups(self, spec: str) -> list[tuple[Any, str]]:
        """Server groups that bear the spec's mark, each with its name below it."""
        return [
            (one, name)
            for one in self._sdk.compute.server_groups()
            if (name := reading.group_name(spec, one.name)) is not None
        ]

    def servers(self, spec: str) -> list[Any]:
        """Those that bear the spec's mark."""
        return [one for one in self._sdk.compute.servers() if (one.metadata or {}).get(reading.MARK) == spec]

    def server_ids(self) -> set[str]:
        """Of all servers of the project that are not gone yet; this is a short answer."""
        return {one.id for one in self._sdk.compute.servers(details=False)}

    def is_marked(self, one: Any, spec: str) -> bool:
        """Whether a network or subnet is of our project and bears the tag, or has it as description.

        A run may die before it can set tags; the description is there from the first moment.
        """
        tag = tag_of(spec)
        return one.project_id == self._project and (tag in (one.tags or ()) or one.description == tag)
