"""Differences, plans, ways back and refusals as the text that golden cases hold, one line each."""

from collections.abc import Iterable, Mapping

from tests.findings import found

from virtfn.engine.rollback import Restore
from virtfn.errors import CapabilityError, SpecError
from virtfn.model.finding import Finding
from virtfn.model.plan import Impact, Plan, Step, Undoing, Value, Writing
from virtfn.planning.host.diff import Difference
from virtfn.planning.host.summary import summary


def differences_text(differences: Iterable[Difference]) -> str:
    """``p1p1/0 mac: A -> B``; ``(new)`` for a VF that is not there yet."""
    lines = [f"{one.target} {one.field}: {_before(one)} -> {show(one.after)}" for one in differences]
    return _joined(lines, "no differences")


def fault_text(fault: SpecError | CapabilityError) -> str:
    """All that a refused spec is told."""
    told = found(fault) if isinstance(fault, SpecError) else [fault.message]
    return _joined([f"{type(fault).__name__}: {line}" for line in told], "")


def plan_text(plan: Plan) -> str:
    """Every step with what it does, to whom, and its command; then the notes and the summary."""
    lines = [line for step in plan.steps for line in _step_lines(step)]
    lines += [f"note: {note}" for note in plan.notes]
    return _joined([*lines, str(summary(plan))], "")


def restores_text(restores: Iterable[Restore]) -> str:
    """What a rollback writes, in its order."""
    lines = []
    for one in restores:
        how = "" if one.undoing is Undoing.DIRECT else f" [{one.undoing}]"
        lines.append(f"{one.target} {one.field} -> {show(one.value)}{how}")
        lines.append(f"    $ {one.command}" if one.command else "    (no command)")
    return _joined(lines, "nothing to put back")


def refusals_text(findings: Iterable[Finding]) -> str:
    """``id: what (fix)``; ``id!`` cannot be overridden. What was seen, on a line of its own."""
    lines = []
    for one in findings:
        lines.append(f"{one.id}{'' if one.overridable else '!'}: {one.what} ({one.fix})")
        lines += [f"    seen: {line}" for line in one.evidence]
    return _joined(lines, "no refusals")


def _before(one: Difference) -> Value:
    return show(one.before) if one.exists else "(new)"


def _step_lines(step: Step) -> list[str]:
    marks = [str(step.writing)] if step.writing is not Writing.CHECKED else []
    marks += [str(step.undoing)] if step.undoing is not Undoing.DIRECT else []
    marks += [str(step.impact).upper()] if step.impact is not Impact.NOBODY else []
    note = f" ({step.impact_note})" if step.impact_note else ""
    shown = f" [{', '.join(marks)}]" if marks else ""
    lines = [f"{step.symbol} {step.target} {step.field}: {show(step.before)} -> {show(step.after)}{shown}{note}"]
    lines.append(f"    why: {step.reason}")
    lines += [f"    $ {step.command}"] if step.command else []
    return lines


def _joined(lines: list[str], empty: str) -> str:
    return "\n".join(lines or [empty]) + "\n"


def show(value: Value) -> str:
    """A value in the words of the goldens, whatever words the program finds for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {show(item)}" for key, item in value.items())
    return str(value)
