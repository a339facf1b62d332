"""``virtfn lab demo``: the demo on an emulated host, in a throw-away lab."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from virtfn.cli.console import Console, Table, console, progress
from virtfn.errors import ExitCode, LabError

if TYPE_CHECKING:
    from virtfn.lab.machine.machine import Machine

_COMMAND_S = 90.0
_STREAM_S = 120.0
_RATE = 100

_SHOW = ("virtfn", "show")
_ADD = ("virtfn", "mirror", "add", "p2p1/3", "p2p1/2", "--yes")
_REMOVE = ("virtfn", "mirror", "rm", "p2p1/3", "-q")
_NOTE = (*_ADD, "--strategy", "field-note")
_LITERAL = (*_NOTE, "--literal")


@dataclass(frozen=True)
class Bystander:
    """What a stream to a bystander VF measured."""

    sent: int
    lost: int
    longest_gap_ms: float


@dataclass
class _Story:
    machine: "Machine"
    out: Console

    def run(self, *argv: str, expect: ExitCode = ExitCode.DONE) -> None:
        """Run a command in the lab, shown as if typed. Raises LabError where it ends otherwise than expected."""
        self.out.print(f"\n$ {' '.join(argv)}", style="bold cyan")
        with self.machine.start(argv, env=self._environment()) as job:
            while job.returncode is None:
                for _, data in job.events(_COMMAND_S):
                    sys.stdout.buffer.write(data)
                    sys.stdout.flush()
        if job.returncode != expect:
            raise LabError(f"`{' '.join(argv)}` ended with {job.returncode}, expected was {int(expect)}")

    def tell(self, text: str) -> None:
        """A headline of the story."""
        self.out.print(f"\n== {text}", style="bold")

    def inventory(self) -> object:
        """The host as a document, for comparison."""
        return json.loads(self.machine.run([*_SHOW, "-o", "json"], timeout_s=_COMMAND_S).check().stdout)

    @contextmanager
    def bystander(self) -> Iterator[Callable[[], Bystander]]:
        """A stream of 100 frames a second from the wire to VF 1 while the block runs; then call for its figures."""
        argv = ["python3", "-m", "virtfn.lab.guest.stream", "--from", "wire:w0", "--to", "vm1:eth0"]
        argv += ["--rate", str(_RATE), "--seconds", str(_STREAM_S), "--json", "--stop-on-eof"]
        with self.machine.start(argv) as job:
            figures: list[Bystander] = []
            yield lambda: figures[0]
            done = job.communicate(timeout_s=_COMMAND_S).check()
            report: dict[str, Any] = json.loads(done.stdout)
            figures.append(Bystander(report["sent"], report["lost"], report["longest_gap_ms"]))

    def _environment(self) -> dict[str, str]:
        return {"FORCE_COLOR": "1"} if self.out.is_styled else {}


def tell_the_story(machine: "Machine", out: Console) -> int:
    """Run the demo in a lab that is up; exit code 0 if every result is as expected."""
    story = _Story(machine, out)
    how = "restored from a snapshot" if machine.record.restored else "booted"
    story.tell(
        f"An SR-IOV host with the field note's own MACs: {how} in {machine.record.ready_after_s:.1f} s "
        f"(QEMU igb, Linux {machine.record.kernel}, {machine.record.accelerator})"
    )
    story.run(*_SHOW)
    before = story.inventory()

    story.tell("virtfn mirrors VF 3 to VF 2, while VF 1, a bystander, gets 100 frames a second")
    with story.bystander() as ours:
        story.run(*_ADD)
        story.run(*_REMOVE)

    story.tell("The recipe of 2015, as it was typed, with its PF down and up and its last step")
    with story.bystander() as theirs:
        story.run(*_LITERAL, expect=ExitCode.NOT_PROVEN)

    story.tell("The same recipe without the PF's down and up: what its last step does")
    story.run(*_NOTE, expect=ExitCode.NOT_PROVEN)

    story.tell("What it cost")
    out.print_table(_bill(ours(), theirs()))
    same = story.inventory() == before
    out.print(f"The host is {'as it was before both' if same else 'NOT as it was before'}.")
    return ExitCode.DONE if same else ExitCode.FAILED


def _bill(ours: Bystander, theirs: Bystander) -> Any:
    table = Table("", "VIRTFN", "THE RECIPE")
    rows: Sequence[tuple[str, str, str]] = (
        ("mirror", "proven, removed, clean", "not proven, rolled back"),
        ("bystander: sent", str(ours.sent), str(theirs.sent)),
        ("bystander: lost", str(ours.lost), str(theirs.lost)),
        ("bystander: longest gap", f"{ours.longest_gap_ms:.0f} ms", f"{theirs.longest_gap_ms:.0f} ms"),
    )
    for row in rows:
        table.add_row(*row)
    return table


@click.command(
    epilog="""\b
Examples:
  virtfn lab demo
  virtfn lab demo | less
"""
)
def demo() -> None:
    """Run the demo in a throw-away lab: show, mirror, proof, removal, and the 2015 recipe for comparison."""
    from virtfn.lab.build.parts import assemble
    from virtfn.lab.machine.folders import Folders
    from virtfn.lab.machine.startup import StartOptions, throw_away

    folders = Folders.of_this_user()
    tell = progress(quiet=False)
    with throw_away(assemble(folders, tell), folders, StartOptions(name="demo"), tell) as machine:
        sys.exit(tell_the_story(machine, console()))
