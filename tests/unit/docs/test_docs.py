"""The documents: links lead somewhere, generated parts are the program's, every command is told of, with an example."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.unit.docs.generated import COMMAND, PARTS, ROOT, public_commands, with_part

from virtfn.spec.loading import load

_NOT_OURS = {".venv", ".git", "node_modules", "build", "dist"}
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _documents() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.md") if not _NOT_OURS & set(path.relative_to(ROOT).parts))


def _prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _dead(document: Path) -> Iterator[str]:
    for link in _LINK.findall(_prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in _anchors(target):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert list(_dead(document)) == []


@pytest.mark.parametrize("part", PARTS)
def test_what_is_generated_is_up_to_date(part: str) -> None:
    file, make = PARTS[part]
    text = file.read_text(encoding="utf-8")
    assert with_part(text, part, make()) == text, f"{file.relative_to(ROOT)} is not the program's: run {COMMAND}"


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    single = [name for name, command, _ in public_commands() if not isinstance(command, click.Group)]
    assert [name for name in single if f"\n| `{name}` |" not in readme] == []


def test_the_readme_lists_no_command_that_is_not_there() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    there = {name for name, _, _ in public_commands()}
    assert [name for name in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) if name not in there] == []


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, command) for name, command, _ in public_commands() if not isinstance(command, click.Group)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_command_has_an_example(name: str, command: click.Command) -> None:
    epilog = command.epilog or ""
    assert re.search(r"^Examples?:$", epilog, re.MULTILINE), f"virtfn {name} --help shows no example"
    assert f"virtfn {name}" in epilog


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_shows_can_be_read(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if "virtfn: host/1" in block:
            assert load([(document.name, block)]).pfs
    for block in re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        lines = [block] if block.startswith("{\n") else block.splitlines()
        assert all(json.loads(line) for line in lines)
