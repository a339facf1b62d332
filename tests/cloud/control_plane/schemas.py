"""The databases' tables and keystone's first accounts, made once and kept as a snapshot.

A snapshot belongs to the release and to every file of this package, because ports and accounts are in the databases.
"""

import getpass
import grp
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.control_plane.configs import database_url
from tests.cloud.control_plane.database import Database
from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import PASSWORD, Places, cache_folder, url
from tests.cloud.control_plane.release import Release
from tests.cloud.control_plane.services import config_options

from virtfn.lab.build.execution import last_words

_KEYS = ("keystone-fernet", "keystone-credential")


@dataclass(frozen=True)
class Snapshot:
    """A folder with MariaDB's data and keystone's keys, complete or not there."""

    folder: Path

    @classmethod
    def of(cls, release: Release) -> "Snapshot":
        package = Path(__file__).parent
        files = sorted(path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc")
        content = hashlib.sha256(release.digest.encode())
        for path in files:
            content.update(path.read_bytes())
        return cls(cache_folder() / f"cloud-snapshot-{release.name}-{content.hexdigest()[:8]}")

    @property
    def exists(self) -> bool:
        return self.folder.is_dir()

    def restore(self, places: Places, database: Database) -> None:
        """Before the database is started."""
        database.restore(self.folder)
        for name in _KEYS:
            shutil.copytree(self.folder / name, places.data / name)

    def save(self, places: Places, database: Database) -> None:
        """The database is stopped for a moment. Snapshots of the same release made by older files are removed."""
        release = self.folder.name.rpartition("-")[0]
        for old in self.folder.parent.glob(f"{release}-*"):  # and one that was never finished
            shutil.rmtree(old)
        unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
        unfinished.mkdir(mode=0o700, parents=True)
        for name in _KEYS:
            shutil.copytree(places.data / name, unfinished / name)
        database.save(unfinished)
        unfinished.rename(self.folder)


def make_schemas(places: Places, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Four chains of commands side by side, in the installation guide's order. Raises ControlPlaneError."""
    chains = {"keystone": _keystone(places), "glance": _placement_and_glance(places), "neutron": _neutron(places)}
    chains["nova"] = _nova(places)
    say("making the databases' tables and keystone's accounts (kept as a snapshot for the next start)")
    with ThreadPoolExecutor(len(chains)) as pool:
        jobs = [pool.submit(_run, name, chain, places, env) for name, chain in chains.items()]
        for job in jobs:
            job.result()


def _run(name: str, chain: Sequence[Sequence[str]], places: Places, env: Mapping[str, str]) -> None:
    log = places.log / f"schema-{name}.log"
    for argv in chain:
        with log.open("ab") as output:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, check=False)
        if done.returncode:
            words = last_words(log.read_text(errors="replace"))
            raise ControlPlaneError(f"failed with {done.returncode}: {words}", where=" ".join(argv), hint=f"see {log}")


def _keystone(places: Places) -> list[list[str]]:
    manage = ["keystone-manage", *config_options(places, "keystone")]
    addresses = [f"--bootstrap-{kind}-url={url('keystone')}/v3/" for kind in ("admin", "internal", "public")]
    account = ["--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne"]
    us = (f"--keystone-user={getpass.getuser()}", f"--keystone-group={grp.getgrgid(os.getgid()).gr_name}")
    return [
        [*manage, "db_sync"],
        [*manage, "fernet_setup", *us],
        [*manage, "credential_setup", *us],
        [*manage, "bootstrap", *account, *addresses],
    ]


def _placement_and_glance(places: Places) -> list[list[str]]:
    return [
        ["placement-manage", *config_options(places, "placement"), "db", "sync"],
        ["glance-manage", *config_options(places, "glance"), "db_sync"],
    ]


def _neutron(places: Places) -> list[list[str]]:
    return [["neutron-db-manage", *config_options(places, "neutron"), "upgrade", "heads"]]  # tap-as-a-service's too


def _nova(places: Places) -> list[list[str]]:
    manage = ["nova-manage", *config_options(places, "nova")]
    return [
        [*manage, "api_db", "sync"],
        [*manage, "cell_v2", "map_cell0", "--database_connection", database_url("nova_cell0")],
        [*manage, "cell_v2", "create_cell", "--name", "cell1"],
        [*manage, "db", "sync"],
    ]
