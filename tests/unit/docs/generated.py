"""The parts of the reference that are made from the program. Run as a script, it writes them anew.

A generated part stands between two comments, ``<!-- generated: NAME -->`` and ``<!-- end -->``; all else in the file is
written by hand and stays.

    .venv/bin/python tests/unit/docs/generated.py
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

import virtfn
import virtfn.api.session
import virtfn.engine.events
import virtfn.errors
import virtfn.model.inventory
import virtfn.model.plan
from virtfn.cli.main import cli
from virtfn.errors import ExitCode
from virtfn.eswitch.drivers import TABLE
from virtfn.eswitch.facts import AdminMacEffect, DriverFacts, MeterFacts
from virtfn.eswitch.limits import LIMITS, Limit
from virtfn.model.field_row import Field, Key
from virtfn.model.fields import MATCH_KEYS, PF_FIELDS, VF_FIELDS
from virtfn.model.finding import FindingKind

ROOT = Path(__file__).parents[3]
COMMAND = ".venv/bin/python tests/unit/docs/generated.py"
_WIDTH = 80


def public_commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every group and command that is not hidden: ``mirror add``, the command, a context to ask for its help in."""
    settings = dict(cli.context_settings)
    root = click.Context(cli, info_name="virtfn", **{**settings, "terminal_width": _WIDTH})
    yield "", cli, root
    yield from _below(cli, root, ())


def _below(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context, **command.context_settings)
        yield " ".join((*path, name)), command, inner
        if isinstance(command, click.Group):
            yield from _below(command, inner, (*path, name))


def commands() -> str:
    """One section a command: its ``--help`` at 80 columns."""
    parts = []
    for name, command, context in public_commands():
        help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## virtfn {name}".rstrip() + f"\n\n```text\n{help_text}\n```\n")
    return "\n".join(parts)


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code.value} | `{code.name}` | {code.meaning} |" for code in ExitCode]
    return "\n".join(("| code | name | meaning |", "|---|---|---|", *rows)) + "\n"


def drivers() -> str:
    """What each driver does, in two tables and a list of evidence."""
    mirror = [
        "driver",
        "`vf N mac M` changes",
        "one MAC at two VFs: who gets the frame",
        "`twin-mac`",
        "counters of a VF",
        "known how",
    ]
    other = ["driver", "trust resets VF", "PF down cuts VFs", "VFs a PF", "VF driver", "eswitch mode", "new MAC needs"]
    other += ["spoof check at first", "a guest's own MAC is used"]
    lines = [*_table(mirror, [_mirror_row(row) for row in TABLE]), ""]
    lines += [*_table(other, [_other_row(row) for row in TABLE]), ""]
    for row in TABLE:
        lines += [f"### {row.label}", ""]
        lines += [f"- {one.fact}. *{one.rung.value}*: {_source(one.source)}" for one in row.evidence]
        lines += [""]
    return "\n".join(lines)


def limits() -> str:
    """What drivers refuse."""
    headings = ["driver", "field", "what is refused, and how it says so", "known from"]
    return "\n".join(_table(headings, [_limit_row(row) for row in LIMITS])) + "\n"


def spec_keys(rows: Mapping[str, Field]) -> str:
    """The keys of a PF's or a VF's entry in a host spec, with the command that does the same."""
    headings = ["key", "type, unit", "if left out", "example", "meaning"]
    return "\n".join(_table(headings, [_key_row(row, key) for row in rows.values() for key in row.keys])) + "\n"


def match_keys() -> str:
    """The keys of ``match``."""
    keys = [row.key for row in MATCH_KEYS.values()]
    rows = [[f"`{key.name}`", key.type.words, f"`{key.example}`", key.doc] for key in keys]
    return "\n".join(_table(["key", "type", "example", "fits"], rows)) + "\n"


def _key_row(row: Field, key: Key) -> list[str]:
    names = {"netdev": "PF", "vf": "N", "folder": "/sys/bus/pci/devices/ADDRESS", "handle": "pci/ADDRESS"}
    steps = "{vf_pci}" in row.command
    command = "" if steps else row.command.format(**names, value=row.shell_value(row.example))
    meaning = (key.doc, f"`{command}`." if command else "", row.note)
    return [f"`{key.name}`", key.type.words, "left alone", f"`{key.example}`", " ".join(filter(None, meaning))]


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _mirror_row(row: DriverFacts) -> list[str]:
    offered = "not offered" if row.admin_mac is AdminMacEffect.ADDRESS_ONLY else "offered; frames decide"
    meters = ", ".join(map(_meter, row.meters)) or "none known"
    return [f"`{row.label}`", row.admin_mac.value, row.same_mac.value, offered, meters, row.rung.value]


def _meter(meter: MeterFacts) -> str:
    return f"`{meter.name}`" + (f" (VFs below {meter.vfs})" if meter.vfs else "")


def _other_row(row: DriverFacts) -> list[str]:
    reload = {True: "reload of the VF driver", False: "nothing", None: "not known"}[row.mac_needs_reload]
    return [
        f"`{row.label}`",
        _yes(row.trust_resets_vf),
        _yes(row.pf_down_cuts_vfs),
        "not fixed" if row.max_vfs is None else str(row.max_vfs),
        f"`{row.vf_driver}`" if row.vf_driver else "none",
        row.mode_change.value,
        reload,
        {True: "on", False: "off", None: "not known"}[row.spoofchk_at_first],
        row.guest_mac.value,
    ]


def _limit_row(row: Limit) -> list[str]:
    where = f" (in {row.mode.value})" if row.mode else ""
    how = " Nothing reports it, so virtfn reads back." if row.silent else ""
    return [f"`{row.driver}`" if row.driver else "all", f"`{row.field}`{where}", row.evidence.fact + "." + how,
            _source(row.evidence.source)]  # fmt: skip


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _yes(fact: bool | None) -> str:
    return {True: "yes", False: "no", None: "not known"}[fact]


def _source(text: str) -> str:
    return f"<{text}>" if text.startswith("https://") else text.replace("*", r"\*")


def finding_kinds() -> dict[str, FindingKind]:
    """Every kind of finding that a module of virtfn defines, or holds in a table, by its id."""
    found: dict[str, FindingKind] = {}
    for name in sorted(module.name for module in pkgutil.walk_packages(virtfn.__path__, "virtfn.")):
        for value in vars(importlib.import_module(name)).values():
            rows = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            for kind in rows:
                if isinstance(kind, FindingKind) and found.setdefault(kind.id, kind) is not kind:
                    raise ValueError(f"{kind.id} is the id of two kinds of findings")
    return found


def findings() -> str:
    """One row for each kind of finding, sorted by its id."""
    kinds = sorted(finding_kinds().values(), key=lambda kind: kind.id)
    rows = [
        [
            f"`{kind.id}`",
            kind.severity.value,
            "yes" if kind.overridable else "no",
            kind.meaning,
            kind.fix.replace("|", r"\|"),
        ]
        for kind in kinds
    ]
    return "\n".join(_table(["id", "severity", "overridable", "what it means", "what to do"], rows)) + "\n"


def api() -> str:
    """Every public name of the library with its first docstring line; those with methods first."""
    exported = {name: getattr(virtfn.api, name) for name in virtfn.api.__all__}
    rows = [[f"`{name}`", _cell(_first_line(one, name))] for name, one in exported.items()]
    errors = [
        [f"`{name}`", _cell(_first_line(one, name))]
        for name, one in vars(virtfn.errors).items()
        if isinstance(one, type) and issubclass(one, Exception)
    ]
    parts = []
    for name in ("Host", "Mirrors", "Cloud", "BootUnit"):
        methods = [
            [f"`{method}`", _cell(_first_line(found, method))] for method, found in public_methods(exported[name])
        ]
        parts += [f"## {name}", "", _first_line(exported[name], name), ""]
        parts += [*_table(["method", "what it does"], methods), ""]
    parts += ["## Types", "", *_table(["name", "what it is"], rows), ""]
    return "\n".join([*parts, "## Errors", "", *_table(["name", "what it means"], errors)]) + "\n"


def public_methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Name and function of each public method or property of a class, by name."""
    for name, member in inspect.getmembers_static(kind):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def _first_line(one: object, name: str) -> str:
    """The first line of its docstring; of an alias, the text below its definition."""
    if isinstance(one, type) or inspect.isroutine(one):
        return (inspect.getdoc(one) or "").partition("\n")[0]
    for module in (virtfn.api.session, virtfn.engine.events, virtfn.model.plan, virtfn.model.inventory):
        for before, after in pairwise(ast.parse(inspect.getsource(module)).body):
            if isinstance(before, ast.AnnAssign) and ast.unparse(before.target) == name and isinstance(after, ast.Expr):
                return str(ast.literal_eval(after.value)).partition("\n")[0]
    raise ValueError(f"{name} says nothing of itself")


PARTS: dict[str, tuple[Path, Callable[[], str]]] = {
    "commands": (ROOT / "docs/reference/cli.md", commands),
    "exit-codes": (ROOT / "docs/reference/exit-codes.md", exit_codes),
    "findings": (ROOT / "docs/reference/findings.md", findings),
    "api": (ROOT / "docs/reference/api.md", api),
    "drivers": (ROOT / "docs/reference/drivers.md", drivers),
    "limits": (ROOT / "docs/reference/drivers.md", limits),
    "match-keys": (ROOT / "docs/reference/host-spec.md", match_keys),
    "pf-keys": (ROOT / "docs/reference/host-spec.md", partial(spec_keys, PF_FIELDS)),
    "vf-keys": (ROOT / "docs/reference/host-spec.md", partial(spec_keys, VF_FIELDS)),
}


def with_part(text: str, name: str, content: str) -> str:
    """The text with its generated part ``name`` replaced. Raises ValueError where the two comments are not there."""
    begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"there is not one part {begin.strip()} ... {end}")
    return pattern.sub(lambda _found: f"{begin}\n{content.strip()}\n\n{end}", text)


if __name__ == "__main__":
    for part, (file, make) in PARTS.items():
        file.write_text(with_part(file.read_text(), part, make()))
        print(f"{file.relative_to(ROOT)}: {part}")
