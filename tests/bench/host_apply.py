"""What the journal, the read-back and the rollback cost: 640 changes on 128 VFs, beside iproute2, in one lab.

Peers: a shell loop of `ip link set` (how it is done by hand), `ip -batch` (which neither reads back nor can undo), and
`ip -j -d link show` with its JSON parsed (how VFs are read by scripts). All in the same guest, on netdevsim. What is
compared takes turns, so that a busy machine slows both alike; the best of five runs each, of the loop two.

    .venv/bin/python tests/bench/host_apply.py --json FILE
"""

import json
import sys
from typing import Any

from report import Figure, at_most, lab, options, publish

from virtfn.lab.machine.machine import Machine

FULL: dict[str, Any] = {"vfs": 128, "rounds": 5, "history": 20, "growth": [16, 64, 128, 256, 512]}
QUICK: dict[str, Any] = {"vfs": 4, "rounds": 1, "history": 2, "growth": [2, 4]}

IN_THE_GUEST = r"""
import json, os, shutil, subprocess, sys, time
from pathlib import Path

sizes = json.loads(sys.argv[1])
VFS, ROUNDS = sizes["vfs"], sizes["rounds"]
STATE = Path("/tmp/bench-state")
SIM = Path("/sys/bus/netdevsim")

def pf(count):
    (SIM / "new_device").write_text("5 1")
    device = SIM / "devices/netdevsim5"
    Path("/sys/kernel/debug/netdevsim/netdevsim5/max_vfs").write_text(str(count))
    (device / "sriov_numvfs").write_text(str(count))
    return next(path.name for path in (device / "net").iterdir())

def gone():
    (SIM / "del_device").write_text("5")

def words(index, shift):
    return [
        f"mac 02:00:00:00:{shift:02x}:{index:02x}", f"vlan {index + shift}",
        f"spoofchk {'off' if shift % 2 else 'on'}", f"trust {'on' if shift % 2 else 'off'}",
        f"max_tx_rate {index + 10 * shift} min_tx_rate 0",
    ]

def spec(netdev, shift):
    rows = "".join(
        f"      {i}: {{mac: '02:00:00:00:{shift:02x}:{i:02x}', vlan: {i + shift}, max_tx_rate_mbps: {i + 10 * shift},"
        f" spoofchk: {str(not shift % 2).lower()}, trust: {str(bool(shift % 2)).lower()}}}\n"
        for i in range(VFS)
    )
    return f"virtfn: host/1\npfs:\n  - match: {{name: {netdev}}}\n    vfs:\n{rows}"

def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start

def best(rounds, **runs):
    # the best time of each, of this many rounds in which they take turns
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run))
    return {name: min(found) for name, found in times.items()}

subprocess.run(["modprobe", "netdevsim"], check=True)
netdev = pf(VFS)
from virtfn.api import Host
from virtfn.spec.loading import load
host = Host.local(state=STATE)
shifts = iter(range(1, 100))

def loop():
    shift = next(shifts)
    lines = [f"ip link set dev {netdev} vf {i} {w}" for i in range(VFS) for w in words(i, shift)]
    subprocess.run(["sh", "-e", "-c", "\n".join(lines)], check=True)
def batch():
    subprocess.run(["ip", "-batch", "/tmp/batch"], check=True)
def apply():
    proposal = host.plan(desired)
    assert len(proposal.plan.steps) == 5 * VFS, len(proposal.plan.steps)
    host.apply(proposal)
def read(count=VFS):
    assert len(host.inventory(pf=netdev).pfs[0].vfs) == count
def read_peer():
    out = subprocess.run(["ip", "-j", "-d", "link", "show", "dev", netdev], check=True, capture_output=True).stdout
    assert len(json.loads(out)[0]["vfinfo_list"]) == VFS

figures = best(1, loop=loop)
runs = {"batch": [], "apply": []}
def turn():
    global desired
    shift = next(shifts)
    lines = [f"link set dev {netdev} vf {i} {w}" for i in range(VFS) for w in words(i, shift)]
    Path("/tmp/batch").write_text("\n".join(lines) + "\n")
    runs["batch"].append(timed(batch))
    # trust and the spoof check the other way round, so that every field differs from what the batch left
    desired = load([("bench.yaml", spec(netdev, shift + 201))])
    runs["apply"].append(timed(apply))
    assert host.verify(desired) == ()
for _ in range(ROUNDS):
    turn()
figures |= {name: min(found) for name, found in runs.items()}
figures["loop"] = min(figures["loop"], timed(loop))

for _ in range(sizes["history"] - len(host.transactions())):
    turn()
runs = {"batch": [], "apply": []}
for _ in range(min(ROUNDS, 3)):
    turn()
figures["history"] = min(runs["apply"])
figures["rollback"] = timed(host.rollback)
figures |= best(2 * ROUNDS, read=read, read_peer=read_peer)
gone()

figures["growth"] = []
for count in sizes["growth"]:
    pf(count)
    figures["growth"].append([count, min(timed(lambda: read(count)) for _ in range(3))])
    gone()
shutil.rmtree(STATE)
print(json.dumps(figures))
"""


def main() -> int:
    wanted = options(__doc__ or "")
    sizes = QUICK if wanted.quick else FULL
    with lab() as machine:
        found = measure(machine, sizes)
    changes = f"{5 * sizes['vfs']} changes on {sizes['vfs']} VFs, journalled and read back"
    before = f"the same, with {sizes['history']} such transactions in the journal"
    fit = slope(found["growth"])
    apply, read = found["apply"], found["read"]
    rows = [
        at_most(changes, apply, "`ip link set` in a loop", found["loop"], 0.10),
        at_most(changes, apply, "`ip -batch`", found["batch"], 1.5),
        at_most(before, found["history"], "without them", apply, 1.25),
        Figure("rollback of all of them", found["rollback"], "s", "`ip -batch`", found["batch"], "", None),
        at_most(f"reading {sizes['vfs']} VFs", read, "`ip -j -d link show`, parsed", found["read_peer"], 1.0),
        Figure("exponent of the growth with the VFs", fit, "", "linear", 1.0, "about 1", fit < 1.2),
    ]
    print("seconds to read:", ", ".join(f"{count} VFs {seconds:.3f}" for count, seconds in found["growth"]))
    code: int = publish(rows, wanted)
    return code


def measure(machine: Machine, sizes: dict[str, Any]) -> dict[str, Any]:
    # by way of a shell: a Python of its own, not a fork of the agent with modules of the snapshot's time in it
    script = ["sh", "-c", 'exec python3 -c "$@"', "sh", IN_THE_GUEST, json.dumps(sizes)]
    done = machine.run(script, timeout_s=900)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    figures: dict[str, Any] = json.loads(done.text.splitlines()[-1])
    return figures


def slope(points: list[list[float]]) -> float:
    """The exponent b of the least-squares fit seconds = a * VFs ** b."""
    from math import log

    xs, ys = [log(x) for x, _ in points], [log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return covariance / sum((x - mean_x) ** 2 for x in xs)


if __name__ == "__main__":
    sys.exit(main())
