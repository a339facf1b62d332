"""What ``dump`` and ``render`` write: short, readable, and honest about what a spec cannot say."""

import subprocess
import sys
from pathlib import Path

import pytest

from virtfn.captures.to_inventory import parse
from virtfn.model.addresses import MacAddress
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.inventory import EswitchMode, Inventory, PfState, VfLinkState, VfState, Vlan
from virtfn.spec.from_inventory import render
from virtfn.spec.writing import dump

GOLDEN = Path(__file__).parents[2] / "golden"
MAC = MacAddress.parse("fa:16:3e:a1:43:57")
OTHER = MacAddress.parse("fa:16:3e:aa:33:59")


def dumped(*vfs: tuple[int, DesiredVf]) -> str:
    text = dump(DesiredHost((DesiredPf(PfMatch(name="p2p1"), vfs=vfs),)))
    return text.partition("vfs:\n")[2]


def rendered(*vfs: VfState, num_vfs: int | None = None) -> str:
    pf = PfState("0000:01:00.0", "p2p1", num_vfs=len(vfs) if num_vfs is None else num_vfs, vfs=vfs)
    return render(Inventory((pf,)))


def test_the_host_of_the_field_note_renders_as_a_person_would_write_it() -> None:
    inventory = parse((GOLDEN / "captures/2015_field_note/input.txt").read_text())
    assert render(inventory) == (
        "virtfn: host/1\n"
        "pfs:\n"
        "  - match: {name: p2p1}\n"
        "    num_vfs: 4\n"
        "    mtu: 1500\n"
        "    promisc: true\n"
        "    up: true\n"
        "    each: {vlan: none, spoofchk: true, link_state: auto}\n"
        "    vfs:\n"
        '      0: {mac: "00:00:00:00:00:00"}\n'
        '      1: {mac: "fa:16:3e:c0:d8:11"}\n'
        '      2: {mac: "fa:16:3e:a1:43:57"}\n'
        '      3: {mac: "fa:16:3e:aa:33:59"}\n'
    )


def test_equal_vfs_become_one_range() -> None:
    vf = DesiredVf(trust=True)
    assert dumped((0, vf), (1, vf), (2, vf), (5, vf)) == '      "0-2,5": {trust: true}\n'


def test_vfs_that_are_equal_but_for_the_mac_share_a_range_where_that_is_shorter() -> None:
    shared = DesiredVf(vlan=Vlan(100, 3), driver="vfio-pci", link_state=VfLinkState.AUTO)
    one, other = DesiredVf(mac=MAC).over(shared), DesiredVf(mac=OTHER).over(shared)
    assert dumped((0, one), (1, other)) == (
        '      "0-1": {vlan: {id: 100, qos: 3}, link_state: auto, driver: vfio-pci}\n'
        '      0: {mac: "fa:16:3e:a1:43:57"}\n'
        '      1: {mac: "fa:16:3e:aa:33:59"}\n'
    )


def test_little_that_is_shared_stays_with_the_vf() -> None:
    one, other = DesiredVf(mac=MAC, vlan=Vlan(5)), DesiredVf(mac=OTHER, vlan=Vlan(5))
    assert dumped((0, one), (1, other)) == (
        '      0: {mac: "fa:16:3e:a1:43:57", vlan: 5}\n      1: {mac: "fa:16:3e:aa:33:59", vlan: 5}\n'
    )


def test_what_most_vfs_are_is_said_of_each() -> None:
    states = [VfState(index, trust=index == 2) for index in range(4)]
    assert "    each: {trust: false}\n    vfs:\n      2: {trust: true}\n" in rendered(*states)


def test_each_is_not_said_where_a_vf_was_not_seen() -> None:
    text = rendered(VfState(0, trust=True), VfState(1, trust=True), num_vfs=3)
    assert "each" not in text
    assert '"0-1": {trust: true}' in text


def test_each_is_not_said_of_a_field_that_is_unknown_for_one_vf() -> None:
    assert "each" not in rendered(VfState(0, trust=True), VfState(1, trust=True), VfState(2))


def test_the_name_is_a_comment_where_the_address_is_known() -> None:
    assert '- match: {pci: "0000:01:00.0"}  # p2p1\n' in rendered()


def test_two_ports_on_one_address_are_told_apart_by_name() -> None:
    text = render(Inventory((PfState("0000:01:00.0", "port1"), PfState("0000:01:00.0", "port2"))))
    assert '{name: port1, pci: "0000:01:00.0"}' in text
    assert '{name: port2, pci: "0000:01:00.0"}' in text


def test_a_mac_that_two_vfs_have_is_left_out_of_both_with_a_comment() -> None:
    text = rendered(VfState(0, mac=MAC), VfState(1, mac=MAC), VfState(2, mac=OTHER))
    assert "# VF 0-1: mac fa:16:3e:a1:43:57 is left out: several VFs have it, and a spec gives each its own" in text
    assert text.count(f'"{MAC}"') == 0
    assert f'2: {{mac: "{OTHER}"}}' in text


def test_several_vlans_are_left_out_with_a_comment() -> None:
    assert "# VF 0: vlan is left out: there are several (100, 200)" in rendered(
        VfState(0, vlans=(Vlan(100), Vlan(200)))
    )


def test_an_eswitch_mode_that_cannot_be_asked_for_is_left_out_with_a_comment() -> None:
    pf = PfState("0000:01:00.0", "p2p1", eswitch_mode=EswitchMode.SWITCHDEV_INACTIVE)
    assert "# eswitch_mode switchdev_inactive is left out" in render(Inventory((pf,)))


def test_a_pf_that_nothing_tells_from_others_is_left_out_with_a_comment() -> None:
    assert render(Inventory((PfState("netdevsim1", None),))) == (
        "virtfn: host/1\npfs: []\n  # netdevsim1 is left out: no PCI address and no name tells it from others\n"
    )


def test_problems_of_the_reading_are_comments_on_one_line() -> None:
    text = render(Inventory((PfState("0000:01:00.0", "p2p1", problems=("cut\nafter 34\x1b[31m",)),)))
    assert "    # problem: cut after 34 [31m\n" in text


@pytest.mark.parametrize("name", ["writing", "from_inventory"])
def test_writing_waits_for_neither_pydantic_nor_a_parser(name: str) -> None:
    program = f"import sys; import virtfn.spec.{name}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"pydantic", "ruamel.yaml"} & set(said.stdout.split())
