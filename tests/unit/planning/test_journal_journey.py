"""A host plan on its way through the real journal: saved, read back, undone by another process."""

from pathlib import Path

from virtfn.engine.events import ignore
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.journal.files import FileJournal
from virtfn.model.addresses import MacAddress
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.inventory import Vlan
from virtfn.model.transaction import Status
from virtfn.planning.host.diff import diff
from virtfn.planning.host.plan import plan_host
from virtfn.planning.host.summary import summary
from virtfn.testing import FakeHost, FakePf, FakeVf

OLD, NEW = "02:00:00:00:00:01", "02:00:00:00:00:02"


def test_a_replacement_is_undone_from_what_the_journal_kept(tmp_path: Path) -> None:
    vfs = [FakeVf(OLD, vlan=5, driver="vfio-pci", place="host"), FakeVf(NEW, trust=True, place="host")]
    host = FakeHost(pfs=(FakePf(vfs),))
    wanted = DesiredPf(PfMatch(driver="igb"), num_vfs=3, vfs=((0, DesiredVf(mac=MacAddress.parse(NEW), vlan=Vlan(7))),))
    before = [host.pfs[0].read_vf(index, field) for index in range(2) for field in ("mac", "vlan", "trust", "driver")]
    observed = host.observe()
    plan = plan_host(diff(DesiredHost((wanted,)), observed), observed)
    journal = FileJournal(tmp_path, "boot-1")
    Transactions(host, journal, sink=ignore, settle=Settle(0.0, 0.0)).run(plan)
    assert (host.vfs[0].mac, host.vfs[0].vlan, len(host.vfs)) == (NEW, 7, 3)

    kept = FileJournal(tmp_path, "boot-1").load(1)
    assert kept.plan == plan
    assert summary(kept.plan) == summary(plan)
    undone = Transactions(host, FileJournal(tmp_path, "boot-1"), sink=ignore, settle=Settle(0.0, 0.0)).rollback(kept)
    after = [host.pfs[0].read_vf(index, field) for index in range(2) for field in ("mac", "vlan", "trust", "driver")]
    assert undone.status is Status.ROLLED_BACK
    assert (after, len(host.vfs)) == (before, 2)
