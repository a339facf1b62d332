"""Turn the guest into the field note's host: ``python3 -m virtfn.lab.guest.topology STAGE``, the plan (JSON) on stdin.

``create`` names the PFs, creates the VFs and the wire; the snapshot is taken after it. ``bind`` gives the VFs to
igbvf and moves each into its namespace as ``eth0``: a VF that was bound while the machine was saved comes back with
an empty PCI configuration and receives nothing, so this is done after every start.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from . import vms

_PCI = Path("/sys/bus/pci/devices")
_IGBVF = Path("/sys/bus/pci/drivers/igbvf")
_ZERO = "00:00:00:00:00:00"
_DEADLINE_S = 40.0
_BIND_TRIES = 6
_SIOCGIFFLAGS, _SIOCGIFHWADDR = 0x8913, 0x8927
_IFF_RUNNING = 0x40
_CLONE_NEWNET = 0x40000000
_HOME = "/proc/self/ns/net"


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Within the block this thread is in the network namespace ``name`` ("": it stays where it is).

    A socket opened inside stays there. Raises OSError (no such namespace, no privilege). Source: ``man 2 setns``.
    """
    if not name:
        yield
        return
    home = os.open(_HOME, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Path("/run/netns", name).open() as there:
            _setns(there.fileno(), name)
        try:
            yield
        finally:
            _setns(home, "home")
    finally:
        os.close(home)


def _setns(handle: int, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"netns {name}")


def wait_for(what: str, ready: Callable[[], Any], deadline_s: float = _DEADLINE_S) -> Any:
    """Poll until ``ready`` returns something true; SystemExit with ``what`` at the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.01)


def ip(*lines: str) -> None:
    """Run lines of ``ip`` in one process; SystemExit with its message if one fails."""
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"ip: {done.stderr.strip()} in: {'; '.join(lines)}")


def netdev_of(pci: str) -> str:
    """The name of the function's netdev in this namespace, or ""."""
    return next((path.name for path in (_PCI / pci / "net").glob("*")), "")


def vf_address(pf: str, index: int) -> str:
    """The PCI address of a VF."""
    return (_PCI / pf / f"virtfn{index}").resolve().name


def guests(plan: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (PF, VF) that a guest has: those with an administrative MAC."""
    for pf in plan["pfs"]:
        for vf in pf["vfs"]:
            if vf["mac"] != _ZERO:
                yield pf, vf


def create(plan: dict[str, Any]) -> None:
    """PFs named and up, VFs created but not bound, their MACs set, the namespaces and the wire made."""
    for setting in ("disable_ipv6", "autoconf", "accept_ra"):
        for path in Path("/proc/sys/net/ipv6/conf").glob(f"*/{setting}"):
            path.write_text("1" if setting == "disable_ipv6" else "0")
    if plan["wire"]:
        _create_wire(plan["wire"])
    for pf in plan["pfs"]:
        _create_pf(pf, autoprobe=not plan["vms"])
    for pf, vf in guests(plan):
        ip(f"netns add {vf['netns']}", f"link set {pf['name']} vf {vf['index']} mac {vf['mac']}")
        _quiet(vf["netns"])
    vms.create(plan["vms"])


def _quiet(netns: str) -> None:
    """Disable IPv6, so that a capture shows only what a test sent."""
    with inside(netns):
        for place in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6").write_text("1")


def _create_pf(pf: dict[str, Any], *, autoprobe: bool) -> None:
    name = wait_for(f"the netdev of {pf['pci']}", lambda: netdev_of(pf["pci"]))
    ip(f"link set {name} name {pf['name']}", f"link set {pf['name']} up")
    device = _PCI / pf["pci"]
    if not pf["vfs"]:
        return
    (device / "sriov_drivers_autoprobe").write_text("0")
    (device / "sriov_numvfs").write_text(str(len(pf["vfs"])))
    last = f"virtfn{len(pf['vfs']) - 1}"
    wait_for(f"{last} of {pf['name']}", lambda: (device / last).exists())
    if autoprobe:
        (device / "sriov_drivers_autoprobe").write_text("1")


def _create_wire(wire: dict[str, Any]) -> None:
    driver = Path("/sys/bus/pci/drivers/e1000e")
    name = wait_for("the wire's NIC", lambda: next((path.name for path in driver.glob("0*/net/*")), ""))
    ip(f"netns add {wire['netns']}")
    _quiet(wire["netns"])
    ip(f"link set {name} netns {wire['netns']}")
    _run("ip", "-n", wire["netns"], "link", "set", name, "name", wire["name"])
    _run("ip", "-n", wire["netns"], "link", "set", wire["name"], "up", "promisc", "on")


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.strip()}")


def bind(plan: dict[str, Any]) -> None:
    """Every VF with a MAC bound to igbvf, in its namespace as ``eth0``, up and with carrier, its MAC proven."""
    if plan["nvme"]:
        _run("modprobe", "nvme")
        wait_for("the NVMe controller", lambda: list((_PCI / plan["nvme"] / "nvme").glob("nvme*/state")))
    for pf, vf in guests(plan):
        _bind_one(vf_address(pf["pci"], vf["index"]), vf)
    for pf in plan["pfs"]:
        wait_for(f"the carrier of {pf['name']}", partial(_running, "", pf["name"]))
    for _, vf in guests(plan):
        wait_for(f"the carrier of {vf['netns']}:eth0", partial(_running, vf["netns"], "eth0"))
    for remark in vms.bind([{**vm, "vf_pci": vf_address(vm["pf"], vm["vf"])} for vm in plan["vms"]]):
        print(remark)  # noqa: T201


def _bind_one(address: str, vf: dict[str, Any]) -> None:
    """Bind until the guest's MAC is the administrative one: on a starved machine igbvf's question to the PF may time
    out, and then it invents an address.
    """
    for _ in range(_BIND_TRIES):
        (_IGBVF / "bind").write_text(address)
        name = wait_for(f"the netdev of {address}", lambda: netdev_of(address))
        if _hardware_address(name) == vf["mac"]:
            ip(f"link set {name} netns {vf['netns']} name eth0")
            _run("ip", "-n", vf["netns"], "link", "set", "eth0", "up")
            return
        (_IGBVF / "unbind").write_text(address)
    raise SystemExit(f"VF {address} did not take its MAC {vf['mac']} in {_BIND_TRIES} tries")


def _hardware_address(name: str) -> str:
    return _query(_SIOCGIFHWADDR, name)[18:24].hex(":")


def _running(netns: str, name: str) -> bool:
    with inside(netns):
        (flags,) = struct.unpack_from("<H", _query(_SIOCGIFFLAGS, name), 16)
    return bool(flags & _IFF_RUNNING)


def _query(call: int, name: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return fcntl.ioctl(probe, call, struct.pack("16s24x", name.encode()))


def main(argv: list[str]) -> None:
    """Run the stages named, with the plan from standard input."""
    plan = json.load(sys.stdin)
    for stage in argv:
        began = time.monotonic()
        try:
            {"create": create, "bind": bind}[stage](plan)
        except vms.VmFailure as failed:
            raise SystemExit(str(failed)) from failed
        print(f"{stage}: {time.monotonic() - began:.2f} s", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
