"""``python -m virtfn``."""

from virtfn.cli.main import run

if __name__ == "__main__":
    run()
