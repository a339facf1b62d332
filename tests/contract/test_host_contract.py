"""What every Host must keep: one suite for the fake, for igb, and for netdevsim (the last two inside the lab)."""

import time
from collections.abc import Iterator

import pytest
from tests.contract.hosts import MAKERS, Subject

from virtfn.errors import CapabilityError, KernelRefused, UsageError, VirtfnError
from virtfn.model.plan import Target, Value


@pytest.fixture(
    params=["fake", pytest.param("igb", marks=pytest.mark.guest), pytest.param("netdevsim", marks=pytest.mark.guest)]
)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    yield from MAKERS[request.param]()


FIELDS: dict[str, Value] = {
    "mac": "02:00:00:00:00:07",
    "vlan": {"id": 100, "qos": 3, "protocol": "802.1Q"},
    "spoofchk": False,
    "trust": True,
    "rate": {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 100},
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_reads_as_it_was_written_and_can_be_put_back(subject: Subject, field: str) -> None:
    before = subject.pf
    found = subject.host.read(subject.vf(2), field)
    assert found != FIELDS[field]
    subject.host.write(subject.vf(2), field, FIELDS[field])
    assert subject.host.read(subject.vf(2), field) == FIELDS[field]
    assert subject.pf != before
    subject.host.write(subject.vf(2), field, found)
    assert subject.host.read(subject.vf(2), field) == found
    assert subject.pf == before


def test_writing_one_vf_leaves_the_others_alone(subject: Subject) -> None:
    others = [vf for vf in subject.pf.vfs if vf.index != 2]
    subject.host.write(subject.vf(2), "spoofchk", False)
    assert [vf for vf in subject.pf.vfs if vf.index != 2] == others
    subject.host.write(subject.vf(2), "spoofchk", True)


def test_many_fields_at_once_are_the_same_as_one_by_one(subject: Subject) -> None:
    keys = [(subject.vf(2), field) for field in FIELDS]
    before = subject.host.read_all(keys)
    assert before == [subject.host.read(*key) for key in keys]
    subject.host.write_all([(target, field, FIELDS[field]) for target, field in keys])
    assert subject.host.read_all(keys) == list(FIELDS.values())
    subject.host.write_all(
        [
            (target, field, old)
            for (target, field), old in zip(keys, before, strict=True)
            if not isinstance(old, VirtfnError)
        ]
    )
    assert subject.host.read_all(keys) == before


def test_a_field_that_cannot_be_read_does_not_keep_others_from_being_read(subject: Subject) -> None:
    first, second = subject.host.read_all([(subject.vf(99), "mac"), (subject.vf(2), "spoofchk")])
    assert isinstance(first, UsageError)
    assert second is True


def test_writing_stops_at_the_first_that_is_refused(subject: Subject) -> None:
    changes: list[tuple[Target, str, Value]] = [
        (subject.vf(2), "spoofchk", False),
        (subject.vf(99), "trust", True),
        (subject.vf(2), "trust", True),
    ]
    with pytest.raises(VirtfnError):
        subject.host.write_all(changes)
    assert subject.host.read(subject.vf(2), "spoofchk") is False
    assert subject.host.read(subject.vf(2), "trust") is False
    subject.host.write(subject.vf(2), "spoofchk", True)


def test_a_group_address_is_refused_by_the_driver(subject: Subject) -> None:
    before = subject.pf
    with pytest.raises(KernelRefused):
        subject.host.write(subject.vf(2), "mac", "01:00:5e:00:00:01")
    assert subject.pf == before


@pytest.mark.parametrize(("field", "value"), [("mac", "rubbish"), ("spoofchk", "on"), ("colour", "blue")])
def test_a_value_or_a_field_that_makes_no_sense_is_a_usage_error(subject: Subject, field: str, value: Value) -> None:
    with pytest.raises(UsageError):
        subject.host.write(subject.vf(2), field, value)


def test_what_does_not_exist_is_a_usage_error(subject: Subject) -> None:
    for target in (subject.vf(99), Target("vf", "0000:99:00.0/1", "x"), Target("cat", "tom", "tom")):
        with pytest.raises(UsageError):
            subject.host.read(target, "mac")


def test_the_number_of_vfs_does_not_go_from_n_to_m(subject: Subject) -> None:
    before = subject.pf
    assert subject.host.read(subject.target, "num_vfs") == 4
    with pytest.raises((UsageError, KernelRefused)):
        subject.host.write(subject.target, "num_vfs", 3)
    assert subject.pf == before


def test_the_same_number_of_vfs_is_not_written(subject: Subject) -> None:
    before = subject.pf
    subject.host.write(subject.target, "num_vfs", 4)
    assert subject.pf == before


def test_reading_and_observing_agree(subject: Subject) -> None:
    for vf in subject.pf.vfs:
        assert subject.host.read(subject.vf(vf.index), "mac") == str(vf.mac)
        assert subject.host.read(subject.vf(vf.index), "spoofchk") == vf.spoofchk
        assert subject.host.read(subject.vf(vf.index), "trust") == vf.trust


def test_a_fact_that_the_driver_does_not_tell_is_an_error_not_a_default(subject: Subject) -> None:
    if not isinstance(subject.pf.vfs[2].rss_query, bool):
        with pytest.raises(CapabilityError):
            subject.host.read(subject.vf(2), "rss_query")
    else:
        assert subject.host.read(subject.vf(2), "rss_query") == subject.pf.vfs[2].rss_query


@pytest.mark.parametrize("subject", ["fake", pytest.param("netdevsim", marks=pytest.mark.guest)], indirect=True)
def test_vfs_are_made_and_destroyed_through_none(subject: Subject) -> None:
    """Where nobody uses them; the emulated igb's are in use: tests/kernel/test_host_write.py makes its own."""
    subject.host.write(subject.target, "num_vfs", 0)
    assert subject.pf.vfs == ()
    with pytest.raises(UsageError):
        subject.host.read(subject.vf(2), "mac")
    subject.host.write(subject.target, "num_vfs", 4)
    assert len(subject.pf.vfs) == 4


def test_a_pfs_mtu_reads_as_it_was_written_and_is_observed(subject: Subject) -> None:
    """igb restarts the PF for it, so the carriers come back later."""
    before = subject.pf
    subject.host.write(subject.target, "mtu", 1400)
    assert (subject.host.read(subject.target, "mtu"), subject.pf.mtu) == (1400, 1400)
    subject.host.write(subject.target, "mtu", before.mtu if isinstance(before.mtu, int) else 1500)
    deadline = time.monotonic() + 30
    while subject.pf != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert subject.pf == before


def test_a_pf_that_is_up_is_not_disturbed_by_setting_it_up(subject: Subject) -> None:
    subject.host.write(subject.target, "up", True)
    before = subject.pf
    subject.host.write(subject.target, "up", True)
    assert (subject.host.read(subject.target, "up"), subject.pf) == (True, before)


@pytest.mark.parametrize("subject", ["fake", pytest.param("netdevsim", marks=pytest.mark.guest)], indirect=True)
def test_a_pf_goes_down_and_up(subject: Subject) -> None:
    """The emulated igb's VFs are in use, so its PF goes down in the forwarding suite only."""
    for up in (False, True):
        subject.host.write(subject.target, "up", up)
        assert (subject.host.read(subject.target, "up"), subject.pf.up) == (up, up)


with_netdevs = pytest.mark.parametrize("subject", ["fake", pytest.param("igb", marks=pytest.mark.guest)], indirect=True)
"""Where VFs have netdevs: a simulated VF has none."""


@with_netdevs
@pytest.mark.parametrize(("field", "value"), [("mtu", 1400), ("up", False)])
def test_a_field_of_a_vfs_netdev_reads_as_it_was_written(subject: Subject, field: str, value: Value) -> None:
    before = subject.host.read(subject.netdev(2), field)
    subject.host.write(subject.netdev(2), field, value)
    observed = subject.pf.vfs[2].netdev
    assert (subject.host.read(subject.netdev(2), field), getattr(observed, field)) == (value, value)
    subject.host.write(subject.netdev(2), field, before)
    assert subject.host.read(subject.netdev(2), field) == before


@with_netdevs
def test_the_mac_of_a_vfs_netdev_is_the_one_that_is_observed(subject: Subject) -> None:
    for index in (1, 2, 3):
        netdev = subject.pf.vfs[index].netdev
        assert netdev is not None
        found = [subject.host.read(subject.netdev(index), field) for field in ("mac", "guest_mac")]
        assert found == [str(netdev.mac)] * 2 == [str(subject.pf.vfs[index].mac)] * 2


@with_netdevs
@pytest.mark.parametrize(("netdev", "field"), [("vm2:eth0", "colour"), ("vm2:eth9", "mac"), ("vm99:eth0", "mac")])
def test_a_netdev_or_a_field_of_it_that_does_not_exist_cannot_be_read(
    subject: Subject, netdev: str, field: str
) -> None:
    with pytest.raises(VirtfnError):
        subject.host.read(Target("netdev", netdev, netdev), field)
