"""Names of a spec as the ids and names in which a cloud is read, and ids as names for display. Pure.

Names of foreign networks and of images can move to other objects at any time: they become ids before planning, and
names again only for display.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from virtfn.model.cloud import DesiredCloud, DesiredPort, DesiredServer
from virtfn.model.cloud.observed import ObservedCloud, ObservedServer
from virtfn.model.cloud.references import is_uuid
from virtfn.model.desired import UNSET
from virtfn.model.plan import Value
from virtfn.planning.cloud.wanted_objects import bare_networks

_SHOWN = 4


def settled(desired: DesiredCloud, observed: ObservedCloud) -> DesiredCloud:
    """The spec with its images, flavors and networks in normal form (``model/cloud/fields``).

    Unknown and ambiguous names stay. An existing server keeps its image if the spec has a name: the name may have moved
    to a newer image. A new port on a network without subnets has no address.
    """
    own = {network.name for network in desired.networks}
    bare = bare_networks(desired, observed)
    return replace(desired, servers=tuple(_server(one, own, bare, observed) for one in desired.servers))


def kept(desired: DesiredCloud, observed: ObservedCloud) -> Iterator[str]:
    """Existing servers whose image differs from what the spec's name means now; one line for equal ones.

    Also servers whose flavor was deleted, if the spec's name also finds none.
    """
    alike: dict[str, list[str]] = {}
    for server in desired.servers:
        found = observed.server(server.name)
        if found is None:
            continue
        for what, word, has, known in (
            ("image", server.image, found.image, observed.images),
            ("flavor", server.flavor, found.flavor, observed.flavors),
        ):
            meant = known.meant(word)
            if not has or has == word or has in meant:
                continue
            if _is_a_name(word, observed) if what == "image" else not meant and has not in known.names.values():
                why = f"which is not what {word} means now" if meant else f"and there is no {what} {word}"
                alike.setdefault(f"{what} {known.said(has)}, {why}", []).append(server.name)
    for text, names in alike.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"server {', '.join(names[:_SHOWN])}{more} stays with {text}"


def meant_by_id(every: Iterable[Mapping[str, Value]]) -> set[str]:
    """The images and networks in the fields of these objects."""
    return {str(fields[name]) for fields in every for name in ("image", "network") if fields.get(name)}


def spoken(observed: ObservedCloud, ids: Collection[str]) -> Mapping[str, str]:
    """The names of images and networks with these ids, where the name is unique."""
    known = (observed.images, observed.networks)
    return {one: names.said(one) for names in known for one in sorted(ids) if names.said(one) != one}


def _server(
    server: DesiredServer, own: Collection[str], bare: Collection[str], observed: ObservedCloud
) -> DesiredServer:
    found = observed.server(server.name)
    return replace(
        server,
        image=_image(server.image, found, observed),
        flavor=_flavor(server.flavor, found, observed),
        ports=tuple(_port(one, own, bare, observed) for one in server.ports),
    )


def _is_a_name(word: str, observed: ObservedCloud) -> bool:
    """Whether a spec's text for an image is a name, and not the id of an image that Glance does not list."""
    return observed.images.with_id(word) is None and not is_uuid(word)


def _image(word: str, found: ObservedServer | None, observed: ObservedCloud) -> str:
    has = found.image if found else None
    if has and _is_a_name(word, observed):
        return has
    meant = observed.images.meant(word)
    if len(meant) == 1:
        return meant[0]
    return word.lower() if is_uuid(word) else word


def _flavor(word: str, found: ObservedServer | None, observed: ObservedCloud) -> str:
    """Nova shows a server's flavor by name only, also when the flavor is gone: its id then matches nothing."""
    known = observed.flavors
    meant = known.meant(word)
    if len(meant) == 1:
        return known.names[meant[0]]
    has = found.flavor if found else None
    return has if has and has not in known.names.values() else word


def _port(port: DesiredPort, own: Collection[str], bare: Collection[str], observed: ObservedCloud) -> DesiredPort:
    found = observed.port(port.name)
    if port.network in own:
        is_new = found is None and port.fixed_ip is UNSET and port.network in bare
        return replace(port, fixed_ip=None) if is_new else port
    networks = observed.networks
    meant = networks.meant(port.network)
    if len(meant) > 1 and found and found.network in meant:
        return replace(port, network=found.network)
    if len(meant) != 1:
        return port
    return replace(port, network=networks.names[meant[0]] if meant[0] in networks.first else meant[0])
