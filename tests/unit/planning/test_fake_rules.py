"""The fake keeps the kernel's rules, so that plans that pass on it are worth something."""

import pytest

from virtfn.errors import CapabilityError, GuardRefused, KernelRefused, UsageError
from virtfn.model.inventory import EswitchMode, HolderKind
from virtfn.model.plan import Target
from virtfn.testing import FakeHost, FakePf, FakeVf

PF = Target("pf", "0000:01:00.0", "p2p1")
VF = Target("vf", "0000:01:00.0/0", "p2p1/0")
MAC = "02:00:00:00:00:01"


def host_with(*vfs: FakeVf, driver: str = "igb", **facts: object) -> FakeHost:
    pf = FakePf(list(vfs), driver)
    for name, value in facts.items():
        setattr(pf, name, value)
    return FakeHost(pfs=(pf,))


def test_vfs_are_made_and_destroyed_through_0_only() -> None:
    host = host_with(FakeVf(MAC, place="host"))
    with pytest.raises(UsageError, match="cannot go from 1 to 3"):
        host.write(PF, "num_vfs", 3)
    host.write(PF, "num_vfs", 0)
    host.write(PF, "num_vfs", 3)
    assert host.read(PF, "num_vfs") == 3


def test_the_number_that_is_there_destroys_nothing() -> None:
    host = host_with(FakeVf(MAC))
    host.write(PF, "num_vfs", 1)
    assert host.read(VF, "mac") == MAC


def test_more_vfs_than_the_nic_has_are_refused() -> None:
    with pytest.raises(KernelRefused):
        host_with().write(PF, "num_vfs", 8)


def test_a_fresh_vf_has_nothing_of_the_old_one() -> None:
    host = host_with(FakeVf(MAC, vlan=5, trust=True, spoofchk=False, place="host"))
    host.write(PF, "num_vfs", 0)
    host.write(PF, "num_vfs", 1)
    assert host.read(VF, "mac") == "00:00:00:00:00:00"
    assert host.read(VF, "vlan") == {"id": 0, "qos": 0, "protocol": "802.1Q"}
    assert (host.read(VF, "trust"), host.read(VF, "spoofchk")) == (False, True)


@pytest.mark.parametrize(("autoprobe", "driver"), [(True, "igbvf"), (False, None)])
def test_autoprobe_decides_who_has_a_fresh_vf(autoprobe: bool, driver: str | None) -> None:
    host = host_with(autoprobe=autoprobe)
    host.write(PF, "num_vfs", 1)
    assert host.read(VF, "driver") == driver


def test_a_vf_that_is_open_can_neither_go_nor_be_bound_anew() -> None:
    host = host_with(FakeVf(MAC, reachable=False))
    for target, field, value in ((PF, "num_vfs", 0), (VF, "driver", "native")):
        with pytest.raises(GuardRefused):
            host.write(target, field, value)


def test_a_driver_that_is_not_loaded_is_refused() -> None:
    host = host_with(FakeVf(MAC, driver=None), modules=frozenset({"igbvf"}))
    with pytest.raises(UsageError, match="not loaded"):
        host.write(VF, "driver", "vfio-pci")


def test_a_driver_finds_the_admin_mac_when_it_is_bound() -> None:
    host = host_with(FakeVf("00:00:00:00:00:00", guest_mac="72:00:00:00:00:01", place="host"))
    host.write(VF, "mac", MAC)
    before = host.observe().pfs[0].vfs[0].netdev
    host.write(VF, "driver", None)
    host.write(VF, "driver", "native")
    after = host.observe().pfs[0].vfs[0].netdev
    assert before is not None
    assert after is not None
    assert (str(before.mac), str(after.mac)) == ("72:00:00:00:00:01", MAC)


def test_ice_changes_its_mode_without_vfs_only() -> None:
    host = host_with(FakeVf(MAC, place="host"), driver="ice")
    with pytest.raises(KernelRefused):
        host.write(PF, "eswitch_mode", "switchdev")
    host.write(PF, "num_vfs", 0)
    host.write(PF, "eswitch_mode", "switchdev")
    assert host.pfs[0].eswitch_mode is EswitchMode.SWITCHDEV


def test_what_the_driver_does_not_tell_is_not_read() -> None:
    with pytest.raises(CapabilityError):
        host_with(FakeVf(MAC)).read(VF, "rss_query")


def test_several_pfs_have_their_own_vfs() -> None:
    first, second = FakePf([FakeVf(MAC)]), FakePf([], device="0000:02:00.0", name="p3p1")
    host = FakeHost(pfs=(first, second))
    host.write(Target("pf", "0000:02:00.0", "p3p1"), "num_vfs", 2)
    assert [len(pf.vfs) for pf in host.observe().pfs] == [1, 2]


@pytest.mark.parametrize(
    ("vf", "kind"),
    [
        (FakeVf(MAC), HolderKind.NETNS),
        (FakeVf(MAC, place="host"), HolderKind.HOST),
        (FakeVf(MAC, driver=None), HolderKind.NOBODY),
        (FakeVf(MAC, driver="vfio-pci"), HolderKind.VFIO),
        (FakeVf(MAC, reachable=False), HolderKind.VFIO),
    ],
)
def test_who_has_a_vf_follows_from_its_driver(vf: FakeVf, kind: HolderKind) -> None:
    holder = host_with(vf).observe().pfs[0].vfs[0].holder
    assert getattr(holder, "kind", None) is kind
