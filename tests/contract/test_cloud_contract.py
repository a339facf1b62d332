"""What every cloud must keep: one suite for the fake, and for a real OpenStack (marker ``cloud``)."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.operating import FLAVOR, IMAGE, Operator, furnished, sweep

from virtfn.cloud.openstack import OpenStackCloud
from virtfn.errors import CloudError, UsageError, VirtfnError
from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.cloud.fields import DEFINED_BY, fields_of
from virtfn.model.cloud.observed import ObservedCloud, ObservedNetwork, ObservedObject, ObservedPort, ObservedServer
from virtfn.model.cloud.survey import Image
from virtfn.model.plan import DEFINITION, Target, Value
from virtfn.services.interfaces import CloudWorld
from virtfn.testing import FakeCloud, FakeRules

SPEC, OTHER_SPEC = "contract", "another"
FLAT: dict[str, Value] = {"type": "flat", "physical_network": "physnet1"}
SUBNET: dict[str, Value] = {"network": "net", "cidr": "192.0.2.0/24"}
PORT: dict[str, Value] = {"network": "net", "vnic_type": "direct"}
GROUP: dict[str, Value] = {"policy": "anti-affinity"}
RUNS_S = 120


@dataclass(frozen=True)
class Subject:
    """A cloud under test that has nothing of ours; ``add_foreign`` makes what somebody else would.

    ``add_image`` makes an image of this name, and returns its id.
    """

    cloud: CloudWorld
    add_foreign: Callable[[Kind, str, Mapping[str, Value]], None]
    add_image: Callable[[str], str]
    everything: Callable[[], object]

    def make(self, kind: Kind, name: str, fields: Mapping[str, Value], *, spec: str = SPEC) -> Target:
        target = cloud_target(spec, kind, name)
        definition = {field: fields[field] for field in DEFINED_BY[kind]}
        others = [(target, field, value) for field, value in fields.items() if field not in definition]
        self.cloud.write_all([(target, DEFINITION, definition), *others])
        return target

    def server(self) -> dict[str, Value]:
        """The fields of a server: its image is meant by id."""
        (image,) = self.cloud.observe(SPEC).images.meant(IMAGE)
        return {"image": image, "flavor": FLAVOR, "ports": ["vm-0"]}

    def make_all(self) -> dict[Kind, Target]:
        """A network with its subnet, a port, a group and a server."""
        return {
            Kind.NETWORK: self.make(Kind.NETWORK, "net", FLAT),
            Kind.SUBNET: self.make(Kind.SUBNET, "net-v4", SUBNET),
            Kind.PORT: self.make(Kind.PORT, "vm-0", PORT),
            Kind.SERVER_GROUP: self.make(Kind.SERVER_GROUP, "apart", GROUP),
            Kind.SERVER: self.make(Kind.SERVER, "vm", {**self.server(), "server_group": "apart"}),
        }

    def delete(self, target: Target) -> None:
        self.cloud.write(target, DEFINITION, None)

    def definition(self, target: Target) -> Value:
        return self.cloud.read(target, DEFINITION)

    def running(self) -> ObservedCloud:
        """What is observed once the server runs and its port is active."""
        deadline = time.monotonic() + RUNS_S
        while True:
            observed = self.cloud.observe(SPEC)
            states = [one.status for one in observed.ours if isinstance(one, ObservedPort | ObservedServer)]
            if states == ["ACTIVE"] * 2:
                return observed
            assert "ERROR" not in states
            assert time.monotonic() < deadline
            time.sleep(0 if isinstance(self.cloud, FakeCloud) else 0.2)


def fake() -> Iterator[Subject]:
    cloud = FakeCloud(FakeRules(images=(IMAGE,), flavors=(FLAVOR,)))

    def add_image(name: str) -> str:
        made = Image(name, id=f"image-{len(cloud.rules.images)}")
        cloud.rules.images += (made,)
        return made.id

    yield Subject(cloud, cloud.add_foreign, add_image, cloud.everything)


def real(operator: Operator) -> Iterator[Subject]:
    sdk: Any = operator.connection

    def add_foreign(kind: Kind, name: str, fields: Mapping[str, Value]) -> None:
        if kind is Kind.NETWORK:
            provider = {f"provider_{field}": value for field, value in fields.items()}
            sdk.network.create_network(
                name=name,
                **{field.replace("provider_type", "provider_network_type"): v for field, v in provider.items()},
            )
        elif kind is Kind.PORT:
            network = sdk.network.find_network(fields["network"], ignore_missing=False)
            sdk.network.create_port(name=name, network_id=network.id, binding_vnic_type=fields["vnic_type"])
        else:
            sdk.compute.create_server_group(name=name, policy=fields["policy"])

    images: list[str] = []

    def add_image(name: str) -> str:
        how = {"disk_format": "raw", "container_format": "bare", "use_import": False}
        images.append(sdk.image.create_image(name=name, data=b"vm\n", **how).id)
        return images[-1]

    try:
        yield Subject(OpenStackCloud(CLOUD), add_foreign, add_image, operator.everything)
    finally:
        for one in images:
            sdk.image.delete_image(one)


@pytest.fixture(params=["fake", pytest.param("openstack", marks=pytest.mark.cloud)])
def subject(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    if request.param == "fake":
        yield from fake()
        return
    plane, connection = request.getfixturevalue("cloud"), request.getfixturevalue("connection")
    for name, value in plane.environment().items():
        monkeypatch.setenv(name, value)
    operator = Operator(connection, tmp_path)
    before = operator.everything()
    with furnished(connection):
        try:
            yield from real(operator)
        finally:
            sweep(connection, before)


def found(observed: ObservedCloud, kind: Kind, name: str) -> ObservedObject:
    one = observed.find(kind, name)
    assert one is not None
    return one


def subnets_of(network: ObservedNetwork | None) -> int:
    assert network
    return network.subnets


@pytest.mark.parametrize("kind", Kind)
def test_what_is_not_there_reads_as_none(subject: Subject, kind: Kind) -> None:
    target = cloud_target(SPEC, kind, "absent")
    assert subject.definition(target) is None
    assert subject.cloud.read(target, "network") is None


def test_objects_are_made_and_deleted_by_their_definitions(subject: Subject) -> None:
    before = subject.everything()
    made = subject.make_all()
    assert subject.definition(made[Kind.NETWORK]) == FLAT
    assert subject.definition(made[Kind.SUBNET]) == SUBNET
    assert subject.definition(made[Kind.PORT]) == PORT
    assert subject.definition(made[Kind.SERVER_GROUP]) == GROUP
    assert subject.definition(made[Kind.SERVER]) == {"image": subject.server()["image"], "flavor": FLAVOR}
    assert subject.cloud.read(made[Kind.SERVER], "server_group") == "apart"
    for target in reversed(list(made.values())):
        subject.delete(target)
        assert subject.definition(target) is None
    assert subject.everything() == before


@pytest.mark.parametrize("kind", Kind)
def test_deleting_what_is_gone_is_no_error(subject: Subject, kind: Kind) -> None:
    subject.delete(cloud_target(SPEC, kind, "absent"))


def test_fields_that_are_named_read_back_as_written(subject: Subject) -> None:
    network: dict[str, Value] = {"mtu": 1400, "shared": True, "port_security": False}
    subnet: dict[str, Value] = {
        "pools": [["192.0.2.10", "192.0.2.20"], ["192.0.2.100", "192.0.2.120"]],
        "gateway": None,
        "dhcp": False,
        "dns": ["192.0.2.3", "192.0.2.2"],
    }
    port: dict[str, Value] = {"mac": "02:00:00:00:00:07", "fixed_ip": "192.0.2.11"}
    made = {
        subject.make(Kind.NETWORK, "net", {**FLAT, **network}): network,
        subject.make(Kind.SUBNET, "net-v4", {**SUBNET, **subnet}): subnet,
        subject.make(Kind.PORT, "vm-0", {**PORT, **port}): port,
    }
    for target, fields in made.items():
        assert {field: subject.cloud.read(target, field) for field in fields} == fields


def test_what_nobody_names_is_chosen_by_the_cloud(subject: Subject) -> None:
    network = subject.make(Kind.NETWORK, "net", FLAT)
    subnet = subject.make(Kind.SUBNET, "net-v4", SUBNET)
    port, other = subject.make(Kind.PORT, "vm-0", PORT), subject.make(Kind.PORT, "vm-1", PORT)
    read = subject.cloud.read
    fields = ("segmentation_id", "mtu", "shared", "port_security")
    assert [read(network, field) for field in fields] == [None, 1500, False, True]
    pools: Value = [["192.0.2.2", "192.0.2.254"]]
    assert [read(subnet, field) for field in ("pools", "gateway", "dhcp", "dns")] == [pools, "192.0.2.1", True, []]
    assert len({str(read(one, "mac")) for one in (port, other)}) == 2
    assert len({str(read(one, "fixed_ip")) for one in (port, other)}) == 2
    assert str(read(port, "fixed_ip")).startswith("192.0.2.")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Kind.NETWORK, {"mtu": 1400, "shared": True, "port_security": False}),
        (Kind.SUBNET, {"gateway": None, "dhcp": False, "dns": ["192.0.2.9"]}),
        (Kind.SUBNET, {"pools": [["192.0.2.50", "192.0.2.60"]]}),
    ],
)
def test_fields_that_can_be_set_later_change_and_go_back(
    subject: Subject, kind: Kind, changes: dict[str, Value]
) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    subject.make(Kind.SUBNET, "net-v4", SUBNET)
    target = cloud_target(SPEC, kind, "net" if kind is Kind.NETWORK else "net-v4")
    definition = subject.definition(target)
    keys = [(target, field) for field in changes]
    before = subject.cloud.read_all(keys)
    subject.cloud.write_all([(target, field, value) for field, value in changes.items()])
    assert subject.cloud.read_all(keys) == list(changes.values())
    assert subject.definition(target) == definition
    back = [value for value in before if not isinstance(value, VirtfnError)]
    subject.cloud.write_all([(*key, value) for key, value in zip(keys, back, strict=True)])
    assert subject.cloud.read_all(keys) == before


def test_what_cannot_be_changed_is_refused_and_stays(subject: Subject) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    port = subject.make(Kind.PORT, "vm-0", PORT)
    before = subject.everything()
    with pytest.raises(VirtfnError):
        subject.cloud.write(port, "mac", "02:00:00:00:00:07")
    assert subject.everything() == before


def test_setting_a_field_of_what_is_gone_is_an_error(subject: Subject) -> None:
    with pytest.raises(CloudError) as raised:
        subject.cloud.write(cloud_target(SPEC, Kind.NETWORK, "absent"), "mtu", 1400)
    assert raised.value.status == 404


def test_two_of_one_name_are_an_error_and_keep_nothing_else_from_being_read(subject: Subject) -> None:
    net = subject.make(Kind.NETWORK, "net", FLAT)
    twice = subject.make(Kind.PORT, "twice", PORT)
    subject.make(Kind.PORT, "twice", PORT)
    once = subject.make(Kind.PORT, "once", PORT)
    before = subject.everything()
    with pytest.raises(UsageError, match="2 of this name"):
        subject.definition(twice)
    with pytest.raises(UsageError, match="2 of this name"):
        subject.delete(twice)
    one, two, three = subject.cloud.read_all([(twice, DEFINITION), (once, DEFINITION), (net, DEFINITION)])
    assert isinstance(one, UsageError)
    assert (two, three) == (PORT, FLAT)
    assert subject.everything() == before


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        (Kind.NETWORK, {"type": "flat", "physical_network": "physnet9"}, 400),
        (Kind.NETWORK, FLAT, 409),
        (Kind.SUBNET, {"network": "absent", "cidr": "192.0.2.0/24"}, 404),
        (Kind.PORT, {"network": "absent", "vnic_type": "direct"}, 404),
        (Kind.PORT, {**PORT, "mac": "02:00:00:00:00:07"}, 409),
    ],
)
def test_a_refused_write_leaves_nothing(subject: Subject, kind: Kind, fields: dict[str, Value], status: int) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    subject.make(Kind.PORT, "vm-0", {**PORT, "mac": "02:00:00:00:00:07"})
    before = subject.everything()
    with pytest.raises(CloudError) as raised:
        subject.make(kind, "refused", fields)
    assert raised.value.status == status
    assert subject.definition(cloud_target(SPEC, kind, "refused")) is None
    assert subject.everything() == before


def test_what_others_need_is_not_deleted(subject: Subject) -> None:
    network, subnet = subject.make(Kind.NETWORK, "net", FLAT), subject.make(Kind.SUBNET, "net-v4", SUBNET)
    subject.make(Kind.PORT, "vm-0", PORT)
    before = subject.everything()
    for target in (network, subnet):
        with pytest.raises(CloudError) as raised:
            subject.delete(target)
        assert raised.value.status == 409
    assert subject.everything() == before


def test_many_fields_at_once_are_the_same_as_one_by_one(subject: Subject) -> None:
    made = subject.make_all()
    keys = [(made[Kind.SUBNET], "dhcp"), (made[Kind.NETWORK], "mtu"), (made[Kind.SERVER], DEFINITION)]
    keys += [(made[Kind.PORT], "fixed_ip"), (cloud_target(OTHER_SPEC, Kind.NETWORK, "net"), DEFINITION)]
    assert subject.cloud.read_all(keys) == [subject.cloud.read(*key) for key in keys]


def test_reading_and_observing_agree(subject: Subject) -> None:
    made = subject.make_all()
    observed = subject.running()
    for kind, target in made.items():
        one = found(observed, kind, target.id.partition("/")[2])
        fields = fields_of(one)
        assert subject.definition(target) == {field: fields[field] for field in DEFINED_BY[kind]}
        for field, value in fields.items():
            assert subject.cloud.read(target, field) == value, (kind, field)
    assert subject.cloud.refresh(SPEC, observed).ours == observed.ours


def test_a_server_runs_on_a_vf_and_gives_it_back(subject: Subject) -> None:
    made = subject.make_all()
    observed = subject.running()
    server, port = observed.server("vm"), observed.port("vm-0")
    assert server
    assert port
    assert server.ports == ("vm-0",)
    assert server.host == port.host
    assert (port.vif_type, port.device_owner) == ("hw_veb", "compute:nova")
    assert port.pci_slot
    subject.delete(made[Kind.SERVER])
    assert subject.definition(made[Kind.SERVER]) is None
    after = subject.cloud.observe(SPEC).port("vm-0")
    assert after
    assert (after.status, after.vif_type, after.host, after.pci_slot, after.device_owner) == (
        *("DOWN", "unbound"),
        *("", "", ""),
    )


def test_a_spec_sees_its_own_and_what_others_have_beside_it(subject: Subject) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    subject.make(Kind.PORT, "vm-0", PORT)
    subject.make(Kind.NETWORK, "net2", {"type": "flat", "physical_network": "physnet2"}, spec=OTHER_SPEC)
    subject.make(Kind.PORT, "vm-1", {"network": "net2", "vnic_type": "direct"}, spec=OTHER_SPEC)
    subject.add_foreign(Kind.PORT, "theirs", PORT)
    ours = subject.cloud.observe(SPEC)
    assert {(one.kind, one.name) for one in ours.ours} == {(Kind.NETWORK, "net"), (Kind.PORT, "vm-0")}
    assert {(one.kind, one.name) for one in ours.others} == {(Kind.NETWORK, "net2"), (Kind.PORT, "theirs")}
    other = subject.cloud.observe(OTHER_SPEC)
    assert {(one.kind, one.name) for one in other.ours} == {(Kind.NETWORK, "net2"), (Kind.PORT, "vm-1")}
    assert {(one.kind, one.name) for one in other.others} == {(Kind.NETWORK, "net")}


def test_what_is_not_ours_is_neither_read_nor_deleted(subject: Subject) -> None:
    subject.add_foreign(Kind.NETWORK, "net", FLAT)
    subject.add_foreign(Kind.PORT, "vm-0", PORT)
    subject.add_foreign(Kind.SERVER_GROUP, "apart", GROUP)
    subject.make(Kind.NETWORK, "net2", {"type": "flat", "physical_network": "physnet2"}, spec=OTHER_SPEC)
    before = subject.everything()
    names = [(Kind.NETWORK, "net"), (Kind.NETWORK, "net2"), (Kind.PORT, "vm-0"), (Kind.SERVER_GROUP, "apart")]
    for kind, name in names:
        target = cloud_target(SPEC, kind, name)
        assert subject.definition(target) is None
        subject.delete(target)
    with pytest.raises(CloudError):
        subject.cloud.write(cloud_target(SPEC, Kind.NETWORK, "net"), "mtu", 1400)
    assert subject.everything() == before


def test_a_name_means_our_own_network_and_an_id_that_of_others(subject: Subject) -> None:
    subject.add_foreign(Kind.NETWORK, "net", FLAT)
    (theirs,) = (one.id for one in subject.cloud.observe(SPEC).foreign_networks())
    first = subject.make(Kind.PORT, "first", {**PORT, "network": theirs})
    subject.make(Kind.NETWORK, "net", {"type": "flat", "physical_network": "physnet2"})
    second = subject.make(Kind.PORT, "second", PORT)
    assert subject.definition(second) == PORT
    assert subject.definition(first) == {**PORT, "network": theirs}
    subject.delete(second)
    subject.delete(cloud_target(SPEC, Kind.NETWORK, "net"))
    assert subject.definition(first) == {**PORT, "network": theirs}


def test_networks_of_others_and_images_are_meant_by_id_whatever_they_are_called(subject: Subject) -> None:
    subject.add_foreign(Kind.NETWORK, "theirs", FLAT)
    (first,) = (one.id for one in subject.cloud.observe(SPEC).foreign_networks())
    port = subject.make(Kind.PORT, "by-id", {**PORT, "network": first})
    assert subject.definition(port) == {**PORT, "network": first}
    assert subject.cloud.observe(SPEC).networks.said(first) == "theirs"
    subject.add_foreign(Kind.NETWORK, "theirs", {"type": "flat", "physical_network": "physnet2"})
    assert subject.cloud.observe(SPEC).networks.said(first) == first, "the name means several now"
    assert subject.definition(port) == {**PORT, "network": first}
    before = subject.everything()
    with pytest.raises(CloudError, match="there is none of the name theirs"):
        subject.make(Kind.PORT, "by-name", {**PORT, "network": "theirs"})
    assert subject.everything() == before


def test_a_second_image_of_the_name_makes_no_other_server_of_it(subject: Subject) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    subject.make(Kind.SUBNET, "net-v4", SUBNET)
    subject.make(Kind.PORT, "vm-0", PORT)
    server = subject.make(Kind.SERVER, "vm", subject.server())
    before = subject.definition(server)
    second = subject.add_image(IMAGE)
    assert subject.definition(server) == before
    assert len(subject.cloud.observe(SPEC).images.meant(IMAGE)) == 2
    assert second in subject.cloud.observe(SPEC).images.meant(IMAGE)


def test_a_port_that_a_server_has_is_not_taken_from_it(subject: Subject) -> None:
    made = subject.make_all()
    subject.running()
    with pytest.raises(CloudError, match="server vm has it") as raised:
        subject.delete(made[Kind.PORT])
    assert raised.value.status == 409
    assert subject.definition(made[Kind.PORT]) == PORT
    subject.delete(made[Kind.SERVER])
    subject.delete(made[Kind.PORT])
    assert subject.definition(made[Kind.PORT]) is None


@pytest.mark.parametrize("fields", [PORT, {**PORT, "fixed_ip": None}])
def test_nova_takes_no_port_without_an_address_where_neutron_does_not_tell_why(
    subject: Subject, fields: dict[str, Value]
) -> None:
    subject.make(Kind.NETWORK, "net", FLAT)
    port = subject.make(Kind.PORT, "vm-0", fields)
    assert subject.cloud.read(port, "fixed_ip") is None
    assert subnets_of(subject.cloud.observe(SPEC).network("net")) == 0
    with pytest.raises(CloudError, match="requires a FixedIP") as raised:
        subject.make(Kind.SERVER, "vm", subject.server())
    assert raised.value.status == 400
    subject.make(Kind.SUBNET, "net-v4", SUBNET)
    assert subnets_of(subject.cloud.observe(SPEC).network("net")) == 1
