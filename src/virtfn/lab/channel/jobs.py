"""A program that runs in the lab, seen from the host: streams, signals, exit code."""

import base64
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.channel.ports import Channel

_WINDOW = 256 * 1024
"""Bytes of input that may be on the way; the guest acknowledges what the program has taken."""
_CHUNK = 32 * 1024
_PASSED_ON = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "LANG", "LC_ALL", "TZ")


class OutputStream(StrEnum):
    """Which output a chunk came from. On a terminal all is STDOUT."""

    STDOUT = "out"
    STDERR = "err"


@dataclass(frozen=True)
class Completed:
    """How a program ended. ``returncode`` is negative where a signal ended it (as in ``subprocess``)."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")

    def check(self) -> "Completed":
        """Itself, or LabError where the program failed."""
        if self.returncode:
            words = self.stderr.decode(errors="replace").strip() or self.text.strip()
            raise LabError(f"failed with {self.returncode}: {words[-2000:]}", where=" ".join(self.argv))
        return self


def guest_environment(caller: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program in the lab: a clean one, plus the caller's terminal and colour wishes."""
    env = {"PATH": "/lab/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root", "SHELL": "/bin/sh",
           "LANG": "C.UTF-8", "TERM": "dumb", "VIRTFN_IN_LAB": "1"}  # fmt: skip
    env |= {name: caller[name] for name in _PASSED_ON if caller.get(name)}
    return env | dict(extra or {})


class RemoteJob:
    """A running program. ``events`` must be read to its end; leaving the channel kills the program."""

    def __init__(
        self,
        channel: Channel,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        terminal: tuple[int, int] | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self.returncode: int | None = None
        self.input_ended = False
        self._channel = channel
        self._unacknowledged = 0
        full = guest_environment(os.environ, env)
        channel.say(t="start", argv=list(argv), env=full, cwd=cwd, pty=list(terminal) if terminal else None)

    def fileno(self) -> int:
        """For select(): readable when ``events`` has something."""
        return self._channel.fileno()

    @property
    def room(self) -> int:
        """How many bytes of input may be written now."""
        return max(0, min(_CHUNK, _WINDOW - self._unacknowledged))

    def write(self, data: bytes) -> None:
        """Send input, at most ``room`` bytes of it."""
        self._unacknowledged += len(data)
        self._channel.say(t="in", d=base64.b64encode(data).decode())

    def end_input(self) -> None:
        """Close the program's standard input."""
        self.input_ended = True
        self._channel.say(t="eof")

    def resize(self, rows: int, columns: int) -> None:
        """Tell the program's terminal its size."""
        self._channel.say(t="size", rows=rows, columns=columns)

    def signal(self, number: int) -> None:
        """Send a signal to the program and its children."""
        self._channel.say(t="signal", number=number)

    def events(self, timeout_s: float) -> Iterator[tuple[OutputStream, bytes]]:
        """Output that has come, waiting up to ``timeout_s`` for the first. Sets ``returncode`` when it ended.

        Raises GuestGone, and LabError where the agent could not start the program.
        """
        for message in self._channel.receive(timeout_s):
            match message.get("t"):
                case "out" | "err" as stream:
                    yield OutputStream(stream), base64.b64decode(message["d"])
                case "ack":
                    self._unacknowledged -= int(message["n"])
                case "exit":
                    self.returncode = int(message["code"])
                case "refused":
                    raise LabError(f"the lab could not start it: {message['why']}", where=" ".join(self.argv))

    def communicate(self, stdin: bytes = b"", *, timeout_s: float) -> Completed:
        """Feed ``stdin``, collect the output, wait for the end. Raises LabError after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        output = {OutputStream.STDOUT: bytearray(), OutputStream.STDERR: bytearray()}
        left = memoryview(stdin)
        while self.returncode is None:
            while len(left) and self.room:
                part, left = left[: self.room], left[self.room :]
                self.write(bytes(part))
            if not len(left) and not self.input_ended:
                self.end_input()
            if time.monotonic() > deadline:
                words = bytes(output[OutputStream.STDERR] or output[OutputStream.STDOUT])[-1000:].decode(
                    errors="replace"
                )
                raise LabError(f"did not end within {timeout_s:g} s: {words}", where=" ".join(self.argv))
            for stream, data in self.events(min(1.0, deadline - time.monotonic())):
                output[stream] += data
        return Completed(
            self.argv, self.returncode, bytes(output[OutputStream.STDOUT]), bytes(output[OutputStream.STDERR])
        )


@dataclass(frozen=True)
class Upload:
    """Files for the guest: each its path there, its content, and whether it may be executed."""

    files: tuple[tuple[str, bytes, bool], ...]

    @classmethod
    def of(cls, source: Path, target: str) -> "Upload":
        """One file, or a folder with all that is in it."""
        paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        names = [target if path == source else f"{target}/{path.relative_to(source)}" for path in paths]
        return cls(
            tuple((name, path.read_bytes(), os.access(path, os.X_OK)) for name, path in zip(names, paths, strict=True))
        )
