"""Transactions as files: one JSON-lines file each, written before the first change and synced at every record.

``STATE/journal/0007.jsonl``: the first line is the plan, each further line one event. A torn last line (power cut in
the middle of a write) is ignored: a record counts only when its line is whole, and every caller waits for fsync
before it acts on it.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtfn.errors import BackendUnreachable, LockHeld, PermissionDenied, SpecError, UsageError, VirtfnError
from virtfn.model.finding import Action, UseCase
from virtfn.model.place import HOST, Place
from virtfn.model.plan import Plan, Value
from virtfn.model.serialization import decode, to_json
from virtfn.model.subject import Subject
from virtfn.model.transaction import Status, Transaction

FORMAT = 1
_BLOCK = 4096
"""Octets that are read first of a file's end, or its beginning."""


class FileJournal:
    """The journal below one state folder (``/var/lib/virtfn``). The folder is made at the first write.

    ``folder_mode`` is that of the state folder: 0o700 where plans hold what others shall not read.
    """

    def __init__(self, state: Path, boot_id: str, *, place: Place = HOST, folder_mode: int = 0o755) -> None:
        self.place = place
        self._state = state
        self._folder_mode = folder_mode
        self._folder = state / "journal"
        self._boot_id = boot_id

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock (flock on ``STATE/lock``); the kernel drops it if we die. Raises LockHeld."""
        with _disk_errors(self._state):
            self._state.mkdir(parents=True, exist_ok=True, mode=self._folder_mode)
            handle = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 40, 0).decode(errors="replace").strip() or "unknown"
                raise LockHeld(
                    f"another virtfn process (pid {holder}) is changing {self.place.name}",
                    where=str(self._state / "lock"),
                    hint="wait for it to end, then run the command again",
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def is_locked(self) -> bool:
        """Whether a process holds the lock now; one that may not be asked about it (no permission) counts as no."""
        try:
            handle = os.open(self._state / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def begin(self, plan: Plan) -> Transaction:
        """Write the plan to a new file, durable under its final name when this returns."""
        with _disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            number = max((known for known, _ in self._files()), default=0) + 1
            transaction = Transaction(
                number, plan, Status.OPEN, self._boot_id, datetime.now(UTC).isoformat("T", "seconds")
            )
            head = {
                "format": FORMAT,
                "event": "begin",
                "id": number,
                "boot_id": transaction.boot_id,
                "started": transaction.started,
                "plan": plan,
            }
            draft = self._folder / f".{number:04d}.new"
            _write_synced(draft, to_json(head) + "\n", os.O_CREAT | os.O_TRUNC)
            draft.rename(self._path(number))
            _sync_folder(self._folder)
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
        """Record where the transaction stands."""
        self._append(transaction, {"event": "status", "status": status.value, "remaining": list(remaining)})
        return replace(transaction, status=status, remaining=remaining)

    def record_failure(self, transaction: Transaction, failure: str) -> Transaction:
        """Record why it is about to be rolled back."""
        self._append(transaction, {"event": "failure", "failure": failure})
        return replace(transaction, failure=failure)

    def attach(self, transaction: Transaction, evidence: Mapping[str, Value]) -> Transaction:
        """Record a document that belongs to the transaction."""
        self._append(transaction, {"event": "evidence", "evidence": evidence})
        return replace(transaction, evidence=(*transaction.evidence, evidence))

    def load(self, number: int) -> Transaction:
        """Read one transaction. Raises UsageError (no such), SpecError (not readable)."""
        path = self._path(number)
        with _disk_errors(path):
            there = path.is_file()
        if not there:
            raise UsageError(
                f"there is no transaction {number}",
                where=str(self._folder),
                actions=(Action(UseCase.JOURNAL_LIST, place=self.place),),
            )
        head, events = _halves(path)
        return _fold(path, head, events, self._boot_id)

    def all(self) -> Iterator[Transaction]:
        """All transactions, oldest first; none where the folder does not exist yet."""
        for number, _ in sorted(self._files()):
            yield self.load(number)

    def unfinished(self) -> Iterator[Transaction]:
        """Those of ``all`` that are unfinished. Of the others no plan is read, so a long history costs little."""
        for _, path in sorted(self._files()):
            if _last_status(path).unfinished:
                entry = _fold(path, *_halves(path), self._boot_id)
                if entry.status.unfinished:  # a boot may have ended it
                    yield entry

    def committed(self, of: type[Subject] | None = None) -> Iterator[Transaction]:
        """Those that are committed, the newest first; with ``of``, those about such a subject. Reads no other plan."""
        for _, path in sorted(self._files(), reverse=True):
            if _last_status(path) is Status.COMMITTED and _may_be_about(path, of):
                entry = _fold(path, *_halves(path), self._boot_id)
                if entry.status is Status.COMMITTED and isinstance(entry.plan.subject, of or object):
                    yield entry

    def _files(self) -> Iterator[tuple[int, Path]]:
        with _disk_errors(self._folder):
            if not self._folder.is_dir():
                return
            for path in self._folder.iterdir():
                if path.suffix == ".jsonl" and path.stem.isdigit():
                    yield int(path.stem), path

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.jsonl"

    def _append(self, transaction: Transaction, event: dict[str, Any]) -> None:
        path = self._path(transaction.id)
        with _disk_errors(path):
            _mend_torn_end(path)
            _write_synced(path, to_json(event) + "\n", os.O_APPEND)


def _halves(path: Path) -> tuple[bytes, list[bytes]]:
    """The first line, which has the plan, and the others; without one that was never finished."""
    with _disk_errors(path), path.open("rb") as file:
        head, rest = file.readline(), file.read()
    whole = rest[: rest.rfind(b"\n") + 1]
    return head if head.endswith(b"\n") else b"", whole.splitlines()


def _last_status(path: Path) -> Status:
    """Where the events leave it; a boot since then is not regarded. Read from the end, as the plan before is long."""
    with _disk_errors(path), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        block = _BLOCK
        while True:
            start = file.seek(max(0, size - block))
            lines = file.read().split(b"\n")[1:-1]  # the first is the plan, or torn by us; the last was never finished
            for line in reversed(lines):
                status = _status_in(line)
                if status:
                    return status
            if start == 0:
                return Status.OPEN
            block *= 8


def _status_in(line: bytes) -> Status | None:
    """The status that an event tells, if it tells one; what cannot be read is found when the whole file is."""
    if not line.startswith(b'{"event": "status"'):
        return None
    try:
        return Status(json.loads(line)["status"])
    except (ValueError, KeyError, TypeError):
        return None


def _may_be_about(path: Path, of: type[Subject] | None) -> bool:
    """False where the plan says another kind of subject, before its steps: the long rest is not read."""
    with _disk_errors(path), path.open("rb") as file:
        before, steps, _ = file.read(_BLOCK).partition(b'"steps"')
    return not (of and steps and b'"kind"' in before) or json.dumps(of.kind).encode() in before


def _fold(path: Path, head: bytes, events: list[bytes], boot_id: str) -> Transaction:
    """The transaction that a file's events add up to. A boot since it was begun ends it: VFs do not outlive one."""
    transaction: Transaction | None = None
    for number, line in enumerate([head, *events] if head else (), start=1):
        with _reading(path, number):
            event = json.loads(line)
            if event["event"] == "begin":
                plan = decode(Plan, event["plan"])
                transaction = Transaction(event["id"], plan, Status.OPEN, event["boot_id"], event["started"])
            elif transaction is not None:
                transaction = _apply(transaction, event)
    if transaction is None:
        raise SpecError("this journal file has no first line", where=f"{path}:1", hint="move the file away")
    if transaction.boot_id != boot_id and transaction.status not in (Status.ROLLED_BACK, Status.ENDED):
        return replace(transaction, status=Status.ENDED)
    return transaction


def _apply(transaction: Transaction, event: dict[str, Any]) -> Transaction:
    match event["event"]:
        case "intent":
            return replace(transaction, begun=(*transaction.begun, *map(int, event["steps"])))
        case "done":
            return replace(transaction, done=(*transaction.done, *map(int, event["steps"])))
        case "status":
            return replace(transaction, status=Status(event["status"]), remaining=tuple(event.get("remaining", ())))
        case "failure":
            return replace(transaction, failure=str(event["failure"]))
        case "evidence":
            return replace(transaction, evidence=(*transaction.evidence, event["evidence"]))
        case other:
            raise ValueError(f"unknown event {other!r}")


@contextlib.contextmanager
def _reading(path: Path, number: int) -> Iterator[None]:
    """Make what is wrong with a line of a file a SpecError."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as fault:
        raise SpecError(
            f"this journal line cannot be read ({fault})",
            where=f"{path}:{number}",
            hint="the lines before it are still valid: read them, restore by hand, then move the file away",
        ) from fault


def _write_synced(path: Path, text: str, flags: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o644)
    try:
        data = text.encode()
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _mend_torn_end(path: Path) -> None:
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


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except VirtfnError:
        raise
    except PermissionError as fault:
        raise PermissionDenied(
            f"the journal cannot be written or read ({fault.strerror})",
            where=str(path),
            hint="run as root, or set VIRTFN_STATE_DIR to a folder that is yours",
        ) from fault
    except OSError as fault:
        raise BackendUnreachable(
            f"the journal cannot be written or read ({fault.strerror})",
            where=str(path),
            hint="nothing is changed without a journal: make room or make the folder writable, or set VIRTFN_STATE_DIR",
        ) from fault
