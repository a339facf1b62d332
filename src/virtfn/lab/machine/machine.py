"""A running lab: run programs in it, move files, see its state, end it."""

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.code import Code, bundle, changes, manifest_hash
from virtfn.lab.build.execution import dying_words, last_words
from virtfn.lab.build.store import exclusive
from virtfn.lab.channel.jobs import Completed, RemoteJob, Upload
from virtfn.lab.channel.ports import Channel, GuestGone, Hello
from virtfn.lab.channel.wire import HostWire
from virtfn.lab.machine import record as records
from virtfn.lab.machine.devices import plug_disk
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.monitor import Monitor
from virtfn.lab.machine.qemu import wire_sockets
from virtfn.lab.machine.record import Record
from virtfn.lab.machine.shape import Wire
from virtfn.model.finding import Action, UseCase

DEFAULT_NAME = "lab"
_RECEIVE = ("python3", "/lab/agent/guest/receive.py")
_GREET_S = 30.0
_TRANSFER_S = 120.0
_DOWN_S = 5.0
_PLUG_S = 120.0
_DISK = "disk"


class Machine:
    """A lab that is up. Several processes may use one at once (each program takes one of its ports)."""

    def __init__(self, run: Path, record: Record, code: Code | None = None) -> None:
        self.folder = run
        self.record = record
        self._code = code or Code.of_package()

    @classmethod
    def attach(cls, name: str = DEFAULT_NAME, folders: Folders | None = None) -> "Machine":
        """The running lab of this name. Raises LabError where it is not up."""
        run = (folders or Folders.of_this_user()).runtime / name
        record = records.read(run)
        if record and record.ready and not record.alive:
            raise LabError(_obituary(cls(run, record)), where=f"lab {name}", actions=(Action(UseCase.LAB_UP),))
        if record is None or not record.ready:
            raise LabError(f"no lab named {name} is up", actions=(Action(UseCase.LAB_UP),))
        return cls(run, record)

    @classmethod
    def is_up(cls, name: str = DEFAULT_NAME, folders: Folders | None = None) -> bool:
        """True where a lab of this name can be attached to."""
        record = records.read((folders or Folders.of_this_user()).runtime / name)
        return record is not None and record.alive and record.ready

    @classmethod
    def end(cls, name: str = DEFAULT_NAME, folders: Folders | None = None) -> bool:
        """End the lab of this name and remove what it left, also one that died; True where it was still running.

        Raises LabError where there is none.
        """
        run = (folders or Folders.of_this_user()).runtime / name
        record = records.read(run)
        if record is None:
            raise LabError(f"no lab named {name} is up", actions=(Action(UseCase.LAB_UP),))
        was_running = record.qemu.alive
        cls(run, record).down()
        return was_running

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        timeout_s: float = 60.0,
    ) -> Completed:
        """Run a program to its end. ``virtfn``, ``python3 -m`` and ``python3 -c`` start in the agent's warm process.

        Raises LabError where it does not end within ``timeout_s`` (it is killed), GuestGone where the guest died.
        """
        with self.start(argv, env=env, cwd=cwd) as job, self._explaining_death():
            return job.communicate(stdin, timeout_s=timeout_s)

    @contextlib.contextmanager
    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        terminal: tuple[int, int] | None = None,
    ) -> Iterator[RemoteJob]:
        """Start a program and give the running job; leaving the block kills it if it still runs."""
        with self._explaining_death(), Channel(self.folder) as channel:
            self._up_to_date(channel.greet(timeout_s=_GREET_S))
            yield RemoteJob(channel, argv, env={**self._environment(), **(env or {})}, cwd=cwd, terminal=terminal)

    def push(self, source: Path, name: str) -> None:
        """Have a file or folder of the project at ``/lab/code/<name>`` too, and keep it up to date from now on."""
        self._code = self._code.plus(source, name)

    def put(self, source: Path, target: str) -> None:
        """Copy a file or a folder to the absolute path ``target`` in the guest."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, data, executable in Upload.of(source, target.lstrip("/")).files:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755 if executable else 0o644
                tar.addfile(entry, io.BytesIO(data))
        self.run([*_RECEIVE, "files"], stdin=buffer.getvalue(), timeout_s=_TRANSFER_S).check()

    def get(self, source: str, target: Path) -> None:
        """Copy the guest's file or folder ``source`` into the folder ``target``."""
        packed = self.run([*_RECEIVE, "pack", source], timeout_s=_TRANSFER_S).check().stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(target, filter="data")

    def wire(self) -> HostWire:
        """The host's end of the PFs' cable, where the lab was started so. Raises LabError otherwise."""
        if self.record.shape.wire is not Wire.HOST:
            raise LabError(
                "this lab's wire is inside the guest", actions=(Action(UseCase.LAB_UP, options=(("wire", "host"),)),)
            )
        return HostWire(*wire_sockets(self.folder))

    def console(self, lines: int = 20) -> str:
        """The last lines of the guest's console."""
        try:
            return last_words((self.folder / "console").read_text(errors="replace"), lines)
        except FileNotFoundError:
            return ""

    def plug_disk(self, image: Path) -> str:
        """Plug in a disk (``devices.make_disk`` makes one) and return its device file in the guest. Raises LabError.

        A machine takes one disk.
        """
        with Monitor(self.folder / "qmp") as monitor:
            plug_disk(monitor, image, _DISK)
        find = f"until grep -lx {_DISK} /sys/block/*/serial; do sleep 0.1; done"
        found = self.run(["sh", "-c", find], timeout_s=_PLUG_S).check().text
        return f"/dev/{Path(found.strip()).parent.name}"

    def cut_power(self) -> None:
        """Kill QEMU at once: what the guest has not handed to a disk is lost. ``down`` removes the rest."""
        self.record.qemu.kill()

    def down(self) -> None:
        """End it: the QEMU that was started for it, and its folder."""
        lock = records.lock_of(self.folder)
        with exclusive(lock, timeout_s=_DOWN_S, busy="another virtfn is starting or ending this lab"):
            self.record.qemu.end()
            records.clean(self.folder)
            lock.unlink(missing_ok=True)

    def update(self) -> None:
        """Bring the guest's code up to date now rather than with the next program."""
        with self._explaining_death(), Channel(self.folder) as channel:
            self._up_to_date(channel.greet(timeout_s=_GREET_S))

    def _environment(self) -> dict[str, str]:
        vantage = "pf wire:w0 sibling" if self.record.shape.wire is Wire.NIC else "pf sibling"
        return {"VIRTFN_PROBE_FROM": vantage}

    def _up_to_date(self, hello: Hello) -> None:
        wanted = self._code.manifest()
        if hello.code == manifest_hash(wanted):
            return
        with Channel(self.folder) as channel:
            channel.greet(timeout_s=_GREET_S)
            have = RemoteJob(channel, [*_RECEIVE, "have"]).communicate(timeout_s=_TRANSFER_S).check()
            send, remove = changes(wanted, json.loads(have.stdout))
            data = bundle(self._code, wanted, send, remove, hello.magic)
            RemoteJob(channel, [*_RECEIVE, "code"]).communicate(data, timeout_s=_TRANSFER_S).check()

    @contextlib.contextmanager
    def _explaining_death(self) -> Iterator[None]:
        try:
            yield
        except GuestGone as gone:
            deadline = time.monotonic() + 2.0
            while self.record.qemu.alive and time.monotonic() < deadline:
                time.sleep(0.02)
            where = f"lab {self.record.name}"
            raise LabError(_obituary(self), where=where, actions=(Action(UseCase.LAB_UP),)) from gone


def _obituary(machine: Machine) -> str:
    return f"the guest died; its console ends with:\n{dying_words(machine.console(200)) or '(nothing)'}"
