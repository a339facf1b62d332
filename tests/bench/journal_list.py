"""What a long history costs: `virtfn journal ls` of 10,000 transactions, beside `git log --oneline` of 10,000 commits.

Both are whole processes that print one line per entry. git reads one packed file with an index; each of virtfn's
entries is a file of its own, as it must be on stable storage before the first write: the peer shows what a list of this
length can cost. The goal is absolute: 0.5 s. Best of five runs each, in turn. Compiled modules are kept in a folder of
the benchmark, as an installed package has them.

    .venv/bin/python tests/bench/journal_list.py --json FILE
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import Figure, installed, options, publish

from virtfn.journal.files import FileJournal
from virtfn.journal.records import first_lines
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status

GOAL_S = 0.5
FULL, QUICK = 10_000, 50
ROUNDS = 5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def journal_of(state: Path, count: int) -> None:
    """A journal of transactions with eight steps each, copied from one that was recorded."""
    journal = FileJournal(state, BOOT_ID.read_text(encoding="ascii").strip())
    steps = tuple(
        Step(
            Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}"), "trust", before=False, after=True, reason="declared"
        )
        for index in range(8)
    )
    entry = journal.begin(Plan(HostSubject({"0000:01:00.0": 8}), "this host: p2p1", steps))
    journal.record_status(journal.record_done(journal.record_intent(entry, range(8)), range(8)), Status.COMMITTED)
    first = (state / "journal/0001.jsonl").read_text(encoding="utf-8")
    events = first.removeprefix(first_lines(entry, journal.place))
    for number in range(2, count + 1):
        header = first_lines(entry, journal.place).replace('"id": 1,', f'"id": {number},', 1)
        (state / "journal" / f"{number:04d}.jsonl").write_text(header + events, encoding="utf-8")


def repository_of(folder: Path, count: int) -> None:
    """A packed git repository with as many commits."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    person = "virtfn <virtfn@example.org>"
    stream = "".join(
        f"commit refs/heads/list\ncommitter {person} {1_700_000_000 + number} +0000\ndata 15\nthis host: p2p1\n"
        for number in range(count)
    )
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=stream.encode(), check=True)


def timed(command: list[str], lines: int, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    took = time.perf_counter() - start
    assert done.stdout.count(b"\n") >= lines, done.stdout[-500:]
    return took


def main() -> int:
    wanted = options(__doc__ or "")
    count, rounds = (QUICK, 1) if wanted.quick else (FULL, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        state, repository = Path(folder, "state"), Path(folder, "git")
        journal_of(state, count)
        repository_of(repository, count)
        ls = [sys.executable, "-m", "virtfn", "journal", "ls"]
        log = ["git", "-C", str(repository), "log", "--oneline", "refs/heads/list"]
        environment = {**installed(str(Path(folder, "compiled"))), "VIRTFN_STATE_DIR": str(state)}
        timed(ls, count, environment)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(timed(ls, count, environment))
            theirs.append(timed(log, count, environment))
    best = min(ours)
    goal = f"at most {GOAL_S:g} s"
    what = f"`journal ls` of {count} transactions"
    figure = Figure(what, best, "s", f"`git log` of {count} commits", min(theirs), goal, best <= GOAL_S)
    missed: int = publish([figure], wanted)
    return missed


if __name__ == "__main__":
    sys.exit(main())
