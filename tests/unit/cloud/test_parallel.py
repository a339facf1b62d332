"""Work on several objects at once."""

from threading import Barrier, Event, Lock

import pytest

from virtfn.cloud.writer import in_parallel
from virtfn.errors import CloudError

PATIENCE_S = 20
"""No test waits so long where the code is right."""


def test_as_many_as_allowed_are_at_work_at_once() -> None:
    meeting = Barrier(3)

    def work(_: int) -> None:
        meeting.wait(PATIENCE_S)

    in_parallel(work, range(6), 3)


def test_no_more_than_allowed_are_at_work_at_once() -> None:
    lock, at_work, most = Lock(), 0, 0
    meeting = Barrier(2)

    def work(_: int) -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        meeting.wait(PATIENCE_S)
        with lock:
            at_work -= 1

    in_parallel(work, range(8), 2)
    assert most == 2


def test_one_at_once_is_in_order_and_in_this_thread() -> None:
    done: list[int] = []
    in_parallel(done.append, range(5), 1)
    assert done == [0, 1, 2, 3, 4]


def test_nothing_is_begun_after_a_refusal_one_after_the_other() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 1:
            raise CloudError("no", where="port b")

    with pytest.raises(CloudError, match="port b: no"):
        in_parallel(work, range(4), 1)
    assert done == [0, 1]


def test_what_was_begun_ends_and_nothing_else_is_begun_after_a_refusal() -> None:
    begun: list[int] = []
    ended: list[int] = []
    both, refused = Barrier(2), Event()

    def work(number: int) -> None:
        begun.append(number)
        both.wait(PATIENCE_S)
        if number == 0:
            refused.set()
            raise CloudError("no", where="port a")
        assert refused.wait(PATIENCE_S)
        ended.append(number)

    with pytest.raises(CloudError, match="port a: no"):
        in_parallel(work, range(2), 2)
    assert sorted(begun) == [0, 1]
    assert ended == [1]


def test_the_first_refusal_is_raised_and_the_others_are_its_notes() -> None:
    both, first = Barrier(2), Event()

    def work(name: str) -> None:
        both.wait(PATIENCE_S)
        if name == "b":
            assert first.wait(PATIENCE_S)
            raise CloudError("quota", where="port b")
        try:
            raise CloudError("in use", where="port a")
        finally:
            first.set()

    with pytest.raises(CloudError) as caught:
        in_parallel(work, ["a", "b"], 2)
    told = {str(caught.value), *caught.value.__notes__}
    assert told in (
        {"port a: in use", "refused as well: port b: quota"},
        {"port b: quota", "refused as well: port a: in use"},
    )


def test_notes_of_every_refusal_are_kept() -> None:
    meeting = Barrier(2)

    def work(number: int) -> None:
        meeting.wait(PATIENCE_S)
        fault = CloudError("no", where=f"port {number}")
        fault.add_note(f"{number} may still come")
        raise fault

    with pytest.raises(CloudError) as caught:
        in_parallel(work, range(2), 2)
    notes = caught.value.__notes__
    assert {"0 may still come", "1 may still come"} < set(notes)
    assert sum(note.startswith("refused as well: port ") for note in notes) == 1
