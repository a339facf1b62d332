"""What the documents show of a console is what a run prints; every command line they show is valid."""

from pathlib import Path

import pytest
from tests.unit.docs.console import (
    DOCUMENTS,
    TUTORIAL,
    Shell,
    blocks_of,
    command_lines,
    differing,
    invalid,
    spec_of,
)
from tests.unit.docs.generated import ROOT


def _name(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if any(b.is_run for b in blocks_of(one))], ids=_name)
def test_console_blocks_show_what_a_run_prints(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell(tmp_path, monkeypatch)
    (tmp_path / "host.yaml").write_text(spec_of(document) or spec_of(TUTORIAL))
    wrong = []
    for block in blocks_of(document):
        if block.mark == "another host":
            shell.begin()
        for command in block.mark.removeprefix("after: ").split("; ") if block.mark.startswith("after: ") else ():
            shell.run(command)
        for command, shown in block.commands() if block.is_run else ():
            typed, is_typed, printed = "\n".join(shown).rpartition("\n^D\n")
            if difference := differing(printed.split("\n") if is_typed else shown, shell.run(command, typed)):
                wrong.append(f"{_name(document)}:{block.line}: {command.splitlines()[0]}\n  {difference}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_command_line_is_valid(document: Path) -> None:
    assert [f"{line}: {why}" for line in command_lines(document) if (why := invalid(line))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_a_block_that_is_not_run_says_why(document: Path) -> None:
    marks = {block.mark for block in blocks_of(document)}
    known = ("not run: ", "after: ")
    assert [mark for mark in marks if mark not in ("", "another host") and not mark.startswith(known)] == []
