"""Golden cases as folders: an observed host in a compact form, a spec, and the text that is expected.

``observed.yaml`` is ``pfs:``, a list of PFs. What is left out has a plain default (below); ``?REASON`` is a fact that
could not be read. A VF's ``holder`` is one word: ``nobody``, ``host`` (its netdev is down), ``host-up``, ``netns``,
``vfio`` (idle), ``vfio-open``, ``vfio-unseen``; without it, it follows from the driver.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import DesiredHost
from virtfn.model.fields import needs_override
from virtfn.model.inventory import (
    EswitchMode,
    Holder,
    HolderKind,
    Inventory,
    Known,
    Netdev,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
    Vlan,
    VlanProtocol,
)
from virtfn.spec.loading import load
from virtfn.testing.fake_pf import OTHER_FIELDS

GOLDEN = Path(__file__).parents[2] / "golden"
_ZERO = "00:00:00:00:00:00"


def cases(area: str) -> list[Any]:
    """The folders of one area, as test parameters."""
    return [pytest.param(case, id=case.name) for case in sorted((GOLDEN / area).iterdir()) if case.is_dir()]


def observed(case: Path) -> Inventory:
    """The host of a case."""
    return Inventory(tuple(_pf(pf, number) for number, pf in enumerate(_yaml(case / "observed.yaml")["pfs"])))


def desired(case: Path) -> DesiredHost:
    """The spec of a case."""
    return load([("desired.yaml", (case / "desired.yaml").read_text())])


def extras(case: Path, name: str) -> Mapping[str, Any]:
    """A further YAML file of a case, empty where there is none."""
    path = case / name
    return _yaml(path) if path.is_file() else {}


def expected(case: Path) -> str:
    """The text that is expected of a case."""
    return (case / "expected.txt").read_text()


def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def _known(value: Any) -> Any:
    return Unknown(value[1:]) if isinstance(value, str) and value.startswith("?") else value


def _mac(value: Any) -> Known[MacAddress]:
    found: Known[Any] = _known(value)
    return found if isinstance(found, Unknown) else MacAddress.parse(found)


def _pf(plain: Mapping[str, Any], number: int) -> PfState:
    device = plain.get("device", f"0000:0{number + 1}:00.0")
    vfs = tuple(_vf(vf or {}, index, number, device) for index, vf in enumerate(plain.get("vfs", ())))
    mode = _known(plain.get("eswitch_mode", "legacy"))
    return PfState(
        device=device,
        name=plain.get("name", f"p{number + 1}p1"),
        ifindex=2 + number,
        mac=_mac(plain.get("mac", f"a0:36:9f:68:fc:f{number}")),
        permanent_mac=_mac(plain.get("permanent_mac", plain.get("mac", f"a0:36:9f:68:fc:f{number}"))),
        driver=_known(plain.get("driver", "igb")),
        vendor_device=_known(plain.get("id", "8086:10c9")),
        num_vfs=_known(plain.get("num_vfs", len(vfs))),
        total_vfs=_known(plain.get("total_vfs", 7)),
        up=_known(plain.get("up", True)),
        carrier=True,
        promiscuous=False,
        promisc=_known(plain.get("promisc", False)),
        mtu=_known(plain.get("mtu", 1500)),
        numa_node=None,
        eswitch_mode=mode if isinstance(mode, Unknown) else EswitchMode(mode),
        autoprobe=_known(plain.get("autoprobe", True)),
        vfs=vfs,
    )


def _vf(plain: Mapping[str, Any], index: int, number: int, device: str) -> VfState:
    driver = _known(plain.get("driver", "igbvf"))
    simulated = device.startswith("netdevsim")
    absent = Unknown("a simulated VF has no PCI device")
    link = _known(plain.get("link_state", "auto"))
    return VfState(
        index=index,
        pci=absent if simulated else PciAddress(0, number + 1, 0x10 + index // 8, index % 8),
        mac=_mac(plain.get("mac", _ZERO)),
        vlans=_vlans(_known(plain.get("vlan"))),
        spoofchk=_known(plain.get("spoofchk", True)),
        trust=_known(plain.get("trust", False)),
        link_state=link if isinstance(link, Unknown) else VfLinkState(link),
        min_tx_rate_mbps=_known(plain.get("min_tx_rate_mbps", 0)),
        max_tx_rate_mbps=_known(plain.get("max_tx_rate_mbps", 0)),
        driver=absent if simulated else driver,
        holder=absent if simulated else _holder(plain, index, number, driver),
        **{name: _known(plain.get(name, "?the driver does not tell")) for name in OTHER_FIELDS},
    )


def _vlans(plain: Any) -> Known[tuple[Vlan, ...]]:
    if isinstance(plain, Unknown):
        return plain
    if plain is None:
        return ()
    if isinstance(plain, int):
        return (Vlan(plain),)
    return (Vlan(plain["id"], plain.get("qos", 0), VlanProtocol(plain.get("protocol", "802.1Q"))),)


def _holder(plain: Mapping[str, Any], index: int, number: int, driver: Known[str | None]) -> Known[Holder]:
    word = plain.get("holder") or _usual(driver)
    if word.startswith("?"):
        return Unknown(word[1:])
    if word == "nobody":
        return Holder(HolderKind.NOBODY)
    if word.startswith("vfio"):
        opened: dict[str, Known[bool]] = {"vfio": False, "vfio-open": True, "vfio-unseen": Unknown("not root")}
        detail = "group 12: qemu-system-x86 (pid 7, guest web1)" if word == "vfio-open" else "group 12"
        return Holder(HolderKind.VFIO, detail=detail, opened=opened[word])
    mac = MacAddress.parse(plain.get("netdev_mac", plain.get("mac", f"72:00:00:00:0{number}:{index:02x}")))
    inside = word == "netns"
    name = "eth0" if inside else f"p{number + 1}p1v{index}"
    netdev = Netdev(name, f"vm{index}" if inside else "", 10 + index, mac, 1500, inside or word == "host-up", True)
    return Holder(HolderKind.NETNS if inside else HolderKind.HOST, netdev)


def _usual(driver: Known[str | None]) -> str:
    if driver is None:
        return "nobody"
    if isinstance(driver, Unknown):
        return f"?{driver.reason}"
    return "vfio" if needs_override(driver) else "host"
