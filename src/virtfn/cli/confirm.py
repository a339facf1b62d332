"""Asking a person before something is changed."""

import sys
from collections.abc import Callable

import click

from virtfn.errors import UsageError

LOOK_FIRST = "look at the plan first, with --dry-run"


def ask(show: Callable[[], None], *, yes: bool, quiet: bool = False, hint: str = "") -> None:
    """Show what is about to be done and ask, unless ``yes``; with ``quiet``, what nobody is asked about is not shown.

    "No" and Ctrl-C abort with nothing changed; SIGTERM and a lost terminal, too (cli/interrupts.py: never ask where
    signals are held).

    Raises UsageError where standard input is no terminal.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("not a terminal: add --yes", hint=hint)
    if not (yes and quiet):
        show()
    if not yes:
        click.confirm("Apply these changes?", abort=True, err=True)
