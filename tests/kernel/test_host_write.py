"""Writing, on the real drivers: each fact written with virtfn, witnessed by iproute2 or sysfs, and put back."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from virtfn.errors import CapabilityError, GuardRefused, KernelRefused, UsageError
from virtfn.host.kernel import KernelHost
from virtfn.model.inventory import Holder, HolderKind
from virtfn.model.plan import Target, Value
from virtfn.planning.host.commands import equivalent_command

pytestmark = pytest.mark.guest

PF = Target("pf", "0000:01:00.0", "p2p1")
FOLDER = Path("/sys/bus/pci/devices/0000:01:00.0")
SPARE = Path("/sys/bus/pci/devices/0000:02:00.0")
MAC = "fa:16:3e:aa:33:58"


def vf(index: int) -> Target:
    return Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}")


def shown(index: int) -> Any:
    command = ["ip", "-j", "-d", "link", "show", "dev", "p2p1"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return listed[0]["vfinfo_list"][index]


@contextmanager
def put_back(target: Target, field: str) -> Iterator[KernelHost]:
    host = KernelHost()
    before = host.read(target, field)
    try:
        yield host
    finally:
        host.write(target, field, before)
        assert host.read(target, field) == before


@pytest.mark.parametrize(
    ("field", "value", "witness"),
    [
        ("mac", MAC, lambda seen: seen["address"] == MAC),
        ("spoofchk", False, lambda seen: seen["spoofchk"] is False),
        ("trust", True, lambda seen: seen["trust"] is True),
        (
            "vlan",
            {"id": 100, "qos": 3, "protocol": "802.1Q"},
            lambda seen: (seen["vlan_list"][0]["vlan"], seen["vlan_list"][0]["qos"]) == (100, 3),
        ),
        (
            "rate",
            {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 500},
            lambda seen: seen["rate"]["max_tx"] == 500,
        ),
    ],
)
def test_a_fact_of_a_vf_is_written_read_back_and_witnessed(
    field: str, value: Value, witness: Callable[[Any], bool]
) -> None:
    with put_back(vf(0), field) as host:
        host.write(vf(0), field, value)
        assert host.read(vf(0), field) == value
        assert witness(shown(0))


@pytest.mark.parametrize(
    ("field", "value"),
    [("mac", MAC), ("spoofchk", False), ("trust", True), ("vlan", {"id": 7, "qos": 0, "protocol": "802.1Q"})],
)
def test_the_equivalent_command_does_the_same(field: str, value: Value) -> None:
    with put_back(vf(0), field) as host:
        subprocess.run(equivalent_command("vf", "p2p1/0", field, value), shell=True, check=True)
        assert host.read(vf(0), field) == value


def test_what_igb_cannot_do_is_refused_with_errno_and_command() -> None:
    with pytest.raises(KernelRefused) as refused:
        KernelHost().write(vf(0), "rss_query", True)
    assert refused.value.errno == 95
    assert refused.value.command == "ip link set dev p2p1 vf 0 query_rss on"
    assert refused.value.hint


def test_a_refusal_amid_many_vfs_names_its_field_and_nothing_after_it_is_set() -> None:
    vlan: Value = {"id": 77, "qos": 0, "protocol": "802.1Q"}
    fields: list[tuple[str, Value]] = [("vlan", vlan), ("spoofchk", False), ("trust", True)]
    keys = [(vf(index), field) for index in range(3) for field, _ in fields]
    changes: list[tuple[Target, str, Value]] = [
        (vf(index), field, value) for index in range(3) for field, value in fields
    ]
    changes.insert(5, (vf(1), "rss_query", True))
    host = KernelHost()
    before = host.read_all(keys)
    with ExitStack() as stack:
        for target, field in keys:
            stack.enter_context(put_back(target, field))
        with pytest.raises(KernelRefused) as refused:
            host.write_all(changes)
        assert (refused.value.where, refused.value.errno) == ("p2p1/1", 95)
        assert refused.value.command == "ip link set dev p2p1 vf 1 query_rss on"
        assert host.read_all(keys) == [vlan, False, True, vlan, False, *before[5:]]


def test_what_igb_does_not_report_cannot_be_read() -> None:
    with pytest.raises(CapabilityError, match="the driver does not report RSS query"):
        KernelHost().read(vf(0), "rss_query")


def test_a_vf_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="p2p1 has no VF 6"):
        KernelHost().read(vf(6), "mac")
    with pytest.raises(KernelRefused, match="EINVAL"):
        KernelHost().write(vf(6), "spoofchk", True)


@pytest.fixture
def spare_vf() -> Iterator[Target]:
    """VF 0, which is nobody's: without a driver and with an all-zero MAC, before and after."""
    host = KernelHost()
    assert host.read(vf(0), "driver") is None
    yield vf(0)
    host.write(vf(0), "driver", None)
    host.write(vf(0), "mac", "00:00:00:00:00:00")


def test_the_address_of_a_guest_is_set_in_its_namespace(spare_vf: Target) -> None:
    host = KernelHost()
    host.write(spare_vf, "driver", "igbvf")
    name = next((FOLDER / "virtfn0/net").iterdir()).name
    subprocess.run(["ip", "netns", "add", "vmspare"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "netns", "vmspare", "name", "eth9"], check=True)
        netdev = Target("netdev", "vmspare:eth9", "vmspare:eth9")
        host.write(netdev, "mac", MAC)
        host.write(netdev, "up", True)
        assert (host.read(netdev, "mac"), host.read(netdev, "up")) == (MAC, True)
        command = ["ip", "-n", "vmspare", "-j", "link", "show", "dev", "eth9"]
        seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
        assert seen["address"] == MAC
        assert "UP" in seen["flags"]
    finally:
        subprocess.run(["ip", "netns", "del", "vmspare"], check=True)


def test_the_mtu_of_the_pf_is_written_and_put_back() -> None:
    with put_back(PF, "mtu") as host:
        host.write(PF, "mtu", 1400)
        assert Path("/sys/class/net/p2p1/mtu").read_text() == "1400\n"


def test_promisc_of_the_pf_is_written_witnessed_and_put_back() -> None:
    with put_back(PF, "promisc") as host:
        host.write(PF, "promisc", True)
        command = ["ip", "-j", "link", "show", "dev", "p2p1"]
        listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert "PROMISC" in listed[0]["flags"]
        assert host.read(PF, "promisc") is True


def test_an_mtu_that_the_nic_cannot_do_has_the_kernels_word() -> None:
    with pytest.raises(KernelRefused, match="mtu greater than device maximum"):
        KernelHost().write(PF, "mtu", 100_000)


def test_autoprobe_is_written_and_put_back() -> None:
    with put_back(PF, "autoprobe") as host:
        host.write(PF, "autoprobe", False)
        assert (FOLDER / "sriov_drivers_autoprobe").read_text() == "0\n"


def test_a_device_without_devlink_cannot_leave_legacy() -> None:
    assert KernelHost().read(PF, "eswitch_mode") == "legacy"
    with pytest.raises(CapabilityError, match="no devlink"):
        KernelHost().write(PF, "eswitch_mode", "switchdev")


def test_a_vf_goes_to_its_driver_and_back_to_nobody(spare_vf: Target) -> None:
    host = KernelHost()
    host.write(spare_vf, "driver", "igbvf")
    assert host.read(spare_vf, "driver") == "igbvf"
    assert (FOLDER / "virtfn0/driver_override").read_text() == "(null)\n"
    host.write(spare_vf, "driver", None)
    assert not (FOLDER / "virtfn0/driver").exists()
    host.write(spare_vf, "driver", "native")
    assert (FOLDER / "virtfn0/driver").resolve().name == "igbvf"


def test_a_vf_goes_to_vfio_and_is_seen_there_by_those_who_open_it(spare_vf: Target) -> None:
    for module in ("vfio", "vfio-pci"):
        subprocess.run(["modprobe", module], check=False, capture_output=True)
    if not (FOLDER / "virtfn0/iommu_group").exists():
        pytest.skip("this lab has no IOMMU, without which vfio takes no device")
    host = KernelHost()
    host.write(spare_vf, "driver", "vfio-pci")
    holder = held(host)
    assert (holder.kind, holder.opened) == (HolderKind.VFIO, False)
    group = (FOLDER / "virtfn0/iommu_group").resolve().name
    with Path("/dev/vfio", group).open("r+b", buffering=0):
        holder = held(host)
        assert holder.opened is True
        assert f"pid {os.getpid()}" in holder.detail
        with pytest.raises(GuardRefused, match="is open in"):
            host.write(spare_vf, "driver", "igbvf")
    host.write(spare_vf, "driver", "igbvf")
    assert host.read(spare_vf, "driver") == "igbvf"


def test_a_bind_that_the_driver_refuses_leaves_no_override_behind(spare_vf: Target) -> None:
    subprocess.run(["modprobe", "vfio-pci"], check=False, capture_output=True)
    if not Path("/sys/bus/pci/drivers/vfio-pci").is_dir() or (FOLDER / "virtfn0/iommu_group").exists():
        pytest.skip("needs vfio-pci and no IOMMU, so that it refuses")
    with pytest.raises(KernelRefused, match="to vfio-pci was refused"):
        KernelHost().write(spare_vf, "driver", "vfio-pci")
    assert (FOLDER / "virtfn0/driver_override").read_text() == "(null)\n"


def held(host: KernelHost) -> Holder:
    pf = host.observe().pf(PF.id)
    assert pf is not None
    holder = pf.vfs[0].holder
    assert isinstance(holder, Holder)
    return holder


def test_binding_works_also_with_autoprobe_off(spare_vf: Target) -> None:
    with put_back(PF, "autoprobe") as host:
        host.write(PF, "autoprobe", False)
        host.write(spare_vf, "driver", "igbvf")
        assert host.read(spare_vf, "driver") == "igbvf"


def test_the_equivalent_command_binds_too(spare_vf: Target) -> None:
    command = equivalent_command("vf", "p2p1/0", "driver", "igbvf", device="0000:01:00.0")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert KernelHost().read(spare_vf, "driver") == "igbvf"
    subprocess.run(equivalent_command("vf", "p2p1/0", "driver", None), shell=True, check=True)
    assert KernelHost().read(spare_vf, "driver") is None


@pytest.fixture
def second_pf() -> Iterator[Target]:
    """A simulated PF, so that VFs can be made and destroyed without touching the lab's guests."""
    subprocess.run(["modprobe", "netdevsim"], check=False, capture_output=True)
    if not Path("/sys/bus/netdevsim").is_dir():
        pytest.skip("this kernel has no netdevsim")
    Path("/sys/bus/netdevsim/new_device").write_text("8 1")
    yield Target("pf", "netdevsim8", "netdevsim8")
    Path("/sys/bus/netdevsim/devices/netdevsim8/sriov_numvfs").write_text("0")
    Path("/sys/bus/netdevsim/del_device").write_text("8")


def test_vfs_are_made_and_destroyed(second_pf: Target) -> None:
    host = KernelHost()
    host.write(second_pf, "num_vfs", 3)
    assert host.read(second_pf, "num_vfs") == 3
    with pytest.raises(UsageError, match="cannot go from 3 to 2"):
        host.write(second_pf, "num_vfs", 2)
    host.write(second_pf, "num_vfs", 0)
    assert host.read(second_pf, "num_vfs") == 0


def test_more_vfs_than_there_can_be_are_refused(second_pf: Target) -> None:
    with pytest.raises(KernelRefused) as refused:
        KernelHost().write(second_pf, "num_vfs", 60000)
    assert refused.value.command == "echo 60000 > /sys/bus/netdevsim/devices/netdevsim8/sriov_numvfs"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("link_state", "disable"),
        ("rss_query", True),
        ("rate", {"min_tx_rate_mbps": 10, "max_tx_rate_mbps": 500}),
        ("vlan", {"id": 100, "qos": 3, "protocol": "802.1ad"}),
        ("mac", MAC),
        ("trust", True),
        ("spoofchk", True),
    ],
)
def test_each_fact_of_a_simulated_vf_is_written_and_read_back(second_pf: Target, field: str, value: Value) -> None:
    host, target = KernelHost(), Target("vf", "netdevsim8/1", "netdevsim8/1")
    host.write(second_pf, "num_vfs", 2)
    host.write(target, field, value)
    assert host.read(target, field) == value
    assert host.read(Target("vf", "netdevsim8/0", "netdevsim8/0"), field) != value


def test_the_eswitch_of_a_simulated_nic_is_switched_and_back(second_pf: Target) -> None:
    host = KernelHost()
    assert host.read(second_pf, "eswitch_mode") == "legacy"
    host.write(second_pf, "eswitch_mode", "switchdev")
    assert host.read(second_pf, "eswitch_mode") == "switchdev"
    host.write(second_pf, "eswitch_mode", "legacy")
    assert host.read(second_pf, "eswitch_mode") == "legacy"


@pytest.mark.skipif(not SPARE.exists(), reason="needs a second PF, whose VFs may be lost")
def test_the_vfs_of_an_igb_are_destroyed_and_made_again() -> None:
    host, spare = KernelHost(), Target("pf", SPARE.name, SPARE.name)
    for count in (0, 3, 0, 4):
        host.write(spare, "num_vfs", count)
        assert host.read(spare, "num_vfs") == count
        assert len(list(SPARE.glob("virtfn*"))) == count
        assert len(list(SPARE.glob("virtfn*/net/*"))) == count
