"""The hosts that the contract suites run on: the fake, the emulated igb, netdevsim (the last two inside the lab)."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virtfn.host.kernel import KernelHost
from virtfn.host.probing import PacketProber
from virtfn.model.inventory import PfState
from virtfn.model.plan import Target
from virtfn.services.interfaces import HostWorld, Prober
from virtfn.testing import FakeHost, FakePf, FakeVf


@dataclass(frozen=True)
class Subject:
    """A host under test with one PF of at least four VFs, of which VF 2 may be changed; nobody uses VF 0.

    Where VFs have netdevs, those of VFs 1 to 3 are ``vmN:eth0``, and ``wire:w0`` is the other end of the cable.
    """

    host: HostWorld
    device: str
    label: str
    prober: Prober

    @property
    def pf(self) -> PfState:
        found = self.host.observe().pf(self.device)
        assert found is not None
        return found

    def vf(self, index: int) -> Target:
        return Target("vf", f"{self.device}/{index}", f"{self.label}/{index}")

    def netdev(self, index: int) -> Target:
        return Target("netdev", f"vm{index}:eth0", f"vm{index}:eth0")

    @property
    def target(self) -> Target:
        return Target("pf", self.device, self.label)


def fake() -> Iterator[Subject]:
    macs = ("00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59")
    vfs = [FakeVf(macs[0], driver=None, place="host"), *(FakeVf(mac) for mac in macs[1:])]
    host = FakeHost(pfs=(FakePf(vfs),))
    yield Subject(host, "0000:01:00.0", "p2p1", host)


def igb() -> Iterator[Subject]:
    yield Subject(KernelHost(), "0000:01:00.0", "p2p1", PacketProber())


def netdevsim() -> Iterator[Subject]:
    subprocess.run(["modprobe", "netdevsim"], check=True, timeout=30)
    bus = Path("/sys/bus/netdevsim")
    (bus / "new_device").write_text("3 1")
    Path("/sys/kernel/debug/netdevsim/netdevsim3/max_vfs").write_text("16")
    (bus / "devices/netdevsim3/sriov_numvfs").write_text("4")
    name = next((bus / "devices/netdevsim3/net").iterdir()).name
    for index in range(4):  # a simulated VF begins with spoof checking off, a real one with it on
        subprocess.run(["ip", "link", "set", "dev", name, "vf", str(index), "spoofchk", "on"], check=True, timeout=30)
    yield Subject(KernelHost(), "netdevsim3", name, PacketProber())
    (bus / "del_device").write_text("3")


MAKERS = {"fake": fake, "igb": igb, "netdevsim": netdevsim}
