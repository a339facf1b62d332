from dataclasses import replace
from unittest.mock import Mock

import pytest
from tests.findings import found
from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.errors import (
    CloudError,
    CloudUnreachable,
    ConflictError,
    Interrupted,
    RollbackIncomplete,
    SpecError,
    VerifyFailed,
    VirtfnError,
)
from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.finding import Finding, Severity, UseCase
from virtfn.model.plan import Target, Value
from virtfn.model.proposal import WaitPolicy
from virtfn.model.transaction import Status
from virtfn.planning.cloud.causes import AGENT_DEAD, NO_FREE_VF
from virtfn.testing import FakeCloud, FakeRules


@pytest.fixture
def rig() -> Rig:
    return Rig()


def causes_of(failure: VirtfnError) -> list[Finding]:
    return list(failure.findings)


def test_up_makes_the_field_notes_network_and_servers_on_their_vfs(rig: Rig) -> None:
    receipt = rig.up()
    ours = rig.ours()
    assert [kind for kind, _ in ours] == sorted((kind for kind, _ in ours), key=list(Kind).index)
    assert ours[Kind.NETWORK, "flat"].port_security is False
    assert ours[Kind.SUBNET, "flat-v4"].gateway is None
    assert ours[Kind.PORT, "vm-1-0"].vif_type == "hw_veb"
    hosts = {ours[Kind.SERVER, name].host for name in ("vm-1", "vm-2")}
    assert hosts == {"compute1", "compute2"}
    assert receipt.id == 1
    (evidence,) = rig.journal.load(1).evidence
    assert evidence["kind"] == "placement"


def test_up_twice_does_nothing_the_second_time(rig: Rig) -> None:
    rig.up()
    before = rig.cloud.everything()
    assert rig.plan(desired()).is_empty
    assert rig.up().id is None
    assert rig.cloud.everything() == before


def test_down_leaves_nothing_of_ours_and_all_of_others(rig: Rig) -> None:
    rig.cloud.add_foreign(Kind.NETWORK, "flat", {"type": "flat", "physical_network": "physnet2"})
    before, vfs = rig.cloud.everything(), sorted(rig.cloud.rules.vfs)
    rig.up()
    rig.down()
    assert rig.cloud.everything() == before
    assert sorted(rig.cloud.rules.vfs) == vfs
    assert rig.down().id is None


def test_down_leaves_a_network_that_others_use(rig: Rig) -> None:
    rig.up()
    rig.cloud.add_foreign(Kind.PORT, "theirs", {"network": "flat", "vnic_type": "direct"}, device_owner="compute:nova")
    proposal = rig.propose_down("note")
    assert proposal.plan.notes == ("network flat stays, and its subnets: port theirs on it is not ours (compute:nova)",)
    rig.clouds.carry_out(proposal)
    assert set(rig.ours()) == {(Kind.NETWORK, "flat"), (Kind.SUBNET, "flat-v4")}


def test_ports_of_neutrons_own_agents_do_not_keep_a_network(rig: Rig) -> None:
    rig.up()
    rig.cloud.add_foreign(Kind.PORT, "", {"network": "flat", "vnic_type": "normal"}, device_owner="network:dhcp")
    assert rig.propose_down("note").plan.notes == ()


def test_another_specs_objects_are_not_ours(rig: Rig) -> None:
    rig.up()
    rig.up(FIELD_NOTE.replace("name: note", "name: other").replace("physnet1", "physnet2").split("servers:")[0])
    rig.down("other")
    assert rig.plan(desired()).is_empty


def test_a_network_already_there_is_used_and_left_alone(rig: Rig) -> None:
    rig.cloud.add_foreign(Kind.NETWORK, "flat", {"type": "flat", "physical_network": "physnet1"})
    rig.cloud.add_foreign(Kind.SUBNET, "v4", {"network": "flat", "cidr": "192.0.2.0/24"})
    servers = "servers: [{name: vm, image: cirros, flavor: m1.tiny, ports: [{network: flat}]}]"
    rig.up(f"virtfn: cloud/1\nname: note\n{servers}\n")
    assert set(rig.ours()) == {(Kind.PORT, "vm-0"), (Kind.SERVER, "vm")}


def test_what_the_cloud_has_not_is_said_before_anything_is_made(rig: Rig) -> None:
    rig.cloud.add_foreign(Kind.NETWORK, "old", {"type": "flat", "physical_network": "physnet1"})
    text = FIELD_NOTE.replace("cirros", "fedora").replace("m1.tiny", "huge").replace("apart", "apart\n    key_name: k")
    with pytest.raises(SpecError) as caught:
        rig.up(text)
    problems = found(caught.value)
    assert problems[0] == (
        "cloud.yaml:5: physnet1 carries the flat network old already, which is not ours; "
        "use it (network: old), or another physical network"
    )
    assert problems[1:4] == [
        "cloud.yaml:11: there is no image fedora (there is: cirros)",
        "cloud.yaml:11: there is no flavor huge (there is: m1.tiny)",
        "cloud.yaml:11: there is no key pair k (there is: operator)",
    ]
    assert len(rig.cloud.everything()) == 1


def test_what_can_be_changed_is_changed_in_place(rig: Rig) -> None:
    rig.up()
    text = FIELD_NOTE.replace("port_security: false", "port_security: true\n    mtu: 9000")
    plan = rig.plan(desired(text))
    assert [(step.target.id, step.field, step.before, step.after) for step in plan.steps] == [
        ("note/flat", "mtu", 1500, 9000),
        ("note/flat", "port_security", False, True),
    ]
    assert plan.steps[0].command == f"openstack network set --mtu 9000 {rig.ours()[Kind.NETWORK, 'flat'].id}"
    rig.up(text)
    assert rig.plan(desired(text)).is_empty


def test_what_cannot_be_changed_is_refused_all_at_once(rig: Rig) -> None:
    rig.up()
    rig.cloud.rules = replace(rig.cloud.rules, flavors=("m1.tiny", "m1.big"))
    text = FIELD_NOTE.replace("m1.tiny", "m1.big").replace("physnet1", "physnet2")
    with pytest.raises(ConflictError) as caught:
        rig.plan(desired(text))
    assert "network flat has physical_network physnet1, not physnet2" in str(caught.value)
    assert "server vm-2 has flavor m1.tiny, not m1.big" in str(caught.value)


def test_what_left_the_spec_stays_and_is_named(rig: Rig) -> None:
    rig.up()
    proposal = rig.propose(desired(FIELD_NOTE.replace("count: 2", "count: 1")))
    assert proposal.is_empty
    assert [(one.id, one.what) for one in proposal.findings] == [
        ("stray", "port vm-2-0 has the spec's tag but is not in the spec: it stays until the spec is deleted"),
        ("stray", "server vm-2 has the spec's tag but is not in the spec: it stays until the spec is deleted"),
    ]


def test_no_free_vf_takes_everything_back_and_says_why() -> None:
    rig = Rig(FakeCloud(FakeRules(vfs=[("compute1", "physnet1", "0000:3b:02.0")])))
    with pytest.raises(CloudError, match="No valid host was found") as caught:
        rig.up()
    assert [cause.id for cause in causes_of(caught.value)] == [NO_FREE_VF.id]
    assert rig.cloud.everything() == ()
    assert rig.journal.load(1).status is Status.ROLLED_BACK


def test_a_dead_agent_is_named_before_and_after() -> None:
    rig = Rig(FakeCloud(FakeRules(agents=(NicAgent("compute1", False, ("physnet1",)),))))
    cause = "the NIC Switch agent for physnet1 does not answer (on compute1): its VFs cannot be bound"
    (warning,) = [one for one in rig.propose(desired()).findings if one.severity is Severity.WARNING]
    assert (warning.id, warning.severity, warning.what) == (AGENT_DEAD.id, Severity.WARNING, cause)
    with pytest.raises(CloudError, match="Exceeded maximum number of retries") as caught:
        rig.up()
    assert [found.what for found in causes_of(caught.value)] == [cause]
    assert rig.cloud.everything() == ()


def test_a_server_that_takes_its_time_is_waited_for() -> None:
    rig = Rig(FakeCloud(patience=5), patience=WaitPolicy(30.0, 0.0))
    rig.up()
    assert [line for line in rig.told if line.startswith("vm-1: ")] == [
        "vm-1: BUILD",
        "vm-1: ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.0",
    ]
    assert rig.clouds.show(desired()).readiness.is_ready


def test_a_server_that_never_comes_is_taken_back() -> None:
    rig = Rig(FakeCloud(patience=10**6))
    with pytest.raises(VerifyFailed, match="not ready after 0 s: server vm-1 is BUILD"):
        rig.up()
    assert rig.cloud.everything() == ()


def test_a_wrong_host_is_not_accepted(rig: Rig) -> None:
    rig.up(FIELD_NOTE.replace("anti_affinity: apart", "host: compute2"))
    with pytest.raises(ConflictError, match="server vm-1 has host compute2, not compute1"):
        rig.plan(desired(FIELD_NOTE.replace("anti_affinity: apart", "host: compute1")))


def test_failure_at_any_write_takes_back_what_this_run_made(rig: Rig) -> None:
    rig.cloud.add_foreign(Kind.NETWORK, "theirs", {"type": "vlan", "physical_network": "physnet1"})
    before = rig.cloud.everything()
    steps = sum(step.after is not None for step in rig.plan(desired()).steps)
    for at in range(steps):
        writes = 0

        def fail(action: str, target: Target, field: str, value: Value, at: int = at) -> None:
            nonlocal writes
            writes += action == "write" and value is not None
            if action == "write" and writes == at + 1:
                writes += 1
                raise CloudError("500", where=str(target), status=500)

        rig.cloud.hook = fail
        with pytest.raises(CloudError):
            rig.up()
        rig.cloud.hook = None
        assert rig.cloud.everything() == before


def test_a_failed_up_leaves_what_an_earlier_one_made(rig: Rig) -> None:
    rig.up(FIELD_NOTE.replace("count: 2", "count: 1"))
    before = {key: one.id for key, one in rig.ours().items()}
    rig.cloud.rules.vfs.clear()
    with pytest.raises(CloudError):
        rig.up()
    assert {key: one.id for key, one in rig.ours().items()} == before


@pytest.mark.parametrize("after", range(12))
def test_ctrl_c_at_any_question_leaves_all_or_nothing(after: int) -> None:
    rig = Rig(cancel_after=after)
    try:
        rig.up()
    except Interrupted:
        assert rig.cloud.everything() == ()
    else:
        assert rig.clouds.show(desired()).readiness.is_ready


def test_what_a_killed_run_has_made_is_taken_back_by_the_next(rig: Rig) -> None:
    plan = rig.plan(desired())
    entry = rig.journal.record_intent(rig.journal.begin(plan), range(len(plan.steps)))
    made = [step for step in plan.steps if step.target.kind != "server"]
    rig.cloud.write_all([(step.target, step.field, step.after) for step in made])
    ids = {one.id for one in rig.cloud.everything()}
    again = rig.propose(desired())
    assert [one.id for one in again.findings if one.id != "not-known"] == ["interrupted-run"]
    assert again.findings[0].what.startswith("transaction 1 (cloud fake: note) was interrupted")
    assert "port vm-1-0 is deleted or restored" in again.findings[0].evidence
    receipt = rig.clouds.carry_out(again)
    assert receipt.plan == again.plan, "what was shown is what runs, beside the clean-up"
    assert rig.journal.load(entry.id).status is Status.ROLLED_BACK
    assert ids.isdisjoint(one.id for one in rig.cloud.everything())
    assert rig.clouds.show(desired()).readiness.is_ready


def test_the_plan_after_a_clean_up_makes_again_what_it_deletes_and_restores(rig: Rig) -> None:
    """An interrupted run that has changed a network and made a server: its change is made again, too."""
    rig.up(FIELD_NOTE.replace("count: 2", "count: 1"))
    wider = FIELD_NOTE.replace("port_security: false", "port_security: false\n    mtu: 9000")
    plan = rig.plan(desired(wider))
    rig.journal.record_intent(rig.journal.begin(plan), range(len(plan.steps)))
    rig.cloud.write_all([(step.target, step.field, step.after) for step in plan.steps if step.target.kind != "server"])
    again = rig.propose(desired(wider))
    assert [(step.target, step.field) for step in again.plan.steps] == [
        (step.target, step.field) for step in plan.steps
    ]
    rig.clouds.carry_out(again)
    assert rig.clouds.show(desired(wider)).differences == ()


def test_a_run_that_was_interrupted_since_is_not_recovered_unseen(rig: Rig) -> None:
    proposal = rig.propose(desired())
    _die_after_the_network(rig)
    before = rig.cloud.everything()
    with pytest.raises(ConflictError, match="other runs are interrupted"):
        rig.clouds.carry_out(proposal)
    assert rig.cloud.everything() == before
    assert rig.journal.load(1).status is Status.OPEN


def test_what_somebody_deleted_since_is_found_before_anything_is_made(rig: Rig) -> None:
    rig.up(FIELD_NOTE.replace("count: 2", "count: 1"))
    proposal = rig.propose(desired())
    rig.cloud.write_all([(cloud_target("note", Kind.SERVER, "vm-1"), "definition", None)])
    before = rig.cloud.everything()
    with pytest.raises(ConflictError, match="the cloud has changed since the plan was made"):
        rig.clouds.carry_out(proposal)
    assert rig.cloud.everything() == before


@pytest.mark.parametrize("noted", ["done", "begun", "begun in part"])
def test_a_killed_run_of_which_all_is_there_is_finished(rig: Rig, noted: str) -> None:
    """By itself, by the call that it died in, or by a run on another machine, whose journal this one does not see."""
    plan = rig.plan(desired())
    steps = range(len(plan.steps) if noted != "begun in part" else 3)
    entry = rig.journal.record_intent(rig.journal.begin(plan), steps)
    if noted == "done":
        entry = rig.journal.record_done(entry, steps)
    rig.cloud.write_all([(step.target, step.field, step.after) for step in plan.steps])
    ids = [one.id for one in rig.cloud.everything()]
    again = rig.propose(desired())
    assert again.findings[0].what.endswith("everything was created, and is kept")
    assert not again.is_empty
    assert rig.clouds.carry_out(again).id is None
    assert rig.journal.load(entry.id).status is Status.COMMITTED
    assert [one.id for one in rig.cloud.everything()] == ids


def test_a_killed_run_that_does_not_get_ready_stands_until_it_is_or_is_deleted() -> None:
    """It may have been at work for long: it is no more taken back than what was committed."""
    rig = Rig(FakeCloud(patience=10**6))
    plan = rig.plan(desired())
    entry = rig.journal.begin(plan)
    entry = rig.journal.record_done(rig.journal.record_intent(entry, range(len(plan.steps))), range(len(plan.steps)))
    rig.cloud.write_all([(step.target, step.field, step.after) for step in plan.steps])
    ids = [one.id for one in rig.cloud.everything()]
    for _ in range(2):
        with pytest.raises(VerifyFailed):
            rig.up()
        assert [one.id for one in rig.cloud.everything()] == ids
        assert rig.journal.load(entry.id).status is Status.OPEN
    rig.cloud.patience = 0
    assert rig.up().id is None
    assert rig.journal.load(entry.id).status is Status.COMMITTED


@pytest.mark.parametrize("failure", [CloudUnreachable("503"), KeyboardInterrupt()])
def test_a_cloud_that_does_not_answer_costs_no_server_of_a_run_that_was_cut_short(
    rig: Rig, failure: BaseException
) -> None:
    plan = rig.plan(desired())
    entry = rig.journal.record_intent(rig.journal.begin(plan), range(len(plan.steps)))
    rig.cloud.write_all([(step.target, step.field, step.after) for step in plan.steps])
    again = rig.propose(desired())
    ids = [one.id for one in rig.cloud.everything()]
    observe, rig.cloud.observe = rig.cloud.observe, Mock(side_effect=failure)  # type: ignore[method-assign]
    with pytest.raises(type(failure)):
        rig.clouds.carry_out(again)
    rig.cloud.observe = observe  # type: ignore[method-assign]
    assert [one.id for one in rig.cloud.everything()] == ids
    assert rig.journal.load(entry.id).status is Status.OPEN


def test_a_server_that_cannot_be_deleted_keeps_its_port_and_is_what_is_to_be_deleted_first(rig: Rig) -> None:
    def fail(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and target.kind == "server" and value is None:
            raise CloudError("500", where=str(target), status=500)

    rig.up()
    (entry,) = rig.journal.all()
    rig.cloud.hook = fail
    with pytest.raises(RollbackIncomplete) as caught:
        rig.records.rollback(entry.id)
    assert "server vm-1 has it, and is still there; delete it first" in caught.value.message
    assert "openstack port delete" not in caught.value.message
    assert rig.ours()[Kind.PORT, "vm-1-0"].status == "ACTIVE"


def test_down_that_fails_tells_what_is_gone_and_is_taken_up_again(rig: Rig) -> None:
    rig.up()

    def fail(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and target.kind == "subnet":
            raise CloudError("500", where=str(target), status=500)

    rig.cloud.hook = fail
    with pytest.raises(CloudError) as caught:
        rig.down()
    gone = "server vm-1, server vm-2, server group apart, port vm-1-0, port vm-2-0"
    assert caught.value.__notes__ == [f"This cannot be taken back, and is done: {gone}."]
    rig.cloud.hook = None
    rig.down()
    assert rig.cloud.everything() == ()


def test_a_rollback_that_fails_is_finished_by_the_next_run(rig: Rig) -> None:
    rig.cloud.rules.vfs.clear()

    def fail(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and value is None and target.kind == "network" and field == "definition":
            raise CloudError("500", where=str(target), status=500)

    rig.cloud.hook = fail
    with pytest.raises(RollbackIncomplete) as caught:
        rig.up()
    assert UseCase.CLOUD_UP in [one.use_case for one in caught.value.actions]
    rig.cloud.hook = None
    rig.down()
    assert rig.cloud.everything() == ()
    rig.cloud.rules.vfs += FakeRules().vfs
    rig.up()
    assert rig.journal.load(1).status is Status.ROLLED_BACK


def test_a_foreign_port_does_not_block_this_cloud_for_good(rig: Rig) -> None:
    _die_after_the_network(rig)
    rig.cloud.add_foreign(Kind.PORT, "theirs", {"network": "flat", "vnic_type": "direct"}, device_owner="compute:nova")
    with pytest.raises(RollbackIncomplete) as incomplete:
        rig.up()
    assert UseCase.CLOUD_DOWN in [one.use_case for one in incomplete.value.actions]
    rig.up(FIELD_NOTE.replace("name: note", "name: other").replace("physnet1", "physnet2").split("servers:")[0])
    rig.down()
    assert rig.journal.load(1).status is Status.ROLLED_BACK
    assert "port theirs on it is not ours" in rig.journal.load(1).remaining[0]
    assert rig.propose(desired()).findings[0].id == "not-known", "nothing is unfinished any more"


def _die_after_the_network(rig: Rig) -> None:
    plan = rig.plan(desired())
    entry = rig.journal.begin(plan)
    network = [number for number, step in enumerate(plan.steps) if step.target == plan.steps[0].target]
    rig.journal.record_intent(entry, network)
    rig.cloud.write_all([(plan.steps[n].target, plan.steps[n].field, plan.steps[n].after) for n in network])


def test_a_routers_interface_keeps_a_network(rig: Rig) -> None:
    rig.up()
    rig.cloud.add_foreign(
        Kind.PORT,
        "",
        {"network": "flat", "vnic_type": "normal"},
        device_owner="network:router_interface",
    )
    (note,) = rig.propose_down("note").plan.notes
    assert note.startswith("network flat stays")
    assert "network:router_interface" in note


def test_up_with_nothing_to_make_is_not_done_while_a_server_is_broken(rig: Rig) -> None:
    rig.up()
    rig.cloud.break_server("vm-2", "No space left on device")
    before = rig.cloud.everything()
    with pytest.raises(CloudError, match="No space left on device"):
        rig.up()
    assert rig.cloud.everything() == before, "a person decides about its disk"
