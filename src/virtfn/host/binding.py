"""Which driver has a VF: read, unbound, bound.

Sources: Documentation/ABI/testing/sysfs-bus-pci (driver_override, bind, unbind, drivers_probe);
drivers/pci/pci-driver.c pci_device_can_probe (autoprobe 0 forbids a VF's probe unless driver_override is set);
drivers/vfio/vfio_main.c vfio_unregister_group_dev (unbinding waits until the device is closed).
"""

from virtfn.errors import GuardRefused, KernelRefused, UsageError, VerifyFailed
from virtfn.host.holders import is_vfio
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.sysfs import Sysfs, write_text
from virtfn.host.vfio import vfio_paths, vfio_users
from virtfn.model.addresses import PciAddress
from virtfn.model.fields import needs_override
from virtfn.model.finding import FindingKind, Severity
from virtfn.model.inventory import Unknown

NATIVE = "native"
VFIO_OPEN = FindingKind(
    "vfio-open",
    Severity.REFUSAL,
    "A process has the VF open through vfio: the kernel would wait without end until it is closed.",
    "stop the virtual machine first",
)


def bind_driver(sysfs: Sysfs, pci: PciAddress, wanted: str | None, *, where: str, command: str) -> None:
    """Bind the VF at ``pci`` to ``wanted``: a driver's name, ``native`` for whichever matches, None for no driver.

    driver_override is set for the time of the bind, so it works with autoprobe off too, and is left set only for
    drivers that need it (vfio-pci). Raises GuardRefused while a process has the VF open through vfio: the
    kernel would wait for it without end; UsageError where the driver is not loaded; VerifyFailed where another or
    no driver has the VF afterwards; KernelRefused, PermissionDenied.
    """
    attempt = KernelCall(where, f"binding {pci} to {wanted or 'no driver'}", command)
    folder = sysfs.pci_folder(pci)
    now = sysfs.driver(folder)
    if isinstance(now, Unknown):
        raise UsageError(f"its driver is not known: {now.reason}", where=where)
    if now == wanted:
        return
    if wanted not in (None, NATIVE) and not sysfs.driver_folder(str(wanted)).is_dir():
        raise UsageError(f"the driver {wanted} is not loaded", where=where, hint=f"modprobe {wanted}")
    if now is not None:
        refuse_open_vfio(sysfs, pci, now, where=where)
        write_text(folder / "driver" / "unbind", str(pci), attempt)
    if wanted is None:
        return
    if wanted == NATIVE:
        write_text(folder / "driver_override", "\n", attempt)
        write_text(sysfs.drivers_probe, str(pci), attempt)
    else:
        _bind(sysfs, pci, wanted, attempt)
    bound = sysfs.driver(folder)
    if bound is None or (wanted != NATIVE and bound != wanted):
        raise VerifyFailed(f"after binding, {bound or 'no driver'} has it, not {wanted}", where=where)


def _bind(sysfs: Sysfs, pci: PciAddress, wanted: str, attempt: KernelCall) -> None:
    override = sysfs.pci_folder(pci) / "driver_override"
    write_text(override, wanted, attempt)
    try:
        write_text(sysfs.driver_folder(wanted) / "bind", str(pci), attempt)
    except KernelRefused:
        write_text(override, "\n", attempt)
        raise
    if not needs_override(wanted):
        write_text(override, "\n", attempt)


def refuse_open_vfio(sysfs: Sysfs, pci: PciAddress, driver: str, *, where: str) -> None:
    """Return where no process is seen to have the VF open through vfio. Raises GuardRefused that names the process."""
    if not is_vfio(driver):
        return
    group = sysfs.iommu_group(pci)
    paths = vfio_paths(group if isinstance(group, str) else None, sysfs.vfio_device(pci))
    users = vfio_users(root=sysfs.root).of(paths)
    if isinstance(users, Unknown) or not users:
        return
    named = ", ".join(str(user) for user in users)
    what = f"{pci} is open in {named}: taking it away would wait until it is closed"
    raise GuardRefused(what, where=where, hint=VFIO_OPEN.fix, findings=(VFIO_OPEN.at(where, what),))
