"""What is printed, letter by letter; that it reads back is a law in tests/property/test_captures.py."""

import json
from dataclasses import replace

import pytest
from tests.rendering import render

from virtfn.captures.attributes import Generation
from virtfn.captures.to_inventory import parse
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Inventory, PfState, Unknown, VfLinkState, VfState, Vlan, VlanProtocol

VF = VfState(
    index=0,
    mac=MacAddress.parse("fa:16:3e:a1:43:57"),
    broadcast=MacAddress.parse("ff:ff:ff:ff:ff:ff"),
    vlans=(Vlan(100, 3, VlanProtocol.S_TAG),),
    spoofchk=True,
    trust=False,
    link_state=VfLinkState.AUTO,
    min_tx_rate_mbps=10,
    max_tx_rate_mbps=100,
    rss_query=True,
)
PF = PfState(
    device="0000:01:00.0",
    name="p2p1",
    ifindex=6,
    mac=MacAddress.parse("a0:36:9f:68:fc:f4"),
    num_vfs=1,
    up=True,
    carrier=True,
    promiscuous=True,
    promisc=True,
    mtu=1500,
    vfs=(VF,),
)
HOST = Inventory((PF,))
HEADER = "6: p2p1: <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1500\n"

WORDS = {
    Generation.FIELD_NOTE: HEADER + "    link/ether a0:36:9f:68:fc:f4\n"
    "    vf 0 MAC fa:16:3e:a1:43:57, vlan 100, qos 3, tx rate 100 (Mbps), max_tx_rate 100Mbps, min_tx_rate 10Mbps,"
    " spoof checking on, link-state auto\n",
    Generation.MIDDLE: HEADER + "    link/ether a0:36:9f:68:fc:f4\n"
    "    vf 0 MAC fa:16:3e:a1:43:57, vlan 100, qos 3, vlan protocol 802.1ad, tx rate 100 (Mbps), max_tx_rate 100Mbps,"
    " min_tx_rate 10Mbps, spoof checking on, link-state auto, trust off, query_rss on\n",
    Generation.TODAY: HEADER + "    link/ether a0:36:9f:68:fc:f4 parentbus pci parentdev 0000:01:00.0\n"
    "    vf 0     link/ether fa:16:3e:a1:43:57 brd ff:ff:ff:ff:ff:ff, vlan 100, qos 3, vlan protocol 802.1ad,"
    " tx rate 100 (Mbps), max_tx_rate 100Mbps, min_tx_rate 10Mbps, spoof checking on, link-state auto, trust off,"
    " query_rss on\n",
}


@pytest.mark.parametrize("generation", WORDS)
def test_words_of_each_generation(generation: Generation) -> None:
    assert render(HOST, generation) == WORDS[generation]


def test_json_has_the_keys_of_ip() -> None:
    assert json.loads(render(HOST, Generation.JSON)) == [
        {
            "ifindex": 6,
            "ifname": "p2p1",
            "flags": ["BROADCAST", "MULTICAST", "PROMISC", "UP", "LOWER_UP"],
            "mtu": 1500,
            "link_type": "ether",
            "address": "a0:36:9f:68:fc:f4",
            "parentbus": "pci",
            "parentdev": "0000:01:00.0",
            "vfinfo_list": [
                {
                    "vf": 0,
                    "link_type": "ether",
                    "address": "fa:16:3e:a1:43:57",
                    "broadcast": "ff:ff:ff:ff:ff:ff",
                    "vlan_list": [{"vlan": 100, "qos": 3, "protocol": "802.1ad"}],
                    "tx_rate": 100,
                    "rate": {"max_tx": 100, "min_tx": 10},
                    "spoofchk": True,
                    "link_state": "auto",
                    "trust": False,
                    "query_rss_en": True,
                }
            ],
        }
    ]


def test_no_vlan_is_an_empty_object_in_json() -> None:
    host = Inventory((replace(PF, vfs=(replace(VF, vlans=()),)),))
    assert json.loads(render(host, Generation.JSON))[0]["vfinfo_list"][0]["vlan_list"] == [{}]


def test_unknown_facts_are_left_out() -> None:
    host = Inventory((PfState("p2p1", "p2p1", ifindex=6, up=True, promisc=True, vfs=(VfState(0), VfState(1))),))
    assert render(host, Generation.TODAY) == "6: p2p1:\n    vf 0 \n    vf 1 \n"


def test_interface_without_carrier_says_so() -> None:
    host = Inventory((replace(PF, carrier=False, promisc=False),))
    assert "<NO-CARRIER,BROADCAST,MULTICAST,UP>" in render(host, Generation.TODAY)


def test_pf_without_a_netdev_has_no_line() -> None:
    host = Inventory((replace(PF, name=None), replace(PF, name=Unknown("in another namespace"))))
    assert render(host, Generation.TODAY) == ""


def test_cut_vf_list_is_said_to_be_cut() -> None:
    text = render(Inventory((replace(PF, num_vfs=256),)), Generation.TODAY)
    assert text.endswith("\nTruncated VF list: p2p1\n")
    assert parse(text).pfs[0].num_vfs == Unknown("ip said: Truncated VF list")


@pytest.mark.parametrize("generation", Generation)
def test_512_vfs_read_back(generation: Generation) -> None:
    vfs = tuple(replace(VF, index=index) for index in range(512))
    read = parse(render(Inventory((replace(PF, num_vfs=512, vfs=vfs),)), generation))
    assert (read.pfs[0].num_vfs, len(read.pfs[0].vfs)) == (512, 512)


def test_512_vfs_read_back_from_one_line() -> None:
    vfs = tuple(replace(VF, index=index) for index in range(512))
    text = render(Inventory((replace(PF, num_vfs=512, vfs=vfs),)), Generation.FIELD_NOTE)
    assert parse(" ".join(text.split())) == parse(text)
