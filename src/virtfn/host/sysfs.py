"""SR-IOV as sysfs shows it: the PFs, their VFs, and the files that create and bind them.

Sources: Documentation/ABI/testing/sysfs-bus-pci (sriov_*, virtfnN, physfn, driver_override), sysfs-class-net;
drivers/pci/iov.c; drivers/net/netdevsim/bus.c.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import UsageError, VirtfnError
from virtfn.host.kernel_errors import KernelCall, errno_word
from virtfn.model.addresses import PciAddress
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Known, Unknown

_VIRTFN = re.compile(r"virtfn(\d+)")
_REPRESENTOR = re.compile(r"(c\d+)?pf\d+((vf|sf)\d+)?")
_NETDEVSIM = re.compile(r"netdevsim\d+")
_NETWORK_CLASS = "0x02"


@dataclass(frozen=True)
class PfDevice:
    """One device that can have VFs: its address on its bus (``pci`` or ``netdevsim``) and its folder in sysfs."""

    address: str
    bus: str
    folder: Path

    @property
    def order(self) -> tuple[bool, tuple[int, ...]]:
        """PCI devices first, by address; simulated ones by number."""
        if self.bus != "pci":
            return True, (int(self.address.removeprefix("netdevsim")),)
        pci = PciAddress.parse(self.address)
        return False, (pci.domain, pci.bus, pci.slot, pci.function)


class Sysfs:
    """The kernel's device tree under ``root`` (``/``, or a copy of one in a folder)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self._pci = root / "sys/bus/pci/devices"
        self._netdevsim = root / "sys/bus/netdevsim/devices"

    def pfs(self) -> tuple[PfDevice, ...]:
        """Every device with SR-IOV, NIC or not, in the order of their addresses.

        Equivalent: ``ls /sys/bus/pci/devices/*/sriov_totalvfs``.
        """
        found = [
            PfDevice(name, "pci", self._pci / name)
            for name in _names(self._pci)
            if _exists(self._pci / name / "sriov_totalvfs")
        ]
        found += [
            PfDevice(name, "netdevsim", self._netdevsim / name)
            for name in _names(self._netdevsim)
            if _NETDEVSIM.fullmatch(name) and _exists(self._netdevsim / name / "sriov_numvfs")
        ]
        return tuple(sorted(found, key=lambda pf: pf.order))

    def pf(self, address: str) -> PfDevice:
        """The PF with this device address. Raises UsageError where there is none."""
        simulated = bool(_NETDEVSIM.fullmatch(address))
        folder = (self._netdevsim if simulated else self._pci) / address
        if "/" in address or not _exists(folder / ("sriov_numvfs" if simulated else "sriov_totalvfs")):
            raise UsageError(f"there is no SR-IOV device {address!r} here", actions=(Action(UseCase.SHOW),))
        return PfDevice(address, "netdevsim" if simulated else "pci", folder)

    def pci_folder(self, address: PciAddress) -> Path:
        """Where a PCI function's files are."""
        return self._pci / str(address)

    def driver_folder(self, name: str) -> Path:
        """Where a PCI driver's bind and unbind are; there only while the driver is loaded."""
        return self.root / "sys/bus/pci/drivers" / name

    @property
    def drivers_probe(self) -> Path:
        """A PCI address written here is offered to the drivers that match it."""
        return self.root / "sys/bus/pci/drivers_probe"

    def num_vfs(self, pf: PfDevice) -> Known[int]:
        """VFs that exist now (sriov_numvfs)."""
        return read_number(pf.folder / "sriov_numvfs")

    def total_vfs(self, pf: PfDevice) -> Known[int]:
        """The most VFs there can be; for netdevsim the debugfs file max_vfs, which only root may read."""
        if pf.bus == "netdevsim":
            return read_number(self.root / "sys/kernel/debug/netdevsim" / pf.address / "max_vfs")
        return read_number(pf.folder / "sriov_totalvfs")

    def autoprobe(self, pf: PfDevice) -> Known[bool]:
        """Whether new VFs are bound to a driver at once (sriov_drivers_autoprobe, Linux 4.12)."""
        number = read_number(pf.folder / "sriov_drivers_autoprobe")
        return number if isinstance(number, Unknown) else number != 0

    def driver(self, folder: Path) -> Known[str | None]:
        """The driver bound to a device, None for none."""
        return _link_name(folder / "driver")

    def pf_driver(self, pf: PfDevice) -> Known[str | None]:
        """The PF's driver. The simulator's bus has one driver, which binds without a link on some kernels."""
        found = self.driver(pf.folder)
        return "netdevsim" if pf.bus == "netdevsim" and found is None else found

    def vendor_device(self, pf: PfDevice) -> Known[str]:
        """``8086:10c9``. ``lspci -n``."""
        if pf.bus != "pci":
            return Unknown("not a PCI device")
        vendor, device = read_text(pf.folder / "vendor"), read_text(pf.folder / "device")
        if isinstance(vendor, Unknown):
            return vendor
        if isinstance(device, Unknown):
            return device
        return f"{vendor.removeprefix('0x')}:{device.removeprefix('0x')}"

    def is_nic(self, pf: PfDevice) -> bool:
        """A network device by its PCI class (0x02....), or a simulated one."""
        return pf.bus == "netdevsim" or self.is_network_class(pf.folder)

    def is_network_class(self, folder: Path) -> bool:
        """Whether a PCI function is a network controller (class 0x02....)."""
        found = read_text(folder / "class")
        return isinstance(found, str) and found.startswith(_NETWORK_CLASS)

    def numa_node(self, pf: PfDevice) -> Known[int | None]:
        """The NUMA node; None where the kernel says -1 (no affinity)."""
        if pf.bus != "pci":
            return None
        number = read_number(pf.folder / "numa_node")
        return None if number == -1 else number

    def netdevs(self, pf: PfDevice) -> tuple[tuple[str, int], ...]:
        """``(name, ifindex)`` of the PF's own netdevs, by ifindex, without its VFs' representors.

        Only those of the network namespace that /sys was mounted in. Representors are known by phys_port_name
        (``pf0vf3``, include/net/devlink.h).
        """
        found = []
        for name in _names(pf.folder / "net"):
            port = read_text(pf.folder / "net" / name / "phys_port_name")
            number = read_number(pf.folder / "net" / name / "ifindex")
            if isinstance(number, int) and not (isinstance(port, str) and _REPRESENTOR.fullmatch(port)):
                found.append((name, number))
        return tuple(sorted(found, key=lambda netdev: netdev[1]))

    def netdev_names(self, folder: Path) -> tuple[str, ...]:
        """Names of the netdevs of any device, in the network namespace that /sys was mounted in."""
        return _names(folder / "net")

    def virtfns(self, pf: PfDevice) -> dict[int, PciAddress]:
        """VF index -> PCI address, from the virtfnN links; empty for simulated devices, which have none."""
        found = {}
        for name in _names(pf.folder):
            match = _VIRTFN.fullmatch(name)
            if not match:
                continue
            target = _link_name(pf.folder / name)
            if isinstance(target, str):
                found[int(match[1])] = PciAddress.parse(target)
        return dict(sorted(found.items()))

    def physfn(self, address: PciAddress) -> Known[str | None]:
        """The PF of a VF, None for a device that is no VF."""
        return _link_name(self._pci / str(address) / "physfn")

    def iommu_group(self, address: PciAddress) -> Known[str | None]:
        """The number of the IOMMU group, None where there is no IOMMU. It may change with a reboot."""
        return _link_name(self._pci / str(address) / "iommu_group")

    def vfio_device(self, address: PciAddress) -> str:
        """``vfio3`` where the device has a character device of its own (Linux 6.2), else ""."""
        return next(iter(_names(self._pci / str(address) / "vfio-dev")), "")


def read_text(path: Path) -> Known[str]:
    """The file's text without its end of line, or why it could not be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError as error:
        return _unreadable(path, error)


def read_number(path: Path) -> Known[int]:
    """The file's number, or why it could not be read."""
    found = read_text(path)
    if isinstance(found, Unknown):
        return found
    try:
        return int(found)
    except ValueError:
        return Unknown(f"{path.name} holds {found[:20]!r}, which is no number")


def write_text(path: Path, content: str, attempt: KernelCall) -> None:
    """One write(2), as ``echo`` does it. Raises what ``Attempt.refused`` says.

    The file is never created, and the buffer is written at once: a sysfs file is a call to the driver.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, content.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal(attempt, error) from error


def _refusal(attempt: KernelCall, error: OSError) -> VirtfnError:
    return attempt.refused(error.errno or 0)


def _unreadable(path: Path, error: OSError) -> Unknown:
    word = errno_word(error.errno or 0)
    return Unknown(f"{path.name} cannot be read ({word})" + (": run as root" if word in ("EACCES", "EPERM") else ""))


def _link_name(path: Path) -> Known[str | None]:
    """The last part of where a link points, None where there is no link."""
    try:
        return path.readlink().name
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error)


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - names only, no Path for each of thousands
    except OSError:
        return ()


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - False, not an error, where a folder is closed to us
