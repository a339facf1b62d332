"""The tests do not depend on how their run was started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IGNORE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_children_can_be_interrupted_and_reaped() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


def test_settings_of_the_user_are_absent() -> None:
    assert not [name for name in ("OS_CLOUD", "VIRTFN_STATE_DIR", "COLUMNS", "FORCE_COLOR") if name in os.environ]


def test_others_may_read_what_a_test_writes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_run_with_signals_ignored_and_an_unusual_environment_passes() -> None:
    tests = (
        test_children_can_be_interrupted_and_reaped,
        test_settings_of_the_user_are_absent,
        test_others_may_read_what_a_test_writes,
    )
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C", "OS_CLOUD": "a", "COLUMNS": "20",
        "VIRTFN_STATE_DIR": "/nonexistent", "FORCE_COLOR": "1",
    }  # fmt: skip
    pytest = [sys.executable, "-m", "pytest", "-q", *(f"{Path(__file__)}::{test.__name__}" for test in tests)]
    done = subprocess.run(
        [sys.executable, "-c", IGNORE, *pytest],
        cwd=ROOT, env=environment, umask=0o077, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        start_new_session=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
