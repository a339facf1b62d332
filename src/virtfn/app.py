"""The composition root: makes the services from the settings, each with the edges it needs, imported at first use."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from virtfn.errors import BackendUnreachable

if TYPE_CHECKING:
    from virtfn.cloud.connection import CloudAccount
    from virtfn.engine.events import EventSink
    from virtfn.engine.interfaces import Cancelled
    from virtfn.host.kernel import KernelHost
    from virtfn.journal.files import FileJournal
    from virtfn.services.boot_unit import BootUnit
    from virtfn.services.cloud_mirrors import CloudMirrors
    from virtfn.services.cloud_state import CloudService
    from virtfn.services.confirmation import Confirmations
    from virtfn.services.history import History
    from virtfn.services.host_state import HostService
    from virtfn.services.mirrors import MirrorService
    from virtfn.store.mirrors import FileMirrorStore

_CLOUD_SETTLES = (30.0, 0.5)
"""How long a write may take to be readable in a cloud, and how often to read, in seconds."""
PARALLEL = 4
"""How many objects of one kind are created or deleted in a cloud at once, by default."""


@dataclass(frozen=True)
class Settings:
    """Settings from the environment. ``probe_from``: where probe frames are sent from, as ``--probe-from`` takes it.

    ``clouds``: where the journals of clouds are kept; None: below ``state``. ``locks``: where lock files are, whatever
    ``state`` is; None: in a state folder itself, for users that have no runtime folder.
    """

    state: Path = Path("/var/lib/virtfn")
    probe_from: tuple[str, ...] = ()
    clouds: Path | None = None
    locks: Path | None = field(default_factory=lambda: _runtime_folder())

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read VIRTFN_STATE_DIR and VIRTFN_PROBE_FROM (words, separated by spaces).

        Users other than root keep the journals of clouds in their own folder (XDG_STATE_HOME).
        """
        state = environment.get("VIRTFN_STATE_DIR")
        words = tuple(environment.get("VIRTFN_PROBE_FROM", "").split())
        own = Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "virtfn" / "cloud"
        return cls(Path(state) if state else cls.state, words, None if state or os.geteuid() == 0 else own)


class App:
    """Everything a face needs, made on demand."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.of(os.environ)

    def host(self) -> "KernelHost":
        """This machine's kernel."""
        from virtfn.host.kernel import KernelHost

        return KernelHost()

    def journal(self, sink: "EventSink | None" = None) -> "FileJournal":
        """The journal below the state folder. ``sink`` receives corrections of modes."""
        from virtfn.journal.files import FileJournal

        return FileJournal(self.settings.state, _boot_id(), lock=self._lock("host"), notice=_notice(sink))

    def confirmations(self, sink: "EventSink") -> "Confirmations":
        """The transactions that wait to be confirmed on this machine."""
        from virtfn.engine.transaction import Transactions
        from virtfn.host.process import report
        from virtfn.services.confirmation import Confirmations

        journal = self.journal(sink)
        return Confirmations(journal, Transactions(self.host(), journal, sink=sink), sink=sink, report=report)

    def mirror_store(self) -> "FileMirrorStore":
        """The declared mirrors below the state folder."""
        from virtfn.store.mirrors import FileMirrorStore

        return FileMirrorStore(self.settings.state)

    def mirrors(
        self, sink: "EventSink", cancelled: "Cancelled", *, frames: int = 20, probe_from: tuple[str, ...] = ()
    ) -> "MirrorService":
        """The mirrors of this machine. ``frames`` is the number of probe frames per leg."""
        import secrets

        from virtfn.engine.transaction import Transactions
        from virtfn.host.physnets import physical_networks
        from virtfn.host.probing import PacketProber
        from virtfn.services.mirrors import MirrorService
        from virtfn.services.probe_points import ProbeOrigins
        from virtfn.services.prover import Probing, Prover

        host, journal = self.host(), self.settled_journal(sink)
        return MirrorService(
            host,
            journal,
            Transactions(host, journal, sink=sink, cancelled=cancelled),
            self.mirror_store(),
            Prover(
                PacketProber(),
                Probing(
                    lambda: secrets.token_bytes(8),
                    lambda lowest, highest: lowest + secrets.randbelow(highest - lowest + 1),
                    frames,
                ),
                sink=sink,
                cancelled=cancelled,
            ),
            ProbeOrigins.parse(probe_from or self.settings.probe_from),
            sink=sink,
            physnets=physical_networks,
        )

    def hosts(self, sink: "EventSink", cancelled: "Cancelled") -> "HostService":
        """This machine and its spec."""
        from virtfn.engine.transaction import Transactions
        from virtfn.host.host_dependencies import host_dependencies
        from virtfn.services.declared_mirrors import mirrored_vfs
        from virtfn.services.host_state import HostService

        host, journal, store = self.host(), self.settled_journal(sink), self.mirror_store()
        engine = Transactions(host, journal, sink=sink, cancelled=cancelled)
        dependencies = lambda: replace(host_dependencies(), mirrors=mirrored_vfs(store, journal))  # noqa: E731
        return HostService(host, journal, engine, dependencies, self._start_watchdog)

    def boot_unit(self, root: Path = Path("/")) -> "BootUnit":
        """The boot unit of this machine, or of the image whose root this is."""
        from virtfn.host.boot_files import BootFiles
        from virtfn.services.boot_unit import BootUnit

        return BootUnit(BootFiles(root))

    def cloud_mirrors(self, os_cloud: str | None) -> "CloudMirrors":
        """Mirrors between ports of the cloud of this name in clouds.yaml (None: OS_... variables). Reads only."""
        from virtfn.cloud.port_lookup import OpenStackPorts
        from virtfn.services.cloud_mirrors import CloudMirrors

        return CloudMirrors(OpenStackPorts(os_cloud))

    def clouds(
        self,
        os_cloud: str | None,
        sink: "EventSink",
        cancelled: "Cancelled",
        *,
        timeout_s: float = 300.0,
        parallel: int = PARALLEL,
    ) -> "CloudService":
        """The cloud of this name in clouds.yaml (None: OS_... variables), with a journal of its own.

        ``timeout_s``: what servers may take. ``parallel``: how many objects of one kind are handled at once.
        """
        from virtfn.cloud.openstack import OpenStackCloud
        from virtfn.engine.readback import Settle
        from virtfn.engine.transaction import Transactions
        from virtfn.model.proposal import WaitPolicy
        from virtfn.services.cloud_state import CloudService

        cloud = OpenStackCloud(os_cloud, parallel=parallel)
        journal = self.cloud_journal(os_cloud)
        engine = Transactions(cloud, journal, sink=sink, cancelled=cancelled, settle=Settle(*_CLOUD_SETTLES))
        patience = WaitPolicy(timeout_s, 1.0)
        return CloudService(cloud, journal, engine, sink=sink, cancelled=cancelled, patience=patience)

    def records(self, sink: "EventSink", cancelled: "Cancelled | None" = None) -> "History":
        """This machine's journal, with rollback, resume and prune."""
        from virtfn.engine.transaction import Transactions, never_cancelled
        from virtfn.services.history import History

        journal = self.settled_journal(sink)
        engine = Transactions(self.host(), journal, sink=sink, cancelled=cancelled or never_cancelled)
        return History(journal, engine)

    def cloud_records(self, os_cloud: str | None, sink: "EventSink", cancelled: "Cancelled | None" = None) -> "History":
        """The journal of a cloud, with rollback, resume and prune. Nothing is sent to the cloud yet."""
        from virtfn.cloud.openstack import OpenStackCloud
        from virtfn.engine.readback import Settle
        from virtfn.engine.transaction import Transactions, never_cancelled
        from virtfn.services.history import History

        cloud, journal = OpenStackCloud(os_cloud), self.cloud_journal(os_cloud)
        told = cancelled or never_cancelled
        settle = Settle(*_CLOUD_SETTLES)
        return History(journal, Transactions(cloud, journal, sink=sink, cancelled=told, settle=settle))

    def cloud_journal(self, os_cloud: str | None) -> "FileJournal":
        """The journal of a project in a cloud. Its objects survive a boot of this machine, so it has no boot id.

        Nothing is sent. Raises CloudUnreachable where clouds.yaml has no such entry.
        """
        from virtfn.cloud.connection import account

        return self._journal_of(account(os_cloud))

    def journalled_clouds(self) -> "tuple[tuple[CloudAccount, FileJournal], ...]":
        """The projects in clouds that have a journal here, with that journal."""
        from virtfn.cloud.connection import CloudAccount

        folder = self._cloud_journals
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        accounts = [found for name in names if (found := CloudAccount.of_folder(name))]
        return tuple((one, self._journal_of(one)) for one in accounts)

    def _journal_of(self, account: "CloudAccount") -> "FileJournal":
        from virtfn.journal.files import FileJournal
        from virtfn.model.place import cloud_place

        folder = self._cloud_journals / account.folder
        return FileJournal(folder, "cloud", lock=self._lock(account.folder), place=cloud_place(account.name))

    def settled_journal(self, sink: "EventSink") -> "FileJournal":
        """This machine's journal, after unconfirmed changes are rolled back."""
        from virtfn.services.confirmation import overdue

        journal = self.journal(sink)
        if overdue(journal):
            self.confirmations(sink).roll_back_overdue()
        return journal

    def _lock(self, name: str) -> Path | None:
        return self.settings.locks / f"{name}.lock" if self.settings.locks else None

    def _start_watchdog(self, number: int, within_s: float) -> None:
        """Start the process that rolls a transaction back unless it is confirmed in time."""
        from virtfn.host.process import start_detached

        start_detached(
            ["watch-over", str(number), "--within", str(within_s)],
            name=f"virtfn-watch-over-{number}",
            settings={"VIRTFN_STATE_DIR": str(self.settings.state.resolve())},
        )

    @property
    def _cloud_journals(self) -> Path:
        return self.settings.clouds or self.settings.state / "cloud"


def _runtime_folder() -> Path | None:
    """The folder of this user's locks: one per host and user, removed at boot, writable by this user only."""
    if os.geteuid() == 0:
        return Path("/run/virtfn")
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    return folder / "virtfn" if folder.is_dir() else None


def _notice(sink: "EventSink | None") -> "Callable[[tuple[Path, ...]], None]":
    from virtfn.services.events import ModesCorrected

    return lambda paths: sink(ModesCorrected(tuple(map(str, paths)))) if sink else None


def _boot_id() -> str:
    """The kernel's id of this boot: a new boot ends all earlier changes to VFs."""
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as fault:
        raise BackendUnreachable(
            f"the boot id cannot be read ({fault.strerror})", where=str(path), hint="virtfn needs Linux with /proc"
        ) from fault
