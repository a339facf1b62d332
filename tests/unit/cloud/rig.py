"""A CloudService on the fake cloud."""

from dataclasses import dataclass, field
from typing import Any

from virtfn.cli.events_view import EventsView
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.model.cloud import DesiredCloud, Kind
from virtfn.model.plan import Plan
from virtfn.model.proposal import CloudProposal, CloudRequest, WaitPolicy
from virtfn.model.subject import CloudAction
from virtfn.services.cloud_state import CloudReceipt, CloudService
from virtfn.services.history import History
from virtfn.spec.cloud.loading import load_cloud
from virtfn.testing import FakeCloud, MemoryJournal

FIELD_NOTE = """
virtfn: cloud/1
name: note
networks:
  - name: flat
    physical_network: physnet1
    port_security: false
    subnets:
      - {name: flat-v4, cidr: 192.0.2.0/24, pools: ["192.0.2.10-192.0.2.99"], gateway: none, dhcp: false}
servers:
  - name: vm-{n}
    count: 2
    image: cirros
    flavor: m1.tiny
    anti_affinity: apart
    ports: [{network: flat, vnic_type: direct}]
"""


def desired(text: str = FIELD_NOTE) -> DesiredCloud:
    return load_cloud("cloud.yaml", text)


@dataclass
class Rig:
    """``cancel_after``: the number of questions after which a person has pressed Ctrl-C; None: never."""

    cloud: FakeCloud = field(default_factory=FakeCloud)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    patience: WaitPolicy = field(default_factory=lambda: WaitPolicy(0.0, 0.0))
    cancel_after: int | None = None
    asked: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def clouds(self) -> CloudService:
        sink = EventsView(self.told.append)
        engine = Transactions(
            self.cloud,
            self.journal,
            sink=sink,
            cancelled=self._cancelled,
            settle=Settle(0.0, 0.0),
        )
        return CloudService(
            self.cloud,
            self.journal,
            engine,
            sink=sink,
            cancelled=self._cancelled,
            patience=self.patience,
        )

    @property
    def records(self) -> History:
        engine = Transactions(self.cloud, self.journal, sink=EventsView(self.told.append), settle=Settle(0.0, 0.0))
        return History(self.journal, engine)

    def propose(self, wanted: DesiredCloud) -> CloudProposal:
        return self.clouds.propose(CloudRequest(CloudAction.UP, wanted))

    def propose_down(self, spec: str = "note") -> CloudProposal:
        return self.clouds.propose(CloudRequest(CloudAction.DOWN, DesiredCloud(spec)))

    def plan(self, wanted: DesiredCloud) -> Plan:
        return self.propose(wanted).plan

    def up(self, text: str = FIELD_NOTE) -> CloudReceipt:
        return self.clouds.carry_out(self.propose(desired(text)))

    def down(self, spec: str = "note") -> CloudReceipt:
        return self.clouds.carry_out(self.propose_down(spec))

    def ours(self, spec: str = "note") -> dict[tuple[Kind, str], Any]:
        return {(one.kind, one.name): one for one in self.cloud.observe(spec).ours}

    def _cancelled(self) -> bool:
        self.asked += 1
        return self.cancel_after is not None and self.asked > self.cancel_after
