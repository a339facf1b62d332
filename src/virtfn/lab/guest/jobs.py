"""One program in the guest: started for a client, fed, signalled and reaped by the agent."""

import atexit
import contextlib
import errno
import fcntl
import importlib
import io
import os
import pty
import runpy
import signal
import struct
import sys
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

NOT_FOUND = 127
"""The exit code of a program that is not there, as the shell has it (126: there, but cannot be run)."""
_NOT_RUNNABLE = 126
_PYTHONS = {"python3", "python"}
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)


class BecomeJob(BaseException):
    """Raised in the forked child to leave the agent's loop; ``run`` never returns."""

    def __init__(self, run: Callable[[], NoReturn]) -> None:
        super().__init__()
        self.run = run


@dataclass(frozen=True)
class Request:
    """What a client asks for. ``pty`` is (rows, columns), or None for three pipes."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    pty: tuple[int, int] | None

    @classmethod
    def parse(cls, message: dict[str, Any]) -> "Request":
        """Read a ``start`` message. Raises KeyError, TypeError or ValueError where it is not one."""
        size = message.get("pty")
        env = {str(name): str(value) for name, value in message["env"].items()}
        argv = tuple(str(word) for word in message["argv"])
        if not argv:
            raise ValueError("no command")
        return cls(argv, env, str(message["cwd"]), (int(size[0]), int(size[1])) if size else None)


@dataclass
class Job:
    """A running program: its process group and the agent's ends of its streams (None once closed)."""

    pid: int
    stdin: int | None
    outputs: dict[int, str]
    terminal: int | None = None
    pending: bytearray = field(default_factory=bytearray)
    stdin_ended: bool = False
    status: int | None = None

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its new size; the kernel sends SIGWINCH."""
        if self.terminal is not None:
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number: int) -> None:
        """Send a signal to the process group, or to a program that has none yet; one that is gone is no error."""
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)
                return

    def feed(self) -> int:
        """Write as much pending input as the program takes; return how many bytes. Closes the input at its end."""
        if self.stdin is None:
            taken = len(self.pending)
            self.pending.clear()
            return taken
        written = 0
        try:
            while self.pending:
                count = os.write(self.stdin, self.pending[:65536])
                del self.pending[:count]
                written += count
        except BlockingIOError:
            return written
        except OSError:  # the program closed its input: what is left has no reader
            written += len(self.pending)
            self.pending.clear()
            self.close_stdin()
            return written
        if self.stdin_ended:
            self._end_stdin()
        return written

    def _end_stdin(self) -> None:
        if self.terminal is not None and self.stdin is not None:
            with contextlib.suppress(OSError):
                os.write(self.stdin, b"\x04")
            self.stdin_ended = False
            return
        self.close_stdin()

    def close_stdin(self) -> None:
        """Close the program's input (a terminal stays open for output)."""
        if self.stdin is not None and self.stdin != self.terminal:
            os.close(self.stdin)
        self.stdin = None

    def read(self, handle: int) -> bytes | None:
        """Read one chunk of output; b"" at its end, None where nothing is there now."""
        try:
            return os.read(handle, 32768)
        except BlockingIOError:
            return None
        except OSError as failed:
            if failed.errno == errno.EIO:  # the last process closed the terminal
                return b""
            raise

    def close(self) -> None:
        """Close every stream."""
        self.close_stdin()
        for handle in list(self.outputs):
            os.close(handle)
        self.outputs.clear()
        self.terminal = None


def start(request: Request, *, warm: bool) -> Job:
    """Fork the program. In the child this raises BecomeJob; in the agent it returns the Job.

    With ``warm``, Python programs run in the fork itself, which has most of their imports already.
    """
    if request.pty:
        return _start_on_terminal(request, request.pty, warm)
    return _start_on_pipes(request, warm)


def _start_on_pipes(request: Request, warm: bool) -> Job:
    (stdin_r, stdin_w), (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(request, (stdin_r, out_w, err_w), warm)
    for handle in (stdin_r, out_w, err_w):
        os.close(handle)
    for handle in (stdin_w, out_r, err_r):
        os.set_blocking(handle, False)
    return Job(pid, stdin_w, {out_r: "out", err_r: "err"})


def _start_on_terminal(request: Request, size: tuple[int, int], warm: bool) -> Job:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    pid = os.fork()
    if pid == 0:
        _become(request, (theirs, theirs, theirs), warm)
    os.close(theirs)
    os.set_blocking(ours, False)
    return Job(pid, ours, {ours: "out"}, terminal=ours)


def _become(request: Request, streams: tuple[int, int, int], warm: bool) -> NoReturn:
    """In the child: a session of its own and the streams in place, then out of the agent. Nothing may fall back."""
    try:
        os.setsid()
        if request.pty:
            fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
        for target, handle in enumerate(streams):
            os.dup2(handle, target)
        os.closerange(3, 1024)
        signal.set_wakeup_fd(-1)
        for number in _DEFAULT_SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    except BaseException as failed:  # noqa: BLE001 - a second agent must never come out of this
        _complain(f"cannot start: {failed!r}")
        os._exit(_NOT_RUNNABLE)
    raise BecomeJob(lambda: _run(request, warm))


def _run(request: Request, warm: bool) -> NoReturn:
    os.environ.clear()
    os.environ.update(request.env)
    try:
        os.chdir(request.cwd)
    except OSError as failed:
        _complain(f"cannot enter {request.cwd}: {failed.strerror}")
        os._exit(_NOT_RUNNABLE)
    python = _as_python(request.argv)
    if python and warm:
        _run_python(python)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.execvpe(request.argv[0], request.argv, request.env)
    except FileNotFoundError:
        _complain(f"{request.argv[0]}: not found in the lab")
        os._exit(NOT_FOUND)
    except OSError as failed:
        _complain(f"{request.argv[0]}: {failed.strerror}")
        os._exit(_NOT_RUNNABLE)


def _complain(text: str) -> None:
    os.write(2, f"virtfn-lab: {text}\n".encode())


def _as_python(argv: tuple[str, ...]) -> Callable[[], object] | None:
    """The part of Python's command line that can run in this process, or None: then the program is executed.

    A fork already has click and pydantic imported, which take seconds on an emulated processor.
    """
    name, rest = argv[0], list(argv[1:])
    if name == "virtfn":
        return lambda: _module("virtfn", ["virtfn", *rest])
    if name not in _PYTHONS or len(rest) < 1:
        return None
    if rest[0] == "-m" and len(rest) > 1:
        return lambda: _module(rest[1], rest[1:])
    if rest[0] == "-c" and len(rest) > 1:
        return lambda: _source(rest[1], ["-c", *rest[2:]])
    if rest[0] and not rest[0].startswith("-"):
        return lambda: _script(rest)
    return None


def _module(name: str, argv: list[str]) -> None:
    sys.argv = argv
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - this is what python -m does
    if not hasattr(sys.modules.get(name), "__path__"):
        sys.modules.pop(name, None)  # already imported by the agent: runpy would warn
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _source(text: str, argv: list[str]) -> None:
    sys.argv = argv
    sys.path.insert(0, "")
    main = type(sys)("__main__")
    sys.modules["__main__"] = main
    exec(compile(text, "<string>", "exec"), main.__dict__)


def _script(argv: list[str]) -> None:
    sys.argv = argv
    sys.path.insert(0, os.path.dirname(os.path.abspath(argv[0])))  # noqa: PTH100, PTH120 - as python does
    runpy.run_path(argv[0], run_name="__main__")


def _run_python(body: Callable[[], object]) -> NoReturn:
    """Run Python code as the interpreter would: streams, exit code, threads, exit functions. Never returns."""
    _open_standard_streams()
    importlib.invalidate_caches()
    code = 0
    try:
        body()
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001 - the interpreter prints what nobody caught and ends with 1
        sys.excepthook(*sys.exc_info())
        code = 1
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _open_standard_streams() -> None:
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    for number, name, errors in ((1, "stdout", "surrogateescape"), (2, "stderr", "backslashreplace")):
        raw = io.open(number, "wb", closefd=False)  # noqa: SIM115, UP020
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=number == 2 or os.isatty(number))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)  # noqa: T201 - what the interpreter does with sys.exit("text")
    return 1
