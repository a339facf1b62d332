"""What a plan does, in numbers: "Plan: 2 to change, 1 to replace (DISRUPTIVE: 4 VFs)". Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtfn.model.plan import Impact, Plan, Step, Target, Value, Writing
from virtfn.model.subject import HostSubject
from virtfn.planning.host.impact import counted


@dataclass(frozen=True)
class PlanSummary:
    """VFs created; PFs and VFs changed; PFs whose VFs are recreated; VFs destroyed for good.

    ``disrupted_vfs`` are the VFs of all PFs with a step that disturbs bystanders.
    """

    create: int = 0
    change: int = 0
    replace: int = 0
    destroy: int = 0
    disrupted_vfs: int = 0

    def __str__(self) -> str:
        parts = (
            (self.create, "to create"),
            (self.change, "to change"),
            (self.replace, "to replace"),
            (self.destroy, "to destroy"),
        )
        said = ", ".join(f"{number} {what}" for number, what in parts if number)
        disruptive = f" (DISRUPTIVE: {counted(self.disrupted_vfs)})" if self.disrupted_vfs else ""
        return f"Plan: {said or 'nothing to change'}{disruptive}"


def summary(plan: Plan) -> PlanSummary:
    """The numbers of a host's plan. A field with the same value before and after counts as no change."""
    counts = [_count_change(plan, target) for target in _targets(plan, "num_vfs")]
    return PlanSummary(
        create=sum(after for before, after in counts if not before),
        change=len({target for (target, _), step in _net(plan).items() if step is not None}),
        replace=sum(1 for before, after in counts if before and after),
        destroy=sum(before for before, after in counts if before and not after),
        disrupted_vfs=sum(_vfs_of(plan, target) for target in _disturbed(plan)),
    )


def _targets(plan: Plan, field: str) -> list[Target]:
    return list(dict.fromkeys(step.target for step in plan.steps if step.field == field))


def _count_change(plan: Plan, target: Target) -> tuple[int, int]:
    steps = [step for step in plan.steps if step.target == target and step.field == "num_vfs"]
    return _number(steps[0].before), _number(steps[-1].after)


def _net(plan: Plan) -> Mapping[tuple[Target, str], Step | None]:
    """The last step of each field that something was checked of, None where it ends as it began."""
    first: dict[tuple[Target, str], Value] = {}
    net: dict[tuple[Target, str], Step | None] = {}
    for step in plan.steps:
        if step.writing is not Writing.CHECKED or step.field == "num_vfs":
            continue
        key = (step.target, step.field)
        before = first.setdefault(key, step.before)
        net[key] = None if before == step.after else step
    return net


def _disturbed(plan: Plan) -> list[Target]:
    steps = (step for step in plan.steps if step.impact is Impact.BYSTANDERS and step.target.kind == "pf")
    return list(dict.fromkeys(step.target for step in steps))


def _vfs_of(plan: Plan, target: Target) -> int:
    return plan.subject.vfs.get(target.id, 0) if isinstance(plan.subject, HostSubject) else 0


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0
