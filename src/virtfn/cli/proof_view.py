"""A proof report as a table and sentences."""

from collections.abc import Iterator, Sequence

from virtfn.cli.console import Console, Table
from virtfn.model.probe import Direction, Leg, ProbePoint, ProofReport


def print_proof(out: Console, report: ProofReport) -> None:
    """The legs of a proof with their controls, the verdict, and the reasons."""
    if report.legs or report.control_before or report.control_after:
        out.print_table(_table(report))
    for point in report.waypoints:
        silent = f" (the source had got nothing for {point.waited_s} s)" if point.waited_s else ""
        got = f"source {point.source}, copy {point.copy} of {point.sent}"
        out.print(f"midway, after {point.after}: {got}{silent}")
    verdict, style = _verdict(report)
    out.print(f"{report.source} -> {report.copy}: {verdict}", style=style)
    for fault in report.faults:
        out.print(f"  fault: {fault}", style="red")
    for remark in _remarks(report):
        out.print(f"  {remark}", style="dim")


def _table(report: ProofReport) -> Table:
    parts = {
        "COPY BEFORE": {leg.name: leg for leg in report.control_before},
        "COPY": {leg.name: leg for leg in report.legs},
        "COPY AFTER": {leg.name: leg for leg in report.control_after},
    }
    shown = {heading: legs for heading, legs in parts.items() if legs}
    judged = next(legs for legs in (parts["COPY"], parts["COPY AFTER"], parts["COPY BEFORE"]) if legs)
    table = Table("FRAMES", "SENT", "ARRIVED", *shown, "OTHERS")
    for name, leg in judged.items():
        wanted = leg.kind is Direction.TO_SOURCE
        copies = (_copy(legs.get(name), wanted=wanted and heading == "COPY") for heading, legs in shown.items())
        table.add_row(name, str(leg.sent), str(_arrived(leg)), *copies, str(leg.strangers))
    return table


def _arrived(leg: Leg) -> int:
    return leg.destination.frames if leg.destination else leg.source.frames


def _copy(leg: Leg | None, *, wanted: bool = False) -> tuple[str, str]:
    if leg is None:
        return "-", "dim"
    if leg.fault:
        return str(leg.copy.frames), "bold red"
    return str(leg.copy.frames), "bold green" if wanted else ""


def _verdict(report: ProofReport) -> tuple[str, str]:
    if report.undecided and not report.faults:
        return f"UNPROVEN: {report.undecided}", "yellow"
    if any(leg.fault for leg in report.legs):
        back = ", rolled back" if report.control_after else ""
        clean = " and clean again" if back and not any(leg.fault for leg in report.control_after) else ""
        return f"NOT PROVEN{back}{clean}", "bold red"
    if report.control_after:
        return ("REMOVED: the copy gets nothing", "bold green") if report.proven else ("NOT CLEAN", "bold red")
    if report.legs:
        return ("PROVEN", "bold green") if report.proven else ("NOT PROVEN", "bold red")
    return ("CONTROL FAILED", "bold red") if report.control_before else ("NOTHING TO REMOVE", "bold")


def _remarks(report: ProofReport) -> list[str]:
    remarks = []
    if report.legs and report.proven and not report.control_after:
        missing = [kind.value for kind in Direction if kind not in report.directions]
        copied = ", ".join(report.directions) or "nothing"
        remarks.append(f"copied: {copied}" + (f"; not copied: {', '.join(missing)}" if missing else ""))
    if any(leg.copy.other_host for leg in report.legs) and not report.control_after:
        remarks.append("a sniffer at the copy sees these frames; its IP stack drops them (they have the source's MAC)")
    last = report.waypoints[-1] if report.waypoints else None
    if last and last.copy == last.sent and any(leg.fault and not leg.copy.frames for leg in report.legs):
        remarks.append(f"the mirror worked until then ({last.copy} of {last.sent}): the recipe's last step ended it")
    remarks += [f"not probed from {gap}" for gap in report.not_probed]
    remarks += metered(report.meters)
    remarks += _chatter(report)
    if report.unmetered:
        remarks.append(f"not watched, no meter: {', '.join(one.label for one in report.unmetered)}")
    return remarks


def _chatter(report: ProofReport) -> Iterator[str]:
    """What counters counted without a burst, at most: ``without a burst, in 2 s: p2p1/3 0, p2p1/2 1``."""
    idle = [leg.idle for leg in (*report.control_before, *report.legs, *report.control_after) if leg.idle.frames]
    if not idle:
        return
    labels = dict.fromkeys(label for one in idle for label in one.frames)
    most = (f"{label} {max(one.frames.get(label, 0) for one in idle)}" for label in labels)
    yield f"counted without a burst, in {idle[0].seconds:g} s: {', '.join(most)}"


def metered(points: Sequence[ProbePoint]) -> Iterator[str]:
    """Which meter counts where, one line per meter: ``seen by captured-frames at p2p1/3, p2p1/2``."""
    labels: dict[tuple[str, str], list[str]] = {}
    for point in points:
        labels.setdefault((point.strength.value, point.meter), []).append(point.label)
    for (strength, meter), names in labels.items():
        yield f"{strength} by {meter} at {', '.join(names)}"
