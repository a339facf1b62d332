"""Beyond this process: programs that outlive it, systemd, the system log. Only this module and the lab run programs."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from virtfn.errors import BackendUnreachable

_SYSTEMD = Path("/run/systemd/system")
_SYSTEM_LOG = Path("/dev/log")
_START_S = 30.0
_DAEMON_ERROR = 3 << 3 | 3
"""Facility daemon, severity error (RFC 3164)."""

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""The environment of a program that outlives this process: nothing that can be a secret, and no exported function."""

_MAIN = """\
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from virtfn.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def start_detached(arguments: Sequence[str], *, name: str, settings: Mapping[str, str]) -> None:
    """Start virtfn with these arguments so that it outlives this process, its terminal and its login.

    Under systemd it runs as a unit of its own (``systemd-run --unit NAME``), as a login's processes may be killed with
    it; elsewhere in a session of its own. Python runs isolated (``-I``) with this process's import path, in ``/``. Its
    environment is ``settings`` and a few variables that cannot be secret.
    Raises BackendUnreachable where it cannot be started.
    """
    here = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    environment = {**here, **settings}
    argv = [sys.executable, "-I", "-c", _MAIN, json.dumps(_import_path()), *arguments]
    systemd_run = shutil.which("systemd-run") if _SYSTEMD.is_dir() else None
    if systemd_run:
        assignments = [f"--setenv={key}={value}" for key, value in environment.items()]
        options = ["--quiet", "--collect", "--working-directory=/", f"--unit={name}", *assignments]
        _run([systemd_run, *options, "--", *argv], what=f"unit {name}")
        return
    try:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    except OSError as fault:
        raise BackendUnreachable(f"Python could not be started ({fault.strerror})", where=name) from None


def has_systemd() -> bool:
    """Whether this host was booted by systemd."""
    return _SYSTEMD.is_dir()


def systemctl(*words: str) -> None:
    """``systemctl WORDS``. Raises BackendUnreachable with what it printed."""
    program = shutil.which("systemctl")
    if program is None:
        raise BackendUnreachable("systemctl is not installed", hint="this host does not run systemd")
    _run([program, *words], what=f"systemctl {' '.join(words)}")


def report(text: str, *, log: Path = _SYSTEM_LOG) -> None:
    """Write one line to the system log, as an error of virtfn. A host without a log daemon does not get it."""
    line = f"<{_DAEMON_ERROR}>virtfn[{os.getpid()}]: {' '.join(text.split())}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as handle:
            handle.sendto(line.encode(), str(log))
    except OSError:
        return


def _run(command: Sequence[str], *, what: str) -> None:
    """Run a program; raises BackendUnreachable without its command line, which does not belong into any message."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_START_S)
    except subprocess.TimeoutExpired:
        raise BackendUnreachable(f"no answer within {_START_S:g} s", where=what) from None
    except OSError as fault:
        raise BackendUnreachable(f"{Path(command[0]).name}: {fault.strerror}", where=what) from None
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise BackendUnreachable(f"{Path(command[0]).name} failed: {said}", where=what)


def _import_path() -> list[str]:
    """``sys.path`` without the current folder, unless virtfn itself is imported from there."""
    package = str(Path(__file__).parents[2])
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        here = ""
    return [one for one in sys.path if Path(one).is_absolute() and (one != here or one == package)]
