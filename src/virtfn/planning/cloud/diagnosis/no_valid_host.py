"""Why nova's scheduler found no host: excludes every requirement known to be met; the rest is the cause. Pure.

nova's message shows how far the scheduler came. "There are not enough hosts available" comes from its filters, which
look at VFs, at hosts that are down and at groups. Without a reason it comes from Placement, which is asked before them
and had no enabled host with room for the flavor (nova, scheduler/manager.py; tried on release 2026.2).
"""

from collections.abc import Iterator

from virtfn.model.cloud import DesiredCloud, DesiredServer, VnicType
from virtfn.model.cloud.observed import ObservedCloud
from virtfn.model.cloud.survey import CloudSurvey, ComputeHost, Flavor
from virtfn.model.desired import UNSET
from virtfn.model.finding import Finding
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.cloud.agents import agent_causes, asked_hosts, network_causes
from virtfn.planning.cloud.causes import (
    FLAVOR_FITS_NOWHERE,
    GROUP_TOO_LARGE,
    HOST_OUT_OF_SERVICE,
    NO_AGENT,
    NO_FREE_PF,
    NO_FREE_VF,
    ZONE_WITHOUT_HOSTS,
)
from virtfn.planning.cloud.wanted_objects import physical_network_of

_BUILD = "BUILD"
_WITHOUT_REASON = "No valid host was found."
_BY_FILTERS = "There are not enough hosts available."


def no_host_causes(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    """Why no host takes the server: all requirements known to be unmet, or, if none, its VFs."""
    small = [*too_small(server, survey)]
    known = [*out_of_service(server, survey), *too_many(server, desired, survey)]
    known += [cause for port in server.ports for cause in network_causes(port, desired, observed)]
    yield from (*known, *small)
    if known or (small and not _is_the_filters(server, observed)):  # else other servers of the spec may fill it
        return
    if _is_placements(server, observed):
        yield _no_candidate(server, survey)
        return
    yield from _unmapped(server, desired, observed, survey)
    yield _no_vf(server, desired, observed, survey)


def _is_placements(server: DesiredServer, observed: ObservedCloud) -> bool:
    return _word(server, observed).endswith(_WITHOUT_REASON)


def _is_the_filters(server: DesiredServer, observed: ObservedCloud) -> bool:
    return _word(server, observed).endswith(_BY_FILTERS)


def _word(server: DesiredServer, observed: ObservedCloud) -> str:
    found = observed.server(server.name)
    return found.fault.rstrip() if found else ""


def _no_candidate(server: DesiredServer, survey: CloudSurvey) -> Finding:
    """What Placement may have missed, without what is known to exist. Not VFs: Placement knows none."""
    may = ["image, flavor or zone require what no host has (traits, aggregates)"]
    if isinstance(survey.hosts, Unknown):
        may.insert(0, "the hosts are disabled")
    if isinstance(survey.room_for(server.flavor), Unknown):
        may.insert(0, f"no host has room for flavor {server.flavor}")
    return FLAVOR_FITS_NOWHERE.at(
        "",
        f"Placement offers no host: perhaps {', or '.join(may)}",
        evidence=("nova gives no reason: its scheduler did not check VFs", *_fitting(server, survey)),
        fix="take another flavor, or ask an administrator what Placement has free and which hosts are disabled",
    )


def _unmapped(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    """A physical network that no agent knows is often misspelt, and then nova has no VF for it either."""
    agents = () if isinstance(survey.agents, Unknown) else survey.agents
    for port in server.ports:
        physical = physical_network_of(port, desired, observed)
        causes = agent_causes(port, physical, agents, asked_hosts(server)) if physical and agents else ()
        yield from (cause for cause in causes if cause.id == NO_AGENT.id)


def out_of_service(server: DesiredServer, survey: CloudSurvey) -> Iterator[Finding]:
    """The host, or every host of the zone, where the server may run does not answer or takes no servers."""
    if isinstance(survey.hosts, Unknown):
        return
    allowed = allowed_hosts(server, survey.hosts)
    if any(one.up and one.enabled for one in allowed):
        return
    if server.host is not UNSET:
        kind, what = HOST_OUT_OF_SERVICE, f"host {server.host} takes no servers"
    elif server.availability_zone is not UNSET:
        kind, what = ZONE_WITHOUT_HOSTS, f"no host of zone {server.availability_zone} takes servers"
    else:
        kind, what = HOST_OUT_OF_SERVICE, "no compute host takes servers"
    seen = tuple(map(_host_line, allowed)) or ("nova lists no nova-compute there",)
    yield kind.at("", what, evidence=seen)


def not_taken_up(server: DesiredServer, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[Finding]:
    """The server stays in BUILD, as no host where it can be answers.

    nova treats a host as alive for a minute ([DEFAULT] service_down_time), and a server assigned to it stays there.
    If other hosts answer, no API shows the server's host, and a host that is dead for longer is no cause.
    """
    found = observed.server(server.name)
    if found is None or found.status != _BUILD or isinstance(survey.hosts, Unknown):
        return
    its = [one for one in allowed_hosts(server, survey.hosts) if not found.host or one.name == found.host]
    if its and not any(one.up for one in its):
        yield HOST_OUT_OF_SERVICE.at(
            "",
            f"nova has assigned it to a host that does not answer: {', '.join(one.name for one in its)}",
            evidence=(f"server {server.name}: {_BUILD}", *map(_host_line, its)),
            fix="start nova-compute there: it then builds the server",
        )


def too_small(server: DesiredServer, survey: CloudSurvey) -> Iterator[Finding]:
    """No host has the vCPUs, memory and disk of the flavor free, according to Placement."""
    if survey.room_for(server.flavor):
        return
    size = _size(server.flavor, survey.flavors)
    evidence = (f"Placement: no resource provider has {size} free",)
    yield FLAVOR_FITS_NOWHERE.at("", f"no host has room for flavor {server.flavor}", evidence=evidence)


def too_many(server: DesiredServer, desired: DesiredCloud, survey: CloudSurvey) -> Iterator[Finding]:
    """The server's group has more members than hosts that take servers."""
    if server.anti_affinity is UNSET or isinstance(survey.hosts, Unknown):
        return
    members = sum(one.anti_affinity == server.anti_affinity for one in desired.servers)
    usable = [one for one in survey.hosts if one.up and one.enabled]
    if members > len(usable):
        yield GROUP_TOO_LARGE.at(
            "",
            f"group {server.anti_affinity} has {members} servers that never share a host, and {len(usable)} "
            f"host{'' if len(usable) == 1 else 's'} take{'s' if len(usable) == 1 else ''} servers",
            evidence=tuple(map(_host_line, survey.hosts)),
        )


def allowed_hosts(server: DesiredServer, hosts: tuple[ComputeHost, ...]) -> list[ComputeHost]:
    """The hosts that the spec allows for the server."""
    return [
        one
        for one in hosts
        if server.host in (UNSET, one.name)
        and (server.availability_zone is UNSET or server.availability_zone.partition(":")[0] == one.zone)
    ]


def uses_line(physical: str, survey: CloudSurvey) -> str:
    """``VFs of physnet1 in use: 3 on compute1``; or why that is not known."""
    if isinstance(survey.uses, Unknown):
        return f"VFs of {physical} in use: not known ({survey.uses.reason})"
    counts = {host: number for (name, host), number in survey.uses.items() if name == physical}
    shown = ", ".join(f"{number} on {host}" for host, number in sorted(counts.items())) or "none"
    return f"VFs of {physical} in use: {shown}"


def _no_vf(server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> Finding:
    """By exclusion: no API reports the number of VFs (nova reports none with a physical network to Placement)."""
    whole = [port for port in server.ports if port.vnic_type is VnicType.DIRECT_PHYSICAL]
    names = dict.fromkeys(
        physical_network_of(port, desired, observed) or "its network" for port in whole or server.ports
    )
    physical = ", ".join(names)
    what, kind = ("PF", NO_FREE_PF) if whole else ("VF", NO_FREE_VF)
    used = [uses_line(name, survey) for name in names if not whole]
    fits = [*_fitting(server, survey)]
    unknown = [*_unknown(server, survey)]
    what_else = f", or no host fits {' and '.join(unknown)}" if unknown else " on a host that it may run on"
    return kind.at(
        "",
        f"{'perhaps ' if unknown else ''}no {what} of {physical} is free{what_else}",
        evidence=(f"by exclusion, as no API tells how many {what}s there are", *used, *fits),
    )


def _fitting(server: DesiredServer, survey: CloudSurvey) -> Iterator[str]:
    """The requirements that were checked and are met."""
    if not isinstance(survey.hosts, Unknown):
        yield "takes servers: " + ", ".join(
            one.name for one in allowed_hosts(server, survey.hosts) if one.up and one.enabled
        )
    room = survey.room_for(server.flavor)
    if not isinstance(room, Unknown):
        yield f"has room for flavor {server.flavor}: " + ", ".join(room)


def _unknown(server: DesiredServer, survey: CloudSurvey) -> Iterator[str]:
    """Further possible causes, as their state is not known."""
    if isinstance(survey.room_for(server.flavor), Unknown):
        yield "the flavor"
    if isinstance(survey.hosts, Unknown):
        named = {"host": server.host, "zone": server.availability_zone, "group": server.anti_affinity}
        yield from (f"the {what}" for what, value in named.items() if value is not UNSET)


def _host_line(host: ComputeHost) -> str:
    return f"nova-compute on {host.name} (zone {host.zone}): {'up' if host.up else 'down'}, " + (
        "enabled" if host.enabled else "disabled"
    )


def _size(name: str, flavors: Known[tuple[Flavor, ...]]) -> str:
    found = [] if isinstance(flavors, Unknown) else [one for one in flavors if one.name == name]
    if not found:
        return name
    return f"{found[0].vcpus} vCPU, {found[0].ram_mib} MiB of memory and {found[0].local_gib} GiB of disk"
