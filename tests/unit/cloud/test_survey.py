"""What a cloud tells of itself, over HTTP: what is refused or missing is Unknown with its reason, and hides nothing."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.cloud.rig import FIELD_NOTE, desired
from tests.unit.cloud.stub import Answer, Stub, serving, write_clouds_yaml

from virtfn.cloud.openstack import OpenStackCloud
from virtfn.model.cloud.observed import NicAgent, ObservedCloud
from virtfn.model.cloud.survey import Allowance, CloudSurvey, ComputeHost, Flavor, Image, SegmentRange, Zone
from virtfn.model.inventory import Unknown

pytest.importorskip("openstack")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

ADMIN_ONLY = Unknown("the cloud tells it to administrators only")
NOT_HERE = Unknown("this cloud does not offer it")
AGENT = {
    "id": "a",
    "host": "compute1",
    "alive": False,
    "agent_type": "NIC Switch agent",
    "heartbeat_timestamp": "2026-11-22 14:51:30",
    "configurations": {"device_mappings": {"physnet1": ["ens1f0"]}, "devices": 3},
}
TOLD: dict[str, object] = {
    "/network/v2.0/agents": {"agents": [AGENT]},
    "/network/v2.0/extensions": {"extensions": [{"alias": "provider"}, {"alias": "network-segment-range"}]},
    "/network/v2.0/quotas/p/details": {"quota": {"port": {"limit": 5, "used": 3, "reserved": 1}}},
    "/network/v2.0/network_segment_ranges": {
        "network_segment_ranges": [
            {"id": "r", "network_type": "vlan", "physical_network": "physnet1", "minimum": 100, "maximum": 199}
        ]
    },
    "/network/v2.0/networks": {"networks": [{"id": "n1", "name": "any"}]},
    "/network/v2.0/ports": {
        "ports": [
            {
                "id": str(number),
                "network_id": "n1",
                "binding:vnic_type": vnic,
                "binding:host_id": "compute1",
                "binding:profile": {"pci_slot": slot} if slot else {},
            }
            for number, (vnic, slot) in enumerate([("direct", "s"), ("macvtap", "s"), ("normal", ""), ("direct", "")])
        ]
    },
    "/compute/v2.1/limits": {"limits": {"absolute": {"maxTotalInstances": -1, "totalInstancesUsed": 4}}},
    "/compute/v2.1/flavors/detail": {
        "flavors": [{"id": "f", "name": "m1.tiny", "vcpus": 2, "ram": 64, "disk": 0}, {"id": "g", "name": "other"}]
    },
    "/compute/v2.1/os-services": {
        "services": [{"host": "compute1", "zone": "nova", "state": "up", "status": "disabled", "id": "1"}]
    },
    "/compute/v2.1/os-availability-zone": {
        "availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": False}}]
    },
    "/image/v2/images": {"images": [{"id": "i", "name": "cirros", "status": "queued", "min_disk": 1, "min_ram": 2}]},
    "/placement/resource_providers": {"resource_providers": [{"uuid": "u", "name": "compute1"}]},
}


def told(_method: str, path: str) -> Answer | None:
    bare = path.partition("?")[0].rstrip("/")
    if "marker=" in path:
        return 200, json.dumps({"images": []})
    return (200, json.dumps(TOLD[bare])) if bare in TOLD else None


def survey(
    answers: Callable[[str, str], Answer | None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    role: str = "admin",
    spec: str = FIELD_NOTE,
) -> tuple[CloudSurvey, list[str]]:
    clouds = folder / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    with serving(Stub(answers, role=role)) as stub:
        write_clouds_yaml(clouds, f"{stub.url}/v3")
        return OpenStackCloud("stub").survey(desired(spec), ObservedCloud("stub", (), ())), stub.asked


def test_an_administrator_is_told_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = survey(told, tmp_path, monkeypatch)
    pfs = {"physnet1": ("ens1f0",)}
    assert found == CloudSurvey(
        roles=("admin",),
        extensions=frozenset({"provider", "network-segment-range"}),
        quota={"ports": Allowance(5, 4), "servers": Allowance(None, 4)},
        images=(Image("cirros", "queued", 1, 2, "i"),),
        flavors=(Flavor("m1.tiny", 2, 64, 0, id="f"), Flavor("other", 0, 0, 0, id="g")),
        key_names=(),
        agents=(NicAgent("compute1", False, ("physnet1",), pfs, 3, "2026-11-22 14:51:30"),),
        hosts=(ComputeHost("compute1", "nova", up=True, enabled=False),),
        zones=(Zone("nova", available=False),),
        ranges=(SegmentRange("vlan", "physnet1", 100, 199),),
        uses={("physnet1", "compute1"): 2},
        room={"m1.tiny": ("compute1",)},
        tried={},
    )
    (providers,) = [one for one in asked if "resource_providers?" in one]
    assert "resources=VCPU%3A2%2CMEMORY_MB%3A64" in providers, "a flavor without disk asks for none"


def with_flavor(more: Mapping[str, object], specs: Mapping[str, str]) -> Callable[[str, str], Answer | None]:
    listed = {"flavors": [{"id": "f", "name": "m1.tiny", "vcpus": 2, "ram": 64, "disk": 1, **more}]}

    def answers(method: str, path: str) -> Answer | None:
        if path.endswith("/flavors/f/os-extra_specs"):
            return 200, json.dumps({"extra_specs": specs})
        return (200, json.dumps(listed)) if "/flavors/detail" in path else told(method, path)

    return answers


@pytest.mark.parametrize(
    ("listed", "specs"), [({"extra_specs": {"hw:cpu_policy": "dedicated"}}, {}), ({}, {"hw:cpu_policy": "dedicated"})]
)
def test_room_is_not_asked_for_a_flavor_whose_extra_specs_change_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: dict[str, object], specs: dict[str, str]
) -> None:
    found, asked = survey(with_flavor(listed, specs), tmp_path, monkeypatch)
    reason = "its extra specs hw:cpu_policy change what it takes of a host"
    assert found.room == {"m1.tiny": Unknown(reason)}
    assert found.flavors == (Flavor("m1.tiny", 2, 64, 1, extra_specs=("hw:cpu_policy",), id="f"),)
    assert not [one for one in asked if "resource_providers?" in one]


def test_a_flavor_takes_its_ephemeral_disk_and_swap_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = survey(with_flavor({"OS-FLV-EXT-DATA:ephemeral": 2, "swap": 1025}, {}), tmp_path, monkeypatch)
    assert found.room == {"m1.tiny": ("compute1",)}
    assert [one for one in asked if "DISK_GB%3A5" in one]


def test_an_image_that_glance_does_not_list_is_asked_for_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, gone = "6a9f7bd2-0a3c-4d55-9d4e-0c5a4c6f1b11", "6a9f7bd2-0a3c-4d55-9d4e-0c5a4c6f1b12"

    def answers(method: str, path: str) -> Answer | None:
        if path.endswith(f"/images/{hidden}"):
            return 200, json.dumps({"id": hidden, "name": "cirros", "status": "active", "os_hidden": True})
        return (404, "{}") if path.endswith(f"/images/{gone}") else told(method, path)

    listed = Image("cirros", "queued", 1, 2, "i")
    found, _ = survey(answers, tmp_path, monkeypatch, spec=FIELD_NOTE.replace("cirros", hidden))
    assert found.images == (listed, Image("cirros", id=hidden))
    found, _ = survey(answers, tmp_path, monkeypatch, spec=FIELD_NOTE.replace("cirros", gone))
    assert found.images == (listed,)
    _, asked = survey(answers, tmp_path, monkeypatch, spec=FIELD_NOTE.replace("cirros", "fedora"))
    assert not [one for one in asked if "/images/" in one], "a name is no id"


def test_flavors_are_listed_whether_public_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = survey(told, tmp_path, monkeypatch)
    assert [one for one in asked if "/flavors/detail?" in one and "is_public=None" in one]


def test_vfs_in_use_take_a_call_for_a_hundred_networks_not_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(method: str, path: str) -> Answer | None:
        if "/networks?" in path:
            return 200, json.dumps({"networks": [{"id": f"n{number}"} for number in range(250)]})
        if "/ports?" in path:
            ids = parse_qs(urlsplit(path).query)["network_id"]
            port = {"binding:vnic_type": "direct", "binding:host_id": "compute1", "binding:profile": {"pci_slot": "s"}}
            return 200, json.dumps({"ports": [{**port, "id": f"p{one}", "network_id": one} for one in ids]})
        return told(method, path)

    found, asked = survey(answers, tmp_path, monkeypatch)
    assert found.uses == {("physnet1", "compute1"): 250}
    assert len([one for one in asked if "/ports?" in one]) == 3
    assert all(len(one) < 8000 for one in asked)


def test_what_is_forbidden_missing_or_broken_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: dict[str, Answer] = {
        "/network/v2.0/agents": (403, "{}"),
        "/compute/v2.1/os-services": (403, "{}"),
        "/image/v2/images": (404, "{}"),
        "/compute/v2.1/os-availability-zone": (500, '{"computeFault": {"code": 500, "message": "Unexpected"}}'),
        "/compute/v2.1/limits": (200, '{"limits": 7}'),
        "/placement/resource_providers": (403, "{}"),
        "/network/v2.0/extensions": (200, '{"extensions": [{"alias": "provider"}]}'),
    }

    def answers(method: str, path: str) -> Answer | None:
        return refused.get(path.partition("?")[0].rstrip("/")) or told(method, path)

    found, _ = survey(answers, tmp_path, monkeypatch)
    assert (found.agents, found.hosts, found.room) == (ADMIN_ONLY, ADMIN_ONLY, ADMIN_ONLY)
    assert (found.images, found.ranges) == (NOT_HERE, NOT_HERE)
    assert isinstance(found.zones, Unknown)
    assert "Unexpected" in found.zones.reason
    assert found.quota == {"ports": Allowance(5, 4)}


def test_an_empty_list_of_agents_says_nothing_to_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(method: str, path: str) -> Answer | None:
        return (200, '{"agents": []}') if "/agents" in path else told(method, path)

    found, _ = survey(answers, tmp_path, monkeypatch, role="member")
    assert found.roles == ("member",)
    assert (found.agents, found.uses) == (ADMIN_ONLY, ADMIN_ONLY)


@pytest.mark.parametrize(("role", "ranges"), [("member", ADMIN_ONLY), ("admin", ())])
def test_an_empty_list_of_segment_ranges_says_nothing_to_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, ranges: object
) -> None:
    def answers(method: str, path: str) -> Answer | None:
        return (200, '{"network_segment_ranges": []}') if "/network_segment_ranges" in path else told(method, path)

    found, _ = survey(answers, tmp_path, monkeypatch, role=role)
    assert found.ranges == ranges
