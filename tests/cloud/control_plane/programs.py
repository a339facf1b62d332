"""The Debian packages that the control plane needs, installed so that nothing is started, now or at the next boot.

MariaDB comes as ``mariadb-server-core``, the database without a service. RabbitMQ's package has a service: while it is
installed a policy (``invoke-rc.d(8)``) forbids starting services, and every unit that it enabled (those of Erlang's
name server and logrotate too) is disabled afterwards.
"""

import shutil
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import cache_folder

from virtfn.lab.build.execution import execute
from virtfn.lab.build.packages import Packages, this_distribution
from virtfn.lab.build.programs import Program, install_missing, missing_programs, root_prefix

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the one in /usr/sbin, which changes to the user rabbitmq and its folders."""

_PROGRAMS = (
    Program("mariadbd", "mariadb-server-core", "the database"),
    Program("my_print_defaults", "mariadb-client-core", "makes the database's folder"),
    Program("epmd", "erlang-base", "RabbitMQ's name server"),
    Program(str(RABBITMQ), "rabbitmq-server", "the message bus"),
    Program("gcc", "gcc", "compiles uWSGI, which runs the API services"),
    Program(f"{sysconfig.get_paths()['include']}/Python.h", f"python{sysconfig.get_python_version()}-dev", "for uWSGI"),
)
_POLICY = Path("/usr/sbin/policy-rc.d")
_QUICK_S = 60


def install_programs(say: Callable[[str], None]) -> None:
    """Install what is missing; quick when nothing is. Raises LabError, or ControlPlaneError if not root."""
    missing = missing_programs(_PROGRAMS)
    if not missing:
        return
    prefix = root_prefix()
    if prefix is None:
        names = " ".join(sorted({one.program.package for one in missing}))
        raise ControlPlaneError(
            f"these must be installed, and only root can: {names}",
            hint=f"run this once as root, or: sudo apt-get install --no-install-recommends {names}",
        )
    # Without its version the distribution has no backports: nothing here needs them.
    packages = Packages(cache_folder() / "cloud-apt", replace(this_distribution(), version=""), say)
    with _services_not_started(prefix):
        install_missing(missing, packages, say)


@contextmanager
def _services_not_started(as_root: Sequence[str]) -> Iterator[None]:
    """The machine's own policy, if it has one, is left as it is."""
    ours = not _POLICY.exists()
    before = _enabled_units()
    if ours:
        write = f"printf '#!/bin/sh\\nexit 101\\n' > {_POLICY} && chmod 755 {_POLICY}"
        execute([*as_root, "sh", "-c", write], timeout_s=_QUICK_S)
    try:
        yield
        new = _enabled_units() - before
        if new:
            execute([*as_root, "systemctl", "--quiet", "disable", *sorted(new)], timeout_s=_QUICK_S)
    finally:
        if ours:
            execute([*as_root, "rm", "-f", str(_POLICY)], timeout_s=_QUICK_S)


def _enabled_units() -> set[str]:
    """What systemd would start at boot; nothing where there is no systemd."""
    if not shutil.which("systemctl"):
        return set()
    return {path.name for path in Path("/etc/systemd/system").glob("*.wants/*")}
