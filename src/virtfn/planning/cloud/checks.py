"""What a spec names and the cloud has not, found before anything is made: with it the plan cannot succeed. Pure."""

from collections.abc import Iterable, Iterator

from virtfn.model.cloud import (
    CloudObject,
    DesiredCloud,
    DesiredNetwork,
    DesiredServer,
    Kind,
    NetworkType,
    ObservedCloud,
)
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.desired import UNSET
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.matching import spec_error

_SHOWN = 8
_NEEDED = {"provider": "choose type and physical network of a network", "standard-attr-tag": "set tags, our mark"}
_NEEDED_BY = {"port_security": "port-security", "mtu": "net-mtu-writable"}


def check_against(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> None:
    """Raise SpecError with all that the spec names and this cloud has not, or has in other hands."""
    problems = []
    for network in desired.networks:
        if observed.find(Kind.NETWORK, network.name) is None:
            problems += [(network.where, problem) for problem in _network_problems(network, observed, survey)]
    for server in desired.servers:
        problems += [(server.where, problem) for problem in _server_problems(server, desired, observed, survey)]
    if problems:
        error = spec_error(problems)
        error.hint = "see what there is with `openstack network|image|flavor|keypair|availability zone list`"
        raise error


def _network_problems(network: DesiredNetwork, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[str]:
    physical = network.physical_network
    on_it = [one for one in observed.foreign_networks() if one.fields.get("physical_network") == physical]
    if network.type is NetworkType.FLAT:
        for other in (one for one in on_it if one.fields.get("type") == NetworkType.FLAT.value):
            yield (
                f"{physical} carries the flat network {_name(other)} already, which is not ours; "
                f"use it (network: {_name(other)}), or another physical network"
            )
    else:
        yield from _vlan_problems(network, on_it, survey)
    if not isinstance(survey.extensions, Unknown):
        wanted = _NEEDED | {
            extension: f"set {field}" for field, extension in _NEEDED_BY.items() if getattr(network, field) is not UNSET
        }
        missing = (f"{what} (extension {name})" for name, what in wanted.items() if name not in survey.extensions)
        yield from (f"this cloud's Neutron cannot {what}" for what in missing)


def _vlan_problems(network: DesiredNetwork, on_it: Iterable[CloudObject], survey: CloudSurvey) -> Iterator[str]:
    physical, vlan = network.physical_network, network.segmentation_id
    for other in on_it:
        if other.fields.get("type") == NetworkType.VLAN.value and other.fields.get("segmentation_id") == vlan:
            yield f"VLAN {vlan} of {physical} is that of network {_name(other)}, which is not ours; use it, or another"
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
        yield from _missing("image", server.image, _names(survey.images))
        yield from _missing("flavor", server.flavor, _names(survey.flavors))
        if server.key_name is not UNSET:
            yield from _missing("key pair", server.key_name, survey.key_names)
        yield from _unusable_image(server, survey)
        yield from _misplaced(server, desired, survey)
    ours = {network.name for network in desired.networks}
    there = tuple(one.name for one in observed.foreign_networks())
    for port in server.ports:
        if port.network in ours:
            continue
        yield from _missing("network", port.network, (*sorted(ours), *there))
        if there.count(port.network) > 1:
            yield f"there are {there.count(port.network)} networks of the name {port.network}"


def _unusable_image(server: DesiredServer, survey: CloudSurvey) -> Iterator[str]:
    """Of an image by its name: not there for use, or asking for more than the flavor has (nova refuses both)."""
    images = [] if isinstance(survey.images, Unknown) else [one for one in survey.images if one.name == server.image]
    flavors = (
        [] if isinstance(survey.flavors, Unknown) else [one for one in survey.flavors if one.name == server.flavor]
    )
    if len(images) > 1:
        yield f"there are {len(images)} images of the name {server.image}"
        return
    for image in images:
        if image.status != "active":
            yield f"image {image.name} is {image.status}, not active: no server can be made of it"
        for flavor in flavors:
            if flavor.disk_gib and flavor.disk_gib < image.min_disk_gib:
                yield _too_little(server, f"{image.min_disk_gib} GiB of disk", flavor.disk_gib)
            if flavor.ram_mib < image.min_ram_mib:
                yield _too_little(server, f"{image.min_ram_mib} MiB of memory", flavor.ram_mib)


def _too_little(server: DesiredServer, needed: str, has: int) -> str:
    return f"image {server.image} needs {needed}, flavor {server.flavor} has {has}"


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
    return known if isinstance(known, Unknown) else tuple(str(getattr(one, "name", one)) for one in known)


def _name(one: CloudObject) -> str:
    return one.name or one.id


def _missing(what: str, name: str, known: Known[tuple[str, ...]]) -> Iterator[str]:
    if isinstance(known, Unknown) or name in known:
        return
    shown = ", ".join(sorted(set(known))[:_SHOWN]) or "none"
    more = f" and {len(set(known)) - _SHOWN} more" if len(set(known)) > _SHOWN else ""
    yield f"there is no {what} {name} (there is: {shown}{more})"
