"""Mirrors between ports of a cloud: which ports are meant, what is refused and why, what is printed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.services.rig import Rig as HostRig

from virtfn.app import App
from virtfn.cli.main import main
from virtfn.cloud.port_lookup import OpenStackPorts
from virtfn.errors import CloudDenied, ExitCode, GuardRefused, UsageError
from virtfn.model.addresses import PciAddress
from virtfn.model.cloud.mirror import MirrorPort, NameMatches, PortNetwork, PortOwner, PreparationState, Project
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.inventory import Known, Unknown
from virtfn.model.probe import Strength
from virtfn.planning.cloud.mirror import guard_findings, plan_mirror
from virtfn.services.cloud_mirrors import CloudMirrors

PROOF, OTHERS = Project("0a" * 16, "proof"), Project("0b" * 16, "others")
FLAT = PortNetwork("n1", "flat", PROOF, "physnet1", "flat")
PFS = {"physnet1": ("ens1f0",), "physnet2": ("ens1f1", "ens1f2")}
AGENT = NicAgent("compute1", True, tuple(PFS), PFS)


def port(name: str, function: int, **changed: Any) -> MirrorPort:
    return replace(
        MirrorPort(
            id=f"id-of-{name}",
            name=name,
            project=PROOF,
            network=FLAT,
            vnic_type="direct",
            mac=f"fa:16:3e:00:00:0{function}",
            status="ACTIVE",
            port_security=True,
            trusted=False,
            vif_type="hw_veb",
            host="compute1",
            pci_slot=PciAddress(0, 0x3B, 2, function),
            physical_network="physnet1",
            owner=PortOwner(f"id-of-vm-{name}", f"vm-{name}", PROOF, "ACTIVE"),
        ),
        **changed,
    )


WEB, PROBE = port("web", 3), port("probe", 1)


@dataclass
class FewPorts:
    """A cloud's ports: those given, and their servers."""

    ports: tuple[MirrorPort, ...] = (WEB, PROBE)
    agents: Known[tuple[NicAgent, ...]] = (AGENT,)
    asked: list[str] = field(default_factory=list)

    def named(self, word: str) -> NameMatches:
        self.asked.append(word)
        owners = {one.owner.id: one.owner for one in self.ports if one.owner and word in (one.owner.id, one.owner.name)}
        return NameMatches(
            tuple(one for one in self.ports if word in (one.id, one.name)),
            tuple((owner, self._of(owner)) for owner in owners.values()),
        )

    def nic_agents(self) -> Known[tuple[NicAgent, ...]]:
        return self.agents

    def _of(self, owner: PortOwner) -> tuple[MirrorPort, ...]:
        return tuple(one for one in self.ports if one.owner == owner)


@pytest.mark.parametrize("source", ["web", "id-of-web", "vm-web", "id-of-vm-web", "vm-web:web", "vm-web:id-of-web"])
def test_a_port_is_found_by_its_name_its_id_and_its_server(source: str) -> None:
    found = CloudMirrors(FewPorts()).plan(source, "vm-probe")
    assert (found.source, found.copy, found.pf, found.warnings) == (WEB, PROBE, "ens1f0", ())
    assert found.host_side.action.arguments == ("0000:3b:02.3", "0000:3b:02.1")


@pytest.mark.parametrize("source", ["nobody", "vm-web:probe", "nobody:web", ":", "", "vm-web:", ":web"])
def test_what_is_not_there_is_a_usage_error(source: str) -> None:
    unnamed = replace(port("x", 5, owner=WEB.owner), name="")
    with pytest.raises(UsageError, match="no such server or port"):
        CloudMirrors(FewPorts((WEB, PROBE, unnamed))).plan(source, "probe")


def test_several_things_of_one_name_are_told_with_their_ids() -> None:
    twin = port("web", 2, id="id-of-twin", project=OTHERS, owner=PortOwner("s9", "probe", OTHERS, "ACTIVE"))
    mirrors = CloudMirrors(FewPorts((WEB, PROBE, twin)))
    with pytest.raises(UsageError, match="2 things have this name") as caught:
        mirrors.plan("web", "probe")
    assert "port id-of-twin (network flat, project others)" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        mirrors.plan("id-of-web", "probe")
    assert "server s9 (project others)" in caught.value.hint


def test_a_server_with_two_direct_ports_wants_one_named() -> None:
    second = port("web-2", 4, owner=WEB.owner)
    mirrors = CloudMirrors(FewPorts((WEB, PROBE, second)))
    with pytest.raises(UsageError, match="server vm-web: it has 2 direct ports") as caught:
        mirrors.plan("vm-web", "probe")
    assert caught.value.hint == "choose one: vm-web:web, vm-web:web-2"
    assert mirrors.plan("vm-web:web-2", "probe").source == second


def test_other_ports_of_a_server_do_not_count() -> None:
    management = port("management", 0, owner=WEB.owner, vnic_type="normal")
    assert CloudMirrors(FewPorts((management, WEB, PROBE))).plan("vm-web", "probe").source == WEB
    with pytest.raises(UsageError, match="no port with a VF") as caught:
        CloudMirrors(FewPorts((management, PROBE))).plan("vm-web", "probe")
    assert caught.value.hint == "its ports: management (normal)"


HIDDEN = Unknown("the cloud tells it to administrators only")
OTHER_NETWORK = PortNetwork("n2", "other", PROOF, "physnet1", "vlan")
REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "vnic-type": ({"vnic_type": "macvtap"}, "accepts frames for its own MAC only"),
    "not-bound": ({"vif_type": "unbound", "host": "", "pci_slot": None}, "its vif_type is unbound, not hw_veb"),
    "not-told": ({"vif_type": HIDDEN, "host": HIDDEN, "pci_slot": HIDDEN}, "administrators only"),
    "other-host": ({"host": "compute2"}, "on compute1 and on compute2"),
    "other-network": ({"network": OTHER_NETWORK}, "two networks, flat and other"),
    "other-physnet": ({"physical_network": "physnet2"}, "physnet1 and physnet2"),
    "same-vf": ({"pci_slot": WEB.pci_slot}, "both name the VF 0000:3b:02.3"),
    "other-pf": ({"pci_slot": PciAddress(1, 0x3B, 2, 1)}, "other PCI domains"),
    "other-project": ({"project": OTHERS}, "port probe is of others, server vm-probe is of proof"),
}


@pytest.mark.parametrize("guard", REFUSED)
def test_each_guard_refuses_with_its_reason(guard: str) -> None:
    changed, reason = REFUSED[guard]
    with pytest.raises(GuardRefused) as caught:
        CloudMirrors(FewPorts((WEB, replace(PROBE, **changed)))).plan("web", "probe")
    (one,) = caught.value.findings
    assert one.id == guard
    assert reason in one.what


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"vnic_type": "direct-physical"}, "the whole PF"),
        ({"vnic_type": "normal"}, "it has no VF"),
        ({"vif_type": "binding_failed"}, "its vif_type is binding_failed"),
        ({"pci_slot": None}, "its binding:profile has no pci_slot"),
        ({"pci_slot": Unknown("'x' is not a PCI address")}, "'x' is not a PCI address"),
    ],
)
def test_what_makes_a_port_unfit_is_said_of_it(changed: dict[str, Any], reason: str) -> None:
    (one,) = guard_findings(replace(WEB, **changed), PROBE, as_admin=False)
    assert reason in one.what


def test_one_port_is_no_pair() -> None:
    assert [one.id for one in guard_findings(WEB, WEB, as_admin=False)] == ["same-port"]


def test_all_reasons_are_told_at_once() -> None:
    copy = replace(PROBE, host="compute2", network=OTHER_NETWORK, physical_network="physnet2", project=OTHERS)
    found = [one.id for one in guard_findings(replace(WEB, vif_type="unbound"), copy, as_admin=False)]
    assert found == ["not-bound", "other-network", "other-physnet", "other-project"]
    both = [one.id for one in guard_findings(replace(WEB, vnic_type="macvtap"), copy, as_admin=True)]
    assert both == ["vnic-type", "other-host", "other-network", "other-physnet"]


def test_the_networks_own_word_stands_in_for_a_profile_without_a_physical_network() -> None:
    elsewhere = PortNetwork("n1", "flat", PROOF, "physnet2", "flat")
    copy = replace(PROBE, physical_network=None, network=elsewhere)
    assert [one.id for one in guard_findings(WEB, copy, as_admin=False)] == ["other-physnet"]
    assert guard_findings(WEB, replace(copy, network=FLAT), as_admin=False) == ()


def test_another_projects_port_takes_an_administrator_who_says_so() -> None:
    theirs = replace(PROBE, project=OTHERS, owner=PortOwner("s2", "vm-probe", OTHERS, "ACTIVE"))
    mirrors = CloudMirrors(FewPorts((WEB, theirs)))
    with pytest.raises(GuardRefused) as caught:
        mirrors.plan("web", "probe")
    assert [one.id for one in caught.value.findings] == ["other-project"]
    assert mirrors.plan("web", "probe", as_admin=True).warnings == (
        "all that is sent to port web of project proof and server vm-web of project proof will be read by "
        "port probe of project others and server vm-probe of project others",
    )
    assert CloudMirrors(FewPorts()).plan("web", "probe", as_admin=True).warnings == ()


def test_two_projects_of_one_name_are_two() -> None:
    namesake = replace(PROBE, project=Project("0c" * 16, "proof"))
    (one,) = guard_findings(WEB, namesake, as_admin=False)
    assert f"port web is of proof ({PROOF.id})" in one.what


@pytest.mark.parametrize(
    ("physnet", "agents", "reason"),
    [
        ("physnet2", (AGENT,), "with ens1f1, ens1f2, and a VF's address names no PF"),
        ("physnet3", (AGENT,), "does not serve physnet3 now"),
        ("physnet1", (), "no NIC Switch agent on compute1"),
        ("physnet1", HIDDEN, "administrators only"),
    ],
)
def test_the_pf_is_known_only_where_one_is_possible(
    physnet: str, agents: Known[tuple[NicAgent, ...]], reason: str
) -> None:
    source, copy = (replace(one, physical_network=physnet) for one in (WEB, PROBE))
    found = plan_mirror(source, copy, agents)
    assert isinstance(found.pf, Unknown)
    assert reason in found.pf.reason
    assert "exclude_devices = PF:0000:3b:02.1" in found.preparations[1].commands


def test_port_security_is_prepared_for_unless_it_is_off() -> None:
    off, instead = plan_mirror(WEB, PROBE, (AGENT,)).preparations
    assert (off.state, instead.state) == (PreparationState.TO_DO, PreparationState.CHOICE)
    assert off.commands == ("openstack port set --no-security-group --disable-port-security id-of-probe",)
    assert off.who == "an administrator, or the owner of network flat (proof)"
    assert instead.commands == ("[sriov_nic]", "exclude_devices = ens1f0:0000:3b:02.1")
    (done,) = plan_mirror(WEB, replace(PROBE, port_security=False), (AGENT,)).preparations
    assert (done.state, done.commands) == (PreparationState.DONE, ())


def test_the_answer_of_the_host_is_what_the_host_answers(tmp_path: Path) -> None:
    rig = HostRig(tmp_path / "state")
    for index in (2, 3):
        rig.host.vfs[index] = replace(rig.host.vfs[index], reachable=False)
    answer = plan_mirror(WEB, PROBE, (AGENT,)).host_side.answer
    assert "what they receive is counted" in answer
    assert rig.add("p2p1/3", "p2p1/2").report.strength is Strength.COUNTED
    rig.mirrors.remove("1")
    rig.host.driver = "bnxt_en"
    with pytest.raises(GuardRefused) as caught:
        rig.add("p2p1/3", "p2p1/2")
    assert {one.id for one in caught.value.findings} == {"no-meter"}
    assert "refused (`no-meter`)" in answer


def test_what_else_is_known_is_noted() -> None:
    source = replace(WEB, owner=None)
    copy = replace(PROBE, trusted=True, owner=PortOwner("s2", "vm-probe", PROOF, "SHUTOFF"))
    notes = "\n".join(plan_mirror(source, copy, (replace(AGENT, alive=False),)).notes)
    assert "does not answer" in notes
    assert "the server of web is not shown" in notes
    assert "vm-probe is SHUTOFF" in notes
    assert "vm-probe:probe is trusted" in notes


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> FewPorts:
    made = FewPorts()
    monkeypatch.setattr(App, "cloud_mirrors", lambda *_: CloudMirrors(made))
    return made


def test_the_table_is_80_columns_and_the_commands_are_whole(
    ports: FewPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    long = replace(WEB, network=PortNetwork("n1", "a-network-with-a-very-long-name-in-it", PROOF, "physnet1", "flat"))
    ports.ports = (replace(long, name=""), PROBE)
    ports.ports = tuple(replace(one, network=long.network, project=Project("0d" * 16)) for one in ports.ports)
    assert main(["cloud", "mirror", "plan", "vm-web", "probe", "--as-admin", "--explain"]) == 0
    said = capsys.readouterr()
    table = said.out.splitlines()[1:10]
    assert table[0].split() == ["SOURCE", "COPY"]
    assert table[-1].split() == ["port", "security", "on", "on"]
    assert max(map(len, table)) <= 80
    assert "  $ virtfn mirror add 0000:3b:02.3 0000:3b:02.1\n" in said.out
    assert "$ openstack port show id-of-web -c project_id" in said.out
    assert "VMs hold both VFs through vfio" in said.out
    assert "WARNING (--as-admin): all that is sent to" in said.err


def test_the_document_has_all_that_was_found(ports: FewPorts, capsys: pytest.CaptureFixture[str]) -> None:
    ports.agents = HIDDEN
    assert main(["cloud", "mirror", "plan", "web", "probe", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["kind"]) == (1, "cloud-mirror-plan")
    assert document["source"]["pci_slot"] == "0000:3b:02.3"
    assert document["copy"]["owner"]["name"] == "vm-probe"
    assert document["pf"] is None
    assert [one["path"] for one in document["unknown"]] == ["pf"]
    assert document["preparations"][0]["state"] == "to do"


def test_a_refusal_prints_nothing_on_stdout(ports: FewPorts, capsys: pytest.CaptureFixture[str]) -> None:
    ports.ports = (WEB, replace(PROBE, vif_type="unbound", project=OTHERS))
    assert main(["cloud", "mirror", "plan", "web", "probe"]) == ExitCode.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "not-bound: " in said.err
    assert "other-project: " in said.err


def test_a_refusal_is_a_document_where_one_is_asked_for(ports: FewPorts, capsys: pytest.CaptureFixture[str]) -> None:
    ports.ports = (WEB, replace(PROBE, vif_type="unbound", project=OTHERS))
    assert main(["cloud", "mirror", "plan", "web", "probe", "-o", "json"]) == ExitCode.FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "failure"
    assert {"not-bound", "other-project"} <= {one["id"] for one in document["findings"]}


def sdk(**shown: Any) -> Any:
    """An SDK for one port as an administrator of a real cloud sees it, with some of it shown otherwise."""
    fields: dict[str, Any] = {
        "id": "p1",
        "name": "web",
        "project_id": PROOF.id,
        "network_id": "n1",
        "device_id": "s1",
        "device_owner": "compute:nova",
        "mac_address": "fa:16:3e:12:34:56",
        "status": "ACTIVE",
        "is_port_security_enabled": True,
        "binding_vnic_type": "direct",
        "binding_vif_type": "hw_veb",
        "binding_host_id": "compute1",
        "binding_profile": {"pci_slot": "0000:3b:02.3", "physical_network": "physnet1", "trusted": "true"},
    }
    one = SimpleNamespace(**{**fields, **shown})
    network = SimpleNamespace(
        id="n1",
        name="flat",
        project_id=PROOF.id,
        provider_network_type="flat" if one.binding_vif_type else None,
        provider_physical_network="physnet1" if one.binding_vif_type else None,
    )
    server = SimpleNamespace(id="s1", name="vm", project_id=PROOF.id, status="ACTIVE")

    def listed(**asked: Any) -> list[Any]:
        return [one] if asked in ({"name": "web"}, {"device_id": "s1"}) else []

    def agents(**_: Any) -> list[Any]:
        told = {"device_mappings": {"a": ["p1", "p2"]}}
        return [SimpleNamespace(host="compute1", is_alive=True, configuration=told, last_heartbeat_at=None)]

    def denied(*_: Any, **__: Any) -> Any:
        raise CloudDenied("not for you", status=403)

    return SimpleNamespace(
        network=SimpleNamespace(ports=listed, get_network=lambda _: network, agents=agents),
        compute=SimpleNamespace(servers=lambda **asked: denied() if "all_projects" in asked else [server],
                                get_server=lambda _: server),
        identity=SimpleNamespace(get_project=denied),
    )  # fmt: skip


def ports_of(made: Any) -> OpenStackPorts:
    ports = OpenStackPorts("lab")
    ports.__dict__["_sdk"] = made
    return ports


def test_what_the_sdk_shows_becomes_a_port() -> None:
    (found,) = ports_of(sdk()).named("web").ports
    assert (found.pci_slot, found.physical_network, found.trusted) == (PciAddress(0, 0x3B, 2, 3), "physnet1", True)
    assert found.owner == PortOwner("s1", "vm", Project(PROOF.id), "ACTIVE")
    assert found.network.physical_network == "physnet1"


def test_an_id_goes_before_a_name_that_others_have_chosen() -> None:
    number = "6a9f7bd2-0a3c-4d55-9d4e-0c5a4c6f1b11"
    made = sdk(id=number)
    listed = made.network.ports
    made.network.ports = lambda **asked: listed(name="web") if asked == {"id": number} else listed(**asked)
    made.compute.get_server = lambda _: SimpleNamespace(id="s1", name=number, project_id=PROOF.id, status="ACTIVE")
    for word in (number, number.upper()):
        found = ports_of(made).named(word)
        assert [one.id for one in found.ports] == [number]
        assert found.servers == ()


def test_what_an_ordinary_user_is_not_shown_is_unknown() -> None:
    hidden = {"binding_vif_type": None, "binding_host_id": None, "binding_profile": None}
    ((_, (found,)),) = ports_of(sdk(**hidden, is_port_security_enabled=None)).named("vm").servers
    assert {found.vif_type, found.host, found.pci_slot, found.physical_network, found.trusted} == {HIDDEN}
    assert isinstance(found.network.physical_network, Unknown)
    assert isinstance(found.port_security, Unknown)


@pytest.mark.parametrize("slot", ["", None, "nonsense"])
def test_a_slot_that_is_none_names_no_vf(slot: str | None) -> None:
    (found,) = ports_of(sdk(binding_profile={"pci_slot": slot})).named("web").ports
    assert not isinstance(found.pci_slot, PciAddress)
    assert found.trusted is False


def test_an_agents_netdevs_are_read_by_their_physical_networks() -> None:
    assert ports_of(sdk()).nic_agents() == (NicAgent("compute1", True, ("a",), {"a": ("p1", "p2")}),)
