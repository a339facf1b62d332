"""A plan for a cloud as text: one line per object."""

from collections.abc import Mapping, Sequence

from virtfn.cli.console import Console
from virtfn.model.finding import Finding
from virtfn.model.plan import DEFINITION, Plan, Step, Value
from virtfn.model.secrets import redacted
from virtfn.model.value_format import by_name, say

_STYLE = {"+": "green", "-": "red", "~": "yellow"}
_LONGEST = 60


def print_cloud_plan(
    out: Console,
    plan: Plan,
    *,
    findings: Sequence[Finding] = (),
    explain: bool = False,
    show_secrets: bool = False,
) -> None:
    """One line per object: symbol, fields and whom it disturbs; with ``explain`` the equivalent commands.

    ``findings`` come first: what is done before the plan. Secrets are hidden unless ``show_secrets``.
    """
    plan = plan if show_secrets else redacted(plan)
    out.print(f"Plan: {plan.title}", style="bold")
    for one in findings:
        out.print(f"  ! {one.what}")
        for evidence in one.evidence:
            out.print(f"      {evidence}")
    for steps in _by_object(plan):
        symbol = steps[0].symbol if steps[0].field == DEFINITION else "~"
        out.print((f"  {symbol} ", _STYLE[symbol]), f"{steps[0].target}: {_said(steps, plan.names)}")
        for note in (step.impact_note for step in steps if step.impact_note):
            out.print(f"      {note}", style="yellow")
        for command in (step.command for step in steps if explain and step.command):
            out.print(f"      $ {command}", style="cyan")
    for note in plan.notes:
        out.print(f"  ! {note}")
    out.print(f"{_summary(plan)}.")


def _by_object(plan: Plan) -> list[list[Step]]:
    found: list[list[Step]] = []
    for step in plan.steps:
        if not found or found[-1][0].target != step.target:
            found.append([])
        found[-1].append(step)
    return found


def _said(steps: Sequence[Step], names: Mapping[str, str]) -> str:
    """``type flat, mtu 9000``; of what is there, ``mtu 1500 -> 9000``."""
    first = steps[0]
    if first.field != DEFINITION:
        return ", ".join(f"{step.field} {_short(step.before, names)} -> {_short(step.after, names)}" for step in steps)
    definition = first.before if first.after is None else first.after
    parts = definition if isinstance(definition, Mapping) else {}
    fields = {**parts, **{step.field: step.after for step in steps[1:]}}
    return ", ".join(f"{name} {_short(value, names)}" for name, value in fields.items())


def _short(value: Value, names: Mapping[str, str]) -> str:
    value = by_name(value, names)
    if isinstance(value, Sequence) and not isinstance(value, str):
        text = " ".join("-".join(map(str, item)) if isinstance(item, list) else str(item) for item in value)
    else:
        text = "none" if value is None else say(value)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _summary(plan: Plan) -> str:
    objects = _by_object(plan)
    counts = dict.fromkeys("+~-", 0)
    for steps in objects:
        counts[steps[0].symbol if steps[0].field == DEFINITION else "~"] += 1
    words = (("+", "to make"), ("~", "to change"), ("-", "to delete"))
    return ", ".join(f"{counts[symbol]} {word}" for symbol, word in words if counts[symbol]) or "Nothing else to do"
