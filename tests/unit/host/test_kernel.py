"""Reads and writes of single facts, and requests to the running kernel that need no device and no privilege."""

import os
from pathlib import Path

import pytest

from virtfn.errors import CapabilityError, KernelRefused, PermissionDenied, UsageError
from virtfn.host.devlink import eswitch_mode
from virtfn.host.kernel import KernelHost
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.rtnetlink import RouteSocket
from virtfn.model.inventory import EswitchMode, Unknown
from virtfn.model.plan import Target

PF = Target("pf", "0000:01:00.0", "p2p1")
LO = Target("netdev", "lo", "lo")


def test_facts_that_sysfs_holds_are_read_and_written(host_root: Path) -> None:
    host = KernelHost(host_root)
    assert (host.read(PF, "num_vfs"), host.read(PF, "autoprobe")) == (4, True)
    host.write(PF, "autoprobe", False)
    assert host.read(PF, "autoprobe") is False


def test_the_driver_of_a_vf_is_read_by_its_key(host_root: Path) -> None:
    host = KernelHost(host_root)
    assert host.read(Target("vf", "0000:01:00.0/1", "p2p1/1"), "driver") == "vfio-pci"
    assert host.read(Target("vf", "0000:01:00.0/3", "p2p1/3"), "driver") is None


def test_a_fact_that_cannot_be_read_is_an_error_with_the_reason(host_root: Path) -> None:
    gpu = Target("pf", "0000:c1:00.0", "0000:c1:00.0")
    with pytest.raises(CapabilityError, match=r"autoprobe cannot be read: .*ENOENT"):
        KernelHost(host_root).read(gpu, "autoprobe")
    with pytest.raises(CapabilityError, match="it has no netdev"):
        KernelHost(host_root).read(gpu, "mtu")


@pytest.mark.parametrize(
    ("target", "field", "value"),
    [
        (PF, "promiscuous", True),
        (PF, "num_vfs", "4"),
        (PF, "num_vfs", True),
        (PF, "autoprobe", 1),
        (PF, "eswitch_mode", "on"),
        (Target("vf", "0000:01:00.0", "p2p1"), "mac", "fa:16:3e:aa:33:59"),
        (Target("vf", "0000:01:00.0/9", "p2p1/9"), "driver", "igbvf"),
        (Target("vf", "0000:01:00.0/1", "p2p1/1"), "driver", "../igbvf"),
        (Target("vf", "0000:01:00.0/1", "p2p1/1"), "vlan", {"qos": 1}),
        (Target("port", "x", "x"), "mac", ""),
        (LO, "colour", "blue"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    host_root: Path, target: Target, field: str, value: object
) -> None:
    with pytest.raises(UsageError):
        KernelHost(host_root).write(target, field, value)  # type: ignore[arg-type]


def test_the_running_kernel_answers_for_its_loopback() -> None:
    host = KernelHost()
    assert host.read(LO, "mac") == "00:00:00:00:00:00"
    assert isinstance(host.read(LO, "mtu"), int)
    with RouteSocket() as route:
        assert "lo" in {link.name for link in route.links()}


def test_a_link_that_is_not_there_is_refused_with_errno_and_command() -> None:
    with RouteSocket() as route, pytest.raises(KernelRefused, match="ENODEV") as refused:
        route.get_link(0, name="nosuchlink0")
    assert (refused.value.errno, refused.value.call) == (19, "RTM_GETLINK")
    assert refused.value.command == "ip -d link show dev nosuchlink0"


@pytest.mark.skipif(os.geteuid() == 0, reason="root has the permission")
def test_a_write_without_permission_says_run_as_root() -> None:
    with pytest.raises(PermissionDenied, match="EPERM") as denied:
        KernelHost().write(LO, "mtu", 1400)
    assert denied.value.hint == "run as root"


def test_errors_of_permission_are_their_own_kind() -> None:
    assert isinstance(KernelCall("p2p1", "setting mtu").refused(1), PermissionDenied)
    assert isinstance(KernelCall("p2p1", "setting mtu").refused(13), PermissionDenied)
    busy = KernelCall("p2p1", "setting mtu").refused(16, "device is in use")
    assert isinstance(busy, KernelRefused)
    assert str(busy) == "p2p1: setting mtu was refused: Device or resource busy (EBUSY): device is in use"


def test_a_device_that_devlink_does_not_know_is_legacy() -> None:
    found = eswitch_mode("pci", "ffff:ff:1f.7")
    assert found == EswitchMode.LEGACY or (isinstance(found, Unknown) and os.geteuid() != 0)
