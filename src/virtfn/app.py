"""The composition root: from settings to the services, each with the edges it needs, imported when first used."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from virtfn.errors import BackendUnreachable

if TYPE_CHECKING:
    from virtfn.host.kernel import KernelHost
    from virtfn.journal.files import FileJournal
    from virtfn.services.clouds import Clouds
    from virtfn.services.hosts import Hosts
    from virtfn.services.mirrors import Mirrors
    from virtfn.services.ports import Cancelled
    from virtfn.services.records import Records
    from virtfn.services.transaction import Progress


@dataclass(frozen=True)
class Settings:
    """What the environment decides. ``probe_from``: where probe frames are sent from, as ``--probe-from`` takes it."""

    state: Path = Path("/var/lib/virtfn")
    probe_from: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read VIRTFN_STATE_DIR and VIRTFN_PROBE_FROM (words, separated by spaces)."""
        state = environment.get("VIRTFN_STATE_DIR")
        words = tuple(environment.get("VIRTFN_PROBE_FROM", "").split())
        return cls(Path(state) if state else cls.state, words)


class App:
    """Everything a face needs, made on demand."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.of(os.environ)

    def host(self) -> "KernelHost":
        """This machine's kernel."""
        from virtfn.host.kernel import KernelHost

        return KernelHost()

    def journal(self) -> "FileJournal":
        """The journal below the state folder."""
        from virtfn.journal.files import FileJournal

        return FileJournal(self.settings.state, _boot_id())

    def mirrors(
        self, progress: "Progress", cancelled: "Cancelled", *, frames: int = 20, probe_from: tuple[str, ...] = ()
    ) -> "Mirrors":
        """The mirrors of this machine. ``frames`` is the number of probe frames a leg."""
        import secrets

        from virtfn.host.frames import PacketProber
        from virtfn.services.bench import Vantage
        from virtfn.services.mirrors import Mirrors
        from virtfn.services.proving import Probing, Prover
        from virtfn.services.transaction import Transactions

        host, journal = self.host(), self.journal()
        vantage = Vantage.parse(probe_from or self.settings.probe_from)
        return Mirrors(
            host,
            journal,
            Transactions(host, journal, progress=progress, cancelled=cancelled),
            Prover(
                PacketProber(),
                Probing(lambda: secrets.token_bytes(8), frames),
                progress=progress,
                cancelled=cancelled,
            ),
            vantage,
            progress=progress,
        )

    def hosts(self, progress: "Progress", cancelled: "Cancelled") -> "Hosts":
        """This machine from a declared state."""
        from virtfn.host.surroundings import surroundings
        from virtfn.services.hosts import Hosts
        from virtfn.services.transaction import Transactions

        host, journal = self.host(), self.journal()
        engine = Transactions(host, journal, progress=progress, cancelled=cancelled)
        return Hosts(host, journal, engine, surroundings)

    def clouds(
        self, os_cloud: str | None, progress: "Progress", cancelled: "Cancelled", *, timeout_s: float = 300.0
    ) -> "Clouds":
        """The cloud of this name in clouds.yaml (None: OS_... variables), with a journal of its own.

        Its objects outlive a boot of this machine, so its journal knows no boot. ``timeout_s``: what servers may take.
        """
        from virtfn.cloud.openstack import OpenStackCloud
        from virtfn.journal.files import FileJournal
        from virtfn.services.clouds import Clouds, Patience
        from virtfn.services.transaction import Settle, Transactions

        cloud = OpenStackCloud(os_cloud)
        state = _cloud_state(self.settings, os.environ, os_cloud)
        journal = FileJournal(state, "cloud", folder_mode=0o700)  # user data is in its plans
        engine = Transactions(cloud, journal, progress=progress, cancelled=cancelled, settle=Settle(30.0, 0.5))
        patience = Patience(deadline_s=timeout_s)
        return Clouds(cloud, journal, engine, progress=progress, cancelled=cancelled, patience=patience)

    def records(self, progress: "Progress", cancelled: "Cancelled | None" = None) -> "Records":
        """This machine's journal, and what can be done with what is in it."""
        from virtfn.services.records import Records
        from virtfn.services.transaction import Transactions, never_cancelled

        journal = self.journal()
        engine = Transactions(self.host(), journal, progress=progress, cancelled=cancelled or never_cancelled)
        return Records(journal, engine)


def _cloud_state(settings: Settings, environment: Mapping[str, str], os_cloud: str | None) -> Path:
    """Where the journal of a cloud is: below the state folder if that is ours to write, else in the person's own."""
    name = quote(os_cloud or "env", safe="")
    if "VIRTFN_STATE_DIR" in environment or os.geteuid() == 0:
        return settings.state / "cloud" / name
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "virtfn" / "cloud" / name


def _boot_id() -> str:
    """The kernel's id of this boot: what was done before another one is gone."""
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as fault:
        raise BackendUnreachable(
            f"the boot id cannot be read ({fault.strerror})", where=str(path), hint="virtfn needs Linux with /proc"
        ) from fault
