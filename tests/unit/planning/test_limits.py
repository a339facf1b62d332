"""What drivers are known to refuse, held against the fake that keeps their rules."""

import pytest

from virtfn.errors import KernelRefused
from virtfn.eswitch.drivers import TABLE, facts_of
from virtfn.eswitch.facts import Rung
from virtfn.eswitch.limits import LIMITS, Limit, limits_on
from virtfn.model.inventory import EswitchMode
from virtfn.model.plan import Target, Value
from virtfn.testing import FakeHost, FakePf, FakeVf
from virtfn.testing.fake_pf import OTHER_FIELDS

SAMPLES: dict[str, tuple[Value, ...]] = {
    "mac": ("01:00:5e:00:00:01",),
    "rate": (
        {"min_tx_rate_mbps": 20, "max_tx_rate_mbps": 10},
        {"min_tx_rate_mbps": 20, "max_tx_rate_mbps": 100},
    ),
    "link_state": ("enable", "disable"),
    "rss_query": (True,),
    "vlan": ({"id": 5, "qos": 0, "protocol": "802.1ad"}, {"id": 5, "qos": 0, "protocol": "802.1Q"}),
    "trust": (True,),
    "spoofchk": (False,),
    "node_guid": ("22:44:33:00:33:11:00:33",),
    "port_guid": ("22:44:33:00:33:11:00:33",),
    "driver": ("vfio-pci",),
}


def name_of(row: Limit) -> str:
    return f"{row.driver or 'every'}-{row.field}-{row.mode or 'any-mode'}"


@pytest.mark.parametrize("row", [row for row in LIMITS if row.field != "eswitch_mode"], ids=name_of)
def test_the_fake_refuses_what_the_table_says(row: Limit) -> None:
    driver = row.driver or "ice"
    mode = row.mode or EswitchMode.LEGACY
    host = FakeHost(pfs=(FakePf([FakeVf("02:00:00:00:00:01", place="host")], driver, eswitch_mode=mode),))
    target = Target("vf", "0000:01:00.0/0", "p2p1/0")
    value = next(sample for sample in SAMPLES[row.field] if row.refuses(sample))
    before = host.read(target, row.field) if row.field not in OTHER_FIELDS else None
    if row.silent:
        host.write(target, row.field, value)
    else:
        with pytest.raises(KernelRefused):
            host.write(target, row.field, value)
    if row.field not in OTHER_FIELDS:
        assert host.read(target, row.field) == before


@pytest.mark.parametrize("row", LIMITS, ids=name_of)
def test_every_refusal_says_where_it_is_known_from(row: Limit) -> None:
    assert row.evidence.rung is not Rung.NOT_KNOWN
    assert row.evidence.source
    assert not row.driver or facts_of(row.driver)


def test_what_is_refused_in_one_mode_is_taken_in_the_other() -> None:
    assert limits_on("ice", "trust", True, mode=EswitchMode.SWITCHDEV)
    assert not limits_on("ice", "trust", True, mode=EswitchMode.LEGACY)
    assert not limits_on("ice", "trust", True)


def test_an_unknown_driver_refuses_only_what_all_refuse() -> None:
    assert not limits_on("fancynic", "link_state", "enable")
    assert not limits_on(None, "vlan", {"id": 5, "qos": 0, "protocol": "802.1ad"})
    assert limits_on(None, "mac", "ff:ff:ff:ff:ff:ff")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.driver)
def test_every_row_has_evidence(row: object) -> None:
    assert getattr(row, "evidence")  # noqa: B009
