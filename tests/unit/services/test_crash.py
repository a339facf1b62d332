"""SIGKILL at every record of the journal, every write of the host and of the store, in a real process."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.services.rig import Rig

from virtfn.model.mirror import MirrorHealth
from virtfn.model.transaction import Status

_CHILD = """
import os, pickle, signal, sys
from pathlib import Path
from tests.unit.services.rig import Rig
import virtfn.journal.private as files
import virtfn.store.mirrors as store
state, action, die_at, when = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
saved = state.parent / "host.pickle"
rig = Rig(state)
if saved.exists():
    rig.host.vfs = pickle.loads(saved.read_bytes())
count = 0
def save():
    saved.write_bytes(pickle.dumps(rig.host.vfs))
def point(place):
    global count
    if place == when:
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
write_synced, write, replace_synced = files.write_synced, rig.host.write, store._replace_synced
def journalled(*arguments):
    point("before record")
    write_synced(*arguments)
    point("after record")
def written(*arguments):
    point("before write")
    write(*arguments)
    save()
    point("after write")
def declared(*arguments):
    point("before store")
    replace_synced(*arguments)
    point("after store")
files.write_synced = journalled
store._replace_synced = declared
rig.host.write = written
save()
if action == "add":
    rig.add("p2p1/3", "p2p1/2")
else:
    rig.mirrors.remove("p2p1/3")
"""


POINTS = [f"{when} {what}" for what in ("record", "write", "store") for when in ("before", "after")]


def _run(folder: Path, action: str, die_at: int = 10_000, when: str = "") -> int:
    command = [sys.executable, "-c", _CHILD, str(folder / "state"), action, str(die_at), when]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, check=False, capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("when", POINTS)
@pytest.mark.parametrize("action", ["add", "rm"])
def test_sigkill_at_every_point_is_found_and_finished(tmp_path: Path, action: str, when: str) -> None:
    tried = 0
    for point in range(40):
        folder = tmp_path / f"{point}"
        folder.mkdir()
        before = Rig(folder / "state").host.observe()
        if action == "rm":
            assert _run(folder, "add") == 0
        code = _run(folder, action, point, when)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        tried += 1
        rig = Rig(folder / "state")
        rig.host.vfs = pickle.loads((folder / "host.pickle").read_bytes())
        if rig.mirrors.all():
            rig.mirrors.remove("p2p1/3")
        assert rig.host.observe() == before
        assert all(entry.status in (Status.ROLLED_BACK,) for entry in rig.transactions())
        assert rig.store.all() == ()
    else:
        pytest.fail("the number of points was not bounded")
    assert tried >= 1
    print(f"{action}, {when}: {tried} points tried, {tried} restored")


@pytest.mark.parametrize("when", POINTS)
def test_after_sigkill_at_every_point_of_an_add_the_next_one_makes_the_mirror(tmp_path: Path, when: str) -> None:
    for point in range(40):
        folder = tmp_path / f"{point}"
        folder.mkdir()
        if _run(folder, "add", point, when) == 0:
            break
        rig = Rig(folder / "state")
        rig.host.vfs = pickle.loads((folder / "host.pickle").read_bytes())
        if not rig.store.all() or rig.mirrors.all()[0].status.health is not MirrorHealth.HEALTHY:
            rig.add("p2p1/3", "p2p1/2")
        (mirror,) = rig.mirrors.all()
        assert mirror.status.health is MirrorHealth.HEALTHY
        assert mirror.transaction == rig.store.all()[0].transaction
    else:
        pytest.fail("the number of points was not bounded")


def test_a_torn_last_record_does_not_count(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state")
    before = rig.host.observe()
    rig.add("p2p1/3", "p2p1/2")
    path = rig.state / "journal" / "0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["status"] == "committed"
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:7])
    assert rig.transactions()[0].status is Status.OPEN
    rig.mirrors.remove("1")
    assert rig.host.observe() == before
    assert rig.transactions()[0].status is Status.ROLLED_BACK


def test_a_journal_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    from virtfn.errors import VirtfnError

    rig = Rig(tmp_path / "state")
    before = rig.host.observe()
    rig.state.mkdir()
    (rig.state / "journal").write_text("a file where the folder should be")
    with pytest.raises(VirtfnError, match="journal cannot be written"):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.host.observe() == before


def test_a_journal_that_fills_up_midway_still_lets_the_host_be_restored(tmp_path: Path) -> None:
    from virtfn.errors import BackendUnreachable
    from virtfn.model.plan import Target, Value

    rig = Rig(tmp_path / "state")
    rig.host.vfs[2] = replace(rig.host.vfs[2], trust=True)
    before = rig.host.observe()

    def fill(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write":
            for path in (rig.state / "journal").glob("*.jsonl"):
                path.unlink()
                path.symlink_to("/dev/full")

    rig.host.hook = fill
    with pytest.raises(BackendUnreachable):
        rig.add("p2p1/3", "p2p1/2")
    assert rig.host.observe() == before
