"""Reading, on the real drivers: igb and igbvf in the lab, netdevsim for any number of VFs.

The witness is iproute2: what ``ip -j -d link show`` says must be what was read.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtfn.host.kernel import KernelHost
from virtfn.host.rtnetlink import RouteSocket
from virtfn.model.inventory import (
    EswitchMode,
    Holder,
    HolderKind,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
)

pytestmark = pytest.mark.guest

PF = "0000:01:00.0"
SIM = Path("/sys/bus/netdevsim")


def ip(*arguments: str) -> Any:
    command = ["ip", "-j", "-d", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def the_pf() -> PfState:
    pf = KernelHost().observe().pf(PF)
    assert pf is not None
    return pf


def test_the_pf_is_as_ip_link_shows_it() -> None:
    pf, seen = the_pf(), ip("link", "show", "dev", "p2p1")[0]
    assert (pf.name, pf.ifindex, str(pf.mac), pf.mtu) == ("p2p1", seen["ifindex"], seen["address"], seen["mtu"])
    assert pf.up is ("UP" in seen["flags"])
    assert pf.carrier is ("LOWER_UP" in seen["flags"])
    assert pf.promiscuous is (seen["promiscuity"] > 0)
    assert (pf.driver, pf.vendor_device, pf.total_vfs) == ("igb", "8086:10c9", 7)
    assert (pf.eswitch_mode, pf.autoprobe, pf.problems) == (EswitchMode.LEGACY, True, ())
    assert pf.num_vfs == len(pf.vfs) == 4


def test_every_vf_is_as_ip_link_shows_it() -> None:
    shown = {vf["vf"]: vf for vf in ip("link", "show", "dev", "p2p1")[0]["vfinfo_list"]}
    for vf in the_pf().vfs:
        seen = shown.pop(vf.index)
        assert str(vf.mac) == seen["address"]
        assert vf.spoofchk is seen["spoofchk"]
        assert vf.trust is seen["trust"]
        assert str(vf.link_state) == seen["link_state"]
        assert isinstance(vf.rss_query, Unknown)
        assert vf.max_tx_rate_mbps == seen.get("rate", {}).get("max_tx", 0)
    assert shown == {}


def test_every_vf_has_its_pci_address_and_its_holder() -> None:
    vfs = the_pf().vfs
    assert [str(vf.pci) for vf in vfs] == [
        Path(f"/sys/bus/pci/devices/{PF}/virtfn{n}").resolve().name for n in range(4)
    ]
    assert vfs[0].holder == Holder(HolderKind.NOBODY)
    for number in (1, 2, 3):
        vf, seen = vfs[number], ip("-n", f"vm{number}", "link", "show", "dev", "eth0")[0]
        assert isinstance(vf.holder, Holder)
        assert vf.holder.kind is HolderKind.NETNS
        assert vf.netdev is not None
        assert str(vf.netdev) == f"vm{number}:eth0"
        assert (vf.netdev.ifindex, str(vf.netdev.mac), vf.netdev.mtu) == (seen["ifindex"], seen["address"], seen["mtu"])
        assert (vf.netdev.up, vf.driver) == ("UP" in seen["flags"], "igbvf")


def test_the_fields_notes_host_is_seen_as_the_note_shows_it() -> None:
    macs = [str(vf.mac) for vf in the_pf().vfs]
    assert macs == ["00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59"]


def test_one_pf_is_observed_in_well_under_a_second() -> None:
    began = time.monotonic()
    KernelHost().observe()
    assert time.monotonic() - began < 1.0


def test_as_another_user_what_is_allowed_is_read_and_the_rest_has_its_reason() -> None:
    program = (
        "from virtfn.host.kernel import KernelHost; from virtfn.model.serialization import encode; import json;"
        "unknown = {}; plain = encode(KernelHost().observe(), unknown=unknown); print(json.dumps([plain, unknown]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plain, unknown = json.loads(done.stdout)
    pf = next(pf for pf in plain["pfs"] if pf["device"] == PF)
    assert (pf["num_vfs"], pf["eswitch_mode"], pf["vfs"][1]["mac"]) == (4, "legacy", "fa:16:3e:c0:d8:11")
    assert pf["vfs"][1]["holder"] is None
    reason = next(reason for path, reason in unknown.items() if path.endswith("vfs[1].holder"))
    assert "was not found" in reason


@pytest.fixture
def simulated() -> Iterator[Callable[[int], str]]:
    """Makes netdevsim7 with a number of VFs; gone afterwards."""
    subprocess.run(["modprobe", "netdevsim"], check=True, capture_output=True)
    (SIM / "new_device").write_text("7 1")
    device = SIM / "devices/netdevsim7"

    def with_vfs(count: int) -> str:
        (device / "sriov_numvfs").write_text("0")
        Path("/sys/kernel/debug/netdevsim/netdevsim7/max_vfs").write_text(str(count))
        (device / "sriov_numvfs").write_text(str(count))
        name = next((device / "net").iterdir()).name
        lines = "".join(f"link set {name} vf {n} mac fa:16:3e:00:{n >> 8:02x}:{n & 255:02x}\n" for n in range(count))
        subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
        return name

    yield with_vfs
    (device / "sriov_numvfs").write_text("0")
    (SIM / "del_device").write_text("7")


@pytest.mark.parametrize("count", [4, 256, 334, 335, 512])
def test_all_vfs_are_read_also_where_ip_link_shows_only_some(simulated: Callable[[int], str], count: int) -> None:
    simulated(count)
    pf = KernelHost().observe(device="netdevsim7").pfs[0]
    assert pf.problems == ()
    assert (pf.num_vfs, pf.total_vfs, pf.driver, len(pf.vfs)) == (count, count, "netdevsim", count)
    macs = [f"fa:16:3e:00:{n >> 8:02x}:{n & 255:02x}" for n in range(count)]
    assert [str(vf.mac) for vf in pf.vfs] == macs
    assert [vf.link_state for vf in pf.vfs] == [VfLinkState.AUTO] * count
    assert all(vf.holder == Unknown("a simulated VF has no PCI device") for vf in pf.vfs)


def test_one_answer_with_512_vfs_takes_little_time(simulated: Callable[[int], str]) -> None:
    name = simulated(512)
    with RouteSocket() as route:
        began = time.perf_counter()
        link = route.get_link(0, name=name)
        took = time.perf_counter() - began
    print(f"512 VFs in {took * 1000:.1f} ms")
    assert len(link.vfs) == 512
    assert took < 2.0


def test_switchdev_representors_are_not_taken_for_the_pf(simulated: Callable[[int], str]) -> None:
    name = simulated(3)
    done = subprocess.run(
        ["devlink", "dev", "eswitch", "set", "netdevsim/netdevsim7", "mode", "switchdev"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    try:
        pf = KernelHost().observe(device="netdevsim7").pfs[0]
        assert (pf.eswitch_mode, pf.name, pf.problems) == (EswitchMode.SWITCHDEV, name, ())
    finally:
        subprocess.run(["devlink", "dev", "eswitch", "set", "netdevsim/netdevsim7", "mode", "legacy"], check=True)


def test_a_vf_is_a_frozen_value() -> None:
    first: VfState = the_pf().vfs[1]
    second = the_pf().vfs[1]
    assert first == second
