"""The kernel as one object: observe the host, read one fact, write one fact.

What only writing needs is imported when something is written: who looks at a host need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from virtfn.errors import BackendUnreachable, CapabilityError, UsageError, VirtfnError
from virtfn.host import observation
from virtfn.host.devlink import DevlinkSocket, eswitch_mode, set_eswitch_mode
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.neighbours import outside_macs
from virtfn.host.netdev_fields import read_link_field, write_link_field
from virtfn.host.netns import call_in
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.sysfs import PfDevice, Sysfs, write_text
from virtfn.host.vf_fields import VF_CODECS, Change, encode_vf_field, messages, number, read_vf_field, switch
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.fields import PF_FIELDS
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import EswitchMode, Inventory, Known, Unknown

if TYPE_CHECKING:
    from virtfn.model.plan import Target, Value

T = TypeVar("T")
Socket = TypeVar("Socket", RouteSocket, DevlinkSocket)

_MOST_VFS = 0xFFFF


@dataclass(frozen=True)
class _Port:
    """A PF's netdev, for requests, and its label."""

    ifindex: int
    label: str


class KernelHost:
    """This host's SR-IOV devices, as its kernel knows them.

    ``root`` is where /sys, /proc and /run are looked for; netlink is always the running kernel's. Nothing is kept open
    or remembered between calls. Targets are ``pf`` (id ``0000:01:00.0``), ``vf`` (id ``0000:01:00.0/2``) and
    ``netdev`` (id ``eth0`` or ``vm2:eth0``).
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._sysfs = Sysfs(root)

    def observe(self, *, device: str | None = None) -> Inventory:
        """All PFs and VFs as they are now, or only the PF at ``device``.

        Works without root as far as the kernel allows; what cannot be read is Unknown with the reason.
        Raises UsageError where there is no such ``device``.
        """
        with ExitStack() as sockets:
            route, devlink = _opened(sockets, RouteSocket), _opened(sockets, DevlinkSocket)
            return observation.observe(self._sysfs, route, devlink, device=device)

    def outside_macs(self, pf_netdev: str) -> Mapping[MacAddress, str]:
        """MACs that the host knows to live beyond this PF (neighbour table, bridge FDB), each with its origin.

        Raises KernelRefused where there is no such netdev, PermissionDenied, BackendUnreachable.
        """
        return outside_macs(pf_netdev)

    def read(self, target: Target, field: str) -> Value:
        """The field's value now, in the form in which ``write`` takes it.

        Raises CapabilityError where the kernel or the driver does not tell; UsageError where there is no such target or
        field; KernelRefused, PermissionDenied, BackendUnreachable.
        """
        return _told(self._readers(target.kind)(target.id, field), target, field)

    def write(self, target: Target, field: str, value: Value) -> None:
        """Set one field. Whether the driver did it is found by reading.

        pf and vf: the rows of ``model.fields`` (num_vfs goes 0 -> N and N -> 0 only: ``creation.set_num_vfs``).
        netdev: those that ``netdev_fields`` can write.
        Raises KernelRefused with errno, call and the equivalent command; PermissionDenied; UsageError for a field or a
        value that cannot be written; GuardRefused, VerifyFailed for num_vfs and driver; BackendUnreachable.
        """
        self._writers(target.kind)(target.id, field, value)

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields, each its value or the error that ``read`` would raise; one request per PF reads all its VFs."""
        links: dict[str, Link] = {}
        return [self._read_shared(links, target, field) for target, field in keys]

    def write_all(self, changes: Sequence[Change]) -> None:
        """Many fields, in this order; neighbours that the kernel takes in one message go in one.

        Raises what ``write`` raises, for the first that is refused; those before it are set.
        """
        ports: dict[str, _Port] = {}
        with RouteSocket() as route:
            for group in messages(changes):
                target, field, value = group[0]
                if target.kind == "vf" and field in VF_CODECS:
                    self._write_group(route, ports, group)
                else:
                    self.write(target, field, value)

    def _write_group(self, route: RouteSocket, ports: dict[str, _Port], group: list[Change]) -> None:
        """Fields of one VF in one message; where it is refused, one by one, so that the error names the field."""
        ref = VfRef.parse(group[0][0].id)
        if ref.pf not in ports:
            pf = self._sysfs.pf(ref.pf)
            ports[ref.pf] = _Port(self._pf_ifindex(pf), self._label(pf))
        port = ports[ref.pf]
        where = f"{port.label}/{ref.index}"
        if len(group) > 1:
            attempt = KernelCall(where, f"setting {', '.join(field for _, field, _ in group)}")
        else:
            attempt = _attempt("vf", where, ref.pf, group[0][1], group[0][2])
        parts = [encode_vf_field(ref.index, field, value, attempt) for _, field, value in group]
        try:
            route.set_vf(port.ifindex, parts, attempt)
        except VirtfnError:
            if len(group) == 1:
                raise
            for change in group:
                self._write_group(route, ports, [change])

    def _read_shared(self, links: dict[str, Link], target: Target, field: str) -> Value | VirtfnError:
        try:
            if target.kind != "vf" or field not in VF_CODECS:
                return self.read(target, field)
            ref = VfRef.parse(target.id)
            if ref.pf not in links:
                links[ref.pf] = self._pf_link(self._sysfs.pf(ref.pf))
            return _told(self._vf_of(links[ref.pf], ref.pf, ref.index, field), target, field)
        except VirtfnError as error:
            return error

    def _readers(self, kind: str) -> Callable[[str, str], Known[Value]]:
        found = {"pf": self._read_pf, "vf": self._read_vf, "netdev": self._read_netdev}.get(kind)
        return found or _no_such_kind(kind)

    def _writers(self, kind: str) -> Callable[[str, str, Value], None]:
        found = {"pf": self._write_pf, "vf": self._write_vf, "netdev": self._write_netdev}.get(kind)
        return found or _no_such_kind(kind)

    def _read_netdev(self, identity: str, field: str) -> Known[Value]:
        return read_link_field(_in_netns(identity, lambda route, name: route.get_link(0, name=name)), field)

    def _write_netdev(self, identity: str, field: str, value: Value) -> None:
        attempt = _attempt("netdev", identity, identity, field, value)

        def write(route: RouteSocket, name: str) -> None:
            write_link_field(route, route.get_link(0, name=name).ifindex, field, value, attempt)

        _in_netns(identity, write)

    def _read_pf(self, identity: str, field: str) -> Known[Value]:
        pf = self._sysfs.pf(identity)
        if field == "num_vfs":
            return self._sysfs.num_vfs(pf)
        if field == "autoprobe":
            return self._sysfs.autoprobe(pf)
        if field == "eswitch_mode":
            mode = eswitch_mode(pf.bus, pf.address)
            return mode if isinstance(mode, Unknown) else str(mode)
        return read_link_field(self._pf_link(pf), field)

    def _write_pf(self, identity: str, field: str, value: Value) -> None:
        pf = self._sysfs.pf(identity)
        label = self._label(pf)
        attempt = _attempt("pf", label, pf.address, field, value)
        if field == "num_vfs":
            from virtfn.host.creation import set_num_vfs

            wanted = number(value, 0, _MOST_VFS, attempt)
            set_num_vfs(self._sysfs, pf, wanted, where=label, command=attempt.command)
        elif field == "autoprobe":
            on = switch(value, attempt)
            write_text(pf.folder / "sriov_drivers_autoprobe", "1" if on else "0", attempt)
        elif field == "eswitch_mode":
            if value not in tuple(EswitchMode):
                raise UsageError(f"{value!r} is no eswitch mode", where=label, hint=", ".join(EswitchMode))
            set_eswitch_mode(pf.bus, pf.address, EswitchMode(str(value)), attempt)
        elif field in PF_FIELDS:
            ifindex = self._pf_ifindex(pf)
            with RouteSocket() as route:
                write_link_field(route, ifindex, field, value, attempt)
        else:
            raise UsageError(f"{field} of a PF cannot be written", where=label, hint=f"{', '.join(PF_FIELDS)} can")

    def _read_vf(self, identity: str, field: str) -> Known[Value]:
        pf, index = self._vf(identity)
        if field == "driver":
            return self._sysfs.driver(self._sysfs.pci_folder(self._vf_pci(pf, index)))
        return self._vf_of(self._pf_link(pf), self._label(pf), index, field)

    def _vf_of(self, link: Link, pf: str, index: int, field: str) -> Known[Value]:
        found = link.vfs[index] if index < len(link.vfs) and link.vfs[index].index == index else None
        found = found or next((vf for vf in link.vfs if vf.index == index), None)
        if found is not None:
            return read_vf_field(found, field)
        if index < (link.num_vfs or 0):
            return Unknown("; ".join(link.problems) or "the driver does not report this VF")
        raise UsageError(f"{pf} has no VF {index}", hint=f"it has {link.num_vfs or 0} VFs now")

    def _write_vf(self, identity: str, field: str, value: Value) -> None:
        pf, index = self._vf(identity)
        label = f"{self._label(pf)}/{index}"
        attempt = _attempt("vf", label, pf.address, field, value)
        if field != "driver":
            ifindex = self._pf_ifindex(pf)
            with RouteSocket() as route:
                route.set_vf(ifindex, [encode_vf_field(index, field, value, attempt)], attempt)
            return
        if value is not None and (not isinstance(value, str) or not value or "/" in value):
            raise UsageError(f"{value!r} is no driver", where=label, hint="a driver's name, native, or null for none")
        from virtfn.host.binding import bind_driver

        bind_driver(self._sysfs, self._vf_pci(pf, index), value, where=label, command=attempt.command)

    def _vf(self, identity: str) -> tuple[PfDevice, int]:
        ref = VfRef.parse(identity)
        return self._sysfs.pf(ref.pf), ref.index

    def _vf_pci(self, pf: PfDevice, index: int) -> PciAddress:
        found = self._sysfs.virtfns(pf).get(index)
        if found is None:
            raise UsageError(f"{self._label(pf)} has no PCI device for VF {index}", actions=(Action(UseCase.SHOW),))
        return found

    def _pf_link(self, pf: PfDevice) -> Link:
        ifindex = self._pf_ifindex(pf)
        with RouteSocket() as route:
            return route.get_link(ifindex, name=self._label(pf))

    def _pf_ifindex(self, pf: PfDevice) -> int:
        name, ifindex = observation.pf_name(self._sysfs, pf)
        if ifindex:
            return ifindex
        why = name.reason if isinstance(name, Unknown) else "it has no netdev"
        raise CapabilityError(f"nothing can be asked of its driver: {why}", where=pf.address)

    def _label(self, pf: PfDevice) -> str:
        name, _ = observation.pf_name(self._sysfs, pf)
        return name if isinstance(name, str) else pf.address


def _opened(sockets: ExitStack, kind: Callable[[], Socket]) -> Known[Socket]:
    try:
        return sockets.enter_context(kind())
    except BackendUnreachable as error:
        return Unknown(error.message)


def _told(found: Known[Value], target: Target, field: str) -> Value:
    if isinstance(found, Unknown):
        raise CapabilityError(f"{field} cannot be read: {found.reason}", where=target.label)
    return found


def _no_such_kind(kind: str) -> NoReturn:
    raise UsageError(f"a host has no objects of the kind {kind!r}", hint="there are pf, vf and netdev")


def _attempt(kind: str, label: str, device: str, field: str, value: Value) -> KernelCall:
    """Raises UsageError where the value has not the form that the field needs."""
    from virtfn.planning.host.commands import equivalent_command

    try:
        command = equivalent_command(kind, label, field, value, device=device)
    except (KeyError, TypeError) as error:
        raise UsageError(f"{field}: {value!r} is incomplete", where=label) from error
    return KernelCall(where=label, call=f"setting {field}", command=command)


def _in_netns(identity: str, use: Callable[[RouteSocket, str], T]) -> T:
    netns, _, name = identity.rpartition(":")

    def inside() -> T:
        with RouteSocket() as route:
            return use(route, name)

    return call_in(netns, inside)
