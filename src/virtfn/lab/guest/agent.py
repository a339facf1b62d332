"""The guest's process 1: runs programs for clients on the host, one at a time on each virtio-serial port.

Lines of JSON go both ways. From the client: ``hello`` (nonce, clock, seed), ``start``, ``in``, ``eof``, ``size``,
``signal``. To the client: ``hello``, ``out``, ``err``, ``ack`` (bytes of input taken), ``exit``, ``refused``. A hello,
or a client that went away, ends what ran on that port. The ports are polled edge-triggered: the driver wakes the
poll when a client comes or goes (drivers/char/virtio_console.c), so an idle guest does not spin.
"""

import base64
import binascii
import contextlib
import fcntl
import importlib.util
import json
import os
import select
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

from .jobs import BecomeJob, Job, Request, start
from .warm import Warmth

PORT_PREFIX = "virtfn."
CODE = Path("/lab/code")
_OUTPUT_LIMIT = 512 * 1024
_RNDADDENTROPY = 0x40085203
_LONGEST_LINE = 4 * 1024 * 1024


def encode(data: bytes) -> str:
    """Bytes as they travel in a line."""
    return base64.b64encode(data).decode()


class Port:
    """One virtio-serial port: lines in, lines out, at most one job."""

    def __init__(self, handle: int, poll: select.epoll, warmth: Warmth) -> None:
        self.handle = handle
        self.poll = poll
        self.warmth = warmth
        self.received = bytearray()
        self.outgoing = bytearray()
        self.job: Job | None = None

    def service(self) -> None:
        """Everything that can be done on this port now without waiting."""
        self._receive()
        self.pump()

    def _receive(self) -> None:
        while True:
            try:
                data = os.read(self.handle, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._client_left()
                return
            self.received += data
            self._take_lines()

    def _take_lines(self) -> None:
        *lines, rest = self.received.split(b"\n")
        self.received = bytearray(rest) if len(rest) < _LONGEST_LINE else bytearray()
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, binascii.Error):
                self._handle(json.loads(line))

    def _client_left(self) -> None:
        self.received.clear()
        self.outgoing.clear()
        self.end_job()

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message["t"]
        if kind == "hello":
            self._hello(message)
        elif kind == "start":
            self._start(message)
        elif self.job is None:
            return
        elif kind == "in":
            self.job.pending += base64.b64decode(message["d"])
        elif kind == "eof":
            self.job.stdin_ended = True
        elif kind == "size":
            self.job.resize(int(message["rows"]), int(message["columns"]))
        elif kind == "signal":
            self.job.signal(int(message["number"]))

    def _hello(self, message: dict[str, Any]) -> None:
        self.end_job()
        self.outgoing.clear()
        set_clock(float(message["clock"]))
        add_entropy(base64.b64decode(message["seed"]))
        magic = importlib.util.MAGIC_NUMBER.hex()
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        code, warm = self.warmth.code_hash(), self.warmth.complete_for_now
        self.say(t="hello", nonce=message["nonce"], code=code, magic=magic, uptime_s=uptime, warm=warm)

    def _start(self, message: dict[str, Any]) -> None:
        self.end_job()
        try:
            self.warmth.forget_stale_code()
            self.job = start(Request.parse(message), warm=self.warmth.packaged.is_set())
        except (KeyError, TypeError, ValueError, OSError) as failed:
            self.say(t="refused", why=f"{type(failed).__name__}: {failed}")
            return
        for handle in self.job.outputs:
            self.poll.register(handle, select.EPOLLIN | select.EPOLLET)
        if self.job.stdin is not None and self.job.stdin not in self.job.outputs:
            self.poll.register(self.job.stdin, select.EPOLLOUT | select.EPOLLET)

    def handles(self) -> set[int]:
        """The descriptors whose events belong to this port."""
        mine = {self.handle}
        if self.job:
            mine |= set(self.job.outputs) | ({self.job.stdin} if self.job.stdin is not None else set())
        return mine

    def pump(self) -> None:
        """Move input to the job, output to the client, and the exit code when all output has been read."""
        if self.job:
            taken = self.job.feed()
            if taken:
                self.say(t="ack", n=taken)
            self._collect(self.job)
        self._send()

    def _collect(self, job: Job) -> None:
        for handle, stream in list(job.outputs.items()):
            while len(self.outgoing) < _OUTPUT_LIMIT:
                data = job.read(handle)
                if data is None:
                    break
                if not data:
                    self._close_output(job, handle)
                    break
                self.say(t=stream, d=encode(data))
        if job.status is not None and len(self.outgoing) < _OUTPUT_LIMIT:
            self.say(t="exit", code=os.waitstatus_to_exitcode(job.status))
            self._forget(job)

    def _close_output(self, job: Job, handle: int) -> None:
        if handle == job.terminal:
            job.terminal, job.stdin = None, None
        del job.outputs[handle]
        os.close(handle)

    def say(self, **message: object) -> None:
        """Queue one line for the client."""
        self.outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def _send(self) -> None:
        try:
            while self.outgoing:
                count = os.write(self.handle, self.outgoing[:32768])
                del self.outgoing[:count]
        except BlockingIOError:
            return
        except OSError:
            self.outgoing.clear()

    def end_job(self) -> None:
        """Kill what runs here, with its process group."""
        if self.job:
            self.job.signal(signal.SIGHUP)
            self.job.signal(signal.SIGKILL)
            self._forget(self.job)

    def _forget(self, job: Job) -> None:
        job.close()
        self.job = None

    def child_ended(self, pid: int, status: int) -> None:
        """Note the exit status of this port's job, if ``pid`` is it."""
        if self.job and self.job.pid == pid:
            self.job.status = status


class Agent:
    """All ports, and the reaping of every process that ends in the guest."""

    def __init__(self, handles: list[int], warmth: Warmth) -> None:
        """Serve these open, non-blocking descriptors, one port each."""
        self.poll = select.epoll()
        self.warmth = warmth
        self.ports = [Port(handle, self.poll, warmth) for handle in handles]
        for port in self.ports:
            self.poll.register(port.handle, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poll.register(self.wake_read, select.EPOLLIN)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Serve until the machine stops. A forked child leaves by BecomeJob."""
        while True:
            ready = {handle for handle, _ in self.poll.poll(self.warmth.patience())}
            if self.wake_read in ready:
                self._drain_wakeups()
            self._reap()
            for port in self.ports:
                if port.job or port.outgoing or port.handle in ready:
                    port.service()
            if not any(port.job for port in self.ports):
                self.warmth.import_code_when_idle()

    def _drain_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake_read, 4096):
                pass

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for port in self.ports:
                    port.child_ended(pid, status)


def set_clock(seconds: float) -> None:
    """Set the wall clock where it is more than half a second off: a restored guest lives on the day it was saved."""
    if abs(time.time() - seconds) > 0.5:
        with contextlib.suppress(OSError):
            time.clock_settime(time.CLOCK_REALTIME, seconds)


def add_entropy(seed: bytes) -> None:
    """Stir the host's random bytes in, so that two guests from one snapshot do not draw the same numbers."""
    request = struct.pack("ii", len(seed) * 8, len(seed)) + seed
    with contextlib.suppress(OSError), Path("/dev/urandom").open("wb", buffering=0) as device:
        fcntl.ioctl(device, _RNDADDENTROPY, request)
        fcntl.ioctl(device, 0x5207)  # RNDRESEEDCRNG


def find_ports(deadline_s: float = 30.0) -> list[str]:
    """The device files of the agent's ports, by the name QEMU gave them. Waits for the driver to be loaded."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        names = {path.parent.name: path.read_text().strip() for path in Path("/sys/class/virtio-ports").glob("*/name")}
        found = sorted((name, f"/dev/{device}") for device, name in names.items() if name.startswith(PORT_PREFIX))
        if found and all(Path(device).exists() for _, device in found):
            return [device for _, device in found]
        time.sleep(0.02)
    raise SystemExit("virtfn-lab: no virtio-serial port appeared")


def main() -> None:
    """Open the ports and serve; in a forked child run the job instead."""
    try:
        ports = [os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC) for device in find_ports()]
        warmth = Warmth(CODE)
        agent = Agent(ports, warmth)
        warmth.start()
        print("lab agent ready at", Path("/proc/uptime").read_text().split()[0], flush=True)  # noqa: T201
        agent.serve()
    except BecomeJob as job:
        run = job.run
    sys.path[:] = [entry for entry in sys.path if entry not in ("", "/lab/agent")]
    run()


if __name__ == "__main__":
    main()
