"""Proposals on disk: what was approved is what is read back, and nothing else is taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest

from virtfn.errors import SpecError, UsageError
from virtfn.journal.saved_plans import load_cloud, load_host, save
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.finding import Finding, Severity
from virtfn.model.inventory import EswitchMode, VfLinkState, Vlan
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.proposal import CloudProposal, CloudRequest, HostRequest, InterruptedRun, Proposal, Recovery
from virtfn.model.subject import CloudAction, CloudSubject, HostSubject
from virtfn.spec.cloud.loading import load_cloud as read_cloud_spec

EVERY_KEY = Path(__file__).parents[2] / "golden/cloud_spec/every_key/cloud.yaml"
EVERY_FIELD = DesiredVf(
    mac=MacAddress.parse("fa:16:3e:00:00:01"),
    vlan=Vlan(100),
    spoofchk=True,
    trust=False,
    link_state=VfLinkState.AUTO,
    min_tx_rate_mbps=10,
    max_tx_rate_mbps=20,
    rss_query=False,
    driver=None,
)
DESIRED = DesiredHost(
    (
        DesiredPf(
            PfMatch("p2p1", PciAddress.parse("0000:01:00.0"), "igb", "8086:10c9"),
            num_vfs=4,
            mtu=1500,
            promisc=False,
            up=True,
            eswitch_mode=EswitchMode.LEGACY,
            autoprobe=False,
            vfs=((0, EVERY_FIELD), (3, DesiredVf(driver="unset"))),
            each=DesiredVf(trust=True),
            where="host.yaml:3",
        ),
        DesiredPf(PfMatch(name=("p2p2", "p2p3"), permanent_mac=MacAddress.parse("a0:36:9f:68:fc:f4"))),
    )
)
STEP = Step(Target("vf", "0000:01:00.0/0", "p2p1/0"), "trust", before=False, after=True, reason="it is wanted")
PROPOSAL = Proposal(
    HostRequest(DESIRED),
    Plan(HostSubject({"0000:01:00.0": 4}), "host: p2p1", (STEP,)),
    (Finding("vf-in-use", Severity.REFUSAL, "p2p1/0", "p2p1/0 is in use by vm1", overridable=True),),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(PROPOSAL, tmp_path / "host.plan")
    return tmp_path / "host.plan"


def test_what_was_saved_is_read_back_whole(saved: Path) -> None:
    found = load_host(saved)
    assert found == PROPOSAL
    assert found.request.desired.pfs[0].where == "host.yaml:3"


def test_a_plan_for_a_cloud_is_read_back_with_every_key_of_its_spec(tmp_path: Path) -> None:
    spec = read_cloud_spec("cloud.yaml", EVERY_KEY.read_text(encoding="utf-8"))
    run = InterruptedRun(3, "cloud lab: note", Recovery.ROLLBACK, (Target("port", "note/vm-0", "port vm-0"),))
    plan = Plan(CloudSubject(CloudAction.UP, spec.name, {"image-1": "cirros"}), "cloud lab: note", (STEP,))
    saved = CloudProposal(CloudRequest(CloudAction.UP, spec), plan, (), (run,))
    save(saved, tmp_path / "cloud.plan")
    assert load_cloud(tmp_path / "cloud.plan") == saved


def test_only_its_owner_can_read_it_also_where_a_file_was_there(tmp_path: Path) -> None:
    old = tmp_path / "old.plan"
    old.write_text("x" * 10_000)
    old.chmod(0o644)
    save(PROPOSAL, old)
    assert old.stat().st_mode & 0o777 == 0o600
    assert load_host(old) == PROPOSAL


def test_a_plan_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be saved"):
        save(PROPOSAL, tmp_path / "no-such-folder" / "host.plan")


def _of_format_2(document: dict[str, Any]) -> None:
    document["format"] = 2


def _with_a_key_beside(document: dict[str, Any]) -> None:
    document["comment"] = ""


def _with_a_key_in_a_step(document: dict[str, Any]) -> None:
    document["proposal"]["plan"]["steps"][0]["twice"] = True


def _of_another_kind(document: dict[str, Any]) -> None:
    document["kind"] = "plan"


def _without_its_plan(document: dict[str, Any]) -> None:
    del document["proposal"]["plan"]


def _with_a_field_of_another_type(document: dict[str, Any]) -> None:
    document["proposal"]["request"]["desired"]["pfs"][0]["num_vfs"] = "four"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_of_format_2, "it has format 2, this version reads format 1"),
        (_with_a_key_beside, "unknown key 'comment'"),
        (_with_a_key_in_a_step, "unknown key 'twice'"),
        (_of_another_kind, 'it has no "kind": "proposal"'),
        (_without_its_plan, "plan"),
        (_with_a_field_of_another_type, "'four'"),
    ],
)
def test_what_is_not_a_saved_plan_of_this_version_is_refused(saved: Path, change: Any, what: str) -> None:
    document = json.loads(saved.read_text())
    change(document)
    saved.write_text(json.dumps(document))
    with pytest.raises(SpecError, match="not a saved plan") as caught:
        load_host(saved)
    assert what in str(caught.value)


@pytest.mark.parametrize("text", ["", "# host.yaml", "[]", "null", "\xff"])
def test_any_other_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecError, match="not a saved plan"):
        load_host(path)


def test_a_plan_for_a_cloud_is_not_one_for_this_host(tmp_path: Path) -> None:
    other = Plan(CloudSubject(CloudAction.UP, "note"), "cloud lab: note", ())
    save(Proposal(HostRequest(DESIRED), other), tmp_path / "cloud.plan")
    with pytest.raises(SpecError, match="it is for a cloud, not for a host"):
        load_host(tmp_path / "cloud.plan")
