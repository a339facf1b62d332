from pathlib import Path

import pytest
from tests.findings import ids

from virtfn.errors import GuardRefused, UsageError, VerifyFailed
from virtfn.host.binding import bind_driver
from virtfn.host.sysfs import Sysfs
from virtfn.model.addresses import PciAddress

UNBOUND = PciAddress.parse("0000:01:10.6")


def test_the_driver_that_is_bound_already_is_not_touched(host_root: Path) -> None:
    bind_driver(Sysfs(host_root), PciAddress.parse("0000:01:10.0"), "igbvf", where="p2p1/0", command="")
    assert (host_root / "sys/bus/pci/drivers/igbvf/unbind").read_text() == ""


def test_unbinding_writes_the_address_to_the_driver(host_root: Path) -> None:
    (host_root / "sys/bus/pci/devices/0000:01:10.0/driver").unlink()
    (host_root / "sys/bus/pci/devices/drivers").mkdir()
    (host_root / "sys/bus/pci/devices/0000:01:10.0/driver").symlink_to(host_root / "sys/bus/pci/drivers/igbvf")
    bind_driver(Sysfs(host_root), PciAddress.parse("0000:01:10.0"), None, where="p2p1/0", command="")
    assert (host_root / "sys/bus/pci/drivers/igbvf/unbind").read_text() == "0000:01:10.0"


def test_a_vf_that_a_guest_has_open_is_not_taken_away(host_root: Path) -> None:
    with pytest.raises(GuardRefused, match="open in web1") as refused:
        bind_driver(Sysfs(host_root), PciAddress.parse("0000:01:10.2"), "igbvf", where="p2p1/1", command="")
    assert ids(refused.value) == ["vfio-open"]


def test_a_driver_that_is_not_loaded_is_named_with_the_way_to_load_it(host_root: Path) -> None:
    with pytest.raises(UsageError, match="mlx5_core is not loaded") as refused:
        bind_driver(Sysfs(host_root), UNBOUND, "mlx5_core", where="p2p1/3", command="")
    assert refused.value.hint == "modprobe mlx5_core"


def test_vfio_keeps_the_override_that_it_needs(host_root: Path) -> None:
    with pytest.raises(VerifyFailed, match="no driver has it, not vfio-pci"):
        bind_driver(Sysfs(host_root), UNBOUND, "vfio-pci", where="p2p1/3", command="")
    assert (host_root / "sys/bus/pci/drivers/vfio-pci/bind").read_text() == "0000:01:10.6"
    assert (host_root / "sys/bus/pci/devices/0000:01:10.6/driver_override").read_text().startswith("vfio-pci")


def test_a_native_driver_leaves_no_override_behind(host_root: Path) -> None:
    override = host_root / "sys/bus/pci/devices/0000:01:10.6/driver_override"
    override.write_text("")
    with pytest.raises(VerifyFailed):
        bind_driver(Sysfs(host_root), UNBOUND, "igbvf", where="p2p1/3", command="")
    assert (host_root / "sys/bus/pci/drivers/igbvf/bind").read_text() == "0000:01:10.6"
    assert override.read_text().startswith("\n")
