"""From a desired and an observed cloud to the ordered plan that creates or deletes it. Pure.

Created objects get the spec's tag, and only objects with it are changed or deleted. An object is created in one call:
its definition first, its other fields FRESH behind it. Deletion is final: no plan restores a disk.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from virtfn.errors import ConflictError
from virtfn.model.cloud import DesiredCloud, Kind, cloud_target, meant_by, tag_of
from virtfn.model.cloud.fields import (
    CHOSEN_BY_THE_CLOUD,
    DEFINED_BY,
    LATER,
    NOT_READ_BACK,
    definition_of,
    fields_of,
    with_fields,
)
from virtfn.model.cloud.observed import ObservedCloud, ObservedNetwork, ObservedObject, ObservedPort, ObservedSubnet
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.drift import not_declared
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.plan import DEFINITION, Impact, Plan, Step, Target, Undoing, Value, Writing
from virtfn.model.subject import CloudAction, CloudSubject
from virtfn.model.value_format import say
from virtfn.planning.cloud.commands import change_command, cloud_name, create_command, delete_command
from virtfn.planning.cloud.name_resolution import meant_by_id, spoken
from virtfn.planning.cloud.preflight import check_quota
from virtfn.planning.cloud.spec_check import check_against
from virtfn.planning.cloud.wanted_objects import WantedObject, wanted_objects

NOT_THERE = FindingKind(
    "not-there", Severity.WARNING, "An object of the spec is not in the cloud.", "bring the cloud up"
)
_BY_ID = ("image", "network")
_NOTES = {
    (Kind.NETWORK, "port_security"): "existing ports keep theirs; new ones get this",
    (Kind.NETWORK, "mtu"): "servers that run learn it when their port is recreated, or by DHCP",
}
_GO_WITH_THE_NETWORK = ("network:dhcp", "network:distributed", "network:floatingip_agent_gateway")
"""Owners whose ports Neutron deletes automatically; a router's interface it does not (neutron/common/_constants.py)."""


def plan_up(
    desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey, *, now: ObservedCloud | None = None
) -> Plan:
    """The plan that makes the cloud as declared; empty where it already is.

    ``observed``: the state that the plan starts from. ``now``: the current state, if an interrupted run is rolled back
    first; quotas still count its objects.

    Raises SpecError with all names that the cloud does not have; ConflictError with all differences in fields that
    cannot be changed; GuardRefused where a quota is too small.
    """
    check_against(desired, observed, survey)
    wanted = wanted_objects(desired)
    _refuse_unchangeable(wanted, observed)
    check_quota(wanted, now or observed, survey)
    steps = steps_up(desired, observed)
    title = f"cloud {observed.cloud}: {desired.name}"
    return Plan(_subject(CloudAction.UP, desired.name, steps, observed), title, tuple(steps))


def steps_up(desired: DesiredCloud, observed: ObservedCloud) -> list[Step]:
    """The steps of ``plan_up``, without its checks."""
    return [step for one in wanted_objects(desired) for step in _steps(desired.name, one, observed)]


def once_restored(observed: ObservedCloud, values: Iterable[tuple[Target, str, Value]]) -> ObservedCloud:
    """The cloud after these fields are restored; an object whose definition is None is gone."""
    fields: dict[tuple[Kind, str], dict[str, Value]] = {}
    for target, field, value in values:
        _, kind, name = meant_by(target)
        fields.setdefault((kind, name), {})[field] = value
    restored = ((one, fields.get((one.kind, one.name), {})) for one in observed.ours)
    ours = tuple(with_fields(one, new) for one, new in restored if new.pop(DEFINITION, one.name) is not None)
    return replace(observed, ours=ours)


def plan_down(spec: str, observed: ObservedCloud) -> Plan:
    """The plan that deletes every object with this spec's tag, except those in use by others, which the notes name."""
    kept = {port.network: port for port in observed.foreign_ports() if _blocks(port)}
    notes = [
        f"network {name} stays, and its subnets: port {port.name or port.id} on it is not ours"
        + (f" ({port.device_owner})" if port.device_owner else "")
        for name, port in kept.items()
    ]
    steps = []
    for kind in reversed(Kind):
        for one in (found for found in observed.ours if found.kind is kind and not _is_kept(found, kept)):
            steps.append(_deletion(spec, one))
    title = f"cloud {observed.cloud}: delete {tag_of(spec)}"
    return Plan(_subject(CloudAction.DOWN, spec, steps, observed), title, tuple(steps), tuple(notes))


def differences(desired: DesiredCloud, observed: ObservedCloud) -> tuple[Finding, ...]:
    """How the cloud differs from the declared state, also where it cannot be changed."""
    found: list[Finding] = []
    again = Action(UseCase.CLOUD_UP)
    for one in wanted_objects(desired):
        there = observed.find(one.kind, one.name)
        target = str(cloud_target(desired.name, one.kind, one.name))
        if there is None:
            found.append(NOT_THERE.at(target, f"{target} is not there", actions=(again,)))
            continue
        found += [
            not_declared(target, field, _said(field, has, observed), _said(field, value, observed), action=again)
            for field, has, value in _changed(one, there)
        ]
    return tuple(found)


def _subject(action: CloudAction, spec: str, steps: Sequence[Step], observed: ObservedCloud) -> CloudSubject:
    """The spec, with the names of ids in the steps."""
    values = (value for step in steps for value in (step.before, step.after) if isinstance(value, Mapping))
    return CloudSubject(action, spec, dict(spoken(observed, meant_by_id(values))))


def _steps(spec: str, one: WantedObject, observed: ObservedCloud) -> Iterator[Step]:
    target, found = cloud_target(spec, one.kind, one.name), observed.find(one.kind, one.name)
    if found is not None:
        for field, has, value in _changed(one, found):
            yield Step(
                target,
                field,
                has,
                value,
                "the spec says so",
                impact_note=_NOTES.get((one.kind, field), ""),
                command=change_command(found, field, value),
                undo_command=change_command(found, field, has),
            )
        return
    yield Step(
        target,
        DEFINITION,
        None,
        definition_of(one.kind, one.fields),
        f"declared at {one.where}" if one.where else "the spec declares it",
        command=create_command(spec, one.kind, one.name, _in_words(one.fields, observed)),
        undo_command=delete_command(one.kind, cloud_name(spec, one.kind, one.name)),
    )
    for field, value in one.fields.items():
        if field not in DEFINED_BY[one.kind]:
            undoing = Undoing.DIRECT if _is_insisted_on(one, field) else Undoing.OVERWRITE
            yield Step(target, field, None, value, "made with it", writing=Writing.FRESH, undoing=undoing)


def _is_insisted_on(one: WantedObject, field: str) -> bool:
    """Whether it must read back as written at once."""
    if one.kind is Kind.SERVER:
        return field not in NOT_READ_BACK
    return not _is_given_by_the_pf(one, field)


def _is_given_by_the_pf(one: WantedObject, field: str) -> bool:
    """Nova gives a direct-physical port the PF's own MAC (nova/network/neutron.py, _populate_pci_mac_address)."""
    return one.kind is Kind.PORT and field == "mac" and one.fields["vnic_type"] == "direct-physical"


def _changed(one: WantedObject, found: ObservedObject) -> Iterator[tuple[str, Value, Value]]:
    """The named fields that differ: field, value there, value declared.

    Values that the cloud does not show, or has not chosen yet, are not compared.
    """
    there = fields_of(found)
    for field, value in one.fields.items():
        undecided = field in CHOSEN_BY_THE_CLOUD and there.get(field) is None
        if field not in there or undecided or _is_given_by_the_pf(one, field):
            continue
        if there[field] != value:
            yield field, there[field], value


def _refuse_unchangeable(wanted: tuple[WantedObject, ...], observed: ObservedCloud) -> None:
    faults = []
    for one in wanted:
        found = observed.find(one.kind, one.name)
        for field, *values in _changed(one, found) if found else ():
            if field not in LATER[one.kind]:
                has, asked = (_said(field, value, observed) for value in values)
                what = f"{_kind_and_name(one)} has {field} {has}, not {asked}"
                faults.append((one.where, what))
    if faults:
        raise ConflictError(
            "existing objects differ in fields that cannot be changed: " + "; ".join(text for _, text in faults),
            where=faults[0][0],
            hint="delete and create them again, or revert the spec",
            actions=(Action(UseCase.CLOUD_DOWN), Action(UseCase.CLOUD_UP)),
        )


def _in_words(fields: Mapping[str, Value], observed: ObservedCloud) -> dict[str, Value]:
    """For a command: images and networks by their names, where these mean them alone."""
    return {field: _said(field, value, observed) if field in _BY_ID else value for field, value in fields.items()}


def _said(field: str, value: Value, observed: ObservedCloud) -> str:
    """As in a spec: ``none``, and images and networks by their names."""
    known = {"image": observed.images, "network": observed.networks}.get(field)
    if value is None:
        return "none"
    return known.said(str(value)) if known else say(value)


def _kind_and_name(one: WantedObject | ObservedObject) -> str:
    return f"{one.kind.value.replace('_', ' ')} {one.name}"


def _blocks(port: ObservedPort) -> bool:
    return port.device_owner not in _GO_WITH_THE_NETWORK


def _is_kept(one: ObservedObject, kept: Collection[str]) -> bool:
    if isinstance(one, ObservedNetwork):
        return one.name in kept
    return isinstance(one, ObservedSubnet) and one.network in kept


def _deletion(spec: str, one: ObservedObject) -> Step:
    server = one.kind is Kind.SERVER
    return Step(
        cloud_target(spec, one.kind, one.name),
        DEFINITION,
        definition_of(one.kind, fields_of(one)),
        None,
        f"it has the spec's tag {tag_of(spec)}",
        Impact.PARTY if server else Impact.NOBODY,
        "it stops, and its disk is lost" if server else "",
        command=delete_command(one.kind, one.id),
        undoing=Undoing.FINAL,
    )
