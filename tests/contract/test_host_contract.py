"""What every Host must keep: one suite for the fake, for igb, and for netdevsim (the last two inside the lab)."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from virtfn.errors import CapabilityError, KernelRefused, UsageError, VirtfnError
from virtfn.host.kernel import KernelHost
from virtfn.model.inventory import PfState
from virtfn.model.plan import Target, Value
from virtfn.services.interfaces import Host
from virtfn.testing import FakeHost, FakePf, FakeVf


@dataclass(frozen=True)
class Subject:
    """A host under test with one PF of at least four VFs, of which VF 2 may be changed; nobody uses VF 0."""

    host: Host
    device: str
    label: str

    @property
    def pf(self) -> PfState:
        found = self.host.observe().pf(self.device)
        assert found is not None
        return found

    def vf(self, index: int) -> Target:
        return Target("vf", f"{self.device}/{index}", f"{self.label}/{index}")

    @property
    def target(self) -> Target:
        return Target("pf", self.device, self.label)


def fake() -> Iterator[Subject]:
    macs = ("00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59")
    host = FakeHost(pfs=(FakePf([FakeVf(mac) for mac in macs]),))
    yield Subject(host, "0000:01:00.0", "p2p1")


def igb() -> Iterator[Subject]:
    yield Subject(KernelHost(), "0000:01:00.0", "p2p1")


def netdevsim() -> Iterator[Subject]:
    subprocess.run(["modprobe", "netdevsim"], check=True, timeout=30)
    bus = Path("/sys/bus/netdevsim")
    (bus / "new_device").write_text("3 1")
    Path("/sys/kernel/debug/netdevsim/netdevsim3/max_vfs").write_text("16")
    (bus / "devices/netdevsim3/sriov_numvfs").write_text("4")
    name = next((bus / "devices/netdevsim3/net").iterdir()).name
    for index in range(4):  # a simulated VF begins with spoof checking off, a real one with it on
        subprocess.run(["ip", "link", "set", "dev", name, "vf", str(index), "spoofchk", "on"], check=True, timeout=30)
    yield Subject(KernelHost(), "netdevsim3", name)
    (bus / "del_device").write_text("3")


MAKERS = {"fake": fake, "igb": igb, "netdevsim": netdevsim}


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
