"""What every benchmark prints and writes: figures side by side with a named peer of the same run."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


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


def options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser.parse_args()


def publish(figures: Sequence[Figure], file: Path | None) -> int:
    """Print the table, write the file; 1 where a goal was missed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("WHAT", "VIRTFN", "UNIT", "PEER", "PEER'S", "RATIO", "GOAL", "HELD"):
        table.add_column(heading)
    for one in figures:
        held = "-" if one.held is None else "yes" if one.held else "NO"
        table.add_row(
            one.what, _text(one.value), one.unit, one.peer, _text(one.peer_value), _text(one.ratio), one.goal, held
        )
    Console(width=160).print(table)
    if file:
        rows = [{**asdict(one), "ratio": one.ratio} for one in figures]
        file.write_text(json.dumps({"results": rows}, indent=2) + "\n", encoding="utf-8")
    return 1 if any(one.held is False for one in figures) else 0


def _text(number: float | None) -> str:
    return "-" if number is None else f"{number:.3g}"
