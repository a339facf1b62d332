"""Asking a person before something is changed."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from virtfn.errors import UsageError

LOOK_FIRST = "look with --dry-run, then add --yes"


def ask(show: Callable[[], None], *, yes: bool, quiet: bool = False, hint: str = "add --yes") -> None:
    """Show what is about to be done and ask, unless ``yes``; with ``quiet``, what nobody is asked about is not shown.

    "No" and Ctrl-C abort with nothing changed.

    Raises UsageError where nobody is there to answer.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes", hint=hint)
    if not (yes and quiet):
        show()
    if yes:
        return
    with _interruptible_prompt():
        click.confirm("Do this?", abort=True, err=True)


@contextmanager
def _interruptible_prompt() -> Iterator[None]:
    """While a prompt waits, Ctrl-C ends it at once; around it, signals are only remembered (cli/interrupts.py)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
