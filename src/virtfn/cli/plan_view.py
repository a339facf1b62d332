"""A plan as text: its steps, whom they disturb, and its notes."""

from collections.abc import Mapping, Sequence

from virtfn.cli.console import Console
from virtfn.cli.findings_view import print_findings
from virtfn.model.finding import Finding
from virtfn.model.plan import DEFINITION, Impact, Plan, Step, Value
from virtfn.model.secrets import redacted
from virtfn.model.subject import HostSubject
from virtfn.model.value_format import by_name, say
from virtfn.planning.host.summary import summary

_STYLE = {"+": "green", "-": "red", "~": "yellow"}
_LONGEST = 60


def print_plan(out: Console, plan: Plan, *, explain: bool = False) -> None:
    """Steps with their symbol and reason, then the notes; with ``explain`` the equivalent command of each step."""
    out.print(f"Plan: {plan.title}", style="bold")
    for step in plan.steps:
        change = f"{say(step.before, step.field)} -> {say(step.after, step.field)}"
        out.print((f"  {step.symbol} ", _STYLE[step.symbol]), f"{step.target}  {step.field}: {change}")
        out.print(f"      {step.reason}", style="dim")
        if step.impact_note:
            style = "red" if step.impact is Impact.BYSTANDERS else "yellow"
            out.print(f"      {step.impact_note}", style=style)
        if explain:
            out.print(f"      $ {step.command or '(no command does this)'}", style="cyan")
    for note in plan.notes:
        out.print(f"  ! {note}")
    out.print(_summary(plan))


def _summary(plan: Plan) -> str:
    if isinstance(plan.subject, HostSubject):
        return f"{summary(plan)}."
    changes = len({(step.target, step.field) for step in plan.steps})
    bystanders = ", DISRUPTIVE: other VFs of this NIC are cut off during the change" if plan.disruptive else ""
    steps = f" in {len(plan.steps)} steps" if len(plan.steps) != changes else ""
    return f"{changes} to change{steps}{bystanders}."


def print_cloud_plan(
    out: Console,
    plan: Plan,
    *,
    findings: Sequence[Finding] = (),
    explain: bool = False,
    show_secrets: bool = False,
) -> None:
    """One line per object: symbol, fields and whom it disturbs; with ``explain`` the equivalent commands.

    Before the plan: which interrupted runs are recovered first; all other ``findings`` follow it.
    Secrets are hidden unless ``show_secrets``.
    """
    from virtfn.services.cloud_state import INTERRUPTED_RUN

    plan = plan if show_secrets else redacted(plan)
    out.print(f"Plan: {plan.title}", style="bold")
    first = [one for one in findings if one.id == INTERRUPTED_RUN.id]
    print_findings(out, first)
    for steps in _by_object(plan):
        symbol = steps[0].symbol if steps[0].field == DEFINITION else "~"
        out.print((f"  {symbol} ", _STYLE[symbol]), f"{steps[0].target}: {_said(steps, plan.names)}")
        for note in (step.impact_note for step in steps if step.impact_note):
            out.print(f"      {note}", style="yellow")
        for command in (step.command for step in steps if explain and step.command):
            out.print(f"      $ {command}", style="cyan")
    for note in plan.notes:
        out.print(f"  ! {note}")
    print_findings(out, [one for one in findings if one not in first])
    out.print(f"{_cloud_summary(plan)}.")


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


def _cloud_summary(plan: Plan) -> str:
    objects = _by_object(plan)
    counts = dict.fromkeys("+~-", 0)
    for steps in objects:
        counts[steps[0].symbol if steps[0].field == DEFINITION else "~"] += 1
    words = (("+", "to make"), ("~", "to change"), ("-", "to delete"))
    return ", ".join(f"{counts[symbol]} {word}" for symbol, word in words if counts[symbol]) or "Nothing else to do"
