"""What a spec names and the cloud has not, found before anything is made. Pure."""

from collections.abc import Iterator

from virtfn.model.cloud import DesiredCloud, DesiredServer, NetworkType, ObservedCloud
from virtfn.model.desired import UNSET
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.matching import spec_error

_SHOWN = 8


def check_against(desired: DesiredCloud, observed: ObservedCloud) -> None:
    """Raise SpecError with all that the spec names and this cloud has not, or has in other hands."""
    problems = [*_network_problems(desired, observed)]
    for server in desired.servers:
        problems += [(server.where, problem) for problem in _server_problems(server, desired, observed)]
    if problems:
        error = spec_error(problems)
        error.hint = "see what there is with `openstack network|image|flavor|keypair list`"
        raise error


def _network_problems(desired: DesiredCloud, observed: ObservedCloud) -> Iterator[tuple[str, str]]:
    taken = {
        str(one.fields.get("physical_network")): one
        for one in observed.foreign_networks()
        if one.fields.get("type") == NetworkType.FLAT.value
    }
    for network in desired.networks:
        other = taken.get(network.physical_network) if network.type is NetworkType.FLAT else None
        if other is not None:
            yield (
                network.where,
                f"{network.physical_network} carries the flat network {other.name or other.id} already, which is not "
                f"ours; use it (network: {other.name or other.id}), or another physical network",
            )


def _server_problems(server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud) -> Iterator[str]:
    catalog = observed.catalog
    yield from _missing("image", server.image, catalog.images)
    yield from _missing("flavor", server.flavor, catalog.flavors)
    if server.key_name is not UNSET:
        yield from _missing("key pair", server.key_name, catalog.key_names)
    ours = {network.name for network in desired.networks}
    there = tuple(one.name for one in observed.foreign_networks())
    for port in server.ports:
        if port.network in ours:
            continue
        yield from _missing("network", port.network, (*sorted(ours), *there))
        if there.count(port.network) > 1:
            yield f"there are {there.count(port.network)} networks of the name {port.network}"


def _missing(what: str, name: str, known: Known[tuple[str, ...]]) -> Iterator[str]:
    if isinstance(known, Unknown) or name in known:
        return
    shown = ", ".join(sorted(set(known))[:_SHOWN]) or "none"
    more = f" and {len(set(known)) - _SHOWN} more" if len(set(known)) > _SHOWN else ""
    yield f"there is no {what} {name} (there is: {shown}{more})"
