"""A desired cloud in the words in which the cloud is read: names where they mean one thing alone, else ids. Pure."""

from collections.abc import Collection
from dataclasses import replace

from virtfn.model.cloud import DesiredCloud, DesiredPort, DesiredServer, Kind, ObservedCloud
from virtfn.model.cloud.references import References


def settled(desired: DesiredCloud, observed: ObservedCloud) -> DesiredCloud:
    """The same with its images, flavors and networks in normal form.

    What means nothing, or several, stays as it is. A server or port that is there has what its word means, too, where
    others have come to bear the same name since.
    """
    own = {network.name for network in desired.networks}
    return replace(desired, servers=tuple(_server(one, own, observed) for one in desired.servers))


def _server(server: DesiredServer, own: Collection[str], observed: ObservedCloud) -> DesiredServer:
    found = observed.find(Kind.SERVER, server.name)
    has = found.fields if found else {}
    return replace(
        server,
        image=_or_what_it_has(server.image, has.get("image"), observed.images),
        flavor=_or_what_it_has(server.flavor, has.get("flavor"), observed.flavors),
        ports=tuple(_port(one, own, observed) for one in server.ports),
    )


def _port(port: DesiredPort, own: Collection[str], observed: ObservedCloud) -> DesiredPort:
    if port.network in own:
        return port
    networks = observed.networks
    found = observed.find(Kind.PORT, port.name)
    word = _or_what_it_has(port.network, found.fields.get("network") if found else None, networks)
    if word in own and word != port.network:  # once ours is made, the name means that one
        ids = networks.meant(port.network)
        word = word if ids[0] in networks.first else ids[0]
    return replace(port, network=word)


def _or_what_it_has(word: str, has: object, known: References) -> str:
    """``has``: what the object that is there has, in normal form; None where it is not there or does not tell.

    Where the cloud knows neither (any more), one cannot be held against the other.
    """
    if isinstance(has, str) and has:
        ids = known.meant(has)
        if any(known.is_called(one, word) for one in ids) or not (ids or known.meant(word)):
            return has
    return known.settled(word)
