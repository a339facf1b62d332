"""RTM_NEWLINK messages as the kernel writes them, octet by octet, and what must be read out of them."""

import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from virtfn.errors import BackendUnreachable, VirtfnError
from virtfn.host.vfinfo import Link, decode_link, decode_sent_packets, decode_vf_received
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import NO_VLAN, Unknown, VfLinkState, VfState, Vlan, VlanProtocol

NOT_REPORTED = 0xFFFFFFFF


@dataclass(frozen=True)
class Vf:
    """struct ifla_vf_info as a driver's ndo_get_vf_config leaves it (include/linux/if_link.h)."""

    vf: int
    mac: str = "00:00:00:00:00:00"
    vlan: int = 0
    qos: int = 0
    vlan_proto: int = 0x8100
    min_tx_rate: int = 0
    max_tx_rate: int = 0
    spoofchk: int = 1
    linkstate: int = 0
    rss_query_en: int = NOT_REPORTED
    trusted: int = 0
    guid: int | None = None
    rx_packets: int = 0


def attr(kind: int, payload: bytes) -> bytes:
    """nla_put, and nla_nest_end: the length field is 16 bits and simply wraps."""
    length = 4 + len(payload)
    return struct.pack("=HH", length & 0xFFFF, kind) + payload + bytes(-length % 4)


def vf_info(vf: Vf, *, statistics: bool = False) -> bytes:
    """rtnl_fill_vfinfo (net/core/rtnetlink.c, Linux 6.12), in its order."""
    mac = bytes.fromhex(vf.mac.replace(":", ""))
    parts = [
        attr(1, struct.pack("=I32s", vf.vf, mac)),
        attr(13, (b"\xff" * 6).ljust(32, b"\0")),
        attr(2, struct.pack("=III", vf.vf, vf.vlan, vf.qos)),
        attr(6, struct.pack("=III", vf.vf, vf.min_tx_rate, vf.max_tx_rate)),
        attr(3, struct.pack("=II", vf.vf, vf.max_tx_rate)),
        attr(4, struct.pack("=II", vf.vf, vf.spoofchk)),
        attr(5, struct.pack("=II", vf.vf, vf.linkstate)),
        attr(7, struct.pack("=II", vf.vf, vf.rss_query_en)),
        attr(9, struct.pack("=II", vf.vf, vf.trusted)),
    ]
    if vf.guid is not None:
        parts += [attr(kind, struct.pack("=IIQ", vf.vf, 0, vf.guid)) for kind in (10, 11)]
    info = struct.pack("=III", vf.vf, vf.vlan, vf.qos) + struct.pack("!H2x", vf.vlan_proto)
    parts.append(attr(12, attr(1, info)))
    if statistics:
        numbers = {0: vf.rx_packets}
        counters = (attr(kind, struct.pack("=Q", numbers.get(kind, 0))) for kind in (0, 1, 2, 3, 4, 5, 7, 8))
        parts.append(attr(8, b"".join(counters)))
    return attr(1, b"".join(parts))


def link(
    vfs: Iterable[Vf] = (),
    *,
    num_vfs: int | None = None,
    statistics: bool = False,
    link_type: int = 1,
    flags: int = 0x1043,
) -> bytes:
    """rtnl_fill_ifinfo without its nlmsghdr: what comes before the VF list, the list, what comes after it."""
    entries = [vf_info(vf, statistics=statistics) for vf in vfs]
    before = [
        attr(3, b"p2p1\0"),
        attr(16, b"\6"),
        attr(4, struct.pack("=I", 1500)),
        attr(30, struct.pack("=I", 1)),
        attr(33, b"\1"),
        attr(1, bytes.fromhex("a0369f68fcf4") if link_type == 1 else bytes(20)),
        attr(2, b"\xff" * 6),
        attr(21, struct.pack("=I", len(entries) if num_vfs is None else num_vfs)),
    ]
    after = [
        attr(24, b""),
        attr(43, attr(2, b"\0")),
        attr(26, attr(2, bytes(136)) + attr(10, bytes(232))),
        attr(54, bytes.fromhex("a0369f68fcf4")),
        attr(56, b"0000:01:00.0\0"),
        attr(57, b"pci\0"),
    ]
    header = struct.pack("=BxHiII", 0, link_type, 7, flags, 0)
    return header + b"".join([*before, attr(22, b"".join(entries)), *after])


def many(count: int) -> list[Vf]:
    """VFs that can be told apart by every value they have."""
    return [
        Vf(
            number,
            mac=f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
            vlan=number % 4096,
            qos=number % 8,
            max_tx_rate=number,
            spoofchk=number % 2,
            linkstate=number % 3,
        )
        for number in range(count)
    ]


def summary(vf: VfState) -> tuple[object, ...]:
    return (vf.index, str(vf.mac), vf.vlan, vf.max_tx_rate_mbps, vf.spoofchk, vf.link_state)


def wanted(vf: Vf) -> tuple[object, ...]:
    return (
        vf.vf,
        vf.mac,
        Vlan(vf.vlan, vf.qos),
        vf.max_tx_rate,
        bool(vf.spoofchk),
        list(VfLinkState)[vf.linkstate],
    )


def test_the_encoder_writes_as_many_octets_for_a_vf_as_the_kernel_was_measured_to_write() -> None:
    assert len(vf_info(Vf(0))) == 196
    assert len(vf_info(Vf(0), statistics=True)) == 296


@pytest.mark.parametrize("statistics", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("count", [0, 1, 16, 221, 222, 256, 334, 335, 512, 700, 2048])
def test_every_vf_is_read_also_where_the_length_of_the_list_has_wrapped(count: int, statistics: bool) -> None:
    vfs = many(count)
    found = decode_link(link(vfs, statistics=statistics))
    assert [summary(vf) for vf in found.vfs] == [wanted(vf) for vf in vfs]
    assert found.problems == ()
    assert (found.num_vfs, found.parent, found.bus) == (count, "0000:01:00.0", "pci")


def test_the_list_wraps_where_it_was_measured_to_wrap() -> None:
    def length_field(count: int, statistics: bool) -> int:
        listed = attr(22, b"".join(vf_info(vf, statistics=statistics) for vf in many(count)))
        return int(struct.unpack_from("=H", listed)[0])

    assert length_field(334, False) == 4 + 334 * 196
    assert length_field(335, False) == 4 + 335 * 196 - 65536
    assert length_field(221, True) == 4 + 221 * 296
    assert length_field(222, True) == 4 + 222 * 296 - 65536


def test_a_list_whose_wrapped_length_is_zero_is_read() -> None:
    count = next(n for n in range(1, 65536) if (4 + 196 * n) % 65536 == 0)
    found = decode_link(link(Vf(number) for number in range(count)))
    assert len(found.vfs) == count
    assert found.problems == ()


def test_the_facts_of_the_pf_itself_are_read() -> None:
    found = decode_link(link(many(4)))
    assert (found.name, found.ifindex, found.mtu, found.up, found.carrier) == ("p2p1", 7, 1500, True, True)
    assert found.mac == MacAddress.parse("a0:36:9f:68:fc:f4")
    assert found.promiscuous is True


def test_a_vf_that_nobody_configured_has_no_vlan_and_a_zero_mac() -> None:
    vf = decode_link(link([Vf(0)])).vfs[0]
    assert (vf.vlans, vf.vlan) == ((), NO_VLAN)
    assert isinstance(vf.mac, MacAddress)
    assert vf.mac.is_zero
    assert vf.broadcast == MacAddress(b"\xff" * 6)


def test_what_the_driver_does_not_report_is_unknown_and_not_off() -> None:
    vf = decode_link(link([Vf(0, spoofchk=NOT_REPORTED, trusted=NOT_REPORTED)])).vfs[0]
    assert vf.spoofchk == Unknown("the driver does not report spoof checking")
    assert vf.trust == Unknown("the driver does not report trust")
    assert vf.rss_query == Unknown("the driver does not report RSS query")
    assert vf.node_guid == Unknown("the driver does not report a node GUID")


def test_a_provider_vlan_keeps_its_protocol() -> None:
    vf = decode_link(link([Vf(0, vlan=100, qos=3, vlan_proto=0x88A8)])).vfs[0]
    assert vf.vlans == (Vlan(100, 3, VlanProtocol.S_TAG),)


def test_a_vlan_of_an_unknown_protocol_is_unknown() -> None:
    vf = decode_link(link([Vf(0, vlan=100, vlan_proto=0x9100)])).vfs[0]
    assert isinstance(vf.vlans, Unknown)


def test_no_vlan_is_no_vlan_whatever_protocol_the_driver_gives_it() -> None:
    assert decode_link(link([Vf(0, vlan_proto=0)])).vfs[0].vlan == NO_VLAN


def test_an_infiniband_vf_has_guids_and_no_mac() -> None:
    found = decode_link(link([Vf(0, guid=0x0011223344556677)], link_type=32))
    assert found.vfs[0].node_guid == "00:11:22:33:44:55:66:77"
    assert found.vfs[0].mac == Unknown("not an Ethernet device")
    assert isinstance(found.mac, Unknown)


def test_a_netdev_that_is_down_has_no_carrier_to_report() -> None:
    assert decode_link(link(flags=0x1002)).carrier == Unknown("the netdev is down")


def test_a_vf_that_the_driver_leaves_out_is_named_and_the_others_keep_their_index() -> None:
    found = decode_link(link([vf for vf in many(4) if vf.vf != 2], num_vfs=4))
    assert [vf.index for vf in found.vfs] == [0, 1, 3]
    assert found.problems == ("the driver reports 3 of 4 VFs to 'ip link': VF 2 left out",)


def test_a_vf_left_out_is_named_also_where_the_length_has_wrapped() -> None:
    vfs = [vf for vf in many(512) if vf.vf not in (0, 400)]
    found = decode_link(link(vfs, num_vfs=512))
    assert [summary(vf) for vf in found.vfs] == [wanted(vf) for vf in vfs]
    assert found.problems == ("the driver reports 510 of 512 VFs to 'ip link': VF 0, 400 left out",)


def test_two_vfs_with_one_index_are_both_left_out() -> None:
    found = decode_link(link([Vf(0), Vf(1, mac="02:00:00:00:00:01"), Vf(1, mac="02:00:00:00:00:02")]))
    assert [vf.index for vf in found.vfs] == [0]
    assert "numbers its VFs wrongly (VF 1)" in found.problems[0]


def test_an_entry_whose_parts_name_two_vfs_is_left_out() -> None:
    mixed = bytearray(link(many(2)))
    trust = mixed.rfind(struct.pack("=HHII", 12, 9, 1, 0))
    mixed[trust + 4] = 0
    found = decode_link(bytes(mixed))
    assert [vf.index for vf in found.vfs] == [0]
    assert any("name more than one VF" in problem for problem in found.problems)


def test_a_list_that_neither_its_length_nor_the_number_of_vfs_confirms_is_not_shown() -> None:
    message = bytearray(link(many(4), num_vfs=6))
    start = message.find(struct.pack("=HH", 4 + 4 * 196, 22))
    struct.pack_into("=H", message, start, 4 + 4 * 196 - 8)
    found = decode_link(bytes(message))
    assert found.vfs == ()
    assert "cannot be trusted" in found.problems[0]


def test_a_driver_without_a_vf_list_is_named() -> None:
    message = link(num_vfs=5)
    without = message.replace(attr(22, b""), b"")
    assert decode_link(without).problems == ("the driver reports none of its 5 VFs to 'ip link' (no VF list)",)


def test_a_message_shorter_than_its_header_is_refused() -> None:
    with pytest.raises(BackendUnreachable, match="less than its header"):
        decode_link(b"\0" * 15)


@pytest.mark.parametrize("count", [4, 400])
def test_a_message_cut_off_anywhere_never_shows_a_wrong_vf(count: int) -> None:
    vfs = many(count)
    message = link(vfs)
    right = {vf.vf: wanted(vf) for vf in vfs}
    for end in range(16, len(message), 1 if count < 100 else 37):
        found = decode_link(message[:end])
        assert all(summary(vf) == right[vf.index] for vf in found.vfs)
        assert len(found.vfs) in (0, count)


@pytest.mark.parametrize("seed", range(8))
def test_hostile_octets_never_end_in_an_unclean_error(seed: int) -> None:
    chance = random.Random(seed)
    message = link(many(chance.choice([1, 3, 8])), statistics=chance.random() < 0.5)
    for _ in range(2000):
        changed = bytearray(message)
        for _ in range(chance.randint(1, 12)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 4, 255, chance.randrange(256)))
        decoded_or_refused(bytes(changed[: chance.randint(0, len(changed))]))
        decoded_or_refused(chance.randbytes(chance.randint(0, 300)))


def decoded_or_refused(message: bytes) -> Link | None:
    try:
        return decode_link(message)
    except VirtfnError:
        return None


@pytest.mark.parametrize("count", [3, 256])
def test_the_received_packets_of_each_vf_are_read_also_where_the_length_has_wrapped(count: int) -> None:
    vfs = [Vf(number, rx_packets=(number + 1) << 33) for number in range(count)]
    message = link(vfs, num_vfs=count, statistics=True)
    assert decode_vf_received(message) == {number: (number + 1) << 33 for number in range(count)}


def test_a_message_without_statistics_has_no_received_packets() -> None:
    message = link([Vf(0)], num_vfs=1)
    assert decode_vf_received(message) == {}
    with pytest.raises(BackendUnreachable, match="no statistics"):
        decode_sent_packets(message)


def test_the_sent_packets_of_a_netdev_are_its_second_number() -> None:
    assert decode_sent_packets(link() + attr(23, struct.pack("=25Q", *range(100, 125)))) == 101
