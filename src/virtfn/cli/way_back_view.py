"""What a rollback puts back, as text: a line a field, an object that goes as a whole in one."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from virtfn.model.cloud import Kind
from virtfn.model.plan import DEFINITION, Restore
from virtfn.model.value_format import say_change

_SHOWN = 16
_LONGEST = 200


def print_way_back(out: Console, back: Sequence[Restore], *, whole: bool = False) -> None:
    """Each change of the way back, and what is lost by it; unless ``whole`` no more than the first sixteen."""
    shown = back if whole else back[:_SHOWN]
    for restore in shown:
        text = _brief(say_change(restore.target, restore.field, restore.ours[-1], restore.value))
        lost = ": it stops, and its disk is lost" if _takes_a_server(restore) else ""
        out.print(Text(f"  {text}{lost}"), soft_wrap=True)
    if len(shown) < len(back):
        out.print(f"  ... and {len(back) - len(shown)} more", soft_wrap=True)


def _takes_a_server(restore: Restore) -> bool:
    return restore.target.kind == Kind.SERVER and restore.field == DEFINITION and restore.value is None


def _brief(text: str) -> str:
    """No more than a line: what is in a definition can be long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
