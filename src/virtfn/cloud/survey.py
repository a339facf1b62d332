"""What preflight and diagnosis read of a cloud: each part separately, so that a refused one hides no other.

Who may read what: by the default policies of neutron, nova and placement agents, services, bound hosts and providers
are for administrators; quotas, zones, flavors, images and extensions are for everybody.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from virtfn.cloud import from_sdk as reading
from virtfn.cloud.from_sdk import ADMIN_ONLY
from virtfn.cloud.listing import IMAGES_A_PAGE, Listing
from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import CloudDenied, CloudError, VirtfnError
from virtfn.model.cloud import DesiredCloud
from virtfn.model.cloud.observed import NicAgent, ObservedCloud, ObservedServer
from virtfn.model.cloud.references import is_uuid
from virtfn.model.cloud.survey import Allowance, CloudSurvey, ComputeHost, Flavor, Image, SegmentRange, Uses
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.cloud.wanted_objects import physical_networks

_NOT_HERE = Unknown("this cloud does not offer it")
_NIC_SWITCH = "NIC Switch agent"
_RANGES = "network-segment-range"
_BUILDING = "compute__do_build_and_run_instance"
_ON_A_VF = ("direct", "macvtap")
_OF_A_USE = ("network_id", "binding:vnic_type", "binding:host_id", "binding:profile")
_NETWORK_QUOTA = ("networks", "subnets", "ports")
_COMPUTE_QUOTA = {
    "servers": ("instances", "instances_used"),
    "vcpus": ("total_cores", "total_cores_used"),
    "ram_mib": ("total_ram", "total_ram_used"),
    "server_groups": ("server_groups", "server_groups_used"),
}

T = TypeVar("T")


class Surveyor:
    """Reads one cloud by the SDK's connection. ``label`` is its name in errors."""

    def __init__(self, sdk: Any, label: str) -> None:
        self._sdk = sdk
        self._label = label

    def survey(self, desired: DesiredCloud, observed: ObservedCloud) -> CloudSurvey:
        """All that this spec's preflight and diagnosis need. Raises nothing: what cannot be read is Unknown."""
        roles = self._part(self._roles)
        admin = isinstance(roles, tuple) and "admin" in roles
        extensions = self._part(self._extensions)
        has_ranges = isinstance(extensions, frozenset) and _RANGES in extensions
        wanted = frozenset(one.flavor for one in desired.servers)
        flavors = self._part(lambda: self._flavors(wanted))
        asked = () if isinstance(flavors, Unknown) else tuple(one for one in flavors if one.name in wanted)
        return CloudSurvey(
            roles=roles,
            extensions=extensions,
            quota=self._quota(),
            images=self._part(lambda: self._images({one.image for one in desired.servers})),
            flavors=flavors,
            key_names=self._part(lambda: tuple(one.name for one in self._sdk.compute.keypairs())),
            agents=self._told_or_empty(self._agents, is_told=admin),
            hosts=self._part(self._hosts),
            zones=self._part(lambda: tuple(map(reading.zone, self._sdk.compute.availability_zones()))),
            ranges=self._told_or_empty(self._ranges, is_told=admin) if has_ranges else _NOT_HERE,
            uses=self._part(lambda: self._uses(physical_networks(desired, observed))) if admin else ADMIN_ONLY,
            room=self._part(lambda: self._room(asked)),
            tried=self._tried(observed),
        )

    def _part(self, read: Callable[[], T]) -> Known[T]:
        try:
            with refusals(self._label):
                return read()
        except CloudDenied as denied:
            return ADMIN_ONLY if denied.status == 403 else Unknown(str(denied.message))
        except CloudError as fault:
            return _NOT_HERE if fault.status == 404 else Unknown(str(fault.message))
        except VirtfnError as fault:
            return Unknown(fault.message)
        except Exception as fault:  # noqa: BLE001  # an odd answer must not hide the failure that is looked into
            return Unknown(f"its answer cannot be read ({type(fault).__name__}: {fault})")

    def _told_or_empty(self, read: Callable[[], tuple[T, ...]], *, is_told: bool) -> Known[tuple[T, ...]]:
        """A list of which others than administrators get no error, but nothing."""
        found = self._part(read)
        return found if found or is_told else ADMIN_ONLY

    def _roles(self) -> Known[tuple[str, ...]]:
        access = getattr(self._sdk.session.auth, "get_access", None)
        if access is None:
            return Unknown("these credentials do not name their roles")
        return tuple(sorted(access(self._sdk.session).role_names))

    def _extensions(self) -> frozenset[str]:
        return frozenset(one.alias for one in self._sdk.network.extensions())

    def _quota(self) -> Mapping[str, Allowance]:
        """What both services say of this project's; a quota that cannot be read is left out."""
        found: dict[str, Allowance] = {}
        network = self._part(lambda: self._sdk.network.get_quota(self._sdk.current_project_id, details=True))
        if not isinstance(network, Unknown):
            for name in _NETWORK_QUOTA:
                told = getattr(network, name, None)
                if isinstance(told, Mapping):
                    found[name] = reading.allowance(told.get("limit"), told.get("used"), told.get("reserved"))
        compute = self._part(lambda: self._sdk.compute.get_limits().absolute)
        if not isinstance(compute, Unknown):
            for name, (limit, used) in _COMPUTE_QUOTA.items():
                if getattr(compute, limit, None) is not None:
                    found[name] = reading.allowance(getattr(compute, limit), getattr(compute, used, 0))
        return found

    def _images(self, wanted: Set[str]) -> tuple[Image, ...]:
        """Those that are listed, and of the rest those that are wanted by their ids."""
        listed = list(self._sdk.image.images(limit=IMAGES_A_PAGE))
        unlisted = map(self._image, sorted(filter(is_uuid, wanted - {one.id for one in listed})))
        return tuple(reading.image(one) for one in (*listed, *unlisted) if one)

    def _image(self, number: str) -> Any | None:
        from openstack.exceptions import NotFoundException

        try:
            return self._sdk.image.get_image(number)
        except NotFoundException:
            return None

    def _flavors(self, wanted: frozenset[str]) -> tuple[Flavor, ...]:
        """All, public or not; others than administrators get the public ones and their own."""
        return tuple(self._flavor(one, wanted) for one in self._sdk.compute.flavors(is_public=None))

    def _flavor(self, one: Any, wanted: frozenset[str]) -> Flavor:
        """Lists have extra specs from compute API 2.61 on, so those of a wanted flavor are requested separately."""
        specs: Known[tuple[str, ...]] = tuple(sorted(one.extra_specs or ()))
        if one.name in wanted and not specs:
            specs = self._part(lambda: tuple(sorted(self._sdk.compute.fetch_flavor_extra_specs(one).extra_specs or ())))
        ephemeral, swap = int(one.ephemeral or 0), int(one.swap or 0)
        return replace(reading.flavor(one), ephemeral_gib=ephemeral, swap_mib=swap, extra_specs=specs)

    def _agents(self) -> tuple[NicAgent, ...]:
        return tuple(map(reading.nic_agent, self._sdk.network.agents(agent_type=_NIC_SWITCH)))

    def _hosts(self) -> tuple[ComputeHost, ...]:
        return tuple(map(reading.compute_host, self._sdk.compute.services(binary="nova-compute")))

    def _ranges(self) -> tuple[SegmentRange, ...]:
        return tuple(map(reading.segment_range, self._sdk.network.network_segment_ranges()))

    def _uses(self, physical: frozenset[str]) -> Uses:
        """By the ports on networks of these names: a physical network has at most 4094 VLANs, which are 42 calls.

        Neutron cannot filter ports by their VNIC type (HTTP 400).
        """
        on = {
            network.id: name
            for name in sorted(physical)
            for network in self._sdk.network.networks(provider_physical_network=name, fields=["id"])
        }
        ports = Listing(self._sdk).ports_on(list(on), _OF_A_USE)
        return Counter(
            (on[port.network_id], port.binding_host_id)
            for port in ports
            if port.binding_vnic_type in _ON_A_VF and (port.binding_profile or {}).get("pci_slot")
        )

    def _room(self, flavors: tuple[Flavor, ...]) -> Mapping[str, Known[tuple[str, ...]]]:
        return {one.name: one.beyond_its_size or self._hosts_with_room(one) for one in flavors}

    def _hosts_with_room(self, flavor: Flavor) -> tuple[str, ...]:
        """Placement names a provider by its hypervisor, which is mostly the host's name."""
        wanted = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.ram_mib, "DISK_GB": flavor.local_gib}
        resources = ",".join(f"{name}:{amount}" for name, amount in wanted.items() if amount)
        providers = self._sdk.placement.resource_providers(resources=resources)
        return tuple(sorted(provider.name for provider in providers))

    def _tried(self, observed: ObservedCloud) -> Mapping[str, Known[tuple[str, ...]]]:
        failed = [one for one in observed.ours if isinstance(one, ObservedServer) and one.status == "ERROR"]
        return {one.name: self._part(partial(self._hosts_that_tried, one.id)) for one in failed}

    def _hosts_that_tried(self, server: str) -> tuple[str, ...]:
        """By nova's log of the server's making (its host from compute API 2.62 on, to administrators only)."""
        compute = self._sdk.compute
        asked = [one.request_id for one in compute.server_actions(server) if one.action == "create"]
        events = [event for request in asked for event in compute.get_server_action(request, server).events or ()]
        hosts = (str(one.get("host") or "") for one in events if one.get("event") == _BUILDING)
        return tuple(dict.fromkeys(hosts))
