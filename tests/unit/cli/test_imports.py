"""What the start of a command imports: most of the time that it takes."""

import subprocess
import sys
from pathlib import Path

import pytest

CAPTURE = str(Path(__file__).parents[2] / "golden/captures/2015_field_note/input.txt")
PROGRAM = """
import sys
from virtfn.__main__ import run
try:
    run()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
HEAVY = {"pydantic", "ruamel.yaml", "openstack", "asyncio", "hashlib", "virtfn.spec.loading"}
CHANGES = {"virtfn.model.plan", "virtfn.model.desired", "virtfn.engine.transaction", "virtfn.journal.files"}


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (("--version",), {"signal", "enum", "typing", "click", "virtfn.errors"}),
        (("--help",), {"typing", "dataclasses", "click", "virtfn.cli.main"}),
        (("show",), HEAVY | CHANGES),
        (("show", "--from", CAPTURE), HEAVY | CHANGES),
    ],
)
def test_a_command_waits_only_for_what_it_needs(arguments: tuple[str, ...], spared: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert spared & set(done.stderr.split()) == set()
