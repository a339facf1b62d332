"""Plans with the commands that a person would type for each step."""

from dataclasses import replace

from virtfn.model.plan import Impact, Plan, Step, Target, Undoing, Value, Writing
from virtfn.planning.host.commands import equivalent_command


def with_commands(plan: Plan) -> Plan:
    """The same plan, each step with its equivalent command and the one that takes it back. Pure.

    Nothing is typed to lose a value that goes with its VF, nor to take back what goes with its maker.
    """
    return replace(plan, steps=tuple(explained(step) for step in plan.steps))


def explained_step(
    target: Target,
    field: str,
    before: Value,
    after: Value,
    reason: str,
    impact: Impact = Impact.NOBODY,
    impact_note: str = "",
    *,
    writing: Writing = Writing.CHECKED,
    undoing: Undoing = Undoing.DIRECT,
) -> Step:
    """One such step, made at once: where a plan has hundreds, to copy each costs as much as to make it. Pure."""
    command, undo_command = _commands(target, field, before, after, writing)
    return Step(target, field, before, after, reason, impact, impact_note, command, undo_command, writing, undoing)


def explained(step: Step) -> Step:
    """The same step with such commands. Pure."""
    command, undo_command = _commands(step.target, step.field, step.before, step.after, step.writing)
    return replace(step, command=command, undo_command=undo_command)


def _commands(target: Target, field: str, before: Value, after: Value, writing: Writing) -> tuple[str, str]:
    pf, _, _ = target.id.rpartition("/")
    device = {"pf": target.id, "vf": pf}.get(target.kind, "")
    command = "" if writing is Writing.IMPLIED else _command(target, field, after, device)
    undo_command = "" if writing is Writing.FRESH else _command(target, field, before, device)
    return command, undo_command


def _command(target: Target, field: str, value: Value, device: str) -> str:
    """ "" where the value is not known yet or is lost: nothing is typed for that (no driver is a value, though)."""
    if value is None and field != "driver":
        return ""
    return equivalent_command(target.kind, target.label, field, value, device=device)
