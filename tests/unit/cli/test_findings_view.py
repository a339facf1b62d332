"""Findings as text and as documents; only the command line knows its own words."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.docs.generated import ROOT, public_commands

from virtfn.cli.actions import advice, command
from virtfn.cli.findings_view import finding_lines
from virtfn.cli.main import main
from virtfn.errors import ExitCode
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase, refusals
from virtfn.model.place import cloud_place

IN_USE = FindingKind("vf-in-use", Severity.REFUSAL, "A VF is in use.", "stop its user first", overridable=True)
LIMIT = FindingKind("limit", Severity.REFUSAL, "The NIC cannot do it.", "leave it out", overridable=True)
SRC = ROOT / "src/virtfn"
_OWN_WORDS = ("cli", "__main__.py", "api")  # the command line, and "Equivalent: ..." of the library
_OTHER_PROGRAMS = tuple(
    SRC / path for path in ("planning/cloud", "host/vfio.py", "host/process.py", "lab/machine/qemu.py", "lab/guest")
)
"""Where options of openstack's, QEMU's, systemd's and the guest's own command lines are."""
_UNIT = SRC / "services/boot_unit.py"  # it runs the command


def lines(*findings: Finding) -> list[str]:
    return [line for line, _ in finding_lines(findings)]


def test_neighbours_share_what_to_do_and_how_to_override_is_said_once() -> None:
    first, second = (IN_USE.at(f"p2p1/{number}", f"p2p1/{number} is in use by vm{number}") for number in (1, 3))
    assert lines(first, second, LIMIT.at("p2p1", "7 VFs at most", evidence=("sriov_totalvfs",))) == [
        "refused by vf-in-use: p2p1/1 is in use by vm1",
        "refused by vf-in-use: p2p1/3 is in use by vm3",
        "    fix: stop its user first",
        "refused by limit: 7 VFs at most",
        "    seen: sriov_totalvfs",
        "    fix: leave it out",
        "to override: --force vf-in-use --force limit",
    ]


def test_neighbours_of_one_kind_say_what_each_saw_and_share_what_to_do() -> None:
    first, second = (LIMIT.at(f"p2p1/{number}", "too much", evidence=(f"limit {number}",)) for number in (1, 3))
    assert lines(first, second)[:-1] == [
        "refused by limit: too much",
        "    seen: limit 1",
        "refused by limit: too much",
        "    seen: limit 3",
        "    fix: leave it out",
    ]


def test_what_cannot_be_overridden_is_not_offered() -> None:
    finding = LIMIT.at("p2p1", "7 VFs at most", overridable=False)
    assert lines(finding)[-1] == "    fix: leave it out"
    assert refusals([finding], frozenset({"limit"})) == (finding,)


def test_an_action_has_the_words_of_its_place() -> None:
    lab = cloud_place("lab")
    assert command(Action(UseCase.ROLLBACK, ("3",))) == "virtfn rollback 3"
    assert command(Action(UseCase.ROLLBACK, ("3",), lab)) == "virtfn rollback 3 --os-cloud lab"
    assert command(Action(UseCase.JOURNAL_LIST, place=cloud_place(None))) == "virtfn journal ls --cloud"
    assert (
        command(Action(UseCase.LAB_UP, options=(("wire", "host"), ("cold", "")))) == "virtfn lab up --wire host --cold"
    )
    assert advice([Action(UseCase.RESUME, ("3",))]) == "`virtfn resume 3` finishes it"


@pytest.mark.parametrize("use_case", UseCase)
def test_every_use_case_is_a_command_and_has_words(use_case: UseCase) -> None:
    assert use_case.value in {name for name, _, _ in public_commands()}
    assert advice([Action(use_case)])


def test_an_error_with_findings_is_a_document_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = b"virtfn: host/1\npfs:\n  - match: {name: p2p1}\n    speed: 1\n    mtu: big\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=lambda: spec)))
    assert main(["plan", "-f", "-", "-o", "json"]) == ExitCode.BAD_SPEC
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["exit_code"], document["where"]) == ("failure", 65, "stdin:4")
    assert [(one["id"], one["severity"], one["subject"]) for one in document["findings"]] == [
        ("spec-key", "fault", "stdin:4"),
        ("spec-value", "fault", "stdin:5"),
    ]


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module but its docstrings, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.lineno, node.value


def _lower_rooms() -> list[Path]:
    """The modules of all rooms that are no face."""
    own = (*(SRC / name for name in _OWN_WORDS), _UNIT)
    return sorted(path for path in SRC.rglob("*.py") if not any(one in (path, *path.parents) for one in own))


def test_only_faces_write_words_of_the_command_line() -> None:
    commands = "|".join(sorted({name.split()[0] for name, _, _ in public_commands() if name}))
    taken = sorted({word for _, one, _ in public_commands() for item in one.params for word in item.opts})
    options = "|".join(word for word in taken if word.startswith("--"))
    named, option = re.compile(rf"\bvirtfn ({commands})\b(?! spec)"), re.compile(rf"(?<![\w-])({options})(?![\w-])")
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in _lower_rooms()
        for line, text in _texts(path)
        if named.search(text)
        or (option.search(text) and not any(one in (path, *path.parents) for one in _OTHER_PROGRAMS))
    ]
    assert found == []


def test_a_finding_is_made_by_its_kind() -> None:
    made = re.compile(r"(?<![\w.])Finding\(")
    modules = [path for path in (ROOT / "src").rglob("*.py") if path != ROOT / "src/virtfn/model/finding.py"]
    assert [str(path) for path in modules if made.search(path.read_text(encoding="utf-8"))] == []
