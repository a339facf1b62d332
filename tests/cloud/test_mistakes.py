"""What operators get wrong, made for real: the cause is named, with what was seen and what to do; nothing is left.

Restarts and the death of an agent are what takes time, so each is there once, for several mistakes.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.control_plane.places import url
from tests.cloud.control_plane.vfs import HOST, VFS_A_PF
from tests.cloud.mistaken import THEIRS, Mistaken, disabled, entry, ids, network, provider_network, server, several
from tests.cloud.operating import FLAVOR, IMAGE
from tests.cloud.proxy import Faulty, in_front_of

from virtfn.api import Cloud
from virtfn.errors import CloudError, ExitCode
from virtfn.model.finding import FindingKind
from virtfn.planning.cloud.api_errors import (
    NETWORK_INCOMPLETE,
    NO_PROJECT_NETWORKS,
    NOT_ALLOWED,
    PHYSICAL_NETWORK_TAKEN,
    PHYSICAL_NETWORK_UNKNOWN,
    QUOTA_EXCEEDED,
    SEGMENT_TAKEN,
    TYPE_OFF,
    api_error,
)

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud


def test_what_no_network_can_be_is_refused_by_the_spec_itself(mistaken: Mistaken) -> None:
    said = mistaken.refused(
        "networks:\n",
        "  - {name: a}\n",
        "  - {name: b, physical_network: physnet1, segmentation_id: 100}\n",
        "servers:\n",
        "  - {name: vm, image: x, flavor: x, ports: [{network: b, vnic_type: normal}]}\n",
        "  - {name: vn, image: x, flavor: x, ports: [{network: b, binding:profile: {trusted: true}}]}\n",
    )
    assert "cloud.yaml:4: networks[0]: the key physical_network is missing" in said
    assert "cloud.yaml:5: networks[1].segmentation_id: a flat network has no segmentation id" in said
    assert '"normal" is not one of direct, macvtap, direct-physical' in said
    assert 'unknown key "binding:profile"; write one of network, vnic_type, fixed_ip, mac' in said


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"type": "gre", "physical_network": None}, TYPE_OFF),
        ({"type": "flat", "physical_network": "physnet9"}, PHYSICAL_NETWORK_UNKNOWN),
        ({"type": "vlan", "physical_network": "physnet9"}, PHYSICAL_NETWORK_UNKNOWN),
        ({"type": "flat", "physical_network": "physnet1"}, PHYSICAL_NETWORK_TAKEN),
        ({"type": "flat", "physical_network": None}, NETWORK_INCOMPLETE),
        ({"type": "flat", "physical_network": "physnet2", "segmentation_id": 7}, NETWORK_INCOMPLETE),
        ({"type": None, "physical_network": None}, NO_PROJECT_NETWORKS),
    ],
)
def test_neutrons_words_about_networks_are_understood(
    connection: "Connection", theirs: str, asked: dict[str, object], kind: FindingKind
) -> None:
    sdk: Any = connection
    fields = {f"provider_{name if name != 'type' else 'network_type'}": value for name, value in asked.items() if value}
    assert _meaning(lambda: sdk.network.create_network(name="wrong", **fields)) == kind.id


def test_other_words_of_the_services_are_understood(connection: "Connection", theirs: str) -> None:
    sdk: Any = connection
    profile = {"network_id": theirs, "binding_vnic_type": "direct", "binding_profile": {"trusted": "true"}}
    assert _meaning(lambda: sdk.network.create_port(**profile)) == NOT_ALLOWED.id
    provider_network(sdk, "a vlan", "physnet1", provider_network_type="vlan", provider_segmentation_id=150)
    again = {"provider_network_type": "vlan", "provider_segmentation_id": 150}
    assert _meaning(lambda: provider_network(sdk, "again", "physnet1", **again)) == SEGMENT_TAKEN.id


def test_a_network_that_neutron_refuses_names_the_option(mistaken: Mistaken) -> None:
    notes = mistaken.plan(network("physnet9"), server())
    assert any(note.startswith("no NIC Switch agent serves physnet9") for note in notes)
    assert any("physnet9 may carry flat networks (no API tells" in note for note in notes)
    (flat,) = mistaken.up(network("physnet9"), server())
    assert (flat["id"], flat["evidence"][0].partition(":")[0]) == ("physical-network-unknown", "HTTP 400")
    assert "[ml2_type_flat] flat_networks" in flat["fix"]
    (vlan,) = mistaken.up(network("physnet9", ", type: vlan"), server())
    assert vlan["id"] == "physical-network-unknown"
    assert "network_vlan_ranges" in vlan["fix"]


def test_a_taken_physical_network_names_who_has_it(mistaken: Mistaken, connection: "Connection", theirs: str) -> None:
    said = mistaken.refused(network("physnet1"), server())
    assert "cloud.yaml:4: physnet1 carries the flat network theirs already" in said
    assert "use it (network: theirs)" in said
    sdk: Any = connection
    provider_network(sdk, "a vlan", "physnet2", provider_network_type="vlan", provider_segmentation_id=120)
    said = mistaken.refused(network("physnet2", ", type: vlan, segmentation_id: 120"), server())
    assert "cloud.yaml:4: VLAN 120 of physnet2 is that of network a vlan" in said


def test_somebody_quicker_on_the_physical_network_is_said_by_neutron(
    mistaken: Mistaken, connection: "Connection"
) -> None:
    sdk: Any = connection
    spec = Path(mistaken.spec(network("physnet1")))
    with Cloud.connect(CLOUD) as cloud:
        plan = cloud.plan(spec)
        quicker = provider_network(sdk, "quicker", "physnet1")
        with pytest.raises(CloudError) as caught:
            cloud.apply(plan)
    (cause,) = caught.value.findings
    assert cause.id == PHYSICAL_NETWORK_TAKEN.id
    assert [one.id for one in sdk.network.networks()] == [quicker.id]


def test_what_the_cloud_has_not_is_said_at_once(
    mistaken: Mistaken, connection: "Connection", theirs: str, flavors: None
) -> None:
    sdk: Any = connection
    image = sdk.image.find_image(IMAGE)
    sdk.image.update_image(image, min_disk=2)
    sdk.image.deactivate_image(image.id)
    try:
        apart = several(2, server(THEIRS, more=", anti_affinity: apart"))
        away = server(THEIRS, flavor="disk", more=", host: nope, availability_zone: mars, key_name: k").splitlines()[1]
        said = mistaken.refused(apart, away.replace("vm-", "away-") + "\n")
    finally:
        sdk.image.reactivate_image(image.id)
    assert f"image {IMAGE} is deactivated, not active" in said
    assert f"group apart has 2 servers that never share a host; the compute hosts are 1 ({HOST})" in said
    assert f"image {IMAGE} needs 2 GiB of disk, flavor disk has 1" in said
    assert f"there is no compute host nope (there is: {HOST})" in said
    assert "there is no availability zone mars (there is: nova)" in said
    assert "there is no key pair k (there is: none)" in said


def test_a_quota_that_does_not_do_is_said_with_figures(mistaken: Mistaken, theirs: str) -> None:
    said = mistaken.refused(several(12, server(THEIRS)), exits=ExitCode.FAILED)
    assert "the project's quota is too small: servers: 12 needed, 10 left (limit 10, used 0)" in said


def test_a_quota_that_is_used_up_meanwhile_is_said_by_nova(
    mistaken: Mistaken, connection: "Connection", theirs: str
) -> None:
    sdk: Any = connection
    project = sdk.current_project_id
    limit = sdk.compute.get_quota_set(project).instances
    with Cloud.connect(CLOUD) as cloud:
        plan = cloud.plan(Path(mistaken.spec(server(THEIRS))))
        sdk.compute.update_quota_set(project, instances=0)
        try:
            with pytest.raises(CloudError) as caught:
                cloud.apply(plan)
        finally:
            sdk.compute.update_quota_set(project, instances=limit)
    (cause,) = caught.value.findings
    assert (cause.id, caught.value.exit_code) == (QUOTA_EXCEEDED.id, ExitCode.FAILED)
    assert cause.evidence == ("HTTP 403: Quota exceeded for instances: Requested 1, but already used 0 of 0 instances",)


def test_no_room_on_any_host_is_told_from_no_vf(
    mistaken: Mistaken, connection: "Connection", theirs: str, member: str, flavors: None
) -> None:
    vast = server(THEIRS, flavor="vast")
    assert any(note.startswith("no host has room for flavor vast; ") for note in mistaken.plan(vast))
    (cause,) = mistaken.up(vast)
    assert cause["id"] == "flavor-fits-nowhere"
    assert cause["evidence"] == [
        "Placement: no resource provider has 1 vCPU, 64 MiB of memory and 9999 GiB of disk free"
    ]
    guess = mistaken.failure(vast, cloud=member)
    assert guess["error"].rstrip().endswith("No valid host was found.")
    (cause,) = guess["findings"]
    assert cause["id"] == "flavor-fits-nowhere"
    assert cause["what"].startswith("Placement offers no host: perhaps no host has room for flavor vast, or ")
    with disabled(connection):
        assert any(note.startswith("no compute host takes servers; ") for note in mistaken.plan(server(THEIRS)))


def test_no_free_vf_and_no_pf_are_told_with_who_has_them(
    mistaken: Mistaken, cloud: ControlPlane, theirs: str, member: str, flavors: None
) -> None:
    (whole,) = mistaken.up(server(THEIRS, port=", vnic_type: direct-physical"))
    assert whole["id"] == "no-free-pf"
    assert whole["what"].startswith("no PF of physnet1 is free")
    with cloud.use_up_vfs(theirs):
        in_use = f"VFs of physnet1 in use: {VFS_A_PF} on {HOST}"
        assert any(note.endswith(in_use) for note in mistaken.plan(server(THEIRS)))
        (cause,) = mistaken.up(server(THEIRS))
        assert (cause["id"], cause["what"]) == (
            "no-free-vf",
            "no VF of physnet1 is free on a host that it may run on",
        )
        assert cause["evidence"][1:] == [in_use, f"takes servers: {HOST}", f"has room for flavor {FLAVOR}: {HOST}"]
        (guess,) = mistaken.up(server(THEIRS, flavor="disk"), cloud=member)
        assert guess["id"] == "no-free-vf"
        assert guess["what"] == "perhaps no VF of its network is free, or no host fits the flavor"


def test_a_member_is_told_what_is_for_administrators(mistaken: Mistaken, member: str, flavors: None) -> None:
    notes = mistaken.plan(network(), server(flavor="disk"), cloud=member)
    assert any("perhaps not allowed with your roles (member, reader)" in note for note in notes)
    assert any(note.startswith("not checked: NIC Switch agents, compute hosts, ") for note in notes)
    (cause,) = mistaken.up(network(), server(flavor="disk"), cloud=member, exits=ExitCode.NO_PERMISSION)
    assert cause["id"] == "not-allowed"
    assert "type and physical network of a network: only administrators may" in cause["what"]
    said = mistaken.refused(server("nowhere", flavor="disk"), cloud=member)
    assert "there is no network nowhere" in said


def test_a_dead_agent_and_one_with_other_mappings_are_named(
    mistaken: Mistaken, cloud: ControlPlane, connection: "Connection", theirs: str, member: str, flavors: None
) -> None:
    sdk: Any = connection
    dead = f"the NIC Switch agent for physnet1 does not answer (on {HOST}): its VFs cannot be bound"
    cloud.stop_agent()
    try:
        assert any(note.startswith(f"{dead}; start ") for note in mistaken.plan(server(THEIRS)))
        (cause,) = mistaken.up(server(THEIRS))
        assert (cause["id"], cause["what"]) == ("agent-dead", dead)
        assert f"NIC Switch agent on {HOST}: does not answer (last heard of " in cause["evidence"][0]
        assert f"nova chose a host and could not build the server there: {HOST}" in cause["evidence"]
        assert cause["fix"].startswith(f"start neutron-sriov-nic-agent on {HOST}")
        (guess,) = mistaken.up(server(THEIRS, flavor="disk"), cloud=member)
        assert guess["id"] == "binding-failed"
        assert "NIC Switch agents: not known (the cloud tells it to administrators only)" in guess["evidence"]
        witness = _bound_to_the_dead(sdk, theirs, "witness").id
        marked = _bound_to_the_dead(sdk, theirs, "vm-1-0", description="virtfn:wrong")
        sdk.network.set_tags(marked, ["virtfn:wrong"])
        state = mistaken.show(server(THEIRS), exits=ExitCode.DIFFERENT)
        assert state["failed"][0]["what"] == f"port vm-1-0: Neutron could not bind it (binding_failed) on host {HOST}"
        assert [one["id"] for one in state["findings"]] == ["agent-dead"]
        sdk.network.delete_port(marked)
        with cloud.agent_with(physical_device_mappings="physnet2:ens1f1"):
            (cause,) = mistaken.up(server(THEIRS))
            assert cause["id"] == "no-agent"
            assert cause["evidence"][0] == f"NIC Switch agent on {HOST}: answers, physnet2 on ens1f1"
            assert "physical_device_mappings" in cause["fix"]
    finally:
        cloud.start_agent()
    assert sdk.network.get_port(witness).binding_vif_type == "binding_failed", "it does not heal by itself"


def test_what_only_neutron_knows_of_types_and_physical_networks(
    mistaken: Mistaken, cloud: ControlPlane, connection: "Connection"
) -> None:
    sdk: Any = connection
    vlans = "physnet1:100:199,physnet3:100:199"
    with cloud.neutron_with(type_drivers="vlan,local,vxlan", network_vlan_ranges=vlans):
        (off,) = mistaken.up(network(), server())
        assert (off["id"], off["what"]) == (
            "type-off",
            "Neutron has no type driver for flat",
        )
        assert "type_drivers" in off["fix"]
        unmapped, no_vf = mistaken.up(network("physnet3", ", type: vlan"), server())
        assert (unmapped["id"], no_vf["id"]) == ("no-agent", "no-free-vf")
        assert unmapped["what"].startswith("no NIC Switch agent serves physnet3")
        for kind, more in (("local", {}), ("vxlan", {"provider_segmentation_id": 5001})):
            made = provider_network(connection, kind, None, provider_network_type=kind, **more)
            what = f"network {kind} is of type {kind}: Neutron's sriovnicswitch binds VFs on flat and vlan only"
            try:
                assert any(note.startswith(f"{what}; ") for note in mistaken.plan(server(kind)))
                (unbound,) = mistaken.up(server(kind))
            finally:  # now, as only a Neutron with its type driver gives a segment back
                sdk.network.delete_network(made)
            assert (unbound["id"], unbound["what"]) == ("type-not-bound", what)


def test_wrong_credentials_are_about_permission(
    mistaken: Mistaken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = entry("admin")
    wrong["auth"]["password"] = "wrong"
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(json.dumps({"clouds": {CLOUD: wrong}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    said = mistaken.refused(network(), exits=ExitCode.NO_PERMISSION)
    assert "check the credentials in clouds.yaml" in said


@pytest.mark.parametrize(
    ("method", "ending", "status", "exits"),
    [
        ("POST", "/subnets", 500, ExitCode.FAILED),
        ("POST", "/ports", 503, ExitCode.UNREACHABLE),
        ("POST", "/networks", 0, ExitCode.UNREACHABLE),
    ],
)
def test_a_fault_in_the_middle_leaves_nothing(
    mistaken: Mistaken,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    ending: str,
    status: int,
    exits: ExitCode,
) -> None:
    with in_front_of(url("neutron"), Faulty(method, ending, status)) as faulty:
        ours = {**entry("admin"), "network_endpoint_override": f"{faulty.url}/v2.0"}
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(json.dumps({"clouds": {CLOUD: ours}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
        before = set(ids(mistaken.operator.everything()))
        spec = mistaken.spec(network(), server())
        assert mistaken.operator.virtfn("up", "-f", spec, "--os-cloud", CLOUD, "--yes", "-q") == exits
        assert len(faulty.failed) == 1
        assert set(ids(mistaken.operator.everything())) == before


def _bound_to_the_dead(sdk: Any, network_id: str, name: str, **fields: Any) -> Any:
    """A port on the host whose agent is dead: Neutron takes it without complaint, and does not bind it."""
    place = {"network_id": network_id, "binding_vnic_type": "direct", "binding_host_id": HOST}
    made = sdk.network.create_port(name=name, **place, **fields)
    assert made.binding_vif_type == "binding_failed"
    return made


def _meaning(ask: Any) -> str | None:
    from openstack.exceptions import HttpException

    with pytest.raises(HttpException) as refused:
        ask()
    found = api_error("it", str(refused.value.details), int(refused.value.status_code or 0)).findings
    return found[0].id if found else None
