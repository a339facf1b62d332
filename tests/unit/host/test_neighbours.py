import struct

from virtfn.host.neighbours import above, neighbour
from virtfn.host.netlink import attribute
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress

REACHABLE, STALE, FAILED, NOARP, PERMANENT = 0x02, 0x04, 0x20, 0x40, 0x80
GATEWAY = bytes.fromhex("52540000000a")
NAMES = {4: "p2p1"}


def entry(family: int, ifindex: int, state: int, octets: bytes = GATEWAY, dst: bytes = b"\x0a\0\0\1") -> bytes:
    header = struct.pack("=BxxxiHBB", family, ifindex, state, 0, 1)
    return header + (attribute(1, dst) if dst else b"") + attribute(2, octets)


def test_a_neighbour_is_told_with_its_address() -> None:
    mac = MacAddress(GATEWAY)
    assert neighbour(entry(2, 4, STALE), NAMES) == (mac, "neighbour 10.0.0.1 on p2p1")
    v6 = entry(10, 4, REACHABLE, dst=b"\xfe\x80" + bytes(13) + b"\1")
    assert neighbour(v6, NAMES) == (mac, "neighbour fe80::1 on p2p1")


def test_what_a_bridge_learned_on_its_port_is_told() -> None:
    assert neighbour(entry(7, 4, STALE, dst=b""), NAMES) == (MacAddress(GATEWAY), "bridge FDB on p2p1")


def test_the_hosts_own_filter_entries_are_not_outside() -> None:
    assert neighbour(entry(7, 4, PERMANENT, dst=b""), NAMES) is None


def test_a_static_neighbour_is_outside() -> None:
    assert neighbour(entry(2, 4, PERMANENT), NAMES) is not None


def test_an_entry_that_says_nothing_of_a_host_beyond_the_pf_is_left_out() -> None:
    assert neighbour(entry(2, 5, STALE), NAMES) is None
    assert neighbour(entry(2, 4, FAILED), NAMES) is None
    assert neighbour(entry(2, 4, NOARP), NAMES) is None
    assert neighbour(entry(2, 4, STALE, bytes(6)), NAMES) is None
    assert neighbour(entry(2, 4, STALE, bytes.fromhex("01005e000001")), NAMES) is None
    assert neighbour(b"\0" * 11, NAMES) is None


def test_vlans_on_a_pf_its_bridge_and_what_stands_on_the_bridge_are_above_it() -> None:
    def link(name: str, ifindex: int, lower: int = 0, master: int = 0) -> Link:
        mac = MacAddress(bytes((2, 0, 0, 0, 0, ifindex)))
        return Link(name, ifindex, 1, 1, mac, 1500, True, False, lower=lower, master=master)

    links = (
        link("p2p1", 4, master=10),
        link("p2p1.100", 5, lower=4),
        link("br0", 10),
        link("br0.7", 11, lower=10),
        link("tap0", 12, master=10),
        link("p2p2", 13),
    )
    assert {found.name for found in above(4, links)} == {"p2p1", "p2p1.100", "br0", "br0.7"}
