"""A plan as text: what will be done, whom it disturbs, what to know before."""

from rich.console import Console
from rich.text import Text

from virtfn.model.plan import Impact, Plan
from virtfn.model.subject import HostSubject
from virtfn.model.value_format import say
from virtfn.planning.host.summary import summary

_STYLE = {"+": "green", "-": "red", "~": "yellow"}


def print_plan(out: Console, plan: Plan, *, explain: bool = False) -> None:
    """Steps with their symbol and reason, then the notes; with ``explain`` the equivalent command of each step."""
    out.print(Text(f"Plan: {plan.title}", style="bold"), soft_wrap=True)
    for step in plan.steps:
        line = Text(f"  {step.symbol} ", style=_STYLE[step.symbol])
        line.append(
            f"{step.target}  {step.field}: {say(step.before, step.field)} -> {say(step.after, step.field)}",
            style="default",
        )
        out.print(line, soft_wrap=True)
        out.print(Text(f"      {step.reason}", style="dim"), soft_wrap=True)
        if step.impact_note:
            style = "red" if step.impact is Impact.BYSTANDERS else "yellow"
            out.print(Text(f"      {step.impact_note}", style=style), soft_wrap=True)
        if explain:
            out.print(Text(f"      $ {step.command or '(no command does this)'}", style="cyan"), soft_wrap=True)
    for note in plan.notes:
        out.print(f"  ! {note}", soft_wrap=True)
    out.print(_summary(plan), soft_wrap=True)


def _summary(plan: Plan) -> str:
    if isinstance(plan.subject, HostSubject):
        return f"{summary(plan)}."
    changes = len({(step.target, step.field) for step in plan.steps})
    bystanders = ", DISRUPTIVE: others on this NIC are cut off meanwhile" if plan.disruptive else ""
    steps = f" in {len(plan.steps)} steps" if len(plan.steps) != changes else ""
    return f"{changes} to change{steps}{bystanders}."
