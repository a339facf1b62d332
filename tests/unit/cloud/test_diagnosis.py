"""Causes of failed boots are told apart, each with what was seen of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.app import App
from virtfn.cli.main import main
from virtfn.errors import ExitCode, VerifyFailed, VirtfnError
from virtfn.model.cloud.observed import NOT_TOLD, NicAgent, ObservedCloud, ObservedNetwork, ObservedPort, ObservedServer
from virtfn.model.cloud.survey import CloudSurvey, ComputeHost, Flavor
from virtfn.model.finding import Finding, FindingKind
from virtfn.model.inventory import Known
from virtfn.planning.cloud.causes import (
    AGENT_DEAD,
    BINDING_FAILED,
    FLAVOR_FITS_NOWHERE,
    GROUP_TOO_LARGE,
    HOST_OUT_OF_SERVICE,
    NO_AGENT,
    NO_FREE_VF,
    TYPE_NOT_BOUND,
    VF_NOT_SEEN,
)
from virtfn.planning.cloud.diagnosis.server_failures import diagnosis
from virtfn.planning.cloud.readiness import Readiness, readiness
from virtfn.testing import FakeCloud, FakeRules

ALONE = FIELD_NOTE.replace("count: 2", "count: 1").replace("    anti_affinity: apart\n", "")
NO_RETRY = (
    "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance x."
)
MANY_TRIES = "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance x. Last exception:"
LIVE = NicAgent("compute1", True, ("physnet1",), {"physnet1": ("ens1f0",)}, 4)
DEAD = NicAgent("compute1", False, ("physnet1",), {"physnet1": ("ens1f0",)}, last_seen="2026-11-22 14:51:30")


def failed_up(rules: FakeRules, text: str = ALONE) -> list[Finding]:
    rig = Rig(FakeCloud(rules))
    with pytest.raises(VirtfnError) as caught:
        rig.up(text)
    assert rig.cloud.everything() == ()
    return list(caught.value.findings)


def server(**facts: str | None) -> ObservedServer:
    return replace(ObservedServer("vm-1", "s"), **facts)  # type: ignore[arg-type]


def port(**facts: str | None) -> ObservedPort:
    return replace(ObservedPort("vm-1-0", "p", "flat"), **facts)  # type: ignore[arg-type]


def seen_as(
    server_as: Mapping[str, str | None], port_as: Mapping[str, str | None], survey: CloudSurvey, text: str = ALONE
) -> tuple[Finding, ...]:
    ours = (port(**port_as), server(**server_as))
    return diagnosis(desired(text), ObservedCloud("c", ours, ()), survey)


ERROR: Mapping[str, str | None] = {"status": "ERROR", "fault": NO_RETRY}
UNBOUND: Mapping[str, str | None] = {"status": "DOWN", "vif_type": "unbound", "host": ""}


def test_a_dead_agent() -> None:
    (cause,) = failed_up(FakeRules(agents=(DEAD,)))
    assert cause == AGENT_DEAD.at(
        "server vm-1",
        "the NIC Switch agent for physnet1 does not answer (on compute1): its VFs cannot be bound",
        evidence=(
            "NIC Switch agent on compute1: does not answer (last heard of 2026-11-22 14:51:30 UTC), physnet1 on ens1f0",
            "nova chose a host and could not build the server there: compute1",
        ),
        fix="start neutron-sriov-nic-agent on compute1, until "
        "`openstack network agent list --agent-type nic --long` shows it alive",
    )


def test_an_agent_on_the_host_that_was_chosen_counts_not_one_elsewhere() -> None:
    elsewhere = NicAgent("compute2", True, ("physnet1",))
    (cause,) = failed_up(FakeRules(agents=(DEAD, elsewhere)))
    assert (cause.id, cause.evidence[-1].rpartition(" ")[2]) == (AGENT_DEAD.id, "compute1")


def test_an_agent_without_the_physical_network() -> None:
    (cause,) = failed_up(FakeRules(agents=(NicAgent("compute1", True, ("physnet2",)),)))
    assert cause.id == NO_AGENT.id
    assert cause.evidence[0] == "NIC Switch agent on compute1: answers, physnet2"


def test_no_agent_at_all() -> None:
    (cause,) = failed_up(FakeRules(agents=()))
    assert cause.id == NO_AGENT.id
    assert cause.evidence[0] == "Neutron lists no NIC Switch agent on compute1"


def test_no_free_vf_by_exclusion() -> None:
    (cause,) = failed_up(FakeRules(vfs=[]))
    assert cause.id == NO_FREE_VF.id
    assert cause.evidence == (
        "by exclusion, as no API tells how many VFs there are",
        "VFs of physnet1 in use: none",
        "takes servers: compute1, compute2",
        "has room for flavor m1.tiny: compute1, compute2",
    )


def test_a_build_that_failed_where_vfs_are_in_use_has_several_candidates() -> None:
    survey = CloudSurvey(agents=(LIVE,), uses={("physnet1", "compute1"): 1}, tried={"vm-1": ("compute1",)})
    (cause,) = seen_as(ERROR, UNBOUND, survey)
    assert cause.id == NO_FREE_VF.id
    assert cause.what == (
        "perhaps no VF of physnet1 was left on compute1 when the server was built there, "
        "its port could not be bound, or nova-compute could not build it"
    )
    assert "VFs of physnet1 in use: 1 on compute1" in cause.evidence
    assert cause.fix.startswith("nova-compute's log on compute1 says which")


def test_a_build_that_failed_where_no_vf_is_in_use_is_not_for_want_of_one() -> None:
    survey = CloudSurvey(agents=(LIVE,), uses={}, tried={"vm-1": ("compute1",)})
    (cause,) = seen_as(ERROR, UNBOUND, survey)
    assert cause.id == BINDING_FAILED.id
    assert cause.what == (
        "perhaps its port could not be bound on compute1, although an agent serves physnet1 there, "
        "or nova-compute could not build it"
    )
    assert "Failed to bind port" in cause.fix


def test_vfs_in_use_that_nobody_tells_leave_all_candidates() -> None:
    survey = CloudSurvey(agents=(LIVE,), tried={"vm-1": ("compute1",)})
    (cause,) = seen_as(ERROR, UNBOUND, survey)
    assert cause.what.startswith("perhaps no VF of physnet1 was left on compute1 ")


@pytest.mark.parametrize(
    ("last", "kind", "what"),
    [
        (
            "Insufficient compute resources: Claim pci failed.",
            NO_FREE_VF,
            "no VF of physnet1 was left on compute1 when the server was built there: others had taken them",
        ),
        (
            "Binding failed for port p, please check neutron logs for more information.",
            BINDING_FAILED,
            "its port could not be bound on compute1, although an agent serves physnet1 there",
        ),
    ],
)
def test_the_last_exception_that_nova_names_is_certain(last: str, kind: FindingKind, what: str) -> None:
    survey = CloudSurvey(agents=(LIVE,), uses={("physnet1", "compute1"): 1}, tried={"vm-1": ("compute1",)})
    (cause,) = seen_as({"status": "ERROR", "fault": f"{MANY_TRIES} {last}"}, UNBOUND, survey)
    assert (cause.id, cause.what) == (kind.id, what)


@pytest.mark.parametrize(
    "word",
    [
        "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance x. Last exception: Boom.",
        "Exceeded max scheduling attempts 3 for instance x. Last exception: Boom.",
        "Exceeded maximum number of retries.",
        "Exhausted all hosts available for retrying build failures for instance x.",
    ],
)
def test_a_dead_agent_is_found_by_each_of_novas_words_for_a_build_that_failed(word: str) -> None:
    survey = CloudSurvey(agents=(DEAD,), tried={"vm-1": ("compute1",)})
    (cause,) = seen_as({"status": "ERROR", "fault": word}, UNBOUND, survey)
    assert cause.id == AGENT_DEAD.id


def test_binding_failed_by_the_ports_own_word() -> None:
    bound: Mapping[str, str | None] = {"status": "DOWN", "vif_type": "binding_failed", "host": "compute1"}
    (dead,) = seen_as({"status": "BUILD"}, bound, CloudSurvey(agents=(DEAD,)))
    assert dead.id == AGENT_DEAD.id
    assert "port vm-1-0: binding_failed on compute1, status DOWN" in dead.evidence
    (alive,) = seen_as({"status": "BUILD"}, bound, CloudSurvey(agents=(LIVE,)))
    assert alive.id == BINDING_FAILED.id


def on_a_network_of_others(kind: Known[str]) -> tuple[Finding, ...]:
    ours = (port(status="DOWN", vif_type="binding_failed", host="compute1"), server(status="BUILD"))
    text = "virtfn: cloud/1\nname: note\nservers: [{name: vm-1, image: i, flavor: f, ports: [{network: theirs}]}]\n"
    theirs = ObservedNetwork("theirs", "n", type=kind, physical_network=None)
    return diagnosis(desired(text), ObservedCloud("c", ours, (theirs,)), CloudSurvey(agents=(LIVE,)))


def test_agents_are_not_asked_for_a_physical_network_that_is_not_told() -> None:
    (cause,) = on_a_network_of_others(NOT_TOLD)
    assert (cause.id, cause.what) == (BINDING_FAILED.id, "Neutron could not bind a port on compute1")


def test_binding_failed_on_a_tunnel_is_the_networks_fault() -> None:
    (cause,) = on_a_network_of_others("vxlan")
    assert cause.id == TYPE_NOT_BOUND.id
    assert "port vm-1-0: binding_failed on compute1, status DOWN" in cause.evidence


@pytest.mark.parametrize(
    ("rules", "more", "kind"),
    [
        (FakeRules(too_small_for=("m1.tiny",)), "", FLAVOR_FITS_NOWHERE),
        (
            FakeRules(hosts=(ComputeHost("compute1", "nova", up=False), ComputeHost("compute2", "nova"))),
            "    host: compute1\n",
            HOST_OUT_OF_SERVICE,
        ),
        (FakeRules(hosts=(ComputeHost("compute1", "nova", enabled=False),), vfs=[]), "", HOST_OUT_OF_SERVICE),
    ],
)
def test_no_host_fits(rules: FakeRules, more: str, kind: FindingKind) -> None:
    (cause,) = failed_up(rules, ALONE.replace("    ports:", f"{more}    ports:"))
    assert cause.id == kind.id
    assert cause.evidence
    assert cause.fix


def test_room_that_is_not_told_for_a_flavor_leaves_the_cause_a_guess() -> None:
    dedicated = Flavor("m1.tiny", extra_specs=("hw:cpu_policy",))
    (cause,) = failed_up(FakeRules(flavors=(dedicated,), vfs=[]))
    assert cause.id == NO_FREE_VF.id
    assert cause.what == "perhaps no VF of physnet1 is free, or no host fits the flavor"
    assert not any("has room" in line for line in cause.evidence)


def test_where_placement_offers_no_host_the_cause_is_no_vf() -> None:
    dedicated = Flavor("m1.tiny", extra_specs=("hw:cpu_policy",))
    (cause,) = failed_up(FakeRules(flavors=(dedicated,), too_small_for=("m1.tiny",)))
    assert cause.id == FLAVOR_FITS_NOWHERE.id
    assert cause.what.startswith("Placement offers no host: perhaps no host has room for flavor m1.tiny, or ")


def test_what_a_flavor_needs_is_said_with_its_ephemeral_disk_and_swap() -> None:
    large = Flavor("m1.tiny", disk_gib=1, ephemeral_gib=2, swap_mib=1025)
    (cause,) = failed_up(FakeRules(flavors=(large,), too_small_for=("m1.tiny",)))
    assert cause.evidence == ("Placement: no resource provider has 1 vCPU, 64 MiB of memory and 5 GiB of disk free",)


def test_a_group_too_large_for_the_hosts_that_take_servers() -> None:
    hosts = (ComputeHost("compute1", "nova"), ComputeHost("compute2", "nova", enabled=False))
    (cause,) = failed_up(FakeRules(hosts=hosts), FIELD_NOTE)
    assert cause.id == GROUP_TOO_LARGE.id
    assert "nova-compute on compute2 (zone nova): up, disabled" in cause.evidence


def test_a_group_too_large_whose_servers_passed_the_scheduler_together() -> None:
    hosts = (ComputeHost("compute1", "nova"), ComputeHost("compute2", "nova", enabled=False))
    survey = CloudSurvey(agents=(LIVE,), hosts=hosts, uses={("physnet1", "compute1"): 1}, tried={"vm-1": ("compute1",)})
    (cause,) = seen_as(ERROR, UNBOUND, survey, FIELD_NOTE)
    assert cause.id == GROUP_TOO_LARGE.id
    assert cause.evidence[-1] == "nova chose a host and could not build the server there: compute1"


def test_a_group_too_large_does_not_silence_novas_last_exception() -> None:
    hosts = (ComputeHost("compute1", "nova"),)
    said: Mapping[str, str | None] = {"status": "ERROR", "fault": f"{MANY_TRIES} Binding failed for port abc"}
    found = seen_as(said, UNBOUND, CloudSurvey(agents=(LIVE,), hosts=hosts), FIELD_NOTE)
    assert [one.id for one in found] == [GROUP_TOO_LARGE.id, BINDING_FAILED.id]


def test_room_that_others_of_ours_have_taken_meanwhile_does_not_hide_that_no_vf_was_free() -> None:
    by_filters: Mapping[str, str | None] = {
        "status": "ERROR",
        "fault": "No valid host was found. There are not enough hosts available.",
    }
    found = seen_as(by_filters, UNBOUND, CloudSurvey(room={"m1.tiny": ()}, hosts=(ComputeHost("compute1", "nova"),)))
    assert [one.id for one in found] == [FLAVOR_FITS_NOWHERE.id, NO_FREE_VF.id]


OFFERED_NONE: Mapping[str, str | None] = {"status": "ERROR", "fault": "No valid host was found. "}


def test_a_word_without_a_reason_is_not_about_vfs() -> None:
    (cause,) = seen_as(OFFERED_NONE, UNBOUND, CloudSurvey())
    assert (cause.id, cause.what) == (
        FLAVOR_FITS_NOWHERE.id,
        "Placement offers no host: perhaps no host has room for flavor m1.tiny, or the hosts are disabled, "
        "or image, flavor or zone require what no host has (traits, aggregates)",
    )
    assert cause.evidence == ("nova gives no reason: its scheduler did not check VFs",)


def test_what_is_known_to_fit_is_not_what_placement_missed() -> None:
    survey = CloudSurvey(hosts=(ComputeHost("compute1", "nova"),), room={"m1.tiny": ("compute1",)})
    (cause,) = seen_as(OFFERED_NONE, UNBOUND, survey)
    assert cause.what.startswith("Placement offers no host: perhaps image, flavor or zone require ")
    assert cause.evidence[1:] == ("takes servers: compute1", "has room for flavor m1.tiny: compute1")


GIVEN_UP: Mapping[str, str | None] = {
    "status": "ERROR",
    "fault": "Build of instance x aborted: Failed to allocate the network(s), not rescheduling.",
}


def test_nova_that_waited_for_its_ports_in_vain() -> None:
    tried = {"vm-1": ("compute1",)}
    (alive,) = seen_as(GIVEN_UP, UNBOUND, CloudSurvey(agents=(LIVE,), tried=tried))
    assert alive.id == VF_NOT_SEEN.id
    assert alive.what.startswith("perhaps the NIC Switch agent on compute1 has not seen the server's VFs ")
    assert alive.evidence[-1] == "it sees 4 VFs in use"
    (dead,) = seen_as(GIVEN_UP, UNBOUND, CloudSurvey(agents=(DEAD,), tried=tried))
    assert dead.id == AGENT_DEAD.id
    assert dead.what.endswith("(on compute1): no agent sets up the VFs there")
    (elsewhere,) = seen_as(GIVEN_UP, UNBOUND, CloudSurvey(agents=(DEAD,)))
    assert elsewhere.id == VF_NOT_SEEN.id
    (member,) = seen_as(GIVEN_UP, UNBOUND, CloudSurvey())
    assert member.what.startswith("perhaps no agent has set up the server's VFs ")
    assert "ask an administrator" in member.fix


def test_a_whole_pf_waits_for_no_agent() -> None:
    text = ALONE.replace("vnic_type: direct", "vnic_type: direct-physical")
    assert seen_as(GIVEN_UP, UNBOUND, CloudSurvey(agents=(DEAD,), tried={"vm-1": ("compute1",)}), text) == ()


BUILD: Mapping[str, str | None] = {"status": "BUILD", "host": None}
SILENT = ComputeHost("compute1", "nova", up=False)


def test_a_server_that_stays_in_build_on_a_host_that_does_not_answer() -> None:
    hosts = (SILENT, ComputeHost("compute2", "nova"))
    (only,) = seen_as(BUILD, UNBOUND, CloudSurvey(hosts=(SILENT,)))
    (chosen,) = seen_as({**BUILD, "host": "compute1"}, UNBOUND, CloudSurvey(hosts=hosts))
    assert only == chosen
    assert (only.id, only.what) == (
        HOST_OUT_OF_SERVICE.id,
        "nova has assigned it to a host that does not answer: compute1",
    )
    assert only.evidence == ("server vm-1: BUILD", "nova-compute on compute1 (zone nova): down, enabled")


@pytest.mark.parametrize("host", [None, "compute2"])
def test_a_server_in_build_that_may_be_on_a_host_that_answers_is_only_late(host: str | None) -> None:
    hosts = (SILENT, ComputeHost("compute2", "nova"))
    assert seen_as({**BUILD, "host": host}, UNBOUND, CloudSurvey(hosts=hosts)) == ()
    assert seen_as({**BUILD, "host": host}, UNBOUND, CloudSurvey()) == ()


def test_a_member_gets_no_more_than_a_guess_and_whom_to_ask() -> None:
    members = ("member", "reader")
    (guess,) = failed_up(FakeRules(roles=members, vfs=[]))
    assert guess.what == "perhaps no VF of physnet1 is free, or no host fits the flavor"
    (other,) = failed_up(FakeRules(roles=members, agents=()))
    assert other.id == BINDING_FAILED.id
    assert "NIC Switch agents: not known (the cloud tells it to administrators only)" in other.evidence
    assert "ask an administrator" in other.fix


def test_bound_ports_that_stay_down() -> None:
    bound: Mapping[str, str | None] = {
        "status": "DOWN",
        "vif_type": "hw_veb",
        "host": "compute1",
        "pci_slot": "0000:3b:02.0",
    }
    (dead,) = seen_as({"status": "ACTIVE"}, bound, CloudSurvey(agents=(DEAD,)))
    assert dead.id == AGENT_DEAD.id
    assert dead.evidence[0] == "bound on compute1 and DOWN: port vm-1-0"
    (alive,) = seen_as({"status": "ACTIVE"}, bound, CloudSurvey(agents=(LIVE,)))
    assert alive.id == VF_NOT_SEEN.id
    assert alive.evidence[-1] == "it sees 4 VFs in use"


def test_a_port_that_is_only_late_is_no_cause_where_something_has_failed() -> None:
    survey = CloudSurvey(agents=(LIVE,), uses={("physnet1", "compute1"): 4}, tried={"vm-1": ("compute1",)})
    late: Mapping[str, str | None] = {"status": "DOWN", "vif_type": "hw_veb", "host": "compute1"}
    assert [cause.id for cause in seen_as(ERROR, late, survey)] == [NO_FREE_VF.id]


def test_a_fault_that_speaks_for_itself_gets_no_guess() -> None:
    said = {"status": "ERROR", "fault": "Image x could not be found."}
    assert seen_as(said, UNBOUND, CloudSurvey(agents=(DEAD,))) == ()


def test_what_is_only_late_is_no_cause_where_nova_does_not_say_why_a_server_failed() -> None:
    late: Mapping[str, str | None] = {"status": "DOWN", "vif_type": "hw_veb", "host": "compute1"}
    assert seen_as({"status": "ERROR"}, late, CloudSurvey(agents=(LIVE,))) == ()


def test_what_is_too_late_carries_no_cause_that_is_not_known() -> None:
    with pytest.raises(VerifyFailed) as caught:
        Rig(FakeCloud(patience=10**6)).up(ALONE)
    assert caught.value.findings == ()
    assert "wait longer" in caught.value.hint


def test_a_port_that_is_not_bound_on_one_host_may_still_be_on_the_next() -> None:
    unbound = port(status="DOWN", vif_type="binding_failed", host="compute1")

    def state(status: str) -> Readiness:
        return readiness(desired(ALONE), ObservedCloud("c", (unbound, server(status=status)), ()))

    word = "port vm-1-0: Neutron could not bind it (binding_failed) on host compute1"
    assert state("BUILD").failed == ()
    assert word in [one.what for one in state("BUILD").waiting]
    assert [(one.id, one.subject, one.what) for one in state("ACTIVE").failed] == [
        ("server-failed", "server vm-1", word)
    ]


def test_documents_carry_causes_of_failures_and_of_what_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(FakeCloud(FakeRules(vfs=[])))
    monkeypatch.setattr(App, "clouds", lambda *_, **__: rig.clouds)
    path = tmp_path / "cloud.yaml"
    path.write_text(ALONE)
    assert main(["cloud", "up", "-f", str(path), "--yes", "-q", "-o", "json"]) == ExitCode.FAILED
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["kind"], document["exit_code"]) == (1, "failure", 1)
    assert document["state"] == ["All that was changed has been put back and read back."]
    assert [cause["id"] for cause in document["findings"]] == ["no-free-vf"]
    rig.cloud.write_all([(step.target, step.field, step.after) for step in rig.plan(desired(ALONE)).steps])
    assert main(["cloud", "show", "-f", str(path), "-o", "json", "--exit-code"]) == ExitCode.DIFFERENT
    shown = json.loads(capsys.readouterr().out)["readiness"]
    assert [(cause["id"], cause["subject"], cause["severity"]) for cause in shown["findings"]] == [
        ("no-free-vf", "server vm-1", "fault")
    ]
    assert main(["cloud", "show", "-f", str(path)]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "  - server vm-1: no VF of physnet1 is free on a host that it may run on\n      seen: by exclusion" in said
