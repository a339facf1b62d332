"""Transactions as files: one JSON-lines file each, written before the first change and synced at every record.

``STATE/journal/0007.jsonl``, mode 0600 (``journal/records`` has the lines). A torn last line (power
cut in the middle of a write) is ignored: a record counts only when its line is whole, and every caller waits for fsync
before it acts on it.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtfn.errors import SpecError, UsageError
from virtfn.journal import private
from virtfn.journal.private import FileLock, disk_error, disk_errors, make_private, sync_folder, tighten
from virtfn.journal.records import STATUS_LINE, first_lines, read_summary, read_transaction
from virtfn.model.finding import Action, UseCase
from virtfn.model.place import HOST, Place
from virtfn.model.plan import Plan, Value
from virtfn.model.serialization import to_json
from virtfn.model.subject import Subject
from virtfn.model.transaction import Status, Transaction, TransactionSummary

_BLOCK = 8192
"""How much is read first of a file's beginning, and of its end."""

Notice = Callable[[tuple[Path, ...]], None]


def _no_notice(_paths: tuple[Path, ...]) -> None:
    return


class FileJournal:
    """The journal below one state folder (``/var/lib/virtfn``). The folder is created at the first write.

    ``lock``: the file to lock (default: in the state folder). ``notice`` is given the files and folders whose modes
    were corrected because other users could read them.
    """

    def __init__(
        self,
        state: Path,
        boot_id: str,
        *,
        lock: Path | None = None,
        place: Place = HOST,
        notice: Notice = _no_notice,
    ) -> None:
        self.place = place
        self._folder = state / "journal"
        self._boot_id = boot_id
        self._lock = FileLock(lock or state / "lock", place)
        self._notice = notice

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock; the kernel releases it if this process dies. Raises LockHeld.

        The modes of the journal's folder and files are corrected where other users can read them.
        """
        with disk_errors(self._folder):
            make_private(self._folder.parent)
        with self._lock.hold():
            with disk_errors(self._folder):
                corrected = tighten(self._folder)
            if corrected:
                self._notice(corrected)
            yield

    def is_locked(self) -> bool:
        """Whether a process holds the lock now; False where this user cannot open it."""
        return self._lock.is_held()

    def now_s(self) -> float:
        """Seconds since boot, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def begin(self, plan: Plan, *, confirm_within_s: float | None = None) -> Transaction:
        """Write header and plan to a new file, durable under its final name when this returns."""
        with disk_errors(self._folder):
            make_private(self._folder)
            number = max((known for known, _ in self._files()), default=0) + 1
            started = datetime.now(UTC).isoformat("T", "seconds")
            transaction = Transaction(
                number, plan, Status.OPEN, self._boot_id, started, confirm_within_s=confirm_within_s
            )
            draft = self._folder / f".{number:04d}.new"
            private.write_synced(draft, first_lines(transaction, self.place), os.O_CREAT | os.O_TRUNC)
            draft.rename(self._path(number))
            sync_folder(self._folder)
        return transaction

    def record_intent(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """Record that the writes of these steps may happen from now on."""
        self._append(transaction, {"event": "intent", "steps": list(steps)})
        return replace(transaction, begun=(*transaction.begun, *steps))

    def record_done(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """Record that the writes of these steps have returned."""
        self._append(transaction, {"event": "done", "steps": list(steps)})
        return replace(transaction, done=(*transaction.done, *steps))

    def record_status(
        self, transaction: Transaction, status: Status, *, remaining: tuple[str, ...] = ()
    ) -> Transaction:
        """Record the transaction's status."""
        boot_s = round(self.now_s(), 3)
        summary = {"status": status.value, "done": len(transaction.done), "boot_s": boot_s}
        self._append(transaction, {"event": "status", **summary, "remaining": list(remaining)})
        return replace(transaction, status=status, remaining=remaining, status_boot_s=boot_s)

    def record_failure(self, transaction: Transaction, failure: str) -> Transaction:
        """Record why it is about to be rolled back."""
        self._append(transaction, {"event": "failure", "failure": failure})
        return replace(transaction, failure=failure)

    def record_confirmed(self, transaction: Transaction) -> Transaction:
        """Record that the user keeps it."""
        self._append(transaction, {"event": "confirmed"})
        return replace(transaction, confirmed=True)

    def attach(self, transaction: Transaction, evidence: Mapping[str, Value]) -> Transaction:
        """Record a document that belongs to the transaction."""
        self._append(transaction, {"event": "evidence", "evidence": evidence})
        return replace(transaction, evidence=(*transaction.evidence, evidence))

    def load(self, number: int) -> Transaction:
        """Read one transaction. Raises UsageError (no such), SpecError (not readable)."""
        path = self._path(number)
        with disk_errors(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                raise UsageError(
                    f"there is no transaction {number}",
                    where=str(self._folder),
                    actions=(Action(UseCase.JOURNAL_LIST, place=self.place),),
                ) from None
        return read_transaction(str(path), data, self._boot_id)

    def all(self) -> Iterator[Transaction]:
        """All transactions, oldest first; none where the folder does not exist yet."""
        for number, _ in sorted(self._files()):
            yield self.load(number)

    def summaries(self) -> Iterator[TransactionSummary]:
        """What ``all`` yields, without plans, so that a long history costs little; one BROKEN file stops nothing."""
        for number, path in sorted(self._files()):
            yield self._summary_or_broken(number, path)

    def newest(self) -> TransactionSummary | None:
        """The summary with the highest number; None where there is none."""
        newest = max(self._files(), default=None)
        return self._summary_or_broken(*newest) if newest else None

    def unfinished(self) -> Iterator[Transaction]:
        """Those that have to be finished or rolled back, oldest first. Raises SpecError for one that cannot be read."""
        for number, path in sorted(self._files()):
            if self._may_be(path, lambda one: one.status.unfinished):
                yield self.load(number)

    def committed(self, of: type[Subject] | None = None) -> Iterator[Transaction]:
        """The committed ones, the newest first; with ``of``, those about such a subject. Raises SpecError as above."""
        for number, path in sorted(self._files(), reverse=True):
            if self._may_be(path, lambda one: one.status is Status.COMMITTED and (of is None or one.is_about(of))):
                yield self.load(number)

    def discard(self, numbers: Sequence[int]) -> None:
        """Remove these transactions for good."""
        with disk_errors(self._folder):
            for number in numbers:
                self._path(number).unlink(missing_ok=True)
            if numbers:
                sync_folder(self._folder)

    def _summary_or_broken(self, number: int, path: str) -> TransactionSummary:
        try:
            return self._summary(path)
        except SpecError as fault:
            return TransactionSummary.broken(number, str(fault))

    def _may_be(self, path: str, matches: Callable[[TransactionSummary], bool]) -> bool:
        """Whether the summary matches; a file without a readable summary may, so that it is read and reported."""
        try:
            return matches(self._summary(path))
        except SpecError:
            return True

    def _summary(self, path: str) -> TransactionSummary:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                head, events = _ends(handle)
            finally:
                os.close(handle)
        except OSError as fault:
            raise disk_error(fault, Path(path)) from fault
        return read_summary(path, head, events, self._boot_id)

    def _files(self) -> Iterator[tuple[int, str]]:
        with disk_errors(self._folder):
            try:
                entries = os.scandir(self._folder)
            except FileNotFoundError:
                return
            with entries:
                for entry in entries:
                    stem, dot, suffix = entry.name.partition(".")
                    if suffix == "jsonl" and dot and stem.isdigit():
                        yield int(stem), entry.path

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.jsonl"

    def _append(self, transaction: Transaction, event: dict[str, Any]) -> None:
        path = self._path(transaction.id)
        with disk_errors(path):
            _cut_torn_end(path)
            private.write_synced(path, to_json(event) + "\n", os.O_APPEND)


def _ends(handle: int) -> tuple[bytes, bytes]:
    """The first line, and the whole lines from the last status on; without a status, all after the second line."""
    data = os.read(handle, _BLOCK)
    if len(data) == _BLOCK:
        size = os.fstat(handle).st_size
        start = data[: data.find(b"\n") + 1]
        tail = os.pread(handle, _BLOCK, max(0, size - _BLOCK))
        if start and STATUS_LINE in tail[: tail.rfind(b"\n") + 1]:
            data = start + b"\n" + tail
        else:
            data = os.pread(handle, size, 0)
    data = data[: data.rfind(b"\n") + 1]
    head, _, rest = data.partition(b"\n")
    last = rest.rfind(STATUS_LINE)
    return head, rest[last + 1 :] if last >= 0 else rest.partition(b"\n")[2]


def _cut_torn_end(path: Path) -> None:
    """Cut a last line that was never finished, so that the next record starts on a line of its own."""
    size = path.stat().st_size
    if not size:
        return
    with path.open("r+b") as file:
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read(size).rfind(b"\n") + 1)
