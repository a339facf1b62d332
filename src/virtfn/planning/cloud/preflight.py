"""Checks of a plan before anything is created: refusals, warnings, and what is not known. Pure.

A certain failure refuses the plan. A state that may change before nova schedules (a dead agent, no free VF) is a
warning. Facts that no API shows are listed once, not guessed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from virtfn.errors import GuardRefused
from virtfn.model.cloud import DesiredCloud, DesiredServer, Kind, NetworkType
from virtfn.model.cloud.observed import ObservedCloud, ObservedNetwork
from virtfn.model.cloud.survey import QUOTAS, CloudSurvey
from virtfn.model.desired import UNSET
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.inventory import Unknown
from virtfn.planning.cloud.agents import agent_causes, asked_hosts, network_causes
from virtfn.planning.cloud.causes import about, merged
from virtfn.planning.cloud.diagnosis.no_valid_host import out_of_service, too_many, too_small, uses_line
from virtfn.planning.cloud.readiness import readiness
from virtfn.planning.cloud.wanted_objects import (
    WantedObject,
    physical_network_of,
    physical_networks,
    wanted_objects,
)

QUOTA = FindingKind(
    "quota-too-small",
    Severity.REFUSAL,
    "The plan makes more objects than a quota of the project leaves.",
    "delete something, or ask an administrator for more (`openstack quota set`)",
)
STRAY = FindingKind(
    "stray",
    Severity.WARNING,
    "An object bears the spec's tag but is not in the spec.",
    "declare it again, or take the spec down",
)
SHARED_NAME = FindingKind(
    "shared-name",
    Severity.INFO,
    "Others have a network of the same name: plans tell them apart, the equivalent commands do not.",
    "in commands typed by hand, name it by its id",
)
NOT_KNOWN = FindingKind(
    "not-known", Severity.INFO, "No API tells beforehand whether this part of a plan can be made.", ""
)
ROLE_NEEDED = FindingKind(
    "role-needed",
    Severity.WARNING,
    "The default policies allow a part of the plan to administrators only; this cloud may have others.",
    "if it is refused, use the credentials of an administrator",
)
NOT_CHECKED = FindingKind(
    "not-checked", Severity.INFO, "A part of the cloud could not be read, so the plan was not checked against it.", ""
)
_WORDS = {"vcpus": "vCPUs", "ram_mib": "MiB of memory", "server_groups": "server groups"}


def check_quota(wanted: Sequence[WantedObject], observed: ObservedCloud, survey: CloudSurvey) -> None:
    """Raise GuardRefused where the new objects exceed a quota of the project; all at once."""
    needed = _needed(wanted, observed, survey)
    short = [
        QUOTA.at(
            _WORDS.get(name, name),
            f"{_WORDS.get(name, name)}: {number} needed, {left} left (limit {quota.limit}, used {quota.used})",
        )
        for name, number in needed.items()
        if (quota := survey.quota.get(name)) and (left := quota.left) is not None and number > left
    ]
    if short:
        raise GuardRefused(
            "the project's quota is too small: " + "; ".join(one.what for one in short),
            where="quota",
            hint=QUOTA.fix,
            findings=tuple(short),
        )


def doubts(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> tuple[Finding, ...]:
    """Warnings: what will prevent servers of the spec from starting, unless it changes first."""
    found = (
        replace(one, severity=Severity.WARNING)
        for server in _to_make(desired, observed)
        for one in about(f"server {server.name}", _doubts(server, desired, observed, survey))
    )
    return merged(found)


def not_known(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> tuple[Finding, ...]:
    """What is not known beforehand, or not with these credentials."""
    new = [one for one in wanted_objects(desired) if observed.find(one.kind, one.name) is None]
    return (
        *_untold_by_any_api(new, desired, observed, survey),
        *_perhaps_not_allowed(new, desired, survey),
        *_untold_here(new, survey),
        *_shared_names(desired, observed),
    )


def left_alone(desired: DesiredCloud, observed: ObservedCloud) -> tuple[Finding, ...]:
    """What the plan leaves as it is: objects that left the spec, and servers that failed.

    Only the user can give up the disk of such a server.
    """
    named = {(one.kind, one.name) for one in wanted_objects(desired)}
    strays = [one for one in observed.ours if (one.kind, one.name) not in named]
    failed = readiness(desired, observed).failed
    return (
        *(_stray(f"{one.kind.value.replace('_', ' ')} {one.name}") for one in strays),
        *(replace(one, what=f"{one.what}; it is left as it is") for one in failed),
    )


def _stray(subject: str) -> Finding:
    what = f"{subject} has the spec's tag but is not in the spec: it stays until the spec is deleted"
    return STRAY.at(subject, what, actions=(Action(UseCase.CLOUD_DOWN),))


def _shared_names(desired: DesiredCloud, observed: ObservedCloud) -> Iterator[Finding]:
    theirs = {one.name for one in observed.foreign_networks()}
    for network in desired.networks:
        if network.name in theirs:
            yield SHARED_NAME.at(f"network {network.name}", f"others have a network {network.name}, too")


def _needed(wanted: Sequence[WantedObject], observed: ObservedCloud, survey: CloudSurvey) -> Counter[str]:
    new = [one for one in wanted if observed.find(one.kind, one.name) is None]
    needed = Counter(QUOTAS[one.kind] for one in new)
    flavors = () if isinstance(survey.flavors, Unknown) else survey.flavors
    for one in (found for found in new if found.kind is Kind.SERVER):
        for flavor in (one_of for one_of in flavors if one_of.name == one.fields["flavor"]):
            needed["vcpus"] += flavor.vcpus
            needed["ram_mib"] += flavor.ram_mib
    return needed


def _to_make(desired: DesiredCloud, observed: ObservedCloud) -> list[DesiredServer]:
    return [one for one in desired.servers if observed.find(Kind.SERVER, one.name) is None]


def _doubts(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    yield from out_of_service(server, survey)
    yield from too_small(server, survey)
    yield from too_many(server, desired, survey)
    for port in server.ports:
        yield from network_causes(port, desired, observed)
    if isinstance(survey.agents, Unknown):
        return
    for port in server.ports:
        physical = physical_network_of(port, desired, observed)
        if physical:
            yield from agent_causes(port, physical, survey.agents, asked_hosts(server))


def _untold_by_any_api(
    new: Sequence[WantedObject], desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    """Neutron shows neither its type drivers nor its flat_networks; nova reports no VF of a physical network."""
    drivers = {one.type for one in (*observed.ours, *observed.others) if isinstance(one, ObservedNetwork)}
    for one in (found for found in new if found.kind is Kind.NETWORK):
        kind, physical = str(one.fields["type"]), one.fields["physical_network"]
        if kind == NetworkType.VLAN.value and not isinstance(survey.ranges, Unknown):
            continue
        is_on = "" if kind in drivers else f"the type {kind} is on, and "
        yield NOT_KNOWN.at(
            f"network {one.name}",
            f"not known beforehand: whether {is_on}{physical} may carry {kind} networks "
            f"(no API tells; Neutron reports it when it creates network {one.name})",
        )
    if any(one.kind is Kind.SERVER for one in new):
        for physical in sorted(physical_networks(desired, observed)):
            used = () if isinstance(survey.uses, Unknown) else (uses_line(physical, survey),)
            what = f"not known beforehand: how many VFs of {physical} are free (no API tells)"
            yield NOT_KNOWN.at(physical, what, evidence=used)


def _perhaps_not_allowed(new: Sequence[WantedObject], desired: DesiredCloud, survey: CloudSurvey) -> Iterator[Finding]:
    """What only administrators may do by default; a cloud may have other policies, so this does not refuse."""
    if isinstance(survey.roles, Unknown) or survey.is_administrators:
        return
    names = {one.fields["flavor"] for one in new if one.kind is Kind.SERVER}
    flavors = () if isinstance(survey.flavors, Unknown) else survey.flavors
    asked = [
        *(f"make network {one.name} on a physical network" for one in new if one.kind is Kind.NETWORK),
        *(f"share network {one.name}" for one in new if one.kind is Kind.NETWORK and one.fields.get("shared")),
        *(
            f"boot an image from flavor {one.name} (disk 0)"
            for one in flavors
            if one.name in names and not one.disk_gib
        ),
    ]
    if any(one.host is not UNSET for one in desired.servers):
        asked.append("choose a host")
    if asked:
        roles = ", ".join(survey.roles) or "none"
        what = f"perhaps not allowed with your roles ({roles}), as it is for administrators by default: "
        yield ROLE_NEEDED.at("", what + ", ".join(asked))


def _untold_here(new: Sequence[WantedObject], survey: CloudSurvey) -> Iterator[Finding]:
    """Unknown parts of the survey, grouped by the reason."""
    flavors = sorted({str(one.fields["flavor"]) for one in new if one.kind is Kind.SERVER})
    if not flavors:
        return
    parts: dict[str, object] = {
        "images": survey.images,
        "flavors": survey.flavors,
        "NIC Switch agents": survey.agents,
        "compute hosts": survey.hosts,
        "VFs in use": survey.uses,
        "room on hosts": survey.room,
    }
    if not isinstance(survey.room, Unknown):
        parts |= {f"room on hosts for flavor {one}": survey.room_for(one) for one in flavors}
    reasons: dict[str, list[str]] = {}
    for name, part in parts.items():
        if isinstance(part, Unknown):
            reasons.setdefault(part.reason, []).append(name)
    if not survey.quota:
        reasons.setdefault("the cloud does not show them", []).append("quotas")
    for reason, names in reasons.items():
        yield NOT_CHECKED.at("", f"not checked: {', '.join(names)} ({reason})")
