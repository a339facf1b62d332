"""What a mirror costs a VF that has no part in it: virtfn beside the recipe of 2015, typed by hand, in one lab.

A stream of 100 frames a second goes from the wire to VF 1 while (a) virtfn adds, proves and removes a mirror of VF 3 to
VF 2, and (b) the recipe's commands run. A second stream, to VF 3, tells when the copy saw its first frame.

    .venv/bin/python tests/bench/mirror_bystander.py --json FILE
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from report import Figure, lab, options, publish

from virtfn.lab.machine.machine import Machine

SOURCE_MAC, NEIGHBOUR_MAC, COPY_MAC = "fa:16:3e:aa:33:59", "fa:16:3e:aa:33:58", "fa:16:3e:a1:43:57"
PEER = "the 2015 recipe by hand"
ADD = ["mirror", "add", "p2p1/3", "p2p1/2", "--yes", "-q"]
REMOVE = ["mirror", "rm", "p2p1/3", "-q"]

IN_THE_GUEST = (
    "import sys, time; print(time.monotonic(), flush=True); from virtfn.cli.main import main; sys.exit(main({!r}))"
)

RECIPE = f"""
cut -d' ' -f1 /proc/uptime
ip -n vm2 link set dev eth0 down
ip -n vm2 link set dev eth0 address {SOURCE_MAC}
ip -n vm2 link set dev eth0 up
ip link set dev p2p1 down
ip link set dev p2p1 vf 2 mac {SOURCE_MAC}
ip link set dev p2p1 vf 2 spoofchk off
ip link set dev p2p1 up
ip link set dev p2p1 vf 2 mac {NEIGHBOUR_MAC}
"""
SILENT_S = 12
"""How long the streams go on after the recipe: the NIC is silent for about five of these seconds."""


def main() -> int:
    wanted = options(__doc__ or "")
    silence = 1 if wanted.quick else SILENT_S
    with lab() as machine:
        before = host(machine)
        with streams(machine) as ours:
            began = start_of(machine, ["python3", "-c", IN_THE_GUEST.format(ADD)])
            start_of(machine, ["python3", "-c", IN_THE_GUEST.format(REMOVE)])
        assert host(machine) == before, "virtfn did not leave the host as it was"
        with streams(machine) as theirs:
            recipe_began = start_of(machine, ["sh", "-c", f"{RECIPE}sleep {silence}\n"])
    (bystander, copy), (their_bystander, their_copy) = ours(), theirs()
    lost, their_lost = bystander["lost"], their_bystander["lost"]
    code: int = publish(
        [
            Figure(
                "frames a bystander lost",
                lost,
                "frames",
                PEER,
                their_lost,
                "0 against hundreds",
                lost == 0 and their_lost >= 100,
            ),
            Figure("frames sent to it meanwhile", bystander["sent"], "frames", PEER, their_bystander["sent"], "", None),
            Figure(
                "a bystander's longest gap",
                bystander["longest_gap_ms"],
                "ms",
                PEER,
                their_bystander["longest_gap_ms"],
                "",
                None,
            ),
            Figure(
                "command to first mirrored frame",
                after(copy, began),
                "s",
                PEER,
                after(their_copy, recipe_began),
                "",
                None,
            ),
            Figure("frames the copy saw", copy["received"], "frames", PEER, their_copy["received"], "", None),
        ],
        wanted,
    )
    return code


def start_of(machine: Machine, argv: list[str]) -> float:
    """Run a command that prints the guest's clock first, and return that."""
    done = machine.run(argv, timeout_s=120)
    if done.returncode:
        raise SystemExit(f"{argv} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return float(done.text.splitlines()[0])


@contextmanager
def streams(machine: Machine) -> Iterator[Callable[[], tuple[dict[str, Any], dict[str, Any]]]]:
    """Two streams while the block runs; then call for what the bystander and the copy got."""
    common = ["python3", "-m", "virtfn.lab.guest.stream", "--from", "wire:w0", "--rate", "100", "--seconds", "120"]
    common += ["--json", "--stop-on-eof"]
    reports: list[Any] = []
    with (
        machine.start([*common, "--to", "vm1:eth0"]) as to_bystander,
        machine.start([*common, "--to", "vm3:eth0", "--to", "vm2:eth0"]) as to_source,
    ):
        yield lambda: (reports[0], {**reports[1]["receivers"][1]})
        for job in (to_bystander, to_source):
            reports.append(json.loads(job.communicate(timeout_s=60).check().text))


def after(receiver: dict[str, Any], began: float) -> float | None:
    first = receiver["first_at_s"]
    return None if first is None else round(first - began, 2)


def host(machine: Machine) -> str:
    return machine.run(["virtfn", "show", "-o", "json"], timeout_s=60).check().text


if __name__ == "__main__":
    sys.exit(main())
