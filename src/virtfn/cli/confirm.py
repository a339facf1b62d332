"""Asking a person before something is changed."""

import sys
from collections.abc import Callable

import click

from virtfn.errors import UsageError

LOOK_FIRST = "look with --dry-run, then add --yes"


def ask(show: Callable[[], None], *, yes: bool, quiet: bool = False, hint: str = "add --yes") -> None:
    """Show what is about to be done and ask, unless ``yes``; with ``quiet``, what nobody is asked about is not shown.

    "No" and Ctrl-C abort with nothing changed; SIGTERM and a lost terminal, too (cli/interrupts.py: never ask where
    signals are held).

    Raises UsageError where nobody is there to answer.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes", hint=hint)
    if not (yes and quiet):
        show()
    if not yes:
        click.confirm("Do this?", abort=True, err=True)
