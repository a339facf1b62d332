"""What the engine reports: a step is done when its write has returned, and a failed one carries the kernel's number."""

from typing import Any

import pytest

from virtfn.cli.events_view import EventsView
from virtfn.engine.events import Event, RollbackStarted, StepsDone, StepsFailed, TransactionStarted, ValuesRestored
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.errors import KernelRefused
from virtfn.model.plan import Plan, Step, Target, Value
from virtfn.model.subject import CloudAction, CloudSubject, HostSubject
from virtfn.testing import FakeHost, MemoryJournal, field_note_host

PF = "0000:01:00.0"


def _step(host: FakeHost, index: int, field: str, after: Value, **more: Any) -> Step:
    target = Target("vf", f"{PF}/{index}", f"p2p1/{index}")
    return Step(target, field, host.read(target, field), after, "it is wanted", **more)


def _engine(host: FakeHost, seen: list[Event]) -> Transactions:
    return Transactions(host, MemoryJournal(), sink=seen.append, settle=Settle(0.0, 0.0))


def test_steps_are_done_after_their_write() -> None:
    host, seen = field_note_host(), []
    step = _step(host, 1, "trust", after=True)
    at_done: list[Value] = []

    def sink(event: Event) -> None:
        seen.append(type(event))
        if isinstance(event, StepsDone):
            at_done.append(host.read(step.target, "trust"))

    Transactions(host, MemoryJournal(), sink=sink, settle=Settle(0.0, 0.0)).run(Plan(HostSubject(), "t", (step,)))
    assert at_done == [True]
    assert seen[0] is TransactionStarted


def test_a_refused_write_is_reported_as_failed_with_its_errno_and_never_as_done() -> None:
    host, seen = field_note_host(), list[Event]()

    def refuse(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write":
            raise KernelRefused("Operation not permitted", where=str(target), errno=1)

    steps = tuple(_step(host, index, "trust", after=True) for index in (0, 1, 2, 3))
    host.hook = refuse
    with pytest.raises(KernelRefused):
        _engine(host, seen).run(Plan(HostSubject(), "four VFs", steps))
    assert [event.errno for event in seen if isinstance(event, StepsFailed)] == [1]
    assert not [event for event in seen if isinstance(event, StepsDone)]


def test_a_rollback_carries_its_cause_and_the_values_it_wrote() -> None:
    host, seen = field_note_host(), list[Event]()

    def refuse(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and field == "spoofchk":
            raise KernelRefused("Operation not permitted", where=str(target), errno=1)

    steps = (_step(host, 1, "trust", after=True), _step(host, 1, "spoofchk", after=False))
    host.hook = refuse
    with pytest.raises(KernelRefused):
        _engine(host, seen).run(Plan(HostSubject(), "two fields", steps))
    started = next(event for event in seen if isinstance(event, RollbackStarted))
    assert isinstance(started.cause, KernelRefused)
    restored = [one for event in seen if isinstance(event, ValuesRestored) for one in event.values]
    assert [(str(one.target), one.field, one.before, one.after) for one in restored] == [
        ("p2p1/1", "trust", True, False)
    ]


def test_values_that_are_ids_are_shown_by_the_names_of_the_plan() -> None:
    lines: list[str] = []
    view = EventsView(lines.append)
    port = Target("port", "note/port/a", "port a")
    step = Step(port, "definition", None, {"network": "7d0f", "mac": "7d0f:no"}, "it is wanted")
    view(TransactionStarted(1, Plan(CloudSubject(CloudAction.UP, "note", {"7d0f": "theirs"}), "note", (step,))))
    view(StepsDone(1, (step,)))
    assert lines == ["+ port a: network theirs mac 7d0f:no"]
