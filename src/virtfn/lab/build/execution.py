"""Run another program to its end, with a time limit; an error quotes the last lines of its output."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from virtfn.errors import LabError
from virtfn.model.finding import Action, UseCase

_LAST_LINES = 8


_CAUSE = re.compile(r"Kernel panic|BUG:|Oops|sysrq: Trigger|general protection|Traceback|Out of memory|virtfn-lab: ")


def dying_words(text: str, lines: int = 24) -> str:
    """The end of a guest's console, from the first line that shows a failure; the last lines where none does."""
    every = [line.rstrip() for line in text.splitlines() if line.strip()]
    recent = every[-200:]
    start = next((number for number, line in enumerate(recent) if _CAUSE.search(line)), None)
    return "\n".join(recent[-lines:] if start is None else recent[start : start + lines])


def last_words(text: str, lines: int = _LAST_LINES) -> str:
    """The last ``lines`` non-empty lines of a program's output, for an error message."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def execute(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    hint: str = "",
) -> bytes:
    """Run ``argv`` and return its standard output. Raises LabError with the last lines of its output.

    The program is killed after ``timeout_s``; an interrupt kills it too (``subprocess.run`` does both).
    """
    try:
        done = subprocess.run(
            list(argv), input=stdin or b"", capture_output=True, timeout=timeout_s, cwd=cwd, env=env, check=False
        )
    except FileNotFoundError as missing:
        actions = () if hint else (Action(UseCase.LAB_PREPARE),)
        raise LabError(f"{argv[0]} is not installed", hint=hint, actions=actions) from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{argv[0]} did not end within {timeout_s:g} s", where=" ".join(argv[:4]), hint=hint) from late
    if done.returncode:
        words = last_words(done.stderr.decode(errors="replace")) or last_words(done.stdout.decode(errors="replace"))
        raise LabError(f"{argv[0]} failed with {done.returncode}: {words}", where=" ".join(argv[:4]), hint=hint)
    return done.stdout
