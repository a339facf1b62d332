"""Other programs, where a system call will not do. The only place outside the lab that starts any."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from virtfn.errors import BackendUnreachable

_SYSTEMD = Path("/run/systemd/system")
_START_S = 30.0


def detach(argv: Sequence[str], *, name: str, environment: Sequence[tuple[str, str]] = ()) -> None:
    """Start a program that outlives this process, its terminal and its login.

    Under systemd it runs as a unit of its own (``systemd-run --unit NAME``), as a login's processes may be killed with
    it; elsewhere in a session of its own. Raises BackendUnreachable where it cannot be started.
    """
    systemd_run = shutil.which("systemd-run") if _SYSTEMD.is_dir() else None
    settings = [f"--setenv={key}={value}" for key, value in environment]
    try:
        if systemd_run:
            command = [systemd_run, "--quiet", "--collect", f"--unit={name}", *settings, "--", *argv]
            subprocess.run(command, check=True, capture_output=True, timeout=_START_S)
            return
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=dict(environment) or None,
        )
    except (OSError, subprocess.SubprocessError) as fault:
        raise BackendUnreachable(f"{argv[0]} could not be started ({fault})", where=name) from fault


def tell_systemd(*words: str) -> None:
    """``systemctl WORDS``. Raises BackendUnreachable with what it said."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise BackendUnreachable("there is no systemctl here", hint="this host does not run systemd")
    done = subprocess.run([systemctl, *words], check=False, capture_output=True, text=True, timeout=_START_S)
    if done.returncode:
        raise BackendUnreachable(f"systemctl {' '.join(words)}: {done.stderr.strip() or done.returncode}")
