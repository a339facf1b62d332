from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.findings import ids
from tests.unit.services.rig import Rig

from virtfn.errors import (
    CapabilityError,
    ConflictError,
    GuardRefused,
    Interrupted,
    KernelRefused,
    LockHeld,
    PermissionDenied,
    ProofFailed,
    RollbackIncomplete,
    UsageError,
)
from virtfn.journal.files import FileJournal
from virtfn.model.addresses import MacAddress
from virtfn.model.device_spec import AddressPattern, DeviceSpec
from virtfn.model.inventory import EswitchMode
from virtfn.model.mirror import DeclaredMirror, MirrorHealth
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.plan import Target, Value
from virtfn.model.probe import Direction, ProbeBurst, Strength, Tally
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status
from virtfn.services.declared_mirrors import mirrored_vfs
from virtfn.store.mirrors import FileMirrorStore

SOURCE_MAC, COPY_MAC = "fa:16:3e:aa:33:59", "fa:16:3e:a1:43:57"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "state")


def test_a_mirror_is_made_proven_and_removed(rig: Rig) -> None:
    before = rig.host.observe()
    receipt = rig.add("p2p1/3", "p2p1/2")
    assert receipt.report.proven
    assert rig.host.vfs[2].mac == SOURCE_MAC
    to_source = [leg for leg in receipt.report.legs if leg.kind is Direction.TO_SOURCE]
    assert [leg.name for leg in to_source] == ["p2p1 -> p2p1/3", "wire:w0 -> p2p1/3", "p2p1/0 -> p2p1/3"]
    assert all(leg.copy.frames == leg.source.frames == leg.sent == 5 for leg in to_source)
    assert all(leg.copy.frames == 0 for leg in receipt.report.control_before)
    assert receipt.report.directions == ("to source",)
    removed = rig.mirrors.remove(str(receipt.id))
    assert removed.report.proven
    assert all(leg.copy.frames == 0 for leg in removed.report.control_after)
    assert rig.host.observe() == before


def test_add_and_remove_twice_leaves_the_host_as_it_was(rig: Rig) -> None:
    before = rig.host.observe()
    for _ in range(2):
        rig.add("p2p1/3", "p2p1/2")
        rig.mirrors.remove("p2p1/3", "p2p1/2")
    assert rig.host.observe() == before
    assert [entry.status for entry in rig.transactions()] == [Status.ROLLED_BACK] * 2


def test_one_source_may_have_two_mirrors_removed_one_by_one(rig: Rig) -> None:
    before = rig.host.observe()
    rig.add("p2p1/3", "p2p1/2")
    assert rig.add("p2p1/3", "p2p1/1").report.proven
    assert rig.mirrors.remove("1").report.proven
    assert [mirror.copy_label for mirror in rig.mirrors.all()] == ["p2p1/1"]
    assert rig.mirrors.prove("p2p1/3").report.proven
    rig.mirrors.remove("2")
    assert rig.host.observe() == before


def test_trust_is_taken_from_the_copy_and_given_back(rig: Rig) -> None:
    rig.host.vfs[2] = replace(rig.host.vfs[2], trust=True)
    receipt = rig.add("p2p1/3", "p2p1/2")
    assert [step.field for step in receipt.plan.steps] == ["trust", "mac"]
    assert not rig.host.vfs[2].trust
    rig.mirrors.remove("1")
    assert rig.host.vfs[2].trust


def test_the_plan_says_what_the_copy_loses(rig: Rig) -> None:
    plan = rig.propose("p2p1/3", "p2p1/2").plan
    assert any("cut off from its own traffic" in note for note in plan.notes)
    assert plan.steps[-1].command == f"ip link set dev p2p1 vf 2 mac {SOURCE_MAC}"
    assert plan.steps[-1].undo_command == f"ip link set dev p2p1 vf 2 mac {COPY_MAC}"
    assert not rig.state.exists()


@pytest.mark.parametrize(("driver", "noted"), [("igb", False), ("ixgbe", True)])
def test_the_plan_says_where_it_is_not_known_that_the_copy_gets_the_frames(rig: Rig, driver: str, noted: bool) -> None:
    rig.host.driver = driver
    plan = rig.propose("p2p1/3", "p2p1/2").plan
    told = [note for note in plan.notes if "which of 2 ports with the MAC" in note]
    assert bool(told) is noted


@pytest.mark.parametrize("literal", [False, True])
def test_the_field_notes_recipe_fails_its_proof_and_is_rolled_back(rig: Rig, literal: bool) -> None:
    before = rig.host.observe()
    with pytest.raises(ProofFailed) as caught:
        rig.add("p2p1/3", "p2p1/2", strategy="field-note", literal=literal)
    report = caught.value.report
    assert report is not None
    assert [(point.source, point.copy) for point in report.waypoints] == [(5, 5)]  # type: ignore[attr-defined]
    assert all(leg.copy.frames == 0 for leg in report.legs)  # type: ignore[attr-defined]
    assert rig.host.observe() == before
    assert (rig.host.bystander_losses > 0) == literal


GUARDS: dict[str, tuple[str, str, dict[int, dict[str, Any]]]] = {
    "same-vf": ("p2p1/3", "p2p1/3", {}),
    "vlan": ("p2p1/3", "p2p1/2", {3: {"vlan": 100}}),
    "source-down": ("p2p1/3", "p2p1/2", {3: {"guest_up": False}}),
    "copy-down": ("p2p1/3", "p2p1/2", {2: {"guest_up": False}}),
    "source-mac": ("p2p1/3", "p2p1/2", {3: {"mac": "01:00:5e:00:00:01"}}),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_each_guard_refuses_by_its_name_and_changes_nothing(rig: Rig, guard: str) -> None:
    source, copy, changes = GUARDS[guard]
    for index, change in changes.items():
        rig.host.vfs[index] = replace(rig.host.vfs[index], **change)
    before = rig.host.observe()
    with pytest.raises(GuardRefused) as caught:
        rig.add(source, copy)
    assert guard in ids(caught.value)
    assert rig.host.observe() == before
    assert not rig.transactions()


def test_a_pf_that_is_down_is_refused(rig: Rig) -> None:
    rig.host.up = False
    with pytest.raises(GuardRefused, match="p2p1 is down"):
        rig.add("p2p1/3", "p2p1/2")


def test_vfs_of_two_physical_networks_are_refused_unless_forced(rig: Rig) -> None:
    rig.physnets = PhysicalNetworks(
        nova=(
            DeviceSpec("physnet2", "/etc/nova/nova.conf:7", address=AddressPattern.of_glob("0000:01:10.4")),
            DeviceSpec("physnet1", "/etc/nova/nova.conf:8", devname="p2p1"),
        )
    )
    with pytest.raises(GuardRefused, match=r"nova for p2p1/2, /etc/nova/nova\.conf:7") as caught:
        rig.add("p2p1/3", "p2p1/2")
    assert ids(caught.value) == ["two-physnets"]
    assert rig.add("p2p1/3", "p2p1/2", forced=frozenset({"two-physnets"})).report.proven
    assert rig.add("p2p1/3", "p2p1/1").report.proven


@pytest.mark.parametrize("known_from", ["neighbour table", "vantage point"])
def test_a_mac_that_lives_outside_is_refused_even_when_forced(rig: Rig, known_from: str) -> None:
    mac = SOURCE_MAC
    if known_from == "neighbour table":
        rig.host.outside[MacAddress.parse(mac)] = "neighbour 10.0.0.1"
    else:
        rig.host.vfs[3] = replace(rig.host.vfs[3], mac="52:54:00:00:00:01")
    with pytest.raises(GuardRefused, match="belongs to a host outside"):
        rig.add("p2p1/3", "p2p1/2", forced=frozenset({"foreign-mac"}))


def test_a_copy_in_use_is_refused_in_either_role(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    for source, copy in (("p2p1/1", "p2p1/2"), ("p2p1/2", "p2p1/1"), ("p2p1/1", "p2p1/3")):
        with pytest.raises(GuardRefused) as caught:
            rig.add(source, copy)
        assert "in-use" in ids(caught.value)


def test_a_forced_guard_does_not_refuse_but_the_frames_still_judge(rig: Rig) -> None:
    rig.host.vfs[3] = replace(rig.host.vfs[3], vlan=100)
    with pytest.raises(ProofFailed, match="the copy got 0 of 5 frames"):
        rig.add("p2p1/3", "p2p1/2", forced=frozenset({"vlan"}))
    assert rig.transactions()[0].status is Status.ROLLED_BACK


def test_a_vf_without_a_meter_is_refused(rig: Rig) -> None:
    rig.host.driver = "bnxt_en"
    rig.host.vfs[2] = replace(rig.host.vfs[2], reachable=False)
    with pytest.raises(GuardRefused, match=r"no meter at p2p1/2: captured-frames: no netdev is in reach") as caught:
        rig.add("p2p1/3", "p2p1/2", forced=frozenset({"no-meter"}))
    assert ids(caught.value) == ["no-meter"]


def test_an_unknown_driver_is_not_tried_unasked_but_by_name(rig: Rig) -> None:
    rig.host.driver = "fancynic"
    with pytest.raises(CapabilityError, match="nothing is known about the driver fancynic"):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.add("p2p1/3", "p2p1/2", strategy="twin-mac").report.proven


def test_wrong_references_say_what_there_is(rig: Rig) -> None:
    for source, copy in (("p2p1/9", "p2p1/2"), ("eth7/1", "p2p1/2"), ("0000:99:00.0", "p2p1/2"), ("p2p1/x", "p2p1/2")):
        with pytest.raises(UsageError):
            rig.add(source, copy)
    with pytest.raises(UsageError, match="no strategy"):
        rig.add("p2p1/3", "p2p1/2", strategy="magic")
    with pytest.raises(UsageError, match="no mirror"):
        rig.mirrors.remove("7")


class LossyProber:
    """Loses the third frame of every burst at the copy, as long as it is told to."""

    def __init__(self, rig: Rig, bursts: int) -> None:
        self.rig, self.left = rig, bursts
        self.ready, self.idle = rig.host.ready, rig.host.idle

    def send(self, burst: ProbeBurst) -> dict[str, Tally]:
        found = dict(self.rig.host.send(burst))
        if self.rig.host.vfs[2].mac == SOURCE_MAC and self.left > 0 and found["p2p1/2"].frames:
            self.left -= 1
            found["p2p1/2"] = replace(found["p2p1/2"], frames=burst.count - 1, missing=1)
        return found


def test_one_lost_frame_is_no_proof(rig: Rig) -> None:
    rig.prober = LossyProber(rig, 10_000)
    with pytest.raises(ProofFailed, match="the copy got 4 of 5 frames"):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.host.vfs[2].mac == COPY_MAC
    assert rig.transactions()[0].status is Status.ROLLED_BACK


def test_a_proof_is_tried_twice(rig: Rig) -> None:
    rig.prober = LossyProber(rig, 1)
    assert rig.add("p2p1/3", "p2p1/2").report.proven


def test_prove_again_and_drift(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    assert rig.mirrors.prove("1").report.proven
    assert rig.mirrors.all()[0].status.health is MirrorHealth.HEALTHY
    rig.host.vfs[2] = replace(rig.host.vfs[2], mac="02:00:00:00:00:07")
    drifted = rig.mirrors.all()[0]
    assert drifted.status.health is MirrorHealth.LOST
    (found,) = drifted.status.findings
    assert (found.id, found.subject) == ("drift", "p2p1/2")
    assert found.evidence == (f"02:00:00:00:00:07 now, virtfn had set {SOURCE_MAC}",)
    with pytest.raises(ProofFailed, match="does not hold"):
        rig.mirrors.prove("1")
    with pytest.raises(ConflictError, match="another program has changed this since"):
        rig.mirrors.remove("1")
    assert rig.host.vfs[2].mac == "02:00:00:00:00:07", "what somebody else wrote is not overwritten"
    rig.host.vfs[2] = replace(rig.host.vfs[2], mac=SOURCE_MAC)
    assert rig.mirrors.remove("1").report.proven, "once mended, the removal is finished"


def test_a_guest_that_adopted_the_mac_is_named_at_removal(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.host.vfs[2] = replace(rig.host.vfs[2], guest_mac=SOURCE_MAC)
    assert "set it down and up" in rig.mirrors.remove("1").warnings[0]


def test_two_at_once_is_refused(rig: Rig) -> None:
    with rig.journal.lock(), pytest.raises(LockHeld):
        rig.add("p2p1/3", "p2p1/2")


class Killed(BaseException):
    """What SIGKILL would be: nothing runs after it. The service under test never sees it handled."""


@pytest.mark.parametrize("strategy", ["twin-mac", "field-note"])
def test_a_kernel_error_at_any_write_restores_the_host(tmp_path: Path, strategy: str) -> None:
    for number in range(20):
        rig = Rig(tmp_path / f"{strategy}{number}")
        rig.host.vfs[2] = replace(rig.host.vfs[2], trust=strategy == "twin-mac")
        before, writes = rig.host.observe(), 0

        def fail(action: str, target: Target, field: str, value: Value, at: int = number) -> None:
            nonlocal writes
            if action == "write":
                writes += 1
                if writes == at + 1:
                    raise KernelRefused("Device or resource busy (EBUSY)", where=target.label, errno=16)

        rig.host.hook = fail
        try:
            rig.add("p2p1/3", "p2p1/2", strategy=strategy)
        except (KernelRefused, ProofFailed):
            assert rig.host.observe() == before
        except RollbackIncomplete:
            # the write that failed was the way back itself; once the kernel is willing again, nothing remains
            rig.host.hook = None
            rig.mirrors.remove("1")
            assert rig.host.observe() == before
        if writes <= number:
            return
    pytest.fail("the number of writes was not bounded")


@pytest.mark.parametrize("strategy", ["twin-mac", "field-note"])
def test_ctrl_c_at_any_moment_restores_the_host(tmp_path: Path, strategy: str) -> None:
    interrupted = 0
    for moment in range(60):
        rig = Rig(tmp_path / f"{strategy}{moment}", cancel_after=moment)
        before = rig.host.observe()
        try:
            rig.add("p2p1/3", "p2p1/2", strategy=strategy)
        except Interrupted:
            interrupted += 1
            assert rig.host.observe() == before
            assert all(entry.status is Status.ROLLED_BACK for entry in rig.transactions())
        except ProofFailed:
            break
        else:
            break
    assert interrupted >= 8


def test_something_else_unfinished_stops_a_new_mirror(rig: Rig) -> None:
    plan = rig.propose("p2p1/3", "p2p1/2").plan
    rig.journal.begin(replace(plan, subject=HostSubject()))
    assert [one.id for one in rig.propose("p2p1/3", "p2p1/2").findings] == ["unfinished-transaction"]
    with pytest.raises(ConflictError, match="is open"):
        rig.add("p2p1/3", "p2p1/2")


def test_an_unfinished_mirror_is_rolled_back_by_the_next_command(rig: Rig) -> None:
    plan = rig.propose("p2p1/3", "p2p1/2").plan
    entry = rig.journal.record_intent(rig.journal.begin(plan), [0])
    rig.host.write(plan.steps[0].target, "mac", SOURCE_MAC)
    assert rig.mirrors.all()[0].status.health is MirrorHealth.UNFINISHED
    rig.add("p2p1/3", "p2p1/2")
    assert rig.store.all()[0].transaction == entry.id + 1
    assert rig.transactions()[0].status is Status.ROLLED_BACK


def health(rig: Rig) -> list[tuple[int, MirrorHealth]]:
    return [(mirror.id, mirror.status.health) for mirror in rig.mirrors.all()]


def test_a_mirror_is_declared_while_it_is_there(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    (declared,) = rig.store.all()
    assert (declared.spec.id, str(declared.spec.source), str(declared.spec.copy)) == (
        1,
        "0000:01:00.0/3",
        "0000:01:00.0/2",
    )
    rig.mirrors.remove("1")
    assert rig.store.all() == ()
    assert rig.add("p2p1/3", "p2p1/2").id == 2, "an id is not used again"


def test_a_mirror_that_is_not_proven_is_not_declared(rig: Rig) -> None:
    rig.prober = LossyProber(rig, 10_000)
    with pytest.raises(ProofFailed):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.store.all() == ()


def test_a_mirror_whose_commit_fails_is_not_declared(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.cancel_after = 10_000
    attach = FileJournal.attach

    def cancel(*arguments: Any) -> Any:
        rig.cancel_after = 0
        return attach(*arguments)

    monkeypatch.setattr(FileJournal, "attach", cancel)
    with pytest.raises(Interrupted):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.store.all() == ()
    assert rig.host.vfs[2].mac == COPY_MAC


def test_a_mirror_outlives_a_reboot_as_lost_and_is_made_again_under_its_id(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.boot_id = "boot-2"
    rig.host.vfs[2] = replace(rig.host.vfs[2], mac=COPY_MAC)
    assert health(rig) == [(1, MirrorHealth.LOST)]
    assert "the host was booted since" in rig.mirrors.all()[0].status.reason
    assert rig.transactions()[0].status is Status.ENDED
    with pytest.raises(ConflictError, match="lost"):
        rig.mirrors.prove("1")
    assert rig.add("p2p1/3", "p2p1/2").id == 1
    assert health(rig) == [(1, MirrorHealth.HEALTHY)]


def test_a_mirror_that_a_reboot_ended_is_removed_without_touching_the_host(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.boot_id = "boot-2"
    before = rig.host.observe()
    removed = rig.mirrors.remove("p2p1/3")
    assert "nothing was put back" in removed.warnings[0]
    assert not removed.report.legs
    assert rig.host.observe() == before
    assert rig.store.all() == ()


def test_a_mirror_whose_vfs_are_gone_is_lost_and_still_found_by_its_label(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.boot_id = "boot-2"
    rig.host.vfs[:] = rig.host.vfs[:1]
    assert health(rig) == [(1, MirrorHealth.LOST)]
    assert rig.mirrors.remove("p2p1/3", "p2p1/2").id == 1


def test_a_mirror_that_was_rolled_back_is_lost_until_it_is_removed(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.engine.rollback(rig.transactions()[0])
    assert health(rig) == [(1, MirrorHealth.LOST)]
    assert rig.mirrors.remove("1").report.proven
    assert rig.store.all() == ()


def test_a_mirror_whose_transaction_is_gone_from_the_journal_is_lost_and_can_be_removed(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    (rig.state / "journal" / "0001.jsonl").unlink()
    assert health(rig) == [(1, MirrorHealth.LOST)]
    assert "no transaction 1" in rig.mirrors.remove("1").warnings[0]


def test_a_copy_that_is_trusted_again_degrades_its_mirror(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.host.vfs[2] = replace(rig.host.vfs[2], trust=True)
    assert health(rig) == [(1, MirrorHealth.DEGRADED)]


def test_a_source_with_another_mac_loses_its_mirror(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.host.vfs[3] = replace(rig.host.vfs[3], mac="02:00:00:00:00:07")
    assert health(rig) == [(1, MirrorHealth.LOST)]


def test_a_proof_that_fails_later_leaves_the_mirror_unproven(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    rig.prober = LossyProber(rig, 10_000)
    with pytest.raises(ProofFailed):
        rig.mirrors.prove("1")
    assert health(rig) == [(1, MirrorHealth.UNPROVEN)]
    rig.prober = None
    assert rig.mirrors.prove("1").warnings == (), "what an earlier proof found is no warning"
    assert health(rig) == [(1, MirrorHealth.HEALTHY)]


def test_what_another_process_works_on_is_in_progress(rig: Rig) -> None:
    rig.journal.begin(rig.propose("p2p1/3", "p2p1/2").plan)
    with rig.journal.lock():
        assert health(rig) == [(1, MirrorHealth.IN_PROGRESS)]
    assert health(rig) == [(1, MirrorHealth.UNFINISHED)]


def test_what_was_proposed_is_what_runs_or_nothing(rig: Rig) -> None:
    proposal = rig.propose("p2p1/3", "p2p1/2")
    rig.host.vfs[2] = replace(rig.host.vfs[2], trust=True)
    before = rig.host.observe()
    with pytest.raises(ConflictError, match="changed since this was proposed"):
        rig.mirrors.carry_out(proposal)
    assert rig.host.observe() == before
    again = rig.propose("p2p1/3", "p2p1/2")
    assert rig.mirrors.carry_out(again).plan is again.plan


def test_every_strategy_is_judged(rig: Rig) -> None:
    proposal = rig.propose("p2p1/3", "p2p1/2")
    assert [one.strategy for one in proposal.attempts] == ["twin-mac"]
    assert {no.strategy: [one.id for one in no.findings] for no in proposal.rejections} == {
        "field-note": ["by-name-only"]
    }


def test_a_proposal_names_the_meters(rig: Rig) -> None:
    rig.host.vfs[0] = replace(rig.host.vfs[0], driver=None)
    points = rig.propose("p2p1/3", "p2p1/2").points
    assert points is not None
    assert (points.source.meter, points.source.strength) == ("captured-frames", Strength.SEEN)
    assert [one.label for one in points.unmetered] == ["p2p1/0"]


def test_a_direction_that_no_strategy_copies_is_refused_with_the_reason(rig: Rig) -> None:
    with pytest.raises(CapabilityError, match="twin-mac: it copies what is sent to p2p1/3"):
        rig.add("p2p1/3", "p2p1/2", directions=tuple(Direction))


def test_a_pf_in_switchdev_mode_is_refused_by_the_strategy(rig: Rig) -> None:
    rig.host.pfs[0].eswitch_mode = EswitchMode.SWITCHDEV
    proposal = rig.propose("p2p1/3", "p2p1/2")
    assert "switchdev" in [one.id for no in proposal.rejections for one in no.findings]
    with pytest.raises(GuardRefused, match="forwarded by rules"):
        rig.mirrors.carry_out(proposal)


def test_vfs_of_mirrors_that_are_in_place_are_known_to_other_plans(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")
    assert [one.index for one in mirrored_vfs(rig.store, rig.journal)] == [3, 2]
    rig.boot_id = "boot-2"
    assert mirrored_vfs(rig.store, rig.journal) == ()


def test_a_user_who_may_not_read_the_declared_mirrors_still_plans(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_store: FileMirrorStore) -> tuple[DeclaredMirror, ...]:
        raise PermissionDenied("no")

    monkeypatch.setattr(FileMirrorStore, "all", refuse)
    assert mirrored_vfs(rig.store, rig.journal) == ()
