"""What is printed on a terminal of 60 and 80 columns, into a pipe, and with NO_COLOR."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

SPEC = """\
virtfn: host/1
pfs:
  - match: {name: p2p1}
    vfs:
      "0-3": {vlan: 5000, trust: perhaps, speed: 10000}
      "2": {mac: "01:00:5e:00:00:01", link_state: enabled, min_tx_rate_mbps: minus}
"""
CAPTURE = str(Path(__file__).parents[2] / "golden/captures/json_mlx5_infiniband_guids/input.json")
_CHILD = "from virtfn.__main__ import run; run()"


def on_terminal(columns: int, *arguments: str, **settings: str) -> str:
    """All that a command prints on a terminal that is so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-c", _CHILD, *arguments]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"} | settings
    ):
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


def in_pipe(*arguments: str) -> str:
    """All that a command prints into a pipe."""
    command = [sys.executable, "-c", _CHILD, *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
    ).stdout


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("host.yaml").write_text(SPEC)
    return "host.yaml"


@pytest.mark.parametrize("columns", [60, 80])
def test_sentences_are_broken_between_words(spec: str, columns: int) -> None:
    said = on_terminal(columns, "plan", "-f", spec, NO_COLOR="1")
    assert max(map(len, said.splitlines())) <= columns
    assert said.split() == in_pipe("plan", "-f", spec).split()


def test_columns_says_where(spec: str) -> None:
    said = on_terminal(200, "plan", "-f", spec, NO_COLOR="1", COLUMNS="60")
    assert max(map(len, said.splitlines())) <= 60


def test_nothing_is_broken_in_a_pipe(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    said = in_pipe("plan", "-f", spec)
    assert max(map(len, said.splitlines())) > 80
    assert [line for line in said.splitlines() if not line.startswith(("error: ", "  "))] == []


@pytest.mark.parametrize("columns", [60, 80])
def test_a_table_stays_whole(columns: int) -> None:
    arguments = ("show", "-o", "wide", "--from", CAPTURE)
    table = [line for line in in_pipe(*arguments).splitlines() if len(line) > columns and not line.startswith("?")]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(columns, *arguments))
    shown = [line.rstrip() for line in plain.splitlines()]
    assert table
    assert [line for line in table if line not in shown] == []


def test_colours_are_on_terminals_that_have_them_unless_no_color_is_set(spec: str) -> None:
    assert "\x1b[" in on_terminal(80, "plan", "-f", spec)
    assert "\x1b[" not in on_terminal(80, "plan", "-f", spec, NO_COLOR="1")
    assert "\x1b[" not in on_terminal(80, "plan", "-f", spec, TERM="dumb")
    assert "\x1b[" not in in_pipe("plan", "-f", spec)
