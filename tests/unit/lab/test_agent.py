"""The agent and its client, talking over a unix socket in place of a virtio-serial port."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.channel.jobs import Completed, OutputStream, RemoteJob
from virtfn.lab.channel.ports import Channel, GuestGone
from virtfn.lab.guest.agent import Agent
from virtfn.lab.guest.jobs import BecomeJob
from virtfn.lab.guest.warm import Warmth
from virtfn.lab.machine.qemu import port_socket


def serve(listener: socket.socket) -> None:
    """In a child: one agent with one port, the connection that comes first."""
    connection, _ = listener.accept()
    connection.setblocking(False)
    try:
        Agent([connection.fileno()], Warmth.complete()).serve()
    except BecomeJob as job:
        job.run()
    finally:
        os._exit(99)


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    """Connected and greeted."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(port_socket(tmp_path, 0)))
    listener.listen()
    pid = os.fork()
    if pid == 0:
        serve(listener)
    try:
        with Channel(tmp_path) as opened:
            opened.greet(timeout_s=10)
            yield opened
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        listener.close()


def run(channel: Channel, *argv: str, stdin: bytes = b"", terminal: tuple[int, int] | None = None) -> Completed:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    return RemoteJob(channel, argv, env=env, cwd="/", terminal=terminal).communicate(stdin, timeout_s=20)


def test_streams_and_exit_code_come_back_apart(channel: Channel) -> None:
    done = run(channel, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_one_program_after_the_other(channel: Channel) -> None:
    assert [run(channel, "echo", str(number)).text for number in range(3)] == ["0\n", "1\n", "2\n"]


def test_more_input_than_the_window_passes_through(channel: Channel) -> None:
    data = os.urandom(1 << 20)
    assert run(channel, "cat", stdin=data).stdout == data


def test_a_program_that_does_not_read_its_input_ends(channel: Channel) -> None:
    assert run(channel, "true", stdin=bytes(1 << 20)).returncode == 0


def test_a_signal_ends_it_and_shows(channel: Channel) -> None:
    assert run(channel, "sh", "-c", "kill -9 $$").returncode == -signal.SIGKILL


def test_a_program_that_is_not_there_is_127(channel: Channel) -> None:
    done = run(channel, "no-such-program")
    assert done.returncode == 127
    assert b"not found" in done.stderr


@pytest.mark.parametrize(
    ("code", "returncode", "stdout", "stderr"),
    [
        ("print(__name__)", 0, b"__main__\n", b""),
        ("import sys; sys.exit(3)", 3, b"", b""),
        ("import sys; sys.exit('why')", 1, b"", b"why\n"),
        ("import sys; print(sys.argv, sys.stdin.read())", 0, b"['-c', 'a'] in\n", b""),
        ("import atexit; atexit.register(print, 'bye')", 0, b"bye\n", b""),
        (
            "import threading, time; threading.Thread(target=lambda: (time.sleep(.1), print('t'))).start()",
            0,
            b"t\n",
            b"",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)", 130, b"", b""),
    ],
)
def test_python_in_the_warm_process_ends_as_python_does(
    channel: Channel, code: str, returncode: int, stdout: bytes, stderr: bytes
) -> None:
    done = run(channel, "python3", "-c", code, "a", stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (returncode, stdout, stderr)


def test_an_exception_nobody_caught_is_printed(channel: Channel) -> None:
    done = run(channel, "python3", "-c", "1/0")
    assert done.returncode == 1
    assert b"ZeroDivisionError" in done.stderr


def test_a_module_is_run_as_main(channel: Channel) -> None:
    assert run(channel, "python3", "-m", "json.tool", "--compact", stdin=b'{"a": 1}').stdout == b'{"a":1}\n'


def test_a_terminal_has_a_size_and_takes_ctrl_c(channel: Channel) -> None:
    job = RemoteJob(
        channel, ["sh", "-c", "stty size; sleep 30"], env={"PATH": os.environ["PATH"]}, cwd="/", terminal=(33, 99)
    )
    output, deadline = b"", time.monotonic() + 15
    while job.returncode is None and time.monotonic() < deadline:
        for stream, data in job.events(0.2):
            assert stream is OutputStream.STDOUT
            output += data
            job.write(b"\x03")
    assert b"33 99" in output
    assert job.returncode not in (None, 0)


def test_a_program_that_takes_too_long_is_an_error(channel: Channel) -> None:
    job = RemoteJob(channel, ["sleep", "30"], cwd="/")
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        job.communicate(timeout_s=0.2)


def test_a_new_hello_ends_what_ran(channel: Channel, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    RemoteJob(channel, ["sh", "-c", f"echo $$ > {note}.new; mv {note}.new {note}; sleep 30"], cwd="/")
    deadline = time.monotonic() + 10
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    channel.greet(timeout_s=10)
    pid = int(note.read_text())
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()
    assert run(channel, "echo", "again").text == "again\n"


def test_garbage_from_a_client_that_was_killed_is_passed_over(channel: Channel) -> None:
    channel._socket.sendall(b'{"t":"in","d":"AAA\n\xff\xfe not json\n[]\n{"t":"start"}\n{"t":"sta')
    channel.greet(timeout_s=10)
    assert run(channel, "echo", "fine").text == "fine\n"


def test_a_request_that_makes_no_sense_is_refused(channel: Channel) -> None:
    with pytest.raises(LabError, match="could not start it"):
        RemoteJob(channel, [], cwd="/").communicate(timeout_s=10)


def test_a_port_is_one_clients_at_a_time(channel: Channel, tmp_path: Path) -> None:
    with pytest.raises(GuestGone, match="cannot be reached"):
        Channel(tmp_path, wait_s=0.1)  # port 0 is taken, and nobody listens on port 1
