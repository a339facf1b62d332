"""``python -m virtfn``, and the console script."""

import sys


def run() -> None:
    """Run one command line and exit. ``--version`` needs nothing else, so nothing else is imported for it."""
    if sys.argv[1:] == ["--version"]:
        from virtfn import __version__

        sys.stdout.write(f"virtfn {__version__}\n")
        return
    from virtfn.cli.main import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
