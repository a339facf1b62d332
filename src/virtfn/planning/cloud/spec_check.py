"""Checks that the cloud has everything that a spec names, before anything is created. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from virtfn.errors import SpecError
from virtfn.model.cloud import (
    DesiredCloud,
    DesiredNetwork,
    DesiredPort,
    DesiredServer,
    Kind,
    NetworkType,
)
from virtfn.model.cloud.observed import ObservedCloud, ObservedNetwork
from virtfn.model.cloud.references import Named, called
from virtfn.model.cloud.survey import CloudSurvey, Flavor
from virtfn.model.desired import UNSET
from virtfn.model.finding import FindingKind, Severity
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.cloud.wanted_objects import bare_networks, other_network_of

NOT_IN_CLOUD = FindingKind(
    "spec-not-in-cloud",
    Severity.FAULT,
    "The spec names an object that does not exist, is not allowed, or belongs to others.",
    "list them with `openstack network|image|flavor|keypair|availability zone list`",
)
_SHOWN = 8
_NEEDED = {"provider": "choose type and physical network of a network", "standard-attr-tag": "set tags, our mark"}
_ADDRESSLESS = "ip_allocation"
_GIVE_SUBNET = "give the network a subnet (dhcp: false and gateway: none, if not needed), or configure that"
_NEEDED_BY = {"port_security": "port-security", "mtu": "net-mtu-writable"}


def check_against(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> None:
    """Raise SpecError with all objects of the spec that this cloud does not have, or that belong to others."""
    faults = []
    for network in desired.networks:
        if observed.find(Kind.NETWORK, network.name) is None:
            faults += [NOT_IN_CLOUD.at(network.where, one) for one in _network_problems(network, observed, survey)]
    for server in desired.servers:
        faults += [NOT_IN_CLOUD.at(server.where, one) for one in _server_problems(server, desired, observed, survey)]
    if faults:
        raise SpecError.of(faults)


def _network_problems(network: DesiredNetwork, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[str]:
    physical = network.physical_network
    on_it = [one for one in observed.foreign_networks() if one.physical_network == physical]
    if network.type is NetworkType.FLAT:
        for other in (one for one in on_it if one.type == NetworkType.FLAT.value):
            yield (
                f"{physical} carries the flat network {other.label} already, which is not ours; "
                f"use it (network: {other.label}), or another physical network"
            )
    else:
        yield from _vlan_problems(network, on_it, survey)
    if not isinstance(survey.extensions, Unknown):
        wanted = _NEEDED | {
            extension: f"set {field}" for field, extension in _NEEDED_BY.items() if getattr(network, field) is not UNSET
        }
        missing = (f"{what} (extension {name})" for name, what in wanted.items() if name not in survey.extensions)
        yield from (f"this cloud's Neutron cannot {what}" for what in missing)


def _vlan_problems(network: DesiredNetwork, on_it: Iterable[ObservedNetwork], survey: CloudSurvey) -> Iterator[str]:
    physical, vlan = network.physical_network, network.segmentation_id
    for other in on_it:
        if other.type == NetworkType.VLAN.value and other.segmentation_id == vlan:
            yield f"VLAN {vlan} of {physical} is that of network {other.label}, which is not ours; use it, or another"
    if isinstance(survey.ranges, Unknown):
        return
    ranges = [one for one in survey.ranges if one.type == NetworkType.VLAN.value]
    if physical not in {one.physical_network for one in ranges}:
        there = ", ".join(sorted({one.physical_network for one in ranges})) or "none"
        yield f"Neutron has no VLANs on {physical} (it has on: {there})"


def _server_problems(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[str]:
    if observed.find(Kind.SERVER, server.name) is None:
        yield from _no_one("image", server.image, survey.images)
        yield from _no_one("flavor", server.flavor, survey.flavors)
        if server.key_name is not UNSET:
            yield from _missing("key pair", server.key_name, survey.key_names)
        yield from _unusable_image(server, survey)
        yield from _misplaced(server, desired, survey)
    own = {network.name for network in desired.networks}
    for port in server.ports:
        if port.network not in own:
            yield from _network_of_others(port, own, observed)
        if observed.find(Kind.PORT, port.name) is None:
            yield from _no_address(port, desired, observed, survey)


def _network_of_others(port: DesiredPort, own: Iterable[str], observed: ObservedCloud) -> Iterator[str]:
    meant = observed.networks.meant(port.network)
    if meant:
        yield from _several("network", port.network, meant)
    else:
        there = [name or one for one, name in observed.networks.names.items()]
        yield from _missing("network", port.network, (*own, *there))


def _no_address(
    port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[str]:
    """Why nova would refuse a port without an address.

    It accepts one only if Neutron marks it as such, by an extension of the service plugin segments; and on a network
    without subnets only without port security (nova, network/neutron.py, PortRequiresFixedIP
    and SecurityGroupCannotBeApplied).
    """
    bare, is_secured = _bareness(port, desired, observed)
    if not bare and port.fixed_ip is not None:
        return
    needed = []
    if not isinstance(survey.extensions, Unknown) and _ADDRESSLESS not in survey.extensions:
        needed.append(f"Neutron has the extension {_ADDRESSLESS} (service plugin segments), which is not here")
    if bare and is_secured:
        needed.append("the network has port_security: false")
    if bare and port.fixed_ip is not None:
        needed.append("the port has fixed_ip: none")
    if needed:
        why = f"network {observed.networks.said(port.network)} has no subnet" if bare else "fixed_ip is none"
        remedy = _GIVE_SUBNET if bare else "leave fixed_ip out"
        yield f"port {port.name} has no address ({why}), which nova takes only where {' and '.join(needed)}: {remedy}"


def _bareness(port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud) -> tuple[bool, bool]:
    """Whether a port's network has no subnets, as far as known, and whether it has port security."""
    own = next((network for network in desired.networks if network.name == port.network), None)
    found = observed.network(own.name) if own else other_network_of(port, desired, observed)
    told = found.port_security is not False if found else True
    if own is None:
        return found is not None and found.subnets == 0, told
    is_secured = told if own.port_security is UNSET else own.port_security
    return own.name in bare_networks(desired, observed), is_secured


def _unusable_image(server: DesiredServer, survey: CloudSurvey) -> Iterator[str]:
    """An image that is not active, or requires more than the flavor has (nova refuses both)."""
    images = () if isinstance(survey.images, Unknown) else called(survey.images, server.image)
    flavors = () if isinstance(survey.flavors, Unknown) else survey.flavors
    for image in images if len(images) == 1 else ():
        name = image.name or image.id
        if image.status != "active":
            yield f"image {name} is {image.status}, not active: no server can be made of it"
        for flavor in (one for one in flavors if one.name == server.flavor):
            if flavor.disk_gib and flavor.disk_gib < image.min_disk_gib:
                yield _too_little(name, f"{image.min_disk_gib} GiB of disk", flavor, flavor.disk_gib)
            if flavor.ram_mib < image.min_ram_mib:
                yield _too_little(name, f"{image.min_ram_mib} MiB of memory", flavor, flavor.ram_mib)


def _too_little(image: str, needed: str, flavor: Flavor, has: int) -> str:
    return f"image {image} needs {needed}, flavor {flavor.name} has {has}"


def _misplaced(server: DesiredServer, desired: DesiredCloud, survey: CloudSurvey) -> Iterator[str]:
    if server.availability_zone is not UNSET and not isinstance(survey.zones, Unknown):
        zone = server.availability_zone.partition(":")[0]
        yield from _missing("availability zone", zone, _names(survey.zones))
        if any(one.name == zone and not one.available for one in survey.zones):
            yield f"availability zone {zone} is not available: no host of it is in service"
    if isinstance(survey.hosts, Unknown):
        return
    if server.host is not UNSET:
        yield from _missing("compute host", server.host, _names(survey.hosts))
    if server.anti_affinity is not UNSET:
        members = sum(one.anti_affinity == server.anti_affinity for one in desired.servers)
        if members > len(survey.hosts):
            hosts = ", ".join(one.name for one in survey.hosts)
            yield (
                f"group {server.anti_affinity} has {members} servers that never share a host; "
                f"the compute hosts are {len(survey.hosts)} ({hosts})"
            )


def _names(known: Known[tuple[object, ...]]) -> Known[tuple[str, ...]]:
    """The names of objects, or the ids of those without a name."""
    if isinstance(known, Unknown):
        return known
    return tuple(str(getattr(one, "name", one) or getattr(one, "id", "")) for one in known)


def _no_one(what: str, word: str, known: Known[tuple[Named, ...]]) -> Iterator[str]:
    """A name or id that matches nothing, or several."""
    if isinstance(known, Unknown):
        return
    found = called(known, word)
    yield from _several(what, word, [one.id for one in found]) if found else _missing(what, word, _names(known))


def _several(what: str, word: str, ids: Sequence[str]) -> Iterator[str]:
    if len(ids) > 1:
        yield f"there are {len(ids)} {what}s of the name {word}: name one by its id ({_shown(ids)})"


def _missing(what: str, name: str, known: Known[tuple[str, ...]]) -> Iterator[str]:
    if isinstance(known, Unknown) or name in known:
        return
    yield f"there is no {what} {name} (there is: {_shown(known)})"


def _shown(words: Iterable[str]) -> str:
    known = sorted(set(words))
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return (", ".join(known[:_SHOWN]) or "none") + more
