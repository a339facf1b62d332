"""A MirrorService on the fake host, with a journal in a temporary folder."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from virtfn.cli.events_view import EventsView
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.journal.files import FileJournal
from virtfn.model.mirror import MirrorProposal, MirrorReceipt, MirrorRequest
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.transaction import Transaction
from virtfn.services.interfaces import Prober
from virtfn.services.mirrors import MirrorService
from virtfn.services.probe_points import ProbeOrigins
from virtfn.services.prover import Probing, Prover
from virtfn.store.mirrors import FileMirrorStore
from virtfn.testing import FakeHost, field_note_host

LAB_ORIGINS = ProbeOrigins(pf=True, sibling=True, outside=("wire:w0",))


@dataclass
class Rig:
    """``cancel_after``: the number of questions after which a person has pressed Ctrl-C; None: never."""

    state: Path
    host: FakeHost = field(default_factory=field_note_host)
    boot_id: str = "boot-1"
    origins: ProbeOrigins = LAB_ORIGINS
    cancel_after: int | None = None
    prober: Prober | None = None
    physnets: PhysicalNetworks = field(default_factory=PhysicalNetworks)
    random: Random = field(default_factory=lambda: Random(7))
    asked: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def journal(self) -> FileJournal:
        return FileJournal(self.state, self.boot_id)

    @property
    def store(self) -> FileMirrorStore:
        return FileMirrorStore(self.state)

    def add(self, source: str, copy: str, **options: Any) -> MirrorReceipt:
        return self.mirrors.add(MirrorRequest(source, copy, **options))

    def propose(self, source: str, copy: str, **options: Any) -> MirrorProposal:
        return self.mirrors.propose(MirrorRequest(source, copy, **options))

    @property
    def engine(self) -> Transactions:
        sink = EventsView(self.told.append)
        return Transactions(self.host, self.journal, sink=sink, cancelled=self._cancelled, settle=Settle(0.0, 0.0))

    @property
    def mirrors(self) -> MirrorService:
        numbers = itertools.count(1)
        sink = EventsView(self.told.append)
        prover = Prover(
            self.prober or self.host,
            Probing(lambda: next(numbers).to_bytes(8), self.random.randint, frames=5, patience_s=0.0),
            sink=sink,
            cancelled=self._cancelled,
        )
        return MirrorService(
            self.host,
            self.journal,
            self.engine,
            self.store,
            prover,
            self.origins,
            sink=sink,
            physnets=lambda: self.physnets,
        )

    def transactions(self) -> list[Transaction]:
        return list(self.journal.all())

    def _cancelled(self) -> bool:
        self.asked += 1
        return self.cancel_after is not None and self.asked > self.cancel_after
