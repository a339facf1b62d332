"""What the start of the command costs: each beside `python -c pass` of the same Python, on this machine.

What is compared takes turns, so that a busy machine slows all alike; the best of many runs each. Compiled modules are
kept in a folder of the benchmark, as an installed package has them.

    .venv/bin/python tests/bench/command_start.py --json FILE
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from report import Figure, at_most, installed, options, publish

CAPTURE = Path(__file__).parents[1] / "golden/captures/2015_field_note/input.txt"
PEER = "python -c pass"
GOALS = {("--version",): 1.7, ("--help",): 2.0, ("show",): 10.0}
READING = ("show", "--from", str(CAPTURE))


def main() -> int:
    wanted = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        best = best_times(1 if wanted.quick else 40, installed(folder))
    rows = [at_most(f"virtfn {' '.join(words)}", best[words], PEER, best[()], goal) for words, goal in GOALS.items()]
    rows.append(Figure("virtfn show, of a capture", best[READING], "s", PEER, best[()], "", None))
    code: int = publish(rows, wanted)
    return code


def best_times(rounds: int, environment: Mapping[str, str]) -> dict[tuple[str, ...], float]:
    """The quickest of so many runs, in seconds, by the words of the command; () is the peer."""
    commands: dict[tuple[str, ...], list[str]] = {(): [sys.executable, "-c", "pass"]}
    commands |= {words: [sys.executable, "-m", "virtfn", *words] for words in (*GOALS, READING)}
    for argv in commands.values():
        timed(argv, environment)
    times: dict[tuple[str, ...], list[float]] = {words: [] for words in commands}
    for _ in range(rounds):
        for words, argv in commands.items():
            times[words].append(timed(argv, environment))
    return {words: min(found) for words, found in times.items()}


def timed(argv: list[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
