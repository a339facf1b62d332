"""The console blocks of the documents: what they say, and a run of them on a host of fakes.

The blocks of a document are run in their order, on one host (the field note's) with one journal, and on one cloud.
``[...]`` stands for lines, or within a line for words, that are left out. A comment before a block says otherwise:

- ``<!-- console: another host -->``: this block begins on a host and a journal of its own;
- ``<!-- console: after: COMMAND; COMMAND -->``: these are run before it;
- ``<!-- console: not run: REASON -->``: only its commands are looked at.
"""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from tests.unit.docs.cloud import WEB_AND_PROBE, DocumentsCloud
from tests.unit.docs.generated import ROOT

import virtfn.host.probing
from virtfn.app import App
from virtfn.cli.main import cli, main
from virtfn.model.plan import Target, Value
from virtfn.testing import FakeHost, field_note_host

TUTORIAL = ROOT / "docs/tutorial/first-host.md"
CAPTURES = ROOT / "tests/golden/captures"
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(
    r"(?:<!-- console: (?P<mark>[^>]+) -->\n+)?^```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_CODE = re.compile(
    r"^```(?:console|sh|bash)\n(.*?)^```$|`(virtfn [^`]+)`|^ {2,4}(virtfn .+?)$", re.DOTALL | re.MULTILINE
)
_LEFT_OUT = "[...]"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_ANSWER = "y\n"


@dataclass(frozen=True)
class Block:
    """One console block; ``line`` is that of its first command in the document."""

    document: Path
    line: int
    mark: str
    text: str

    @property
    def is_run(self) -> bool:
        """Whether its output is compared with a real run."""
        return not self.mark.startswith("not run")

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the lines it is said to print; a here-document belongs to its command."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE):
            lines = part.rstrip("\n").split("\n")
            if here := re.search(r"<<(\w+)$", lines[0]):
                end = lines.index(here[1])
                yield "\n".join(lines[: end + 1]), lines[end + 1 :]
            elif lines != [""]:
                yield lines[0], [line for line in lines[1:] if line or len(lines) > 2]


def blocks_of(document: Path) -> list[Block]:
    """The console blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, found.start("text")) + 1, found["mark"] or "", found["text"])
        for found in _BLOCK.finditer(text)
    ]


def spec_of(document: Path) -> str:
    """The first host spec that a document shows; "" where it shows none."""
    found = re.search(
        r"(?:^```yaml|<<END)\n(virtfn: host/1.*?)^(?:```|END)$", document.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return found[1] if found else ""


def command_lines(document: Path) -> Iterator[str]:
    """Every command line of virtfn that the document shows, in blocks and between backticks."""
    for found in _CODE.finditer(document.read_text(encoding="utf-8")):
        lines = [found[2] or found[3]] if found[1] is None else found[1].replace("\\\n", " ").splitlines()
        for line in lines:
            words = re.split(r"\s(?:\||&&|;|>|#|<<)\s?|;\s", line.strip().removeprefix("$ "))
            yield from (part.strip() for part in words if part.strip().startswith("virtfn "))


def invalid(line: str) -> str:
    """What is wrong with a command line: a command or an option that is not there; "" for nothing."""
    words = line.partition(" -- ")[0].split()[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="virtfn")
    words = [word for word in words if word != "--lab"]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            return "" if re.fullmatch(r"[A-Z.]+|\.\.\.|[a-z]+(\|[a-z]+)+", name) else f"there is no command {name}"
        command = inner
    known = {"--help", "-h", "--version", *(option for one in command.params for option in one.opts)}
    return "".join(
        f"{command.name} has no option {word}"
        for word in words
        if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known and not re.match(r"-[a-z]{2,}", word)
    )


def differing(shown: list[str], real: list[str]) -> str:
    """The first line of ``shown`` that a run did not print where it should; "" where all fit."""
    position = 0
    for number, line in enumerate(shown):
        after_gap = number > 0 and shown[number - 1].strip() in (_LEFT_OUT, "[the plan]")
        if line.strip() in (_LEFT_OUT, "[the plan]"):
            continue
        pattern = re.compile(".*".join(re.escape(_TIME.sub("TIME", part)) for part in line.rstrip().split(_LEFT_OUT)))
        places = range(position, len(real) if after_gap else min(position + 1, len(real)))
        found = next((place for place in places if pattern.fullmatch(_TIME.sub("TIME", real[place].rstrip()))), None)
        if found is None:
            return f"shown: {line}\n  real: {real[position] if position < len(real) else '(nothing)'}"
        position = found + 1
    rest = [line for line in real[position:] if line.strip()]
    ends_open = bool(shown) and shown[-1].strip() == _LEFT_OUT
    return "" if not rest or ends_open or not shown else f"not shown: {rest[0]}"


class Shell:
    """Runs the commands of a document: virtfn on a host of fakes, a few others as they are."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch, self._hosts = folder, patch, 0
        patch.chdir(folder)
        patch.setenv("VIRTFN_PROBE_FROM", "pf wire:w0 sibling")
        patch.setattr(App, "host", lambda _app: self.host)
        patch.setattr(App, "clouds", lambda _app, _name, sink, cancelled, **_: self.cloud.clouds(sink, cancelled))
        patch.setattr(App, "cloud_mirrors", lambda _app, _name: self.cloud.mirrors())
        patch.setattr(virtfn.host.probing, "PacketProber", lambda: self.host)
        patch.setattr(click.termui, "visible_prompt_func", self._answer)
        self.host: FakeHost = field_note_host()
        self.cloud: DocumentsCloud = DocumentsCloud()
        shutil.copytree(ROOT / "examples", folder / "examples")
        (folder / "web-and-probe.yaml").write_text(WEB_AND_PROBE)
        (folder / "note.txt").write_text((CAPTURES / "2015_field_note_pasted_as_one_line/input.txt").read_text())
        self.begin()

    def begin(self) -> None:
        """Another host, with an empty journal."""
        self._hosts += 1
        self.host = field_note_host()
        self.host.vfs[0] = replace(self.host.vfs[0], driver=None)
        self._patch.setenv("VIRTFN_STATE_DIR", str(self._folder / f"state{self._hosts}"))

    def run(self, command: str, typed: str = "") -> list[str]:
        """What a command prints, both streams as they come; ``typed`` is its standard input."""
        if not command.startswith("virtfn "):
            return self._other(command)
        command = command.replace("virtfn --lab ", "virtfn ")
        words = shlex.split(command.partition("\n")[0], comments=True)
        words, _, target = _until(words, ">")
        out = io.StringIO()
        self._patch.setattr(sys, "stdin", _Terminal(io.BytesIO(typed.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main([word.rstrip(";") for word in words[1:] if word not in ("echo", "$?")])
        if "echo $?" in command:
            out.write(f"{int(code)}\n")
        if target:
            (self._folder / target).write_text(out.getvalue())
            return []
        return out.getvalue().splitlines()

    def _other(self, command: str) -> list[str]:
        if moved := re.fullmatch(r"ip link set p2p1 vf (\d+) (mac|vlan) (\S+)", command):
            vlan: Value = {"id": int(moved[3]), "qos": 0, "protocol": "802.1Q"} if moved[2] == "vlan" else None
            self.host.write(Target("vf", f"0000:01:00.0/{moved[1]}", f"p2p1/{moved[1]}"), moved[2], vlan or moved[3])
            return []
        assert command.split()[0] in ("cat", "sed", "mv"), f"{command}: a block with this is not run: mark it"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.splitlines()

    def _answer(self, prompt: str = "") -> str:
        sys.stdout.write(f"{prompt}{_ANSWER}")
        return _ANSWER.strip()


class _Terminal(io.TextIOWrapper):
    """Standard input at which a person sits."""

    def isatty(self) -> bool:
        """So that questions are asked."""
        return True


def _until(words: list[str], mark: str) -> tuple[list[str], str, str]:
    if mark not in words:
        return words, "", ""
    place = words.index(mark)
    return words[:place], mark, words[place + 1]
