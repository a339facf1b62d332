"""A program in the lab tied to this process's own standard streams and terminal."""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from types import FrameType

from virtfn.lab.channel.jobs import OutputStream, RemoteJob
from virtfn.lab.machine.machine import Machine

_TURN_S = 0.5
_PASSED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def attach_console(machine: Machine, argv: Sequence[str], *, terminal: bool) -> int:
    """Run ``argv`` in the lab with this process's stdin, stdout and stderr; return its exit code.

    With ``terminal`` it gets one, and keys such as Ctrl-C go to it. Without, SIGINT and SIGTERM sent to this process
    are passed on. A program ended by a signal gives 128 plus its number, as a shell has it.
    """
    size = _size() if terminal else None
    with machine.start(argv, terminal=size, cwd="/root") as job, _signals_to(job), _raw(terminal):
        code = _pump(job)
    return code if code >= 0 else 128 - code


def _pump(job: RemoteJob) -> int:
    source: int | None = _stdin()
    while job.returncode is None:
        if source is not None and job.room:
            ready, _, _ = select.select([source, job.fileno()], [], [], _TURN_S)
            if source in ready:
                data = os.read(source, job.room)
                if data:
                    job.write(data)
                else:
                    job.end_input()
                    source = None
            if job.fileno() not in ready:
                continue
        elif source is None and not job.input_ended:
            job.end_input()
        for stream, data in job.events(_TURN_S):
            _write(1 if stream is OutputStream.STDOUT else 2, data)
    return job.returncode


def _stdin() -> int | None:
    try:
        number = sys.stdin.fileno()
        select.select([number], [], [], 0)
    except (AttributeError, ValueError, OSError):
        return None
    return number


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _size() -> tuple[int, int]:
    found = shutil.get_terminal_size()
    return found.lines, found.columns


@contextlib.contextmanager
def _raw(terminal: bool) -> Iterator[None]:
    """The terminal passes every key through, and is always restored at the end."""
    if not terminal or not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals_to(job: RemoteJob) -> Iterator[None]:
    def pass_on(number: int, _: FrameType | None) -> None:
        job.signal(number)

    def resized(_: int, __: FrameType | None) -> None:
        job.resize(*_size())

    handlers = {**dict.fromkeys(_PASSED_SIGNALS, pass_on), signal.SIGWINCH: resized}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
