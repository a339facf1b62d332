"""MariaDB with a data folder of its own, and snapshots of that folder."""

import getpass
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cloud.control_plane.configs import DATABASES
from tests.cloud.control_plane.places import LOOPBACK, PASSWORD, PORTS, Places
from tests.cloud.control_plane.processes import Processes

from virtfn.lab.build.execution import execute

_CREATE_S = 120
_START_S = 60
_STOP_S = 30
# Nothing here must survive a power cut, and 2 cores are few.
_TUNING = (
    "--skip-log-bin",
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--max-connections=500",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=128M",
    "--innodb-log-file-size=16M",
)


class Database:
    """One MariaDB on loopback. Its account ``os`` may use the services' databases; its root only this user, locally."""

    name = "mariadb"

    def __init__(self, places: Places, processes: Processes, env: Mapping[str, str]) -> None:
        self._folder = places.data / "mariadb"
        self._grants = places.etc / "databases.sql"
        self._processes = processes
        self._env = env

    def create(self) -> None:
        """A new data folder, with empty databases at the first start. Raises LabError."""
        user = getpass.getuser()
        how = ("--skip-test-db", "--auth-root-authentication-method=socket", f"--auth-root-socket-user={user}")
        where = (f"--user={user}", f"--datadir={self._folder}")
        execute(["mariadb-install-db", "--no-defaults", *where, *how], timeout_s=_CREATE_S, env=self._env)

    def restore(self, snapshot: Path) -> None:
        shutil.copytree(snapshot / "mariadb", self._folder)

    def save(self, snapshot: Path) -> None:
        """Copy the data folder; the database is stopped for that and started again."""
        self.stop()
        shutil.copytree(self._folder, snapshot / "mariadb")
        self.start()

    def start(self) -> None:
        """Returns when it answers. Raises ControlPlaneError."""
        self._grants.write_text(_grants())
        where = (
            f"--datadir={self._folder}",
            f"--socket={self._folder / 'socket'}",
            f"--pid-file={self._folder / 'pid'}",
        )
        net = (f"--bind-address={LOOPBACK}", f"--port={PORTS['mariadb']}", f"--init-file={self._grants}")
        as_root = ("--user=root",) if os.geteuid() == 0 else ()
        argv = ("mariadbd", "--no-defaults", *as_root, *where, *net, *_TUNING)
        self._processes.start(self.name, argv, self._env)
        self._processes.wait_port(self.name, PORTS["mariadb"], _START_S)

    def stop(self) -> None:
        self._processes.stop([self.name], _STOP_S)


def _grants() -> str:
    """Run at each start, one statement a line."""
    lines = [f"CREATE USER IF NOT EXISTS 'os'@'{LOOPBACK}' IDENTIFIED BY '{PASSWORD}';"]
    for name in DATABASES:
        lines.append(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3;")
        lines.append(f"GRANT ALL ON {name}.* TO 'os'@'{LOOPBACK}';")
    return "\n".join(lines) + "\n"
