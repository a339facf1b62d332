"""The host's end of the lab's cable: each datagram is one Ethernet frame (QEMU's ``-netdev dgram``)."""

import socket
import time
from pathlib import Path

from virtfn.errors import LabError

_LARGEST_FRAME = 65536


class HostWire:
    """Send and receive frames on the PFs' wire from this host, without root. Use as a context manager."""

    def __init__(self, ours: Path, theirs: Path) -> None:
        self._ours, self._theirs = ours, theirs
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.unlink(missing_ok=True)
        self._socket.bind(str(ours))

    def __enter__(self) -> "HostWire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Pull the plug: frames from the lab are lost from now on."""
        self._socket.close()
        self._ours.unlink(missing_ok=True)

    def send(self, frame: bytes) -> None:
        """Put one frame (without checksum) on the wire. Raises LabError where QEMU is gone or does not take it."""
        self._socket.settimeout(2.0)
        try:
            self._socket.sendto(frame, str(self._theirs))
        except OSError as failed:
            raise LabError(f"the lab takes no frame: {failed}", where=str(self._theirs)) from failed

    def receive(self, *, timeout_s: float) -> bytes | None:
        """The next frame from the lab, or None where none comes in time."""
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return self._socket.recv(_LARGEST_FRAME)
        except TimeoutError:
            return None

    def drain(self, *, quiet_s: float, most: int = 10_000) -> list[bytes]:
        """All frames until none came for ``quiet_s``, at most ``most``."""
        frames: list[bytes] = []
        deadline = time.monotonic() + max(30.0, quiet_s)
        while len(frames) < most and time.monotonic() < deadline:
            frame = self.receive(timeout_s=quiet_s)
            if frame is None:
                break
            frames.append(frame)
        return frames
