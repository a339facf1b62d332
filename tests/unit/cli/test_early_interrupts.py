"""Ctrl-C while the command is being imported: exit code 130 and one line, however early; nothing once it has ended."""

import subprocess
import sys

import pytest

from virtfn.errors import ExitCode

_INTERRUPTED_AT_IMPORT = """
import signal, sys
from virtfn.__main__ import run

class Finder:
    left = int(sys.argv[1])
    def find_spec(self, *_):
        Finder.left -= 1
        if Finder.left == 0:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv = ["virtfn", *sys.argv[2:]]
try:
    run()
finally:
    sys.stderr.write(f"imports left: {Finder.left}\\n")
"""
_WHILE_AN_ERROR_IS_PRINTED = """
import signal, sys
from virtfn.__main__ import run
from virtfn.cli import main
main._print_failure = lambda _failure: signal.raise_signal(signal.SIGINT)
sys.argv = ["virtfn", "show", "--from", "/nonexistent"]
run()
"""


def child(script: str, *arguments: str) -> tuple[int, str]:
    """Exit code, and what standard error said."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


def imports_of(*arguments: str) -> int:
    """How many modules a command imports."""
    _, said = child(_INTERRUPTED_AT_IMPORT, "0", *arguments)
    return -int(said.rpartition("imports left: ")[2])


@pytest.mark.parametrize("arguments", [["show", "--help"], ["journal", "ls"], ["apply", "--help"]])
def test_ctrl_c_at_any_import_ends_without_a_stack_trace(arguments: list[str]) -> None:
    moments = range(1, imports_of(*arguments), 40)
    ends = [child(_INTERRUPTED_AT_IMPORT, str(moment), *arguments) for moment in moments]
    assert {(code, said.partition("imports left")[0].strip()) for code, said in ends} == {
        (ExitCode.INTERRUPTED, "Stopped; nothing was changed.")
    }


def test_ctrl_c_while_an_error_is_printed_ends_without_a_stack_trace() -> None:
    assert child(_WHILE_AN_ERROR_IS_PRINTED) == (ExitCode.INTERRUPTED, "")


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code, said = child(ignored + _INTERRUPTED_AT_IMPORT, "5", "show", "--help")
    assert (code, "Stopped" in said) == (ExitCode.DONE, False)
