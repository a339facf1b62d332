"""Plans and states of a cloud as text: a line an object."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from virtfn.cli.causes import cause_lines
from virtfn.cli.cloud_table import print_networks, print_servers
from virtfn.cli.output import grid, print_table
from virtfn.model.cloud import CloudObject, Kind
from virtfn.model.plan import DEFINITION, Plan, Step, Value
from virtfn.model.secrets import redacted
from virtfn.model.value_format import by_name, say
from virtfn.services.cloud_state import CloudView

_STYLE = {"+": "green", "-": "red", "~": "yellow"}
_LONGEST = 60


def print_cloud_plan(out: Console, plan: Plan, *, explain: bool = False, show_secrets: bool = False) -> None:
    """One line per object: symbol, fields and whom it disturbs; with ``explain`` the equivalent commands.

    Secrets are hidden unless ``show_secrets``.
    """
    plan = plan if show_secrets else redacted(plan)
    out.print(Text(f"Plan: {plan.title}", style="bold"), soft_wrap=True)
    for steps in _by_object(plan):
        symbol = steps[0].symbol if steps[0].field == DEFINITION else "~"
        line = Text(f"  {symbol} ", style=_STYLE[symbol])
        line.append(f"{steps[0].target}: {_said(steps, plan.names)}", style="default")
        out.print(line, soft_wrap=True)
        for note in (step.impact_note for step in steps if step.impact_note):
            out.print(Text(f"      {note}", style="yellow"), soft_wrap=True)
        for command in (step.command for step in steps if explain and step.command):
            out.print(Text(f"      $ {command}", style="cyan"), soft_wrap=True)
    for note in plan.notes:
        out.print(f"  ! {note}", soft_wrap=True)
    out.print(f"{_summary(plan)}.", soft_wrap=True)


def print_cloud(out: Console, view: CloudView) -> None:
    """Where everything of a spec is: its networks, then a line a direct port; what differs and is not ready below."""
    if _is_nothing(out, view):
        return
    print_networks(out, view.objects, view.names)
    if {Kind.NETWORK, Kind.SUBNET} & {one.kind for one in view.objects}:
        out.print()
    print_servers(out, view.objects, view.names)
    _print_remarks(out, view)


def print_cloud_objects(out: Console, view: CloudView) -> None:
    """What there is of a spec: a line an object, of whatever kind; what differs and is not ready below."""
    if _is_nothing(out, view):
        return
    table = grid("KIND", "NAME", "STATUS", "WHERE", "WHAT")
    for one in view.objects:
        status = str(one.facts.get("status") or "-")
        style = "red" if status == "ERROR" else ""
        what = _what(one, view.names)
        table.add_row(one.kind.value, one.name, Text(status, style=style), _where(one), what)
    print_table(out, table)
    _print_remarks(out, view)


def _is_nothing(out: Console, view: CloudView) -> bool:
    if not view.objects:
        out.print(f"Nothing in cloud {view.cloud} bears the tag virtfn:{view.spec}.", soft_wrap=True)
    return not view.objects


def _print_remarks(out: Console, view: CloudView) -> None:
    for line in (*view.differences, *view.remarks, *view.readiness.waiting):
        out.print(Text(f"  ! {line}", style="yellow"), soft_wrap=True)
    for where, word in view.readiness.failed:
        out.print(Text(f"  ! {where}: {word}", style="red"), soft_wrap=True)
    for line in cause_lines(view.readiness.causes):
        out.print(Text(f"    {line}"), soft_wrap=True)


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


def _where(one: CloudObject) -> str:
    parts = [one.facts.get("host"), one.facts.get("pci_slot")]
    return " ".join(str(part) for part in parts if part) or "-"


def _what(one: CloudObject, names: Mapping[str, str]) -> str:
    fields = {
        Kind.NETWORK: ("type", "physical_network", "segmentation_id"),
        Kind.SUBNET: ("cidr", "network"),
        Kind.PORT: ("vnic_type", "network", "mac"),
        Kind.SERVER_GROUP: ("policy",),
        Kind.SERVER: ("image", "flavor"),
    }[one.kind]
    ips = one.facts.get("ips")
    listed = ips if isinstance(ips, Sequence) and not isinstance(ips, str) else ()
    shown = [*(one.fields.get(name) or one.facts.get(name) for name in fields), *listed]
    return " ".join(str(by_name(part, names)) for part in shown if part is not None)
