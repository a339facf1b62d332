from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from virtfn.errors import VirtfnError
from virtfn.eswitch.counters import Reading
from virtfn.host.counters import CounterReader, read_representors, read_vf_statistics, register_dump, representor_of
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Known, Unknown
from virtfn.model.probe import Counter, Endpoint, NoMeter, ProbeBurst, ProbePoint, Strength, Tally

MAC = MacAddress.parse("fa:16:3e:aa:33:59")
POINT = ProbePoint("p2p1/3", "rings", Strength.COUNTED, counter=Counter("p2p1", 3))
BURST = ProbeBurst(Endpoint("p2p1", "", "p2p1", MAC), MAC, b"nonce-01", 20, (POINT,))


def reader(*positions: Known[Reading]) -> CounterReader:
    """A reader of a counter that is at these positions in turn, and stays at the last."""
    left = list(positions)

    def read(counters: Sequence[Counter]) -> Mapping[Counter, Known[Reading]]:
        return dict.fromkeys(counters, left.pop(0) if len(left) > 1 else left[0])

    return CounterReader(read, period_s=0.0)


def test_a_point_that_is_ready_knows_its_ring() -> None:
    found = reader(Reading(5, 1024)).ready(POINT)
    assert isinstance(found, ProbePoint)
    assert found.counter == Counter("p2p1", 3, 1024)


def test_a_point_that_cannot_be_read_says_why() -> None:
    assert reader(Unknown("no ring")).ready(POINT) == NoMeter("p2p1/3", "no ring")


def test_a_burst_is_counted_from_its_start_in_several_readings() -> None:
    with reader(Reading(250, 256), Reading(4, 256), Reading(14, 256)).start(BURST, [POINT]) as count:
        assert count.collect(0.0)
        assert count.tallies() == {"p2p1/3": Tally(20)}
        assert not count.collect(0.0)


def test_a_reset_is_in_the_tally() -> None:
    with reader(Reading(250, 256), Unknown("gone")).start(BURST, [POINT]) as count:
        assert count.tallies()["p2p1/3"].broken == "gone"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Two switches with a representor of VF 3 each."""
    ports = {
        "p2p1": ("p0", "aa"),
        "rep3": ("pf0vf3", "aa"),
        "rep13": ("pf0vf13", "aa"),
        "a": ("pf0vf3", "bb"),
        "lo": ("", ""),
    }
    for name, (port, switch) in ports.items():
        (tmp_path / name).mkdir()
        if port:
            (tmp_path / name / "phys_port_name").write_text(f"{port}\n")
            (tmp_path / name / "phys_switch_id").write_text(f"{switch}\n")
    return tmp_path


def test_a_representor_is_the_port_of_the_vf_at_the_pfs_switch(net: Path) -> None:
    assert representor_of(Counter("p2p1", 3), net) == Counter("rep3", 3)
    assert isinstance(representor_of(Counter("p2p1", 7), net), Unknown)
    assert isinstance(representor_of(Counter("lo", 3), net), Unknown)


def test_a_netdev_without_vfs_has_no_statistics_of_them() -> None:
    loopback = Counter("lo", 0)
    assert isinstance(read_vf_statistics((loopback,))[loopback], Unknown)


def test_a_netdev_counts_what_it_has_sent() -> None:
    loopback = Counter("lo", 0)
    found = read_representors((loopback,))[loopback]
    assert isinstance(found, Reading)
    assert found.ring == 0


@pytest.mark.parametrize("netdev", ["lo", "nosuch0"])
def test_a_driver_that_dumps_no_registers_refuses(netdev: str) -> None:
    with pytest.raises(VirtfnError):
        register_dump(netdev)
