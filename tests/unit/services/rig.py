"""A MirrorService on the fake host, with a journal in a temporary folder."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from virtfn.cli.events_view import EventsView
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.journal.files import FileJournal
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.transaction import Transaction
from virtfn.services.interfaces import Prober
from virtfn.services.mirrors import MirrorService
from virtfn.services.probe_points import ProbeOrigins
from virtfn.services.prover import Probing, Prover
from virtfn.testing import FakeHost, field_note_host

LAB_VANTAGE = ProbeOrigins(pf=True, sibling=True, outside=("wire:w0",))


@dataclass
class Rig:
    """``cancel_after``: the number of questions after which a person has pressed Ctrl-C; None: never."""

    state: Path
    host: FakeHost = field(default_factory=field_note_host)
    boot_id: str = "boot-1"
    vantage: ProbeOrigins = LAB_VANTAGE
    cancel_after: int | None = None
    prober: Prober | None = None
    physnets: PhysicalNetworks = field(default_factory=PhysicalNetworks)
    asked: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def journal(self) -> FileJournal:
        return FileJournal(self.state, self.boot_id)

    @property
    def mirrors(self) -> MirrorService:
        journal = self.journal
        numbers = itertools.count(1)
        engine = Transactions(
            self.host, journal, sink=EventsView(self.told.append), cancelled=self._cancelled, settle=Settle(0.0, 0.0)
        )
        prover = Prover(
            self.prober or self.host,
            Probing(lambda: next(numbers).to_bytes(8), frames=5, patience_s=0.0),
            sink=EventsView(self.told.append),
            cancelled=self._cancelled,
        )
        return MirrorService(
            self.host,
            journal,
            engine,
            prover,
            self.vantage,
            sink=EventsView(self.told.append),
            physnets=lambda: self.physnets,
        )

    def transactions(self) -> list[Transaction]:
        return list(self.journal.all())

    def _cancelled(self) -> bool:
        self.asked += 1
        return self.cancel_after is not None and self.asked > self.cancel_after
