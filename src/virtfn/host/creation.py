"""VFs made and destroyed, and waited for.

Sources: drivers/pci/iov.c sriov_numvfs_store (only 0 -> N and N -> 0), pci_iov_add_virtfn (links are there when the
write returns; probing may go on: iavf registers its netdev from a work queue).
"""

import time

from virtfn.errors import UsageError, VerifyFailed
from virtfn.host.binding import refuse_open_vfio
from virtfn.host.holders import is_vfio
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.sysfs import PfDevice, Sysfs, write_text
from virtfn.model.inventory import Unknown

_POLL_S = 0.05
_SETTLE_S = 2.0


def set_num_vfs(sysfs: Sysfs, pf: PfDevice, wanted: int, *, where: str, command: str, patience_s: float = 60.0) -> None:
    """Make ``wanted`` VFs where there are none, or destroy all (0); the number that is there already is not written.

    Returns when the virtfn links are there and, with autoprobe on, when every VF that got a network driver has its
    netdev or nothing more has happened for 2 s: who has the VFs then is a matter of the next observation.
    Raises UsageError for N -> M, which the kernel does not know; GuardRefused where 0 would wait for a process that
    has a VF open through vfio; VerifyFailed where the VFs are not there after ``patience_s``; KernelRefused,
    PermissionDenied.
    """
    now = sysfs.num_vfs(pf)
    if isinstance(now, Unknown):
        raise UsageError(f"the number of VFs is not known: {now.reason}", where=where)
    if now == wanted:
        return
    if now and wanted:
        raise UsageError(
            f"the number of VFs cannot go from {now} to {wanted}: the kernel wants 0 in between, and that destroys all",
            where=where,
            hint="write 0 first, when no VF is in use",
        )
    if not wanted:
        _refuse_open(sysfs, pf, where)
    write_text(pf.folder / "sriov_numvfs", str(wanted), KernelCall(where, f"writing {wanted} to sriov_numvfs", command))
    deadline = time.monotonic() + patience_s
    _await_links(sysfs, pf, wanted, deadline, where)
    if wanted and sysfs.autoprobe(pf) is True:
        _await_netdevs(sysfs, pf, deadline)


def _refuse_open(sysfs: Sysfs, pf: PfDevice, where: str) -> None:
    for pci in sysfs.virtfns(pf).values():
        driver = sysfs.driver(sysfs.pci_folder(pci))
        if isinstance(driver, str):
            refuse_open_vfio(sysfs, pci, driver, where=where)


def _await_links(sysfs: Sysfs, pf: PfDevice, wanted: int, deadline: float, where: str) -> None:
    while True:
        number, links = sysfs.num_vfs(pf), len(sysfs.virtfns(pf))
        if number == wanted and (links == wanted or pf.bus != "pci"):
            return
        if time.monotonic() > deadline:
            raise VerifyFailed(f"asked for {wanted} VFs, there are {number} with {links} virtfn links", where=where)
        time.sleep(_POLL_S)


def _await_netdevs(sysfs: Sysfs, pf: PfDevice, deadline: float) -> None:
    """Until every VF has what it will get; a VF whose driver is not loaded gets nothing, hence the settling time."""
    folders = [sysfs.pci_folder(pci) for pci in sysfs.virtfns(pf).values()]
    progress, since = (0, 0), time.monotonic()
    while (now := time.monotonic()) < deadline:
        drivers = [sysfs.driver(folder) for folder in folders]
        network = [
            folder
            for folder, driver in zip(folders, drivers, strict=True)
            if isinstance(driver, str) and not is_vfio(driver) and sysfs.is_network_class(folder)
        ]
        bound = sum(isinstance(driver, str) for driver in drivers)
        named = sum(bool(sysfs.netdev_names(folder)) for folder in network)
        if bound == len(folders) and named == len(network):
            return
        if (bound, named) != progress:
            progress, since = (bound, named), now
        if now - since > _SETTLE_S:
            return
        time.sleep(_POLL_S)
