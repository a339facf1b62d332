"""Plans with the commands that a person would type for each step."""

from dataclasses import replace

from virtfn.model.plan import Plan, Target, Value
from virtfn.planning.commands import equivalent_command


def with_commands(plan: Plan) -> Plan:
    """The same plan, each step with its equivalent command and the one that takes it back. Pure."""
    steps = (
        replace(
            step,
            command=_command(step.target, step.field, step.after),
            undo_command=_command(step.target, step.field, step.before),
        )
        for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))


def _command(target: Target, field: str, value: Value) -> str:
    """ "" where the value is not known yet or is lost: nothing is typed for that (no driver is a value, though)."""
    if value is None and field != "driver":
        return ""
    device = {"pf": target.id, "vf": target.id.rpartition("/")[0]}.get(target.kind, "")
    return equivalent_command(target.kind, target.label, field, value, device=device)
