"""Ctrl-C, SIGTERM and a lost terminal: what reads or asks ends at once, what writes is not cut in two."""

import contextlib
import io
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from virtfn.app import App, Settings
from virtfn.cli.interrupts import interruptible
from virtfn.cli.main import main
from virtfn.engine.events import ignore
from virtfn.engine.transaction import Hooks, Transactions
from virtfn.errors import ExitCode
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status
from virtfn.testing import field_note_host

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SPEC = "virtfn: cloud/1\nname: x\nnetworks: [{name: a, physical_network: physnet1}]\n"
HANGS_S = 60
VF = Target("vf", "0000:01:00.0/3", "p2p1/3")


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A cloud that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(HANGS_S)
        yield listener


def start(*arguments: str, **streams: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "virtfn", *arguments], **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", [["plan"], ["show"], ["up", "--yes"], ["down", "--dry-run"]])
def test_a_cloud_that_does_not_answer_is_left_at_once(
    silent: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], number: int
) -> None:
    pytest.importorskip("openstack")
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("OS_AUTH_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/v3")
    for name in ("USERNAME", "PASSWORD", "PROJECT_NAME", "USER_DOMAIN_NAME", "PROJECT_DOMAIN_NAME"):
        monkeypatch.setenv(f"OS_{name}", "default")
    path = tmp_path / "cloud.yaml"
    path.write_text(SPEC)
    with start("cloud", *command, "-f", str(path), stderr=subprocess.PIPE) as running:
        asked, _ = silent.accept()
        with asked:
            running.send_signal(number)
            _, said = running.communicate(timeout=HANGS_S)
    assert (running.returncode, said.strip()) == (ExitCode.INTERRUPTED, b"Stopped; nothing was changed.")


class _Typing(io.RawIOBase):
    """Standard input at which a person presses Ctrl-C instead of typing."""

    def read(self, size: int = -1) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return b""


@pytest.mark.parametrize("command", [["plan"], ["apply"], ["verify"], ["cloud", "plan"], ["cloud", "show"]])
def test_waiting_for_standard_input_is_interruptible(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=_Typing()))
    assert main([*command, "-f", "-"]) == ExitCode.INTERRUPTED


@pytest.mark.parametrize("number", SIGNALS)
def test_at_the_question_a_signal_is_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    journal = App(Settings(tmp_path)).journal()
    entry = journal.begin(Plan(HostSubject(), "this host", (Step(VF, "trust", False, True, "declared"),)))
    journal.record_intent(entry, [0])
    master, terminal = pty.openpty()
    with start("rollback", stdin=terminal, stdout=terminal, stderr=terminal) as running:
        said = b""
        while b"[y/N]" not in said:
            said += os.read(master, 4096)
        running.send_signal(number)
        os.write(master, b"y\n")
        running.wait(timeout=HANGS_S)
    os.close(master)
    os.close(terminal)
    assert b"p2p1/3: trust on -> off" in said, "what goes back is shown before the question"
    assert running.returncode == ExitCode.INTERRUPTED
    assert journal.load(entry.id).status is Status.OPEN


def test_what_writes_is_told_to_stop_and_told_again_that_it_does() -> None:
    told: list[str] = []
    with interruptible(told.append, "slow, as clouds are") as stop:
        with stop.held():
            assert not stop()
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
            assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert told == [
        "stopping: finishing the current step, then rolling back (slow, as clouds are)",
        "still stopping: the rollback must finish, or the changes would stay incomplete",
    ]


def test_a_signal_that_was_swallowed_before_keeps_anything_from_being_begun() -> None:
    with interruptible(print) as stop:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt), stop.held():
            pytest.fail("it was begun")


def test_the_handlers_that_were_there_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with interruptible(print) as stop, stop.held():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("command", [["journal", "ls"], ["journal", "show", "1"], ["mirror", "ls"], ["confirm"]])
def test_what_is_overdue_is_rolled_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Ctrl-C at the first write of a rollback that nobody asked for."""
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    host, journal = field_note_host(), App(Settings(tmp_path)).journal()
    monkeypatch.setattr(App, "host", lambda _app: host)
    steps = tuple(
        Step(Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}"), "trust", before=False, after=True, reason="wanted")
        for index in (1, 2)
    )
    before = host.observe()
    Transactions(host, journal, sink=ignore).run(Plan(HostSubject(), "this host", steps), Hooks(confirm_within_s=0.0))

    def interrupt(action: str, *_: object) -> None:
        if action == "write":
            signal.raise_signal(signal.SIGINT)

    host.hook = interrupt
    main(command)
    assert journal.load(1).status is Status.ROLLED_BACK
    assert host.observe() == before
