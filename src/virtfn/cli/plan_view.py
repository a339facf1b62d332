"""A plan as text: what will be done, whom it disturbs, what to know before."""

from virtfn.cli.console import Console
from virtfn.model.plan import Impact, Plan
from virtfn.model.subject import HostSubject
from virtfn.model.value_format import say
from virtfn.planning.host.summary import summary

_STYLE = {"+": "green", "-": "red", "~": "yellow"}


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
    bystanders = ", DISRUPTIVE: others on this NIC are cut off meanwhile" if plan.disruptive else ""
    steps = f" in {len(plan.steps)} steps" if len(plan.steps) != changes else ""
    return f"{changes} to change{steps}{bystanders}."
