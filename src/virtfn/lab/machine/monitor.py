"""QEMU's machine protocol (QMP): stop, save, continue, quit."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from virtfn.errors import LabError

_POLL_S = 0.01


def connect(path: Path, alive: Callable[[], bool], *, within_s: float, timeout_s: float) -> "Monitor":
    """Connect to a QEMU that is starting: its socket's file is there before it listens. Raises LabError.

    It is given up where QEMU is not ``alive`` or ``within_s`` has passed.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return Monitor(path, timeout_s=timeout_s)
        except LabError:
            if not alive() or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


class Monitor:
    """One connection to a running QEMU. Use as a context manager."""

    def __init__(self, path: Path, *, timeout_s: float = 10.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._file = self._socket.makefile("rb")
        try:
            self._socket.connect(str(path))
            self._read()
            self.ask("qmp_capabilities")
        except OSError as failed:
            self.close()
            raise LabError(f"QEMU does not answer: {failed.strerror or failed}", where=str(path)) from failed

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def ask(self, command: str, **arguments: object) -> Any:
        """Run one command, named as QMP names it, and return its answer. Raises LabError with QEMU's message."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LabError(f"QEMU refused {command}: {answer['error'].get('desc', '')}")

    def _read(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except OSError as failed:
            raise LabError(f"QEMU does not answer: {failed}") from failed
        if not line:
            raise LabError("QEMU closed its monitor")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def status(self) -> str:
        """``running``, ``paused``, ``inmigrate``, ``postmigrate`` and so on (QMP RunState)."""
        return str(self.ask("query-status")["status"])

    def resume(self, *, timeout_s: float) -> None:
        """Let a restored or stopped machine run. Raises LabError where it is not running at the deadline."""
        deadline = time.monotonic() + timeout_s
        while (status := self.status()) != "running":
            if status in {"internal-error", "io-error", "shutdown", "guest-panicked"} or time.monotonic() > deadline:
                raise LabError(f"the machine does not run: {status}")
            if status != "inmigrate":
                self.ask("cont")
            time.sleep(_POLL_S)

    def save(self, uri: str, *, timeout_s: float) -> None:
        """Stop the machine and write its state to a migration URI. Raises LabError."""
        self.ask("stop")
        self.ask("migrate", uri=uri)
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.ask("query-migrate")
            status = found.get("status", "")
            if status == "completed":
                return
            if status in {"failed", "cancelled"}:
                raise LabError(f"the snapshot failed: {found.get('error-desc', status)}")
            if time.monotonic() > deadline:
                self.ask("migrate_cancel")
                raise LabError(f"the snapshot did not end within {timeout_s:g} s")
            time.sleep(_POLL_S)
