"""What is known before anything is made: what refuses the plan, what is doubtful, what nobody tells."""

from dataclasses import replace

import pytest
from tests.findings import found
from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.errors import GuardRefused, SpecError
from virtfn.model.cloud import Kind
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.cloud.survey import ComputeHost, Flavor, Image, SegmentRange
from virtfn.model.finding import Severity
from virtfn.model.plan import Value
from virtfn.testing import FakeCloud, FakeRules

VLAN = FIELD_NOTE.replace("physical_network: physnet1", "physical_network: physnet1\n    type: vlan")
ON_COMPUTE1 = FIELD_NOTE.replace("anti_affinity: apart", "host: compute1")


def rig(rules: FakeRules | None = None) -> Rig:
    return Rig(FakeCloud(rules or FakeRules()))


def notes(made: Rig, text: str = FIELD_NOTE) -> tuple[str, ...]:
    """What the proposal warns of, with what to do, and what it says is not known, with the evidence of that."""
    found = made.propose(desired(text))
    assert {one.severity for one in found.findings} <= {Severity.WARNING, Severity.INFO}
    assert found.plan.notes == ()
    return tuple(
        f"{one.what}; {one.fix}" if one.severity is Severity.WARNING else "; ".join((one.what, *one.evidence))
        for one in found.findings
    )


def refusal(made: Rig, text: str = FIELD_NOTE) -> str:
    with pytest.raises(SpecError) as caught:
        made.plan(desired(text))
    assert made.cloud.everything() == () or all(one.name == "old" for one in made.cloud.everything())
    return "\n".join(found(caught.value) or (str(caught.value),))


def test_what_no_api_tells_is_said_once() -> None:
    assert notes(rig()) == (
        "not known beforehand: whether the type flat is on, and physnet1 may carry flat networks "
        "(no API tells; Neutron reports it when it creates network flat)",
        "not known beforehand: how many VFs of physnet1 are free (no API tells); VFs of physnet1 in use: none",
    )


def test_a_network_of_the_type_shows_that_it_is_on() -> None:
    made = rig()
    made.cloud.add_foreign(Kind.NETWORK, "old", {"type": "flat", "physical_network": "physnet2"})
    assert notes(made)[0].startswith("not known beforehand: whether physnet1 may carry flat networks")


def test_ranges_of_segmentation_ids_tell_where_vlans_are() -> None:
    ranges = (SegmentRange("vlan", "physnet1", 100, 199),)
    assert not any("may carry" in note for note in notes(rig(FakeRules(ranges=ranges)), VLAN))
    said = refusal(rig(FakeRules(ranges=ranges)), VLAN.replace("physnet1", "physnet2"))
    assert "Neutron has no VLANs on physnet2 (it has on: physnet1)" in said


def test_vfs_in_servers_hands_are_counted_by_host() -> None:
    made = rig()
    made.up(FIELD_NOTE.replace("name: note", "name: other").replace("vm-{n}", "other-{n}"))
    made.cloud.rules.flat_networks = ("physnet1", "physnet2", "physnet3")
    text = FIELD_NOTE.replace("physical_network: physnet1", "physical_network: physnet1\n    type: vlan")
    assert "VFs of physnet1 in use: 1 on compute1, 1 on compute2" in "".join(notes(made, text))


def test_a_finished_cloud_needs_no_warning() -> None:
    made = rig()
    made.up()
    assert notes(made) == ()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"ports": 1}, "ports: 2 needed, 1 left (limit 1, used 0)"),
        ({"networks": 0}, "networks: 1 needed, 0 left (limit 0, used 0)"),
        ({"servers": 1, "vcpus": 1, "ram_mib": 100}, "vCPUs: 2 needed, 1 left"),
        ({"ram_mib": 100}, "MiB of memory: 128 needed, 100 left"),
        ({"server_groups": 0}, "server groups: 1 needed, 0 left"),
    ],
)
def test_a_quota_that_does_not_do_refuses_the_plan(limits: dict[str, int], said: str) -> None:
    made = rig(FakeRules(limits=limits))
    with pytest.raises(GuardRefused) as caught:
        made.plan(desired())
    assert said in str(caught.value)
    assert len(caught.value.findings) == len(limits)


def test_a_quota_counts_only_what_is_still_to_be_made() -> None:
    made = rig(FakeRules(limits={"servers": 2, "ports": 2, "networks": 1}))
    made.up()
    assert made.plan(desired()).is_empty


@pytest.mark.parametrize(
    ("image", "flavor", "said"),
    [
        (Image("cirros", "queued"), Flavor("m1.tiny"), "image cirros is queued, not active"),
        (Image("cirros", min_disk_gib=5), Flavor("m1.tiny", disk_gib=1), "needs 5 GiB of disk, flavor m1.tiny has 1"),
        (
            Image("cirros", min_ram_mib=128),
            Flavor("m1.tiny", ram_mib=64),
            "needs 128 MiB of memory, flavor m1.tiny has 64",
        ),
    ],
)
def test_an_image_that_cannot_be_used_is_refused(image: Image, flavor: Flavor, said: str) -> None:
    assert said in refusal(rig(FakeRules(images=(image,), flavors=(flavor,))))


def test_a_flavor_without_disk_has_room_for_any_image() -> None:
    made = rig(FakeRules(images=(Image("cirros", min_disk_gib=5),), flavors=(Flavor("m1.tiny", disk_gib=0),)))
    assert made.plan(desired()).steps


def test_a_server_that_stands_needs_its_image_flavor_and_key_pair_no_more() -> None:
    text = FIELD_NOTE.replace("    flavor: m1.tiny\n", "    flavor: m1.tiny\n    key_name: operator\n")
    made = rig()
    made.up(text)
    made.cloud.rules = replace(made.cloud.rules, images=("new",), flavors=("new",), key_names=("colleague",))
    assert made.plan(desired(text)).is_empty
    with pytest.raises(SpecError) as caught:
        made.plan(desired(text.replace("count: 2", "count: 3").replace("    anti_affinity: apart\n", "")))
    said = "\n".join(found(caught.value))
    assert "there is no image cirros (there is: new)" in said
    assert "there is no flavor m1.tiny (there is: new)" in said
    assert "there is no key pair operator (there is: colleague)" in said


def test_two_images_of_a_name_are_refused() -> None:
    assert "there are 2 images of the name cirros" in refusal(
        rig(FakeRules(images=("cirros", Image("cirros", id="another"))))
    )


def test_places_that_are_not_there_are_refused() -> None:
    said = refusal(rig(), FIELD_NOTE.replace("anti_affinity: apart", "host: compute9\n    availability_zone: mars"))
    assert "there is no compute host compute9 (there is: compute1, compute2)" in said
    assert "there is no availability zone mars (there is: nova)" in said


def test_a_zone_without_a_live_host_is_refused() -> None:
    hosts = (ComputeHost("compute1", "nova"), ComputeHost("compute2", "mars", up=False))
    said = refusal(rig(FakeRules(hosts=hosts)), FIELD_NOTE.replace("anti_affinity: apart", "availability_zone: mars"))
    assert "availability zone mars is not available" in said


def test_a_group_larger_than_the_number_of_hosts_is_refused() -> None:
    said = refusal(rig(), FIELD_NOTE.replace("count: 2", "count: 3"))
    assert "group apart has 3 servers that never share a host; the compute hosts are 2 (compute1, compute2)" in said


def test_a_group_that_needs_a_host_that_is_out_of_service_is_a_doubt() -> None:
    hosts = (ComputeHost("compute1", "nova"), ComputeHost("compute2", "nova", enabled=False))
    said = notes(rig(FakeRules(hosts=hosts)))[0]
    assert said.startswith("group apart has 2 servers that never share a host, and 1 host takes servers; take fewer")


def test_what_this_neutron_cannot_do_is_refused() -> None:
    said = refusal(rig(FakeRules(extensions=frozenset({"provider"}))))
    assert "this cloud's Neutron cannot set tags, our mark (extension standard-attr-tag)" in said
    assert "this cloud's Neutron cannot set port_security (extension port-security)" in said


def test_a_vlan_that_another_network_has_is_named() -> None:
    made = rig()
    made.cloud.add_foreign(Kind.NETWORK, "old", {"type": "vlan", "physical_network": "physnet1", "segmentation_id": 7})
    said = refusal(made, VLAN.replace("type: vlan", "type: vlan\n    segmentation_id: 7"))
    assert "VLAN 7 of physnet1 is that of network old" in said
    assert made.plan(desired(VLAN)).steps


def test_agents_are_looked_for_on_the_host_that_the_spec_names() -> None:
    agents = (NicAgent("compute1", False, ("physnet1",)), NicAgent("compute2", True, ("physnet1",)))
    made = rig(FakeRules(agents=agents))
    assert not any("NIC Switch" in note for note in notes(made))
    dead = "the NIC Switch agent for physnet1 does not answer (on compute1): its VFs cannot be bound"
    assert any(note.startswith(dead) for note in notes(made, ON_COMPUTE1))
    made.cloud.rules = replace(made.cloud.rules, agents=agents[1:])
    missing = "no NIC Switch agent on compute1 serves physnet1: its VFs cannot be bound (physical_device_mappings)"
    assert any(note.startswith(missing) for note in notes(made, ON_COMPUTE1))


def test_a_tunnel_network_is_a_doubt() -> None:
    made = rig()
    made.cloud.add_foreign(Kind.NETWORK, "tunnel", {"type": "vxlan", "physical_network": None})
    servers = "servers: [{name: vm, image: cirros, flavor: m1.tiny, ports: [{network: tunnel}]}]"
    made.cloud.add_foreign(Kind.SUBNET, "tunnel-v4", {"network": "tunnel", "cidr": "192.0.2.0/24"})
    text = f"virtfn: cloud/1\nname: note\n{servers}\n"
    (note, *rest) = notes(made, text)
    assert note.startswith(
        "network tunnel is of type vxlan: Neutron's sriovnicswitch binds VFs on flat and vlan only; "
    )
    assert not any("NIC Switch agent" in one for one in rest)


ON_BARE = """
virtfn: cloud/1
name: note
servers: [{name: vm, image: cirros, flavor: m1.tiny, ports: [{network: bare}]}]
"""


NONE_WANTED = ON_BARE.replace("{network: bare}", "{network: bare, fixed_ip: none}")
BARE = ON_BARE.replace(
    "servers:", "networks: [{name: bare, physical_network: physnet1, port_security: false}]\nservers:"
)
SEGMENTS = FakeRules().extensions | {"ip_allocation"}
NO_EXTENSION = "Neutron has the extension ip_allocation (service plugin segments), which is not here"
SECURE = "the network has port_security: false"
GIVE_SUBNET = "give the network a subnet (dhcp: false and gateway: none, if not needed), or configure that"


def bare_rig(text: str, extensions: frozenset[str], *, port_security: bool) -> Rig:
    """With a network without subnets, where the spec has none."""
    made = rig(FakeRules(extensions=extensions))
    if "networks:" not in text:
        fields: dict[str, Value] = {"type": "flat", "physical_network": "physnet1", "port_security": port_security}
        made.cloud.add_foreign(Kind.NETWORK, "bare", fields)
    return made


@pytest.mark.parametrize("text", [NONE_WANTED, BARE])
def test_a_port_without_an_address_is_made_so_where_nova_takes_it(text: str) -> None:
    made = bare_rig(text, SEGMENTS, port_security=False)
    (command,) = [step.command for step in made.plan(desired(text)).steps if "port create" in step.command]
    assert "--no-fixed-ip" in command
    made.up(text)
    assert made.ours()[Kind.PORT, "vm-0"].fixed_ip is None
    assert made.plan(desired(text)).is_empty


@pytest.mark.parametrize(
    ("text", "extensions", "port_security", "needed"),
    [
        (BARE, FakeRules().extensions, False, NO_EXTENSION),
        (BARE.replace(", port_security: false", ""), SEGMENTS, False, SECURE),
        (NONE_WANTED, FakeRules().extensions, False, NO_EXTENSION),
        (NONE_WANTED, SEGMENTS, True, SECURE),
        (ON_BARE, SEGMENTS, False, "the port has fixed_ip: none"),
        (ON_BARE, FakeRules().extensions, True, f"{NO_EXTENSION} and {SECURE} and the port has fixed_ip: none"),
    ],
)
def test_a_port_without_an_address_is_refused_where_nova_would(
    text: str, extensions: frozenset[str], port_security: bool, needed: str
) -> None:
    made = bare_rig(text, extensions, port_security=port_security)
    with pytest.raises(SpecError) as caught:
        made.plan(desired(text))
    (said,) = found(caught.value)
    assert said.partition(": ")[2] == (
        f"port vm-0 has no address (network bare has no subnet), which nova takes only where {needed}: {GIVE_SUBNET}"
    )


def test_a_subnet_that_is_not_in_the_spec_any_more_gives_addresses_as_before() -> None:
    made = rig()
    text = FIELD_NOTE.replace("count: 2", "count: 1")
    made.up(text)
    a, b = text.index("    subnets:"), text.index("servers:")
    without = text[:a] + text[b:]
    proposal = made.propose(desired(without))
    assert proposal.is_empty
    (found,) = proposal.findings
    assert (found.id, found.subject) == ("stray", "subnet flat-v4")
    made.up(without.replace("count: 1", "count: 2"))
    assert made.ours()[Kind.PORT, "vm-2-0"].fixed_ip is not None


def test_port_security_that_was_turned_off_before_counts_where_the_spec_leaves_it_out() -> None:
    made = rig(FakeRules(extensions=SEGMENTS))
    made.up(BARE)
    text = BARE.replace(", port_security: false", "").replace("{name: vm,", "{name: 'vm{n}', count: 2,")
    assert made.plan(desired(text)).steps


def test_no_address_on_a_network_that_has_some_is_refused_where_neutron_does_not_tell_why() -> None:
    text = FIELD_NOTE.replace("{network: flat,", "{network: flat, fixed_ip: none,")
    with pytest.raises(SpecError, match=r"fixed_ip is none.*which is not here: leave fixed_ip out"):
        rig().plan(desired(text))
    assert rig(FakeRules(extensions=SEGMENTS)).plan(desired(text)).steps


def test_a_host_that_takes_no_servers_is_a_doubt() -> None:
    hosts = (ComputeHost("compute1", "nova", up=False), ComputeHost("compute2", "nova"))
    assert notes(rig(FakeRules(hosts=hosts)), ON_COMPUTE1)[0].startswith("host compute1 takes no servers; start nova-")


def test_room_that_is_not_told_for_a_flavor_is_said() -> None:
    dedicated = Flavor("m1.tiny", extra_specs=("hw:cpu_policy",))
    made = rig(FakeRules(flavors=(dedicated,), too_small_for=("m1.tiny",)))
    assert notes(made)[-1] == (
        "not checked: room on hosts for flavor m1.tiny (its extra specs hw:cpu_policy change what it takes of a host)"
    )
    assert not any("no host has room" in note for note in notes(made))


def test_a_member_is_told_what_may_not_be_allowed_and_what_was_not_checked() -> None:
    rules = FakeRules(roles=("member", "reader"), flavors=(Flavor("m1.tiny", disk_gib=0),))
    text = ON_COMPUTE1.replace("port_security: false", "shared: true")
    assert notes(rig(rules), text)[-2:] == (
        "perhaps not allowed with your roles (member, reader), as it is for administrators by default: "
        "make network flat on a physical network, share network flat, "
        "boot an image from flavor m1.tiny (disk 0), choose a host; "
        "if it is refused, use the credentials of an administrator",
        "not checked: NIC Switch agents, compute hosts, VFs in use, room on hosts "
        "(the cloud tells it to administrators only)",
    )
