"""The composition root: from settings to the services, each with the edges it needs, imported when first used."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from virtfn.errors import BackendUnreachable

if TYPE_CHECKING:
    from virtfn.host.kernel import KernelHost
    from virtfn.journal.files import FileJournal
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

    def records(self, progress: "Progress", cancelled: "Cancelled | None" = None) -> "Records":
        """This machine's journal, and what can be done with what is in it."""
        from virtfn.services.records import Records
        from virtfn.services.transaction import Transactions, never_cancelled

        journal = self.journal()
        engine = Transactions(self.host(), journal, progress=progress, cancelled=cancelled or never_cancelled)
        return Records(journal, engine)


def _boot_id() -> str:
    """The kernel's id of this boot: what was done before another one is gone."""
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as fault:
        raise BackendUnreachable(
            f"the boot id cannot be read ({fault.strerror})", where=str(path), hint="virtfn needs Linux with /proc"
        ) from fault
