"""Start programs that outlive their starter, know them again, stop them by pid, and quote a dead one's last words.

A process is known by pid and start time (``/proc/PID/stat``, ``man 5 proc``), so a pid that the kernel has given to
somebody else is never signalled. Each gets a session of its own; workers that it forked are found by it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import LOOPBACK

from virtfn.lab.build.execution import last_words

_LAST_LINES = 15
_STEP_S = 0.1


@dataclass(frozen=True)
class Seen:
    """What ``/proc/PID/stat`` says."""

    pid: int
    state: str
    session: int
    started: int


def look_at(pid: int) -> Seen | None:
    """None where there is no such process, or only what is left of a dead one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    seen = Seen(pid, fields[0], int(fields[3]), int(fields[19]))
    return None if seen.state in "ZX" else seen


def wait_until(ready: Callable[[], bool], timeout_s: float) -> bool:
    """Ask until the answer is yes; False when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP_S)
    return True


def port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def refuse_busy_ports(ports: Mapping[str, int]) -> None:
    """Raises ControlPlaneError naming every port that somebody else listens on."""
    busy = [f"{port} ({name})" for name, port in ports.items() if port_answers(port)]
    if busy:
        raise ControlPlaneError(
            f"in use on {LOOPBACK}: port {', '.join(busy)}",
            hint="is another control plane up? see: ss -ltnp; down: python -m tests.cloud.control_plane down",
        )


class Processes:
    """The processes of one folder: ``NAME.pid`` in ``run``, ``NAME.log`` in ``log``."""

    def __init__(self, run: Path, log: Path) -> None:
        self._run = run
        self._log = log
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Its output is added to its log. Raises ControlPlaneError if the program is not there."""
        with (self._log / f"{name}.log").open("ab") as output:
            try:
                child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(env),
                    cwd=self._run,
                    start_new_session=True,
                )
            except OSError as failed:
                raise ControlPlaneError(f"{argv[0]} cannot be run: {failed.strerror}", where=name) from failed
        seen = look_at(child.pid)
        self._children[name] = child
        self._record(name).write_text(f"{child.pid} {seen.started if seen else 0}\n")

    def names(self) -> list[str]:
        """Every process that was started and not stopped, dead or alive."""
        return sorted(path.stem for path in self._run.glob("*.pid"))

    def alive(self, name: str) -> bool:
        return self._leader(name) is not None

    def any_left(self) -> bool:
        """True while one of them lives, or a worker of a dead one."""
        return any(self._members(name) for name in self.names())

    def check(self, names: Iterable[str]) -> None:
        """Raises ControlPlaneError with the last lines of the log of the first one that died."""
        for name in names:
            if not self.alive(name):
                raise ControlPlaneError(
                    f"died; its log ends with:\n{self.last_words(name)}", where=name, hint=f"see {self.log_of(name)}"
                )

    def wait_port(self, name: str, port: int, timeout_s: float) -> None:
        """Raises ControlPlaneError when the process dies or does not listen in time."""

        def listens() -> bool:
            self.check([name])
            return port_answers(port)

        if not wait_until(listens, timeout_s):
            raise ControlPlaneError(
                f"did not open port {port} within {timeout_s:g} s; its log ends with:\n{self.last_words(name)}",
                where=name,
            )

    def last_words(self, name: str) -> str:
        path = self.log_of(name)
        return last_words(path.read_text(errors="replace"), _LAST_LINES) if path.exists() else ""

    def log_of(self, name: str) -> Path:
        return self._log / f"{name}.log"

    def stop(self, names: Iterable[str], patience_s: float) -> None:
        """SIGTERM to all of them; SIGKILL, with all they forked, to what is left after ``patience_s``."""
        wanted = list(names)
        for name in wanted:
            leader = self._leader(name)
            if leader:
                _signal(leader.pid, signal.SIGTERM)
        wait_until(lambda: not any(self.alive(name) for name in wanted), patience_s)
        self.kill(wanted)

    def kill(self, names: Iterable[str]) -> None:
        """SIGKILL to each and to all it forked."""
        for name in names:
            members = self._members(name)
            for pid in members:
                _signal(pid, signal.SIGKILL)
            wait_until(lambda pids=members: not any(look_at(pid) for pid in pids), 5)  # type: ignore[misc]
            child = self._children.pop(name, None)
            if child:
                child.wait(5)
            self._record(name).unlink(missing_ok=True)

    def suspend(self, name: str) -> None:
        """SIGSTOP to it and to all it forked: it is there, and does nothing."""
        self._signal_all(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """It carries on where it was suspended."""
        self._signal_all(name, signal.SIGCONT)

    def memory_mib(self) -> dict[str, int]:
        """Each process with all it forked: the proportional set size, which counts a shared page once."""
        return {name: sum(_pss_kib(pid) for pid in self._members(name)) // 1024 for name in self.names()}

    def _signal_all(self, name: str, number: signal.Signals) -> None:
        for pid in self._members(name):
            _signal(pid, number)

    def _record(self, name: str) -> Path:
        return self._run / f"{name}.pid"

    def _recorded(self, name: str) -> tuple[int, int]:
        try:
            pid, started = self._record(name).read_text().split()
        except (OSError, ValueError):
            return 0, 0
        return int(pid), int(started)

    def _leader(self, name: str) -> Seen | None:
        pid, started = self._recorded(name)
        child = self._children.get(name)
        if child:
            child.poll()
        seen = look_at(pid)
        return seen if seen and seen.started == started else None

    def _members(self, name: str) -> list[int]:
        """A session's number is not given away while the session has a member, so these are ours."""
        pid, started = self._recorded(name)
        somebody = look_at(pid)
        if not pid or (somebody and somebody.started != started):
            return []
        numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return [seen.pid for number in numbers if (seen := look_at(number)) and seen.session == pid]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
