"""Folders and ports of the control plane: everything listens on loopback, everything it writes is below one folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.control_plane.vfs import HOST

from virtfn.lab.machine.folders import Folders

LOOPBACK = "127.0.0.1"
PASSWORD = "openstack"
"""Of every account. It is no secret: whoever can run programs on this machine can reach the ports anyway."""

PORTS: Mapping[str, int] = {  # the usual port and 20000, so that another OpenStack or MariaDB is not in the way
    "keystone": 25000,
    "glance": 29292,
    "neutron": 29696,
    "nova": 28774,
    "placement": 28778,
    "mariadb": 23306,
    "rabbitmq": 25672,
    "rabbitmq-distribution": 25674,
    "epmd": 24369,
}
REPOSITORY = Path(__file__).resolve().parents[3]


def url(service: str) -> str:
    """Where a service answers, without a path."""
    return f"http://{LOOPBACK}:{PORTS[service]}"


def cache_folder() -> Path:
    """Where virtual environments, snapshots and apt's lists are kept (``XDG_CACHE_HOME/virtfn``)."""
    return Folders.of(os.environ, os.getuid()).cache


@dataclass(frozen=True)
class Places:
    """The folder of one running control plane, recreated at each start."""

    root: Path

    @classmethod
    def usual(cls) -> "Places":
        return cls(cache_folder() / "cloud-run")

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def log_before(self) -> Path:
        """The logs of the run before this one."""
        return self.root / "log-before"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def data(self) -> Path:
        """What the services keep: databases, queues, images, keystone's keys."""
        return self.root / "data"

    @property
    def sysfs(self) -> Path:
        return self.root / "sys"

    def sysfs_of(self, host: str) -> Path:
        """The first host's is ``sysfs``; any other's is beside what the services keep."""
        return self.sysfs if host == HOST else self.data / host / "sys"

    @property
    def clouds_yaml(self) -> Path:
        return self.root / "clouds.yaml"

    @property
    def every(self) -> tuple[Path, ...]:
        """All folders below the root."""
        return (self.etc, self.log, self.run, self.data, self.sysfs)
