"""What the table of an inventory shows, and what it hides."""

from io import StringIO

from virtfn.cli.console import Console
from virtfn.cli.inventory_view import print_inventory
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Inventory, PfState, Unknown, VfState

PF = PfState("0000:01:00.0", "p2p1", mac=MacAddress.parse("a0:36:9f:68:fc:f4"), num_vfs=1, up=True)


def table(pf: PfState, *, wide: bool = False) -> list[str]:
    out = StringIO()
    print_inventory(Console(out), Inventory((pf,)), wide=wide)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def with_vfs(*vfs: VfState) -> PfState:
    return PfState(PF.device, PF.name, mac=PF.mac, num_vfs=len(vfs), up=True, vfs=vfs)


def test_one_vf_is_singular() -> None:
    assert table(PF)[0].split("  ")[2] == "1 VF"


def test_rates_of_zero_are_left_out_of_the_default_table() -> None:
    headings = table(with_vfs(VfState(0, trust=True, min_tx_rate_mbps=0, max_tx_rate_mbps=0)))[1]
    assert headings.split() == ["VF", "TRUST"]


def test_a_rate_that_is_set_is_in_the_default_table() -> None:
    lines = table(with_vfs(VfState(0, trust=True, max_tx_rate_mbps=0), VfState(1, trust=True, max_tx_rate_mbps=100)))
    assert [line.split() for line in lines[1:4]] == [["VF", "TRUST", "MAX"], ["0", "on", "-"], ["1", "on", "100M"]]


def test_guids_are_in_the_default_table_where_one_is_not_zero() -> None:
    zero, guid = ":".join(["00"] * 8), "22:44:33:00:33:11:00:33"
    assert table(with_vfs(VfState(0, trust=True, node_guid=zero, port_guid=zero)))[1].split() == ["VF", "TRUST"]
    lines = table(with_vfs(VfState(0, trust=True, node_guid=zero, port_guid=guid)))
    assert [line.split() for line in lines[1:3]] == [["VF", "TRUST", "PORT-GUID"], ["0", "on", guid]]


def test_a_pf_mac_that_is_not_known_is_marked_and_explained() -> None:
    lines = table(PfState(PF.device, PF.name, mac=Unknown("not an Ethernet address"), up=True))
    assert "MAC ?" in lines[0]
    assert "? PF MAC: not an Ethernet address" in lines


def test_a_link_state_that_is_not_known_is_marked_and_explained() -> None:
    lines = table(PfState(PF.device, PF.name, mac=PF.mac, up=Unknown("no netlink here")))
    assert "link ?" in lines[0]
    assert "? PF link: no netlink here" in lines
