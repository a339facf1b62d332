"""The same work on several objects at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from virtfn.errors import VirtfnError

T = TypeVar("T")


def together(work: Callable[[T], None], items: Sequence[T], at_most: int) -> None:
    """Do the work on every item, on ``at_most`` of them at once; all that was begun has ended when this returns.

    After an error nothing more is begun. The error that came first is raised; the others become its notes.
    """
    workers = min(at_most, len(items))
    if workers <= 1:
        for item in items:
            work(item)
        return
    faults: list[BaseException] = []
    stop = Event()

    def one(item: T) -> None:
        if stop.is_set():
            return
        try:
            work(item)
        except BaseException as fault:
            stop.set()
            faults.append(fault)
            raise

    with ThreadPoolExecutor(workers, thread_name_prefix="virtfn") as pool:
        try:
            wait([pool.submit(one, item) for item in items])
        except BaseException:  # of this thread: what has not begun does not begin any more
            stop.set()
            raise
    if faults:
        for other in faults[1:]:
            faults[0].add_note(f"refused as well: {_told(other)}")
            for note in getattr(other, "__notes__", ()):
                faults[0].add_note(note)
        raise faults[0]


def _told(fault: BaseException) -> str:
    return str(fault) if isinstance(fault, VirtfnError) else repr(fault)
