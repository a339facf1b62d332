"""What journal, read-back and a way back cost: 640 changes on 128 VFs, beside iproute2, in one lab.

Peers: a shell loop of `ip link set` (how it is done by hand), `ip -batch` (which neither reads back nor can undo), and
`ip -j -d link show` with its JSON parsed (how VFs are read by scripts). All in the same guest, on
netdevsim; the best of three runs each, of the loop one run.

    .venv/bin/python tests/bench/host_apply.py --json FILE
"""

import json
import sys
from typing import Any

from report import Figure, options, publish

from virtfn.lab.folders import Folders
from virtfn.lab.machine import Machine
from virtfn.lab.parts import assemble
from virtfn.lab.startup import Wishes, throw_away

VFS = 128

IN_THE_GUEST = r"""
import json, os, subprocess, sys, time
from pathlib import Path

VFS = int(sys.argv[1])
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

subprocess.run(["modprobe", "netdevsim"], check=True)
figures = {}
netdev = pf(VFS)

lines = [f"link set dev {netdev} vf {i} {w}" for i in range(VFS) for w in words(i, 1)]
script = "\n".join("ip " + line for line in lines)
figures["loop"] = timed(lambda: subprocess.run(["sh", "-e", "-c", script], check=True))
lines = [f"link set dev {netdev} vf {i} {w}" for i in range(VFS) for w in words(i, 2)]
Path("/tmp/batch").write_text("\n".join(lines) + "\n")
figures["batch"] = min(timed(lambda: subprocess.run(["ip", "-batch", "/tmp/batch"], check=True)) for _ in range(3))

os.environ["VIRTFN_STATE_DIR"] = "/tmp/bench-state"
from virtfn.app import App
from virtfn.spec import load
app = App()
hosts = app.hosts(lambda _text: None, lambda: False)
def apply(desired):
    receipt = hosts.make(desired)
    assert len(receipt.plan.steps) == 5 * VFS, len(receipt.plan.steps)
runs = []
for shift in (3, 4, 5):
    desired = load([("bench.yaml", spec(netdev, shift))])
    runs.append(timed(lambda: apply(desired)))
    assert hosts.differences(desired) == ()
figures["apply"] = min(runs)
figures["rollback"] = timed(lambda: app.records(lambda _text: None).rollback())
figures["load"] = timed(lambda: load([("bench.yaml", spec(netdev, 3))]))

from virtfn.host.kernel import KernelHost
host = KernelHost()
host.observe(device="netdevsim5")
figures["read"] = min(timed(lambda: host.observe(device="netdevsim5")) for _ in range(5))
def peer():
    out = subprocess.run(["ip", "-j", "-d", "link", "show", "dev", netdev], check=True, capture_output=True).stdout
    assert len(json.loads(out)[0]["vfinfo_list"]) == VFS
figures["read_peer"] = min(timed(peer) for _ in range(5))
gone()

figures["growth"] = []
for count in (16, 64, 128, 256, 512):
    pf(count)
    assert len(host.observe(device="netdevsim5").pfs[0].vfs) == count
    figures["growth"].append([count, min(timed(lambda: host.observe(device="netdevsim5")) for _ in range(3))])
    gone()

def start_up(argv):
    return min(timed(lambda: subprocess.run(argv, check=True, capture_output=True)) for _ in range(5))
bare = start_up(["python3", "-c", "pass"])
figures["bare"] = bare
for name, argv in (("version", ["--version"]), ("help", ["--help"]), ("show", ["show", "p2p1"])):
    figures[name] = start_up(["virtfn", *argv])
print(json.dumps(figures))
"""


def main() -> int:
    wanted = options(__doc__ or "")
    folders = Folders.of_this_user()
    with throw_away(assemble(folders, say), folders, Wishes(name="bench"), say) as machine:
        found = measure(machine)
    fit = slope(found["growth"])
    apply, read = found["apply"], found["read"]
    rows = [
        ratio_goal(
            "640 changes on 128 VFs, journalled and read back", apply, "`ip link set` in a loop", found["loop"], 0.10
        ),
        ratio_goal("640 changes on 128 VFs, journalled and read back", apply, "`ip -batch`", found["batch"], 1.5),
        Figure("the way back of all 640", found["rollback"], "s", "`ip -batch`", found["batch"], "", None),
        ratio_goal("reading 128 VFs", read, "`ip -j -d link show`, parsed", found["read_peer"], 1.0),
        Figure("exponent of the growth, 16 to 512 VFs", fit, "", "linear", 1.0, "about 1", fit < 1.2),
        ratio_goal("virtfn --version", found["version"], "python3 -c pass", found["bare"], 4.0),
        ratio_goal("virtfn --help", found["help"], "python3 -c pass", found["bare"], 4.0),
        ratio_goal("virtfn show, one PF", found["show"], "python3 -c pass", found["bare"], 15.0),
    ]
    print("seconds to read:", ", ".join(f"{count} VFs {seconds:.3f}" for count, seconds in found["growth"]))
    code: int = publish(rows, wanted.json)
    return code


def measure(machine: Machine) -> dict[str, Any]:
    # by way of a shell: a Python of its own, not a fork of the agent with modules of the snapshot's time in it
    done = machine.run(["sh", "-c", 'exec python3 -c "$@"', "sh", IN_THE_GUEST, str(VFS)], timeout_s=900)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    figures: dict[str, Any] = json.loads(done.text.splitlines()[-1])
    return figures


def ratio_goal(what: str, value: float, peer: str, peer_value: float, goal: float) -> Figure:
    return Figure(what, value, "s", peer, peer_value, f"at most {goal:g}", value / peer_value <= goal)


def slope(points: list[list[float]]) -> float:
    """The exponent b of the least-squares fit seconds = a * VFs ** b."""
    from math import log

    xs, ys = [log(x) for x, _ in points], [log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return covariance / sum((x - mean_x) ** 2 for x in xs)


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
