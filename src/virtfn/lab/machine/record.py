"""The record of a running machine: other processes find it by this, and end no process that is not its QEMU."""

import contextlib
import json
import os
import shutil
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from virtfn.errors import LabError
from virtfn.lab.machine.folders import private_folder
from virtfn.lab.machine.shape import Shape
from virtfn.model.finding import Action, UseCase

_FILE = "machine.json"
_GRACE_S = 5.0


@dataclass(frozen=True)
class Process:
    """A process by its id and its start time (field 22 of ``/proc/PID/stat``): ids are reused."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this id now. Raises LabError where there is none."""
        started = _start_time(pid)
        if started is None:
            raise LabError(f"process {pid} is gone")
        return cls(pid, started)

    @property
    def alive(self) -> bool:
        """True while it runs (a zombie does not)."""
        return _start_time(self.pid) == self.started

    def end(self, *, grace_s: float = _GRACE_S) -> None:
        """SIGTERM, then SIGKILL after ``grace_s``; returns when it is gone. Nothing happens to another process."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
            _wait_until_gone(self, time.monotonic() + grace_s)
        if self.alive:
            raise LabError(f"process {self.pid} does not end", hint="look at it with ps")
        if self._is_child:
            os.waitpid(self.pid, os.WNOHANG)

    def kill(self) -> None:
        """SIGKILL, with no time to write anything back; returns when it is gone. Nothing happens to another process."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.end()

    @property
    def _is_child(self) -> bool:
        """Ended, but not reaped by this process yet."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[1]) == os.getpid() and int(fields[19]) == self.started
        return False


def _wait_until_gone(process: Process, deadline: float) -> None:
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.01)


def _start_time(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


@dataclass(frozen=True)
class Record:
    """One machine. ``owner`` is who is starting it, or with whom it ends; None once it runs on its own."""

    name: str
    shape: Shape
    qemu: Process
    owner: Process | None
    ready: bool = False
    restored: bool = False
    ready_after_s: float = 0.0
    accelerator: str = ""
    kernel: str = ""
    python: str = ""
    since: float = 0.0

    @property
    def alive(self) -> bool:
        """QEMU runs, and it is ready or its owner still works on it."""
        return self.qemu.alive and (self.ready or (self.owner is not None and self.owner.alive))

    def standing(self, *, restored: bool, ready_after_s: float) -> "Record":
        """The same, ready."""
        return replace(self, ready=True, restored=restored, ready_after_s=ready_after_s)


def write(run: Path, record: Record) -> None:
    """Write it, all or nothing."""
    new = run / f"{_FILE}.new"
    new.write_text(json.dumps(asdict(record)))
    new.rename(run / _FILE)


def read(run: Path) -> Record | None:
    """The record, or None where there is none or an incomplete one."""
    try:
        found: dict[str, Any] = json.loads((run / _FILE).read_text())
        owner = found.pop("owner")
        shape = Shape.from_dict(found.pop("shape"))
        return Record(
            shape=shape, qemu=Process(**found.pop("qemu")), owner=Process(**owner) if owner else None, **found
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def lock_of(run: Path) -> Path:
    """The file that is locked while a machine is started or ended."""
    return run.parent / f"{run.name}.lock"


def clean(run: Path) -> None:
    """Remove a machine's folder; end its QEMU first if it cannot be in use any more. Raises LabError if one is."""
    record = read(run)
    if record and record.alive:
        raise LabError(
            f"a lab named {record.name} is up", actions=(Action(UseCase.LAB_DOWN, options=(("name", record.name),)),)
        )
    if record:
        record.qemu.end()
    shutil.rmtree(run, ignore_errors=True)


def sweep(runtime: Path, throw_away: str) -> None:
    """Remove what killed owners left: unfinished starts with their QEMU, and dead machines named ``throw_away``...

    A machine that was up and died stays, so that ``status`` can show the end of its console.
    """
    for run in runtime.iterdir():
        record = read(run) if run.is_dir() else None
        if record and not record.alive and (not record.ready or run.name.startswith(throw_away)):
            record.qemu.end()
            shutil.rmtree(run, ignore_errors=True)
            lock_of(run).unlink(missing_ok=True)


def fresh(run: Path) -> Path:
    """An empty private folder for a new machine."""
    private_folder(run.parent)
    clean(run)
    run.mkdir(mode=0o700)
    return run
