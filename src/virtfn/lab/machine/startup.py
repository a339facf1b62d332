"""Start a machine: from its snapshot where there is one, else cold, and then leave a snapshot for the next."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.execution import last_words
from virtfn.lab.build.parts import Parts
from virtfn.lab.build.store import exclusive
from virtfn.lab.channel.ports import Channel, GuestGone
from virtfn.lab.machine import record as records
from virtfn.lab.machine.devices import plug_nvme
from virtfn.lab.machine.folders import Folders, private_folder
from virtfn.lab.machine.machine import DEFAULT_NAME, Machine
from virtfn.lab.machine.monitor import Monitor, connect
from virtfn.lab.machine.qemu import HostBoot, wire_sockets
from virtfn.lab.machine.record import Process, Record
from virtfn.lab.machine.shape import Shape

KIND = "snapshot"
_QMP_S = 15.0
_RESTORE_S = 30.0
_SAVE_S = 120.0
_COLD_S = 240.0
_HOST_S = 480.0
_ANSWER_S = 20.0
_WARM_S = 90.0
_TOPOLOGY_S = 180.0
_VMS_S = 900.0
_ONCE = "once-"
_BREAKDOWN = "Assertion `"
_PANIC = "end Kernel panic"
_TOPOLOGY = ("python3", "-m", "virtfn.lab.guest.topology")


@dataclass(frozen=True)
class StartOptions:
    """How to start. ``cold`` passes over the snapshot; ``owned`` ends the machine with this process.

    ``host_boot`` boots it as a host with systemd instead: nothing is set up in it, its PFs have no VFs, and it has no
    snapshot.
    """

    name: str = DEFAULT_NAME
    shape: Shape = field(default_factory=Shape)
    cold: bool = False
    owned: bool = False
    host_boot: HostBoot | None = None


def start(parts: Parts, folders: Folders, wishes: StartOptions, say: Callable[[str], None]) -> Machine:
    """Start a lab and return when its VFs are in place. Raises LabError; then nothing is left running."""
    run = folders.runtime / wishes.name
    records.sweep(private_folder(folders.runtime), _ONCE)
    busy = f"another virtfn is starting or ending the lab {wishes.name}"
    with exclusive(records.lock_of(run), timeout_s=1.0, busy=busy), _terminated_as_interrupted():
        return _Start(parts, run, wishes, say).start()


@contextlib.contextmanager
def throw_away(parts: Parts, folders: Folders, wishes: StartOptions, say: Callable[[str], None]) -> Iterator[Machine]:
    """A lab for the block only, under a name of its own. It ends with the block, or with this process if killed."""
    owned = replace(wishes, name=f"{_ONCE}{os.getpid()}-{os.urandom(3).hex()}", owned=True)
    machine = start(parts, folders, owned, say)
    try:
        yield machine
    finally:
        with _interrupts_held():
            machine.down()


class _Start:
    """One start, with the state that its steps share."""

    def __init__(self, parts: Parts, run: Path, wishes: StartOptions, say: Callable[[str], None]) -> None:
        self.parts, self.run, self.wishes, self.say = parts, run, wishes, say
        self.board = parts.board(wishes.shape, wishes.host_boot)
        self.key = parts.snapshot_key(wishes.shape)
        self.began = time.monotonic()

    def start(self) -> Machine:
        records.clean(self.run)  # a name that is taken is refused here, before anything is tried
        if self.wishes.host_boot:
            return self._twice(self._booted)
        saved = None if self.wishes.cold else self.parts.store.find(KIND, self.key)
        if saved:
            try:
                return self._twice(partial(self._restored, saved))
            except LabError as failed:
                self.say(f"the snapshot does not load ({failed}); starting cold")
                self.parts.store.remove(KIND, self.key)
        return self._twice(self._cold)

    def _twice(self, boot: Callable[[], Machine]) -> Machine:
        """A kernel that panics is a failure, except on a compute host: emulated SVM itself makes it panic at times."""
        signs = (_BREAKDOWN, _PANIC) if self.wishes.shape.vms else (_BREAKDOWN,)
        return again(boot, self.say, signs)

    def _restored(self, saved: Path) -> Machine:
        with self._machine(self._uri(saved, reading=True)) as machine:
            with self._monitor() as monitor:
                monitor.resume(timeout_s=_RESTORE_S)
            self._answers(machine, _ANSWER_S)
            return self._finish(machine, restored=True)

    def _cold(self) -> Machine:
        self.say(f"starting the guest cold ({self.board.accelerator})")
        with self._machine() as machine:
            with self._monitor():
                pass
            self._answers(machine, _COLD_S)
            machine.update()
            self._topology(machine, "create")
            if not self.wishes.cold:
                self._warm()
                self._save(machine)
            return self._finish(machine, restored=False)

    def _booted(self) -> Machine:
        with self._machine() as machine:
            with self._monitor():
                pass
            self._answers(machine, _HOST_S)
            machine.update()
            return self._standing(machine, restored=False)

    def _finish(self, machine: Machine, *, restored: bool) -> Machine:
        if self.wishes.shape.nvme:
            with self._monitor() as monitor:
                plug_nvme(monitor)
        self._topology(machine, "bind")
        return self._standing(machine, restored=restored)

    def _standing(self, machine: Machine, *, restored: bool) -> Machine:
        took = round(time.monotonic() - self.began, 2)
        record = machine.record.standing(restored=restored, ready_after_s=took)
        records.write(self.run, record)
        return Machine(self.run, record)

    @contextlib.contextmanager
    def _machine(self, incoming: str = "") -> Iterator[Machine]:
        """QEMU running and recorded; ended if the block fails, also by Ctrl-C."""
        records.fresh(self.run)
        command = self.board.command(self.run, incoming)
        (self.run / "command").write_text(shlex.join(command) + "\n")
        with _interrupts_held():
            record = self._record(_spawn(self._bound(command), self.run / "qemu.out"))
            records.write(self.run, record)
        try:
            yield Machine(self.run, record)
        except BaseException as failed:
            with _interrupts_held():
                failed.add_note(f"the guest's console ended with:\n{Machine(self.run, record).console(8)}")
                if _BREAKDOWN in self._words():
                    failed.add_note(f"QEMU said:\n{self._words()}")
                record.qemu.end(grace_s=1.0)
                shutil.rmtree(self.run, ignore_errors=True)
            raise

    def _bound(self, command: list[str]) -> list[str]:
        """A throw-away machine is killed by the kernel when this process ends, for whatever reason."""
        return ["/usr/bin/setpriv", "--pdeathsig", "KILL", *command] if self.wishes.owned else command

    def _record(self, pid: int) -> Record:
        return Record(
            name=self.wishes.name, shape=self.wishes.shape, qemu=Process.of(pid), owner=Process.of(os.getpid()),
            accelerator=self.board.accelerator, kernel=self.parts.kernel.release, python=self.parts.python,
            since=time.time(),
        )  # fmt: skip

    def _monitor(self) -> Monitor:
        try:
            return connect(self.run / "qmp", self._alive, within_s=_QMP_S, timeout_s=_RESTORE_S)
        except LabError as failed:
            failed.add_note(self._words())
            if self._alive():
                raise
            raise LabError(f"QEMU does not start: {self._words()}", where=self.board.qemu.program) from failed

    def _alive(self) -> bool:
        record = records.read(self.run)
        return bool(record and record.qemu.alive)

    def _words(self) -> str:
        text = (self.run / "qemu.out").read_text(errors="replace")
        return last_words(text) or "it said nothing"

    def _answers(self, machine: Machine, timeout_s: float) -> None:
        try:
            with Channel(self.run, wait_s=_QMP_S) as channel:
                channel.greet(timeout_s=timeout_s)
        except GuestGone as gone:
            raise LabError(f"the guest stopped while starting:\n{machine.console()}\n{self._words()}") from gone

    def _warm(self) -> None:
        """Wait until the agent has imported everything, so that the snapshot has it. A time-out is no error."""
        deadline = time.monotonic() + _WARM_S
        warm = False
        while not warm and time.monotonic() < deadline:
            with contextlib.suppress(LabError), Channel(self.run) as channel:  # busy importing, it may not answer
                warm = channel.greet(timeout_s=_ANSWER_S).warm
            time.sleep(0 if warm else 0.1)

    def _topology(self, machine: Machine, stage: str) -> None:
        plan = json.dumps(self.wishes.shape.guest_plan()).encode()
        timeout_s = _VMS_S if self.wishes.shape.vms else _TOPOLOGY_S
        done = machine.run([*_TOPOLOGY, stage], stdin=plan, timeout_s=timeout_s)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip()
            raise LabError(f"the guest's {stage} stage failed: {words}", hint="try it again; see docs/how-to/lab.md")
        for remark in done.text.splitlines():
            self.say(remark)

    def _save(self, machine: Machine) -> None:
        """Keep the machine as it is now, with no client on its ports. A failure costs only the next start's time."""

        def build(work: Path) -> None:
            with self._monitor() as monitor:
                try:
                    monitor.save(self._uri(work, reading=False), timeout_s=_SAVE_S)
                finally:
                    monitor.resume(timeout_s=_RESTORE_S)

        try:
            self.parts.store.make(KIND, self.key, build, need_mb=2 * self.wishes.shape.memory_mb)
        except LabError as failed:
            self.say(f"no snapshot was kept: {failed}")

    def _uri(self, folder: Path, *, reading: bool) -> str:
        path = folder / "state"
        if self.board.qemu.migrates_to_file:
            return f"file:{path}"
        return f"exec:cat {'<' if reading else '>'} {shlex.quote(str(path))}"


def again(boot: Callable[[], Machine], say: Callable[[str], None], signs: Sequence[str] = (_BREAKDOWN,)) -> Machine:
    """Boot; try once more where the emulation itself crashed, as one of the ``signs`` in the error's notes shows.

    Seen once: ``iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed`` while the guest sets up its
    PCI devices. QEMU's emulated processors race there when there are several (QEMU issue 1921).
    """
    try:
        return boot()
    except LabError as failed:
        if not any(sign in note for note in getattr(failed, "__notes__", ()) for sign in signs):
            raise
        say(f"the emulation broke down ({failed}); starting again")
    return boot()


def _spawn(command: list[str], output: Path) -> int:
    """Start a program in a session of its own (Ctrl-C passes it by), its output in a file; its process id."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True, setsigmask=[])


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end a start as Ctrl-C does, so that it takes its QEMU along (in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the block is done, so that no QEMU is started without a record."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def sockets(machine: Machine) -> dict[str, str]:
    """For status: the paths of the wire's sockets on the host."""
    ours, theirs = wire_sockets(machine.folder)
    return {"host": str(ours), "qemu": str(theirs)}
