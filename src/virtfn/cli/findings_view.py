"""Findings as text: each with its evidence, its fix, and how to override it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from virtfn.cli.actions import advice
from virtfn.cli.console import Console
from virtfn.model.finding import Finding, Severity

_STYLES = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.REFUSAL: "red", Severity.FAULT: "red"}
FIX = "fix"


def finding_lines(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Each line with its style. Neighbours of one kind share what was seen, and what to do, where that is the same."""
    for _, same in groupby(findings, key=lambda one: (one.id, one.fix, one.actions)):
        group = list(same)
        is_short = len(group) == 1 and group[0].severity is Severity.FAULT and not group[0].evidence
        for _, alike in groupby(group, key=lambda one: one.evidence):
            for one in alike:
                yield _head(one) + (f"; {one.fix}" if is_short and one.fix else ""), _STYLES[one.severity]
            yield from (("    " + line, "") for line in _seen(one))
        yield from (("    " + line, "") for line in _to_do(group[0], label="" if is_short else FIX))
    if how := override(findings):
        yield how, ""


def print_findings(out: Console, findings: Sequence[Finding]) -> None:
    """Print the lines, indented below what they are about."""
    for line, style in finding_lines(findings):
        out.print(f"  {line}", style=style)


def details(one: Finding, *, label: str = FIX) -> Iterator[str]:
    """What was seen, and what to do; ``label`` is put before the latter, "" leaves it out."""
    yield from _seen(one)
    yield from _to_do(one, label)


def _seen(one: Finding) -> Iterator[str]:
    yield from (f"seen: {line}" for line in one.evidence)


def _to_do(one: Finding, label: str) -> Iterator[str]:
    if label and one.fix:
        yield f"{label}: {one.fix}"
    if one.actions:
        yield f"run: {advice(one.actions)}"


def override(findings: Sequence[Finding]) -> str:
    """The options that override the guards, each once; "" where none can be overridden."""
    forced = dict.fromkeys(one.id for one in findings if one.severity is Severity.REFUSAL and one.overridable)
    return "to override: " + " ".join(f"--force {id}" for id in forced) if forced else ""


def _head(one: Finding) -> str:
    if one.severity is Severity.REFUSAL:
        return f"refused by {one.id}: {one.what}"
    if one.severity is Severity.FAULT:
        return f"- {one.subject}: {one.what}" if one.subject else f"- {one.what}"
    return f"! {one.what}"
