"""Why a server could not be built on the host that nova's scheduler chose. Pure.

nova reports the reason only after as many hosts as [scheduler] max_attempts (3) allows: its message then ends with the
last host's exception (nova, scheduler/utils.py). With fewer hosts it does not report whether the VF was gone, the port
could not be bound, or the hypervisor failed, so that several causes stay possible.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from virtfn.model.cloud import DesiredCloud, DesiredServer
from virtfn.model.cloud.observed import NicAgent, ObservedCloud
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.finding import Finding
from virtfn.model.inventory import Unknown
from virtfn.planning.cloud.agents import LIST_AGENTS, agent_causes, agent_line, network_causes
from virtfn.planning.cloud.causes import BINDING_FAILED, NO_FREE_VF
from virtfn.planning.cloud.diagnosis.no_valid_host import too_many, uses_line
from virtfn.planning.cloud.wanted_objects import physical_network_of

_WORDS = ("Exceeded maximum number of retries", "Exceeded max scheduling attempts", "Exhausted all hosts")
_NOT_CLAIMED = "Claim pci failed"
_NOT_BOUND = "Binding failed for port"
_NOT_TOLD = "its network"
_NO_BUILD = "nova-compute could not build it"


def is_of_a_build(fault: str) -> bool:
    """Whether nova's message means that a host was chosen."""
    return any(word in fault for word in _WORDS)


def hosts_that_tried(server: DesiredServer, survey: CloudSurvey) -> tuple[str, ...]:
    """The hosts where nova began to build the server, as far as known."""
    tried = survey.tried.get(server.name, ())
    return () if isinstance(tried, Unknown) else tuple(host for host in tried if host)


def not_built_causes(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    """Faults of its group, the agents or the network, and nova's last exception; else the possible causes.

    Servers of a group that start at once pass the scheduler together: the host then refuses the second.
    """
    found = observed.server(server.name)
    fault = found.fault if found else ""
    hosts = hosts_that_tried(server, survey)
    agents = () if isinstance(survey.agents, Unknown) else survey.agents
    on = [(port, physical_network_of(port, desired, observed)) for port in server.ports]
    names = tuple(dict.fromkeys(physical or _NOT_TOLD for _, physical in on))
    seen = f"nova chose a host and could not build the server there{': ' if hosts else ''}{', '.join(hosts)}"
    group = [*too_many(server, desired, survey)]
    causes = [cause for port, _ in on for cause in network_causes(port, desired, observed)]
    if not isinstance(survey.agents, Unknown):
        causes += [one for port, name in on if name for one in agent_causes(port, name, agents, hosts)]
    yield from (replace(one, evidence=(*one.evidence, seen)) for one in (*group, *causes))
    said = tuple(agent_line(one) for one in agents if not hosts or one.host in hosts)
    if _NOT_CLAIMED in fault:
        gone = f"no VF of {', '.join(names)} was left{_on_last(hosts)} when the server was built there"
        yield NO_FREE_VF.at("", f"{gone}: others had taken them", evidence=(seen, *_uses(names, survey), *said))
    elif _NOT_BOUND in fault and not causes:
        what = f"its port could not be bound{_on_last(hosts)}{_although(names, hosts, agents)}"
        yield BINDING_FAILED.at("", what, evidence=(seen, *said))
    elif not causes and not group:
        yield _perhaps(names, hosts, (seen, *said), survey)


def _perhaps(names: Sequence[str], hosts: Sequence[str], seen: tuple[str, ...], survey: CloudSurvey) -> Finding:
    """All possible causes. VFs in use prove nothing: no API shows the total."""
    physical, there = ", ".join(names), _on(hosts)
    if isinstance(survey.agents, Unknown):
        return BINDING_FAILED.at(
            "",
            f"perhaps its port could not be bound, its VF was gone by then, or {_NO_BUILD} "
            f"(physical network: {physical})",
            evidence=(*seen, f"NIC Switch agents: not known ({survey.agents.reason})"),
            fix=f"ask an administrator for `{LIST_AGENTS}`: one on that host must be alive and map the physical "
            "network; and for nova-compute's log there",
        )
    if _is_unused(names, hosts, survey):
        although = _although(names, hosts, survey.agents)
        what = f"perhaps its port could not be bound{there}{although}, or {_NO_BUILD}"
        return BINDING_FAILED.at("", what, evidence=seen, fix=f"{BINDING_FAILED.fix}, and nova-compute's{there}")
    return NO_FREE_VF.at(
        "",
        f"perhaps no VF of {physical} was left{there} when the server was built there, "
        f"its port could not be bound, or {_NO_BUILD}",
        evidence=(*seen[:1], *_uses(names, survey), *seen[1:]),
        fix=f"nova-compute's log{there} says which; where it has `{_NOT_CLAIMED}`: {NO_FREE_VF.fix}",
    )


def _is_unused(names: Sequence[str], hosts: Sequence[str], survey: CloudSurvey) -> bool:
    """Whether certainly no server has a VF of these physical networks on these hosts."""
    if isinstance(survey.uses, Unknown) or not hosts or _NOT_TOLD in names:
        return False
    return not any(survey.uses.get((name, host)) for name in names for host in hosts)


def _uses(names: Sequence[str], survey: CloudSurvey) -> tuple[str, ...]:
    return tuple(uses_line(name, survey) for name in names)


def _although(names: Sequence[str], hosts: Sequence[str], agents: Sequence[NicAgent]) -> str:
    live = [one for one in agents if one.alive and (not hosts or one.host in hosts)]
    if not all(any(name in one.physical_networks for one in live) for name in names):
        return ""
    return f", although an agent serves {', '.join(names)} there"


def _on(hosts: Sequence[str]) -> str:
    return f" on {', '.join(hosts)}" if hosts else ""


def _on_last(hosts: Sequence[str]) -> str:
    """Where the last exception happened: with several hosts the order is not known."""
    return _on(hosts) if len(hosts) < 2 else " on the last host that was tried"
