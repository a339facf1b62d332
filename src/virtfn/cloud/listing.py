"""What the cloud lists, as the SDK gives it: one request for the whole project, not for each object."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from virtfn.cloud import from_sdk as reading
from virtfn.model.cloud import tag_of
from virtfn.model.cloud.references import References, references

_NAMING = ("id", "name", "project_id", "tags", "description")
"""What holds a network's name, and whether it is ours."""
IMAGES_A_PAGE = 1000
"""As many as Glance gives at most; unasked it gives 25."""
_IDS_A_CALL = 100
"""As many ids as fit into an address of 8 KiB, which is what web servers take."""


class Listing:
    """Lists of one connection. What images, flavors and networks are called is remembered until ``forget``."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._networks: list[Any] = []

    def forget_networks(self) -> None:
        """Some were made or deleted, so a name may mean others now."""
        self._networks = []

    def forget(self) -> None:
        """Others may have made some, deleted them or given them other names: list them again."""
        self.__dict__.pop("images", None)
        self.__dict__.pop("flavors", None)
        self.forget_networks()

    @cached_property
    def _project(self) -> str:
        return str(self._sdk.current_project_id)

    @cached_property
    def images(self) -> References:
        """What images are called that Glance lists: neither hidden ones, nor community images of others."""
        return references(self._sdk.image.images(limit=IMAGES_A_PAGE))

    @cached_property
    def flavors(self) -> References:
        """The names of flavors; those that are not public, too, as far as they are listed for us."""
        return references(self._sdk.compute.flavors(details=False, is_public=None))

    def networks(self) -> list[Any]:
        """All that we may see, ours or not."""
        self._networks = list(self._sdk.network.networks())
        return self._networks

    def own_networks(self, spec: str, of: Iterable[Any]) -> Mapping[str, str]:
        """The names by id of those networks that bear the spec's mark, where these subnets or ports are on any."""
        if not {one.network_id for one in of} <= {one.id for one in self._networks}:
            self._networks = list(self._sdk.network.networks(fields=list(_NAMING)))
        return {one.id: one.name for one in self._networks if self.is_marked(one, spec)}

    def subnets(self, spec: str) -> list[Any]:
        """Those that bear the spec's mark."""
        return [one for one in self._sdk.network.subnets(project_id=self._project) if self.is_marked(one, spec)]

    def ports(self, spec: str) -> list[Any]:
        """Those that bear the spec's mark: a project may have thousands, so each mark is requested separately."""
        tag, ports = tag_of(spec), self._sdk.network.ports
        found = [*ports(project_id=self._project, tags=tag), *ports(project_id=self._project, description=tag)]
        return list({one.id: one for one in found}.values())

    def ports_again(self, spec: str, known: Iterable[str]) -> list[Any]:
        """Those that bear the spec's mark, in one call where none of the known ids has lost its description."""
        found = list(self._sdk.network.ports(project_id=self._project, description=tag_of(spec)))
        return found if set(known) <= {one.id for one in found} else self.ports(spec)

    def ports_on(self, networks: Sequence[str], fields: Sequence[str] = ()) -> list[Any]:
        """All ports on the networks with these ids, of all owners; of them these ``fields``, or all."""
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
        """Those that bear the spec's mark, those in ERROR with what nova says of it."""
        ours = [one for one in self._sdk.compute.servers() if (one.metadata or {}).get(reading.MARK) == spec]
        return [self._with_fault(one) if one.status == "ERROR" and not one.fault else one for one in ours]

    def _with_fault(self, server: Any) -> Any:
        """The same, requested separately.

        The list has faults of one cell only, the one whose database is nova-api's own, and a server that no host took
        is in cell0 (nova 32, objects/instance.py, fill_faults; nova 34 looks into every cell).
        """
        from openstack.exceptions import NotFoundException

        try:
            return self._sdk.compute.get_server(server.id)
        except NotFoundException:  # it has just gone
            return server

    def server_names(self) -> Mapping[str, str]:
        """By id, of all servers of the project that are not gone yet; this is a short answer."""
        return {one.id: one.name for one in self._sdk.compute.servers(details=False)}

    def is_marked(self, one: Any, spec: str) -> bool:
        """Whether a network or subnet is of our project and bears the tag, or has it as description.

        A run may die before it can set tags; the description is there from the first moment.
        """
        tag = tag_of(spec)
        return one.project_id == self._project and (tag in (one.tags or ()) or one.description == tag)
