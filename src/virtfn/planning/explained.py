"""Plans with the commands that a person would type for each step."""

from dataclasses import replace

from virtfn.model.plan import Plan, Step, Target, Value, Writing
from virtfn.planning.commands import equivalent_command


def with_commands(plan: Plan) -> Plan:
    """The same plan, each step with its equivalent command and the one that takes it back. Pure.

    Nothing is typed to lose a value that goes with its VF, nor to take back what goes with its maker.
    """
    return replace(plan, steps=tuple(_explained(step) for step in plan.steps))


def _explained(step: Step) -> Step:
    command = "" if step.writing is Writing.IMPLIED else _command(step.target, step.field, step.after)
    undo_command = "" if step.writing is Writing.FRESH else _command(step.target, step.field, step.before)
    # as ``replace`` does it, at half its cost: a plan has hundreds of steps
    return Step(**{**vars(step), "command": command, "undo_command": undo_command})


def _command(target: Target, field: str, value: Value) -> str:
    """ "" where the value is not known yet or is lost: nothing is typed for that (no driver is a value, though)."""
    if value is None and field != "driver":
        return ""
    device = {"pf": target.id, "vf": target.id.rpartition("/")[0]}.get(target.kind, "")
    return equivalent_command(target.kind, target.label, field, value, device=device)
