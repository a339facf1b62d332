"""A ``virtfn cloud`` that is killed or interrupted at any point: the next one finishes it, up or down."""

import json
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.operating import FLAVOR, IMAGE, Operator

from virtfn.errors import ExitCode

pytestmark = pytest.mark.cloud

SPEC = f"""
virtfn: cloud/1
name: cut
networks:
  - name: flat
    physical_network: physnet1
    subnets: [{{name: flat-v4, cidr: 192.0.2.0/24, gateway: none, dhcp: false}}]
servers:
  - {{name: "vm-{{n}}", count: 3, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: flat}}]}}
"""
COMPLETE = [["flat"], ["flat-v4"], ["vm-1-0", "vm-2-0", "vm-3-0"], ["vm-1", "vm-2", "vm-3"]]
KINDS = ("networks", "subnets", "ports", "servers")
REACHED_S = 120
ENDS_S = 180

Events = list[dict[str, Any]]
"""What a transaction's journal file says so far, line by line."""


def begun(events: Events, kind: str) -> bool:
    """Whether it may be making, or deleting, an object of this kind just now."""
    steps = events[1]["plan"]["steps"]
    return any(steps[number]["target"]["kind"] == kind for event in of(events, "intent") for number in event["steps"])


def all_made(events: Events) -> bool:
    """It waits for the servers, and has not committed."""
    return {number for event in of(events, "done") for number in event["steps"]} == set(
        range(len(events[1]["plan"]["steps"]))
    )


def of(events: Events, name: str) -> Iterable[dict[str, Any]]:
    return (event for event in events if event.get("event") == name)


POINTS: dict[str, Callable[[Events], bool]] = {
    "at a port": lambda events: begun(events, "port"),
    "at a server": lambda events: begun(events, "server"),
    "while waiting": all_made,
}


def cut(operator: Operator, number: signal.Signals, reached: Callable[[Events], bool], *words: str) -> tuple[int, str]:
    """Start virtfn, signal it as soon as its newest transaction is there; its exit code and what it said."""
    known = set(journals(operator))
    process = operator.start(*words)

    def is_there() -> bool:
        new = [read(path) for path in journals(operator) if path not in known]
        return bool(new) and bool(new[-1]) and reached(new[-1])

    deadline = time.monotonic() + REACHED_S
    try:
        while not is_there():
            assert process.poll() is None, "it ended before it could be cut short"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(number)
        _, said = process.communicate(timeout=ENDS_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


def journals(operator: Operator) -> list[Path]:
    return sorted((operator.folder / "state").glob("cloud/*/journal/[0-9]*.jsonl"))


def read(path: Path) -> Events:
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def is_complete(operator: Operator) -> bool:
    ports = operator.ports("cut").values()
    return [operator.names(kind) for kind in KINDS] == COMPLETE and all(
        port.status == "ACTIVE" and port.binding_profile["pci_slot"] for port in ports
    )


@pytest.fixture
def spec(operator: Operator) -> str:
    return operator.spec(SPEC)


@pytest.mark.parametrize("point", POINTS)
def test_after_sigkill_up_completes_with_nothing_doubled(operator: Operator, spec: str, point: str) -> None:
    before = operator.everything()
    code, _ = cut(operator, signal.SIGKILL, POINTS[point], "up", "-f", spec, "--yes")
    assert code == -signal.SIGKILL
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0
    assert is_complete(operator)
    assert not any(entry.status.unfinished for entry in operator.journal.all())
    assert operator.virtfn("down", "-f", spec, "--yes", "-q") == 0
    assert operator.everything() == before


@pytest.mark.parametrize("point", POINTS)
def test_after_sigkill_down_leaves_nothing(operator: Operator, spec: str, point: str) -> None:
    before = operator.everything()
    cut(operator, signal.SIGKILL, POINTS[point], "up", "-f", spec, "--yes")
    assert operator.virtfn("down", "-f", spec, "--yes", "-q") == 0
    assert operator.everything() == before
    assert not any(entry.status.unfinished for entry in operator.journal.all())


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_down_that_was_killed_is_finished(operator: Operator, spec: str, command: str) -> None:
    before = operator.everything()
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0
    cut(operator, signal.SIGKILL, POINTS["at a server"], "down", "-f", spec, "--yes")
    assert operator.virtfn(command, "-f", spec, "--yes", "-q") == 0
    if command == "up":
        assert is_complete(operator)
    else:
        assert operator.everything() == before
    assert not any(entry.status.unfinished for entry in operator.journal.all())


@pytest.mark.parametrize("point", ["at a port", "at a server", "while waiting"])
def test_ctrl_c_takes_all_back(operator: Operator, spec: str, point: str) -> None:
    before = operator.everything()
    code, said = cut(operator, signal.SIGINT, POINTS[point], "up", "-f", spec, "--yes")
    assert code == ExitCode.INTERRUPTED, said
    assert "stopping: finishing the current step" in said
    assert operator.everything() == before
    (entry,) = operator.journal.all()
    assert not entry.status.unfinished
