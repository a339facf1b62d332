"""What every benchmark has: its options, the lab that it runs in, and figures side by side with a named peer."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from virtfn.cli.console import Table, console
from virtfn.lab.build.parts import assemble
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.startup import StartOptions, throw_away


@dataclass(frozen=True)
class Figure:
    """One measurement. ``ratio`` is value to peer_value; ``held`` is None where a figure is only reported."""

    what: str
    value: float | None
    unit: str
    peer: str
    peer_value: float | None
    goal: str
    held: bool | None

    @property
    def ratio(self) -> float | None:
        return self.value / self.peer_value if self.value is not None and self.peer_value else None


@dataclass(frozen=True)
class Options:
    """``quick``: few rounds of small sizes, to see that the benchmark works; its figures mean nothing."""

    json: Path | None
    quick: bool


def options(description: str) -> Options:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="try the benchmark itself; no goal is judged")
    given = parser.parse_args()
    return Options(given.json, given.quick)


@contextmanager
def lab() -> Iterator[Machine]:
    """A lab for the block only, or the running one that ``VIRTFN_TEST_LAB`` names."""
    running = os.environ.get("VIRTFN_TEST_LAB")
    if running:
        yield Machine.attach(running)
        return
    folders = Folders.of_this_user()
    with throw_away(assemble(folders, say), folders, StartOptions(name="bench"), say) as machine:
        yield machine


def installed(folder: str) -> dict[str, str]:
    """The environment of commands whose compiled modules are kept in a folder, as an installed package has them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def say(text: str) -> None:
    print(text, file=sys.stderr)


def at_most(what: str, value: float, peer: str, peer_value: float, goal: float) -> Figure:
    """Seconds that may be at most ``goal`` times the peer's."""
    return Figure(what, value, "s", peer, peer_value, f"at most {goal:g}", value / peer_value <= goal)


def publish(figures: Sequence[Figure], wanted: Options) -> int:
    """Print the table and write the file. Returns 1 where a goal was missed, unless the run was a quick one."""
    if wanted.quick:
        figures = [replace(one, held=None) for one in figures]
    table = Table("WHAT", "VIRTFN", "UNIT", "PEER", "PEER'S", "RATIO", "GOAL", "HELD")
    for one in figures:
        held = "-" if one.held is None else "yes" if one.held else "NO"
        table.add_row(
            one.what, _text(one.value), one.unit, one.peer, _text(one.peer_value), _text(one.ratio), one.goal, held
        )
    console().print_table(table)
    if wanted.json:
        rows = [{**asdict(one), "ratio": one.ratio} for one in figures]
        wanted.json.write_text(json.dumps({"results": rows}, indent=2) + "\n", encoding="utf-8")
    return 1 if any(one.held is False for one in figures) else 0


def _text(number: float | None) -> str:
    return "-" if number is None else f"{number:.3g}"
