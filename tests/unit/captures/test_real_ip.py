"""A witness: the ip of this machine prints VFs that it never had, from a recorded netlink message.

``ip -d monitor file`` prints RTM_NEWLINK messages with the same ``print_linkinfo`` as ``ip -d link show``. Layouts:
include/uapi/linux/if_link.h, rtnetlink.h. No root and no hardware is needed; without ip the tests are skipped.
"""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from tests.rendering import render

from virtfn.captures.attributes import Generation
from virtfn.captures.to_inventory import parse
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Inventory, PfState, Unknown, VfLinkState, VfState, Vlan, VlanProtocol

pytestmark = pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed")

RTM_NEWLINK, ARPHRD_ETHER = 16, 1
IFF_UP_BROADCAST_RUNNING_PROMISC_MULTICAST_LOWER_UP = 0x11143
ADDRESS, IFNAME, MTU, NUM_VF, VFINFO_LIST, PROMISCUITY, PARENT_DEV_NAME, PARENT_BUS = 1, 3, 4, 21, 22, 30, 56, 57
VF_MAC, VF_VLAN, VF_TX_RATE, VF_SPOOFCHK, VF_LINK_STATE, VF_RATE, VF_RSS, VF_TRUST = 1, 2, 3, 4, 5, 6, 7, 9
VF_VLAN_LIST, VF_BROADCAST = 12, 13
ETHERTYPES = {VlanProtocol.C_TAG: 0x8100, VlanProtocol.S_TAG: 0x88A8}
LINK_STATES = tuple(VfLinkState)

PF_MAC = MacAddress.parse("a0:36:9f:68:fc:f4")
BROADCAST = MacAddress.parse("ff:ff:ff:ff:ff:ff")


def vf_state(index: int, **facts: object) -> VfState:
    given: dict[str, object] = {
        "vlans": (Vlan(),),
        "spoofchk": True,
        "trust": False,
        "link_state": VfLinkState.AUTO,
        "min_tx_rate_mbps": 0,
        "max_tx_rate_mbps": 0,
        "rss_query": False,
    }
    mac = MacAddress(bytes((0xFA, 0x16, 0x3E, 0, 0, index)))
    return VfState(index, mac=mac, broadcast=BROADCAST, **(given | facts))  # type: ignore[arg-type]


VFS = (
    vf_state(0),
    vf_state(1, vlans=(Vlan(100, 3, VlanProtocol.S_TAG),), max_tx_rate_mbps=100, min_tx_rate_mbps=10, spoofchk=False),
    vf_state(2, vlans=(Vlan(4095, 7),), link_state=VfLinkState.ENABLE, trust=True, rss_query=True),
    vf_state(3, vlans=(Vlan(5), Vlan(6, 2, VlanProtocol.S_TAG)), link_state=VfLinkState.DISABLE),
)
PF = PfState(
    "0000:01:00.0",
    "p2p1",
    ifindex=6,
    mac=PF_MAC,
    num_vfs=len(VFS),
    up=True,
    carrier=True,
    promiscuous=True,
    promisc=True,
    mtu=1500,
    vfs=VFS,
)


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def vf_info(vf: VfState) -> bytes:
    assert isinstance(vf.mac, MacAddress)
    assert isinstance(vf.vlans, tuple)
    assert isinstance(vf.link_state, VfLinkState)
    vlans = b"".join(
        attribute(
            1, struct.pack("=III", vf.index, vlan.id, vlan.qos) + struct.pack(">HH", ETHERTYPES[vlan.protocol], 0)
        )
        for vlan in vf.vlans
    )
    facts = (
        (VF_MAC, struct.pack("=I32s", vf.index, vf.mac.octets)),
        (VF_BROADCAST, struct.pack("=32s", BROADCAST.octets)),
        (VF_VLAN, struct.pack("=III", vf.index, vf.vlans[0].id, vf.vlans[0].qos)),
        (VF_TX_RATE, struct.pack("=II", vf.index, vf.max_tx_rate_mbps)),
        (VF_SPOOFCHK, struct.pack("=II", vf.index, vf.spoofchk)),
        (VF_RATE, struct.pack("=III", vf.index, vf.min_tx_rate_mbps, vf.max_tx_rate_mbps)),
        (VF_LINK_STATE, struct.pack("=II", vf.index, LINK_STATES.index(vf.link_state))),
        (VF_RSS, struct.pack("=II", vf.index, vf.rss_query)),
        (VF_TRUST, struct.pack("=II", vf.index, vf.trust)),
        (VF_VLAN_LIST, vlans),
    )
    return attribute(1, b"".join(attribute(kind, payload) for kind, payload in facts))


def new_link(pf: PfState) -> bytes:
    facts = (
        (IFNAME, f"{pf.name}\0".encode()),
        (MTU, struct.pack("=I", pf.mtu)),
        (ADDRESS, PF_MAC.octets),
        (PROMISCUITY, struct.pack("=I", 0)),  # its words begin with the space that ends the address
        (PARENT_DEV_NAME, f"{pf.device}\0".encode()),
        (PARENT_BUS, b"pci\0"),
        (NUM_VF, struct.pack("=I", pf.num_vfs)),
        (VFINFO_LIST, b"".join(vf_info(vf) for vf in pf.vfs)),
    )
    body = struct.pack("=BxHiII", 0, ARPHRD_ETHER, pf.ifindex, IFF_UP_BROADCAST_RUNNING_PROMISC_MULTICAST_LOWER_UP, 0)
    body += b"".join(attribute(kind, payload) for kind, payload in facts)
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, 0, 0, 0) + body


def printed_by_ip(tmp_path: Path, message: bytes, *options: str) -> str:
    recorded = tmp_path / "recorded"
    recorded.write_bytes(message)
    command = ["ip", "-d", *options, "monitor", "file", str(recorded)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    if "parentdev" not in done.stdout or "link/ether" not in done.stdout:
        pytest.skip("this ip is older than 5.13")
    return done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("-o",), ("-c=always",), ("-s",)])
def test_what_ip_prints_is_read(tmp_path: Path, options: tuple[str, ...]) -> None:
    read = parse(printed_by_ip(tmp_path, new_link(PF), *options))
    assert read == parse(render(Inventory((PF,)), Generation.TODAY))


def test_vfs_are_rendered_as_ip_prints_them(tmp_path: Path) -> None:
    def vf_lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("    vf ")]

    printed = vf_lines(printed_by_ip(tmp_path, new_link(PF)))
    assert vf_lines(render(Inventory((PF,)), Generation.TODAY)) == printed


def test_list_that_ip_calls_cut_has_no_known_number(tmp_path: Path) -> None:
    cut = PfState(PF.device, PF.name, ifindex=6, num_vfs=256, mtu=1500, vfs=VFS)
    read = parse(printed_by_ip(tmp_path, new_link(cut)))
    assert read.pfs[0].num_vfs == Unknown("ip said: Truncated VF list")


@pytest.mark.parametrize("options", ["-d", "-j", "-j -d", "-j -p -d -s", "-c=always -d", "-o", "-s -s -d"])
def test_loopback_is_not_a_pf(options: str) -> None:
    command = ["ip", *options.split(), "link", "show", "dev", "lo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        pytest.skip(f"ip does not show lo here: {done.stderr.strip()}")
    assert parse(done.stdout).pfs == ()
