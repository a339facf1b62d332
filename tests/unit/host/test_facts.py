import pytest

from virtfn.errors import UsageError
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.netdev_fields import LINK_CODECS, read_link_field
from virtfn.host.vf_fields import VF_CODECS, encode_vf_field, read_vf_field
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress
from virtfn.model.fields import PF_FIELDS, VF_FIELDS
from virtfn.model.inventory import Known, Unknown, VfLinkState, VfState, Vlan, VlanProtocol
from virtfn.model.plan import Value

MAC = MacAddress.parse("fa:16:3e:aa:33:59")
VF = VfState(
    3,
    mac=MAC,
    vlans=(Vlan(100, 3, VlanProtocol.S_TAG),),
    spoofchk=True,
    trust=False,
    link_state=VfLinkState.DISABLE,
    min_tx_rate_mbps=0,
    max_tx_rate_mbps=500,
    rss_query=Unknown("the driver does not report RSS query"),
    node_guid="22:44:33:00:33:11:00:33",
    port_guid="10:21:33:12:00:11:22:10",
)
ATTEMPT = KernelCall("p2p1/3", "setting it")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mac", "fa:16:3e:aa:33:59"),
        ("vlan", {"id": 100, "qos": 3, "protocol": "802.1ad"}),
        ("spoofchk", True),
        ("trust", False),
        ("link_state", "disable"),
        ("rate", {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 500}),
        ("rss_query", Unknown("the driver does not report RSS query")),
    ],
)
def test_a_fact_is_read_in_the_form_in_which_it_is_written(field: str, value: Known[Value]) -> None:
    found = read_vf_field(VF, field)
    assert found == value
    assert type(found) is type(value)


def test_every_row_of_a_vf_has_a_codec_but_the_driver() -> None:
    assert set(VF_CODECS) == set(VF_FIELDS) - {"driver"}


def test_every_row_of_a_pf_that_its_netdev_has_can_be_written() -> None:
    others = {"num_vfs", "autoprobe", "eswitch_mode"}
    assert set(PF_FIELDS) - others == {name for name in PF_FIELDS if name in LINK_CODECS and LINK_CODECS[name].write}


@pytest.mark.parametrize("field", [name for name in VF_CODECS if name != "rss_query"])
def test_what_was_read_can_be_written_back(field: str) -> None:
    found = read_vf_field(VF, field)
    assert not isinstance(found, Unknown)
    assert encode_vf_field(3, field, found, ATTEMPT)


@pytest.mark.parametrize(
    ("field", "value", "octets"),
    [
        ("mac", "fa:16:3e:aa:33:59", "2800010003000000" + "fa163eaa3359" + "00" * 26),
        ("vlan", {"id": 100, "qos": 3}, "1000020003000000" + "64000000" + "03000000"),
        (
            "vlan",
            {"id": 100, "qos": 3, "protocol": "802.1ad"},
            "18000c0014000100" + "03000000" + "64000000" + "03000000" + "88a80000",
        ),
        ("spoofchk", False, "0c000400" + "03000000" + "00000000"),
        ("trust", True, "0c000900" + "03000000" + "01000000"),
        ("rss_query", True, "0c000700" + "03000000" + "01000000"),
        ("node_guid", "22:44:33:00:33:11:00:33", "14000a00" + "03000000" + "00000000" + "3300113300334422"),
        ("port_guid", "22:44:33:00:33:11:00:33", "14000b00" + "03000000" + "00000000" + "3300113300334422"),
        ("link_state", "enable", "0c000500" + "03000000" + "01000000"),
        ("rate", {"min_tx_rate_mbps": 5, "max_tx_rate_mbps": 500}, "10000600" + "03000000" + "05000000" + "f4010000"),
    ],
)
def test_the_octets_are_those_of_if_link_h(field: str, value: Value, octets: str) -> None:
    assert encode_vf_field(3, field, value, ATTEMPT).hex() == octets


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mac", 12),
        ("mac", "fa:16:3e"),
        ("vlan", 100),
        ("vlan", {"qos": 1}),
        ("vlan", {"id": 4096}),
        ("vlan", {"id": 1, "protocol": "0x9100"}),
        ("spoofchk", "on"),
        ("trust", 1),
        ("link_state", "up"),
        ("node_guid", "22:44:33"),
        ("port_guid", 5),
        ("rate", {"max_tx_rate_mbps": 5}),
        ("rate", {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": -1}),
        ("colour", "blue"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_before_anything_is_sent(field: str, value: Value) -> None:
    with pytest.raises(UsageError):
        encode_vf_field(3, field, value, ATTEMPT)


def test_the_fields_of_a_netdev_are_plain_values() -> None:
    link = Link("eth0", 12, 1, 1, MAC, 1500, Unknown("the netdev is down"), False)
    assert [read_link_field(link, field) for field in ("up", "mac", "mtu")] == [True, str(MAC), 1500]
    assert read_link_field(link, "carrier") == Unknown("the netdev is down")
    with pytest.raises(UsageError, match="no field 'colour'"):
        read_link_field(link, "colour")
