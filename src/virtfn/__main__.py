"""``python -m virtfn``, and the console script."""

import sys


def run() -> None:
    """Run one command line and exit. For ``--version`` and ``--help`` no more is imported than they need."""
    if sys.argv[1:] == ["--version"]:
        from virtfn import __version__

        sys.stdout.write(f"virtfn {__version__}\n")
        return
    if sys.argv[1:] in (["--help"], ["-h"]):
        from virtfn.cli.overview import overview

        sys.stdout.write(overview())
        return
    from virtfn.cli.main import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
