"""``python -m virtfn``, and the console script."""

import os
import sys

_STDOUT = 1


def run() -> None:
    """Run one command line and exit. For ``--version`` and ``--help`` no more is imported than they need."""
    if sys.argv[1:] == ["--version"]:
        from virtfn import __version__

        _print(f"virtfn {__version__}\n")
        return
    if sys.argv[1:] in (["--help"], ["-h"]):
        from virtfn.cli.help_text import overview

        _print(overview())
        return
    from virtfn.cli.main import main

    sys.exit(main(sys.argv[1:]))


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
