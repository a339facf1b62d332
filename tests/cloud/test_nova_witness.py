"""Entries of ``device_spec`` and OpenStack's files mean to us what they mean to nova and oslo.config themselves."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane

from virtfn.host.ini import NotIni, settings_of
from virtfn.host.physnets import physical_networks
from virtfn.model.addresses import PciAddress
from virtfn.model.device_spec import PciFunction
from virtfn.model.inventory import Unknown

pytestmark = pytest.mark.cloud

PFS = {"0000:01:00.0": "p2p1", "0000:02:00.1": "p2p2"}
VF_NETDEVS = {"p2p1v3": "0000:01:10.3"}
ROUNDS = 3000


def functions() -> list[PciFunction]:
    pfs = [PciFunction(PciAddress.parse(pf), None, "8086", "10c9", name) for pf, name in PFS.items()]
    netdevs = {address: name for name, address in VF_NETDEVS.items()}
    vfs = [
        PciFunction(PciAddress.parse(vf), PciAddress.parse(pf), "8086", "10ca", netdevs.get(vf), name)
        for pf, name in PFS.items()
        for vf in (f"{pf[:7]}:10.{function}" for function in range(8))
    ]
    return pfs + vfs


def an_entry(pick: random.Random) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    way = pick.random()
    if way < 0.2:
        entry["devname"] = pick.choice(["p2p1", "p2p2", "p2p1v3", "none"])
    elif way < 0.4:
        entry["address"] = pick.choice([*PFS, "0000:01:10.3", "01:00.0", "2:0.1"])
    elif way < 0.6:
        parts = (pick.choice(["", "0000", "0", "*"]), pick.choice(["", "01", "2", "*"]), pick.choice(["00", "10", "*"]))
        entry["address"] = ":".join(parts[pick.randrange(3) :]) + pick.choice(["", ".", ".0", ".*", ".3"])
    elif way < 0.8:
        patterns = {
            "domain": ["0000", "0", ".*"],
            "bus": ["01", "0", "0[12]", ".*"],
            "slot": ["00", "10", "1", ".*"],
            "function": ["0", "1", "[0-3]", "["],
        }
        entry["address"] = {name: pick.choice(some) for name, some in patterns.items() if pick.random() < 0.8}
    if pick.random() < 0.3:
        entry["vendor_id"] = pick.choice(["8086", "15B3", "*", "intel"])
    if pick.random() < 0.3:
        entry["product_id"] = pick.choice(["10ca", "10C9", "*"])
    return entry


def a_file(pick: random.Random) -> str:
    lines = ["[a]", "[B c]", "[]", "[x", "k = v", "k: v = w", "  more", " ", "", "# c", "; c", '"q" = "x"', "= v", "no",
             "k=", "k = '", "\tm # x", "k = [1,", "  2]"]  # fmt: skip
    return "\n".join(pick.choice(lines) for _ in range(pick.randint(0, 7)))


def witness(cloud: ControlPlane, asked: dict[str, Any]) -> Any:
    python = cloud.client.parent / "python"
    script = Path(__file__).with_name("nova_witness.py")
    ran = subprocess.run(
        [python, "-W", "ignore", script], input=json.dumps(asked), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def our_word(entry: dict[str, Any], root: Path) -> list[bool | None] | None:
    (root / "etc/nova").mkdir(parents=True, exist_ok=True)
    (root / "etc/nova/nova.conf").write_text(f"[pci]\ndevice_spec = {json.dumps(entry)}\n")
    found = physical_networks(root).nova
    return None if isinstance(found, Unknown) else [found[0].fits(function) for function in functions()]


def our_settings(text: str) -> list[list[str]] | None:
    try:
        return [[one.section, one.key, one.value] for one in settings_of(text)]
    except NotIni:
        return None


def test_nova_and_oslo_agree(cloud: ControlPlane, tmp_path: Path) -> None:
    pick = random.Random(1)
    entries = [an_entry(pick) for _ in range(ROUNDS)]
    files = [a_file(pick) for _ in range(ROUNDS)]
    plain = [
        {
            "address": str(one.address),
            "parent_addr": str(one.parent) if one.parent else None,
            "vendor_id": one.vendor,
            "product_id": one.product,
        }
        for one in functions()
    ]
    asked = {"pfs": PFS, "vf_netdevs": VF_NETDEVS, "functions": plain, "entries": entries, "files": files}
    theirs = witness(cloud, asked)
    assert any(theirs["entries"])
    assert None in theirs["entries"]
    ours = [our_word(entry, tmp_path) for entry in entries]
    assert [case for case in zip(entries, ours, theirs["entries"], strict=True) if case[1] != case[2]] == []
    read = [our_settings(text) for text in files]
    assert [case for case in zip(files, read, theirs["files"], strict=True) if case[1] != case[2]] == []
