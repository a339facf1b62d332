"""The eswitch mode of a PF, over devlink's generic netlink.

Own requests, as in ``rtnetlink``: three small messages. Sources: include/uapi/linux/devlink.h, genetlink.h;
net/devlink/dev.c; Documentation/networking/devlink/index.rst.
"""

import errno as codes
import socket
import struct
from collections.abc import Callable
from typing import Self, TypeVar

from virtfn.errors import CapabilityError, KernelRefused, PermissionDenied, VirtfnError
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.netlink import NetlinkSocket, attribute, attributes, text_attribute
from virtfn.model.inventory import EswitchMode, Known, Unknown

T = TypeVar("T")

_GENERIC = getattr(socket, "NETLINK_GENERIC", 16)
_CONTROL_FAMILY, _CTRL_CMD_GETFAMILY, _CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
_CMD_GET, _CMD_ESWITCH_GET, _CMD_ESWITCH_SET = 1, 29, 30
_ATTR_BUS_NAME, _ATTR_DEV_NAME, _ATTR_ESWITCH_MODE = 1, 2, 25
_HEADER = struct.Struct("=BBH")
_MODES = (EswitchMode.LEGACY, EswitchMode.SWITCHDEV, EswitchMode.SWITCHDEV_INACTIVE)


class DevlinkSocket:
    """devlink of the network namespace in which this was made; close it, or use it in ``with``."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(_GENERIC, timeout_s=120.0)  # a mode change re-creates all representors
        self._family: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back; closing twice is allowed."""
        self._netlink.close()

    def eswitch_mode(self, bus: str, device: str) -> Known[EswitchMode]:
        """The mode of ``pci`` or ``netdevsim`` device. ``devlink dev eswitch show pci/0000:01:00.0``.

        LEGACY also where devlink has no such device (ENODEV), where its driver offers no eswitch (EOPNOTSUPP), or where
        the kernel has no devlink at all: switchdev can only be set through devlink, so such a device can be
        nothing else. Unknown(reason) where it cannot be asked; a device that has devlink is answered to root only.
        """
        attempt = KernelCall(f"{bus}/{device}", "DEVLINK_CMD_ESWITCH_GET", f"devlink dev eswitch show {bus}/{device}")
        try:
            answer = self._ask(_CMD_ESWITCH_GET, _handle(bus, device), attempt)
        except PermissionDenied as error:
            return self._without_permission(bus, device, error)
        except KernelRefused as error:
            if error.errno in (codes.ENODEV, codes.EOPNOTSUPP, codes.ENOENT):
                return EswitchMode.LEGACY
            return Unknown(error.message)
        except VirtfnError as error:
            return Unknown(error.message)
        return _mode_in(answer)

    def set_eswitch_mode(self, bus: str, device: str, mode: EswitchMode, attempt: KernelCall) -> None:
        """Disturbs every VF of the PF. ``devlink dev eswitch set pci/0000:01:00.0 mode switchdev``.

        Raises KernelRefused, PermissionDenied, BackendUnreachable; CapabilityError where the device has no devlink.
        """
        wanted = attribute(_ATTR_ESWITCH_MODE, struct.pack("=H", _MODES.index(mode)))
        try:
            self._netlink.tell(
                self._family_id(attempt), _command(_CMD_ESWITCH_SET, _handle(bus, device) + wanted), attempt
            )
        except KernelRefused as error:
            if error.errno not in (codes.ENODEV, codes.ENOENT):
                raise
            raise CapabilityError(
                f"this device has no devlink, so its switch is legacy for good: {error.message}", where=attempt.where
            ) from error

    def _without_permission(self, bus: str, device: str, error: PermissionDenied) -> Known[EswitchMode]:
        """Anybody may ask whether the device is there at all (DEVLINK_CMD_GET), and that may be answer enough."""
        attempt = KernelCall(f"{bus}/{device}", "DEVLINK_CMD_GET", f"devlink dev show {bus}/{device}")
        try:
            self._ask(_CMD_GET, _handle(bus, device), attempt)
        except KernelRefused as refusal:
            if refusal.errno == codes.ENODEV:
                return EswitchMode.LEGACY
        except VirtfnError:
            return Unknown(error.message)
        return Unknown(f"{error.message}; {error.hint}")

    def _ask(self, command: int, payload: bytes, attempt: KernelCall) -> bytes:
        return self._netlink.ask(self._family_id(attempt), _command(command, payload), attempt)

    def _family_id(self, attempt: KernelCall) -> int:
        if self._family is None:
            wanted = text_attribute(_CTRL_ATTR_FAMILY_NAME, "devlink")
            answer = self._netlink.ask(_CONTROL_FAMILY, _command(_CTRL_CMD_GETFAMILY, wanted), attempt)
            numbers = _find(answer, _CTRL_ATTR_FAMILY_ID, "=H")
            if not numbers:
                raise attempt.refused(codes.ENOENT, "no devlink in this kernel")
            self._family = numbers[0]
        return self._family


def eswitch_mode(bus: str, device: str) -> Known[EswitchMode]:
    """As ``DevlinkSocket.eswitch_mode``, with a socket of its own."""
    return with_devlink(lambda devlink: devlink.eswitch_mode(bus, device))


def set_eswitch_mode(bus: str, device: str, mode: EswitchMode, attempt: KernelCall) -> None:
    """As ``DevlinkSocket.set_eswitch_mode``, with a socket of its own."""
    with_devlink(lambda devlink: devlink.set_eswitch_mode(bus, device, mode, attempt))


def with_devlink(use: Callable[[DevlinkSocket], T]) -> T:
    """What ``use`` returns, with a socket that is closed afterwards."""
    with DevlinkSocket() as devlink:
        return use(devlink)


def _command(command: int, payload: bytes) -> bytes:
    return _HEADER.pack(command, 1, 0) + payload


def _handle(bus: str, device: str) -> bytes:
    return text_attribute(_ATTR_BUS_NAME, bus) + text_attribute(_ATTR_DEV_NAME, device)


def _mode_in(answer: bytes) -> Known[EswitchMode]:
    numbers = _find(answer, _ATTR_ESWITCH_MODE, "=H")
    if not numbers:
        return Unknown("devlink answers without an eswitch mode")
    return _MODES[numbers[0]] if numbers[0] < len(_MODES) else Unknown(f"devlink reports mode {numbers[0]}")


def _find(answer: bytes, wanted: int, layout: str) -> tuple[int, ...]:
    for kind, start, end in attributes(answer, _HEADER.size, len(answer)):
        if kind == wanted and end - start >= struct.calcsize(layout):
            found: tuple[int, ...] = struct.unpack_from(layout, answer, start)
            return found
    return ()
