"""The host's end of the agent's ports: find a free one, agree with the agent, exchange lines."""

import base64
import contextlib
import fcntl
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtfn.errors import LabError
from virtfn.lab.machine.qemu import PORTS, port_socket
from virtfn.model.finding import Action, UseCase

_POLL_S = 0.02


@dataclass(frozen=True)
class Hello:
    """What the agent reports of the guest: the hash of the code it has, its Python's bytecode number, its uptime.

    ``warm``: everything that jobs need is imported.
    """

    code: str
    magic: str
    uptime_s: float
    warm: bool


class GuestGone(LabError):
    """QEMU closed the port: the guest stopped or died."""


def take_port(run: Path, *, wait_s: float) -> tuple[int, int]:
    """Reserve a free port: its number and the lock's descriptor, which the caller closes to let go.

    Raises LabError where all ports are busy for ``wait_s``.
    """
    deadline = time.monotonic() + wait_s
    while True:
        for port in range(PORTS):
            lock = os.open(run / f"port{port}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return port, lock
            os.close(lock)
        if time.monotonic() > deadline:
            raise LabError(f"all {PORTS} ports of the lab are busy", where=str(run), hint="end another lab run first")
        time.sleep(_POLL_S)


class Channel:
    """One port in use by this process. Use as a context manager; closing it ends what runs there."""

    def __init__(self, run: Path, *, wait_s: float = 10.0) -> None:
        self._port, self._lock = take_port(run, wait_s=wait_s)
        self._received = bytearray()
        self._outgoing = bytearray()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._connect(port_socket(run, self._port), time.monotonic() + wait_s)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave: the agent ends the job that runs on this port."""
        self._socket.close()
        os.close(self._lock)

    def fileno(self) -> int:
        """For select()."""
        return self._socket.fileno()

    def _connect(self, path: Path, deadline: float) -> None:
        while True:
            try:
                self._socket.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError) as missing:
                if time.monotonic() > deadline:
                    raise GuestGone("the lab's port cannot be reached", where=str(path)) from missing
                time.sleep(_POLL_S)
            else:
                self._socket.setblocking(False)
                return

    def greet(self, *, timeout_s: float, retry_s: float = 3.0) -> Hello:
        """Agree with the agent on a fresh start, set the guest's clock and seed it. Raises LabError.

        The hello is repeated, because a guest that is just starting may drop the first ones.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            nonce = os.urandom(8).hex()
            self._outgoing[:0] = b"\n"
            self.say(t="hello", nonce=nonce, clock=time.time(), seed=_seed())
            answer = self._answer(nonce, min(deadline, time.monotonic() + retry_s))
            if answer:
                return Hello(
                    str(answer["code"]), str(answer["magic"]), float(answer["uptime_s"]), bool(answer.get("warm", True))
                )
        raise LabError(f"the lab's agent did not answer within {timeout_s:g} s", actions=(Action(UseCase.LAB_STATUS),))

    def _answer(self, nonce: str, until: float) -> dict[str, Any] | None:
        while (left := until - time.monotonic()) > 0:
            for message in self.receive(left):
                if message.get("t") == "hello" and message.get("nonce") == nonce:
                    return message
        return None

    def say(self, **message: object) -> None:
        """Queue one line and send what the socket takes now."""
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it without waiting. Raises GuestGone."""
        try:
            while self._outgoing:
                count = self._socket.send(self._outgoing[:65536])
                del self._outgoing[:count]
        except BlockingIOError:
            return
        except OSError as failed:
            raise GuestGone("the guest is gone") from failed

    @property
    def wants_to_send(self) -> bool:
        """True while a queued line waits for the socket."""
        return bool(self._outgoing)

    def receive(self, timeout_s: float) -> list[dict[str, Any]]:
        """The lines that have come, waiting up to ``timeout_s`` for the first. Raises GuestGone."""
        writers = [self._socket] if self._outgoing else []
        readable, writable, _ = select.select([self._socket], writers, [], max(0.0, timeout_s))
        if writable:
            self.flush()
        return list(self._lines()) if readable else []

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            data = self._socket.recv(262144)
        except BlockingIOError:
            return
        except OSError as failed:
            raise GuestGone("the guest is gone") from failed
        if not data:
            raise GuestGone("the guest is gone")
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        for line in lines:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    yield message


def _seed() -> str:
    return base64.b64encode(os.urandom(32)).decode()
