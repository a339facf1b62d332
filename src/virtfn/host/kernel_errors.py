"""The kernel's refusals in the house form: what failed on which object, the kernel's word, what to do next."""

import errno as codes
import os
from dataclasses import dataclass

from virtfn.errors import KernelRefused, PermissionDenied

_HINTS = {
    codes.EBUSY: "something holds it: a process that opened the device, or a netdev that must be down first",
    codes.EOPNOTSUPP: "this driver does not offer it: look at its row in the driver table, or use another way",
    codes.ENODEV: "the device went away or has no such driver: look again which devices there are",
    codes.ENXIO: "the device went away: look again which devices there are",
    codes.EMSGSIZE: "the kernel's answer does not fit one message: too many VFs for this kernel to list",
    codes.EINVAL: "the driver does not accept this value here: 'dmesg | tail' often names the reason",
    codes.ERANGE: "more than the device has: compare sriov_totalvfs",
    codes.ENOSPC: "the NIC's filter table is full: free an address or a VLAN first",
    codes.ENOMEM: "the PCI bus has no room for the VFs: check the BIOS (SR-IOV, above 4G) or boot with pci=realloc",
    codes.EADDRNOTAVAIL: "the PF has set this VF's address and does not trust the VF: change it on the PF, or trust it",
    codes.EAGAIN: "the VF is in reset: try again in a moment",
    codes.ENOENT: "it is not there: the device went away, or the kernel lacks this interface",
    codes.EROFS: "/sys is mounted read-only here: run on the host, not in a container",
}


def errno_word(number: int) -> str:
    """``EBUSY`` for 16, and so on; the number itself where it has no name."""
    return codes.errorcode.get(number, f"errno {number}")


@dataclass(frozen=True)
class KernelCall:
    """One call to the kernel, described for the error that it may end in.

    ``where`` names the object, ``call`` the request to the kernel, ``command`` the equivalent command.
    """

    where: str
    call: str
    command: str = ""

    def refused(self, number: int, word: str = "") -> KernelRefused | PermissionDenied:
        """The error for ``number`` (a positive errno); ``word`` is the kernel's own text (extack) where it gave one.

        EPERM and EACCES become PermissionDenied, everything else KernelRefused.
        """
        said = f"{os.strerror(number)} ({errno_word(number)})" + (f": {word}" if word else "")
        message = f"{self.call} was refused: {said}"
        if number not in (codes.EPERM, codes.EACCES):
            return KernelRefused(
                message,
                where=self.where,
                hint=_HINTS.get(number, ""),
                errno=number,
                call=self.call,
                command=self.command,
            )
        hint = "run as root"
        if os.geteuid() == 0:
            hint = "already root: the driver refuses, or CAP_NET_ADMIN is missing here (a container?)"
        return PermissionDenied(message, where=self.where, hint=hint)
