"""``python -m virtfn``, and the console script."""

import os
import sys

_STDOUT, _STDERR = 1, 2
_INTERRUPTED = 130
"""``ExitCode.INTERRUPTED``, which would have to be imported first."""


def run() -> None:
    """Run one command line and exit. For ``--version`` and ``--help`` no more is imported than they need.

    Until the command is imported, Ctrl-C ends the process at once: an exception in the middle of an import would be
    printed as a stack trace, or lost. Once the command has ended, Ctrl-C is ignored.
    """
    if sys.argv[1:] == ["--version"]:
        from virtfn import __version__

        _print(f"virtfn {__version__}\n")
        return
    import signal  # --version does without, as it imports as much as the rest

    may_be_interrupted = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if may_be_interrupted:
        signal.signal(signal.SIGINT, _stop)
    if sys.argv[1:] in (["--help"], ["-h"]):
        from virtfn.cli.help_text import overview

        _print(overview())
        return
    from virtfn.cli.main import main

    def ready() -> None:
        if may_be_interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        code = main(sys.argv[1:], ready=ready)
    except KeyboardInterrupt:  # while an error was printed
        code = _INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _stop(_number: int, _frame: object) -> None:
    try:
        os.write(_STDERR, b"Stopped; nothing was changed.\n")
    finally:
        os._exit(_INTERRUPTED)


def _print(text: str) -> None:
    """Straight to the file, as a buffer that cannot be written would fail once more at exit."""
    try:
        os.write(_STDOUT, text.encode())
    except BrokenPipeError:
        return
    except OSError as fault:
        from virtfn.errors import ExitCode

        sys.stderr.write(f"error: standard output cannot be written ({fault.strerror})\n")
        sys.exit(ExitCode.UNREACHABLE)


if __name__ == "__main__":
    run()
