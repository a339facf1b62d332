"""The lines of a journal file, and what they add up to. Format 2; docs/reference/journal.md describes it.

Line 1 is the header, line 2 the plan, each further line one event. Unknown keys and events are errors: a file of
another version is refused, not guessed at.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from virtfn.errors import SpecError
from virtfn.model.place import Place
from virtfn.model.plan import Plan
from virtfn.model.serialization import decode, to_json
from virtfn.model.transaction import Status, Transaction, TransactionSummary

FORMAT = 2
_HEADER = frozenset(("format", "id", "kind", "place", "boot_id", "started", "title", "steps", "confirm_within_s"))
_EVENTS = {
    "plan": frozenset(("event", "plan")),
    "intent": frozenset(("event", "steps")),
    "done": frozenset(("event", "steps")),
    "evidence": frozenset(("event", "evidence")),
    "failure": frozenset(("event", "failure")),
    "confirmed": frozenset(("event",)),
    "status": frozenset(("event", "status", "done", "boot_s", "remaining")),
}
_decode = json.JSONDecoder().raw_decode
STATUS_LINE = b'\n{"event": "status"'
"""How the line of a status begins, with the end of the line before it."""


def first_lines(transaction: Transaction, place: Place) -> str:
    """Header and plan of a new transaction."""
    header = {
        "format": FORMAT,
        "id": transaction.id,
        "kind": str(transaction.plan.subject),
        "place": place.name,
        "boot_id": transaction.boot_id,
        "started": transaction.started,
        "title": transaction.plan.title,
        "steps": len(transaction.plan.steps),
        "confirm_within_s": transaction.confirm_within_s,
    }
    return f"{to_json(header)}\n{to_json({'event': 'plan', 'plan': transaction.plan})}\n"


def read_transaction(where: str, data: bytes, boot_id: str) -> Transaction:
    """The transaction that a file's whole lines add up to. Raises SpecError with FILE:LINE."""
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    with _reading(where, 1):
        header = _header(lines[0] if lines else b"")
    with _reading(where, 2):
        if len(lines) < 2:
            raise ValueError("the plan is missing")
        plan = decode(Plan, _event(lines[1], "plan")["plan"])
        transaction = Transaction(
            header["id"],
            plan,
            Status.OPEN,
            header["boot_id"],
            header["started"],
            confirm_within_s=header["confirm_within_s"],
        )
    for number, line in enumerate(lines[2:], start=3):
        with _reading(where, number):
            transaction = _apply(transaction, _event(line))
    if ended_by_boot(transaction.status, transaction.boot_id, boot_id):
        return replace(transaction, status=Status.ENDED)
    return transaction


def read_summary(where: str, head: bytes, events: bytes, boot_id: str) -> TransactionSummary:
    """The summary of a file: ``head`` holds its first line, ``events`` all whole lines from its last status on.

    Where it has no status yet, ``events`` holds all lines after the plan. Raises SpecError.
    """
    line = f"{where}:1"
    status, done, boot_s, confirmed = Status.OPEN, 0, None, False
    try:
        header = _header(head)
        line = where
        for event in map(_event, events.splitlines()):
            match event["event"]:
                case "status":
                    status, done, boot_s = Status(event["status"]), event["done"], event["boot_s"]
                case "done":
                    done += len(event["steps"])
                case "confirmed":
                    confirmed = True
    except (ValueError, KeyError, TypeError) as fault:
        raise _unreadable(line, fault) from fault
    if ended_by_boot(status, header["boot_id"], boot_id):
        status = Status.ENDED
    return TransactionSummary(
        header["id"],
        header["kind"],
        header["title"],
        status,
        header["boot_id"],
        header["started"],
        header["steps"],
        done,
        header["confirm_within_s"],
        confirmed,
        boot_s,
    )


def ended_by_boot(status: Status, begun_in: str, boot_id: str) -> bool:
    """Whether a boot since a transaction was begun has ended it: VFs do not outlive one."""
    return begun_in != boot_id and status not in (Status.ROLLED_BACK, Status.ENDED)


def _header(line: bytes) -> dict[str, Any]:
    header = _parse(line) if line else {}
    if not isinstance(header, dict) or "format" not in header:
        raise ValueError("the header is missing")
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}, this virtfn reads format {FORMAT}")
    _check_keys(header, _HEADER)
    return header


def _event(line: bytes, kind: str = "") -> dict[str, Any]:
    event = _parse(line)
    name = event["event"]
    if name not in _EVENTS or (kind and name != kind):
        raise ValueError(f"unknown event {name!r}" if not kind else f"event {name!r} in the place of {kind!r}")
    _check_keys(event, _EVENTS[name])
    return event  # type: ignore[no-any-return]


def _parse(line: bytes) -> Any:
    """The one JSON value of a line. ``json.loads`` takes half as long again, which a long history pays for."""
    text = line.decode()
    value, end = _decode(text)
    if end != len(text):
        raise ValueError(f"more than one value: {text[end : end + 20]!r}")
    return value


def _check_keys(found: dict[str, Any], known: frozenset[str]) -> None:
    if found.keys() != known:
        unknown, missing = sorted(found.keys() - known), sorted(known - found.keys())
        raise ValueError(f"unknown key {unknown[0]!r}" if unknown else f"key {missing[0]!r} is missing")


def _apply(transaction: Transaction, event: dict[str, Any]) -> Transaction:
    match event["event"]:
        case "intent":
            return replace(transaction, begun=(*transaction.begun, *_numbers(event["steps"])))
        case "done":
            return replace(transaction, done=(*transaction.done, *_numbers(event["steps"])))
        case "status":
            status, remaining = Status(event["status"]), tuple(event["remaining"])
            return replace(transaction, status=status, remaining=remaining, status_boot_s=event["boot_s"])
        case "failure":
            return replace(transaction, failure=str(event["failure"]))
        case "evidence":
            return replace(transaction, evidence=(*transaction.evidence, event["evidence"]))
        case "confirmed":
            return replace(transaction, confirmed=True)
        case other:
            raise ValueError(f"event {other!r} at this place")


def _numbers(steps: Sequence[Any]) -> Iterator[int]:
    return map(int, steps)


@contextlib.contextmanager
def _reading(where: str, number: int) -> Iterator[None]:
    """Turn what is wrong with a line into a SpecError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise _unreadable(f"{where}:{number}", fault) from fault


def _unreadable(where: str, fault: Exception) -> SpecError:
    return SpecError(
        f"this journal line cannot be read ({fault})",
        where=where,
        hint="the lines before it are still valid: read them, restore by hand, then move the file away",
    )
