"""A machine is found again by another process, and a stranger with a recycled id is never touched."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine import record as records
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.record import Process, Record
from virtfn.lab.machine.shape import Shape, Wire
from virtfn.model.finding import Action, UseCase


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def noted(qemu: Process, *, ready: bool = True, owner: Process | None = None) -> Record:
    return Record(name="lab", shape=Shape(vfs=7, wire=Wire.HOST), qemu=qemu, owner=owner, ready=ready)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = noted(Process.of(os.getpid()), owner=Process.of(os.getpid()))
    records.write(tmp_path, record)
    assert records.read(tmp_path) == record


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "lab"}'])
def test_a_broken_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "machine.json").write_text(text)
    assert records.read(tmp_path) is None


def test_a_recycled_id_is_not_ours(sleeper: subprocess.Popen[bytes]) -> None:
    stranger = replace(Process.of(sleeper.pid), started=1)
    assert not stranger.alive
    stranger.end()
    assert sleeper.poll() is None


def test_a_process_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    Process.of(sleeper.pid).end()
    assert gone(sleeper.pid)


def test_a_process_is_killed_without_a_word(tmp_path: Path) -> None:
    words = f"trap 'touch {tmp_path}/asked' TERM; echo; while :; do sleep 0.1; done"
    process = subprocess.Popen(["sh", "-c", words], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    Process.of(process.pid).kill()
    process.stdout.close()
    assert gone(process.pid)
    assert not (tmp_path / "asked").exists()


def test_one_that_ignores_sigterm_is_killed() -> None:
    process = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    Process.of(process.pid).end(grace_s=0.2)
    process.stdout.close()
    assert gone(process.pid)


def test_a_name_that_is_taken_is_refused(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    records.write(tmp_path, noted(Process.of(sleeper.pid)))
    with pytest.raises(LabError, match="a lab named lab is up"):
        records.clean(tmp_path)
    assert sleeper.poll() is None


def test_a_start_whose_owner_was_killed_is_cleaned_up(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    run = tmp_path / "lab"
    run.mkdir()
    owner = Process(pid=sleeper.pid, started=1)
    records.write(run, noted(Process.of(sleeper.pid), ready=False, owner=owner))
    records.clean(run)
    assert not run.exists()
    assert gone(sleeper.pid)


def test_a_machine_that_died_blocks_nothing(tmp_path: Path) -> None:
    run = tmp_path / "labs/lab"
    run.mkdir(parents=True)
    records.write(run, noted(Process(pid=2**22, started=1)))
    assert records.fresh(run) == run
    assert list(run.iterdir()) == []


def test_only_what_throw_away_labs_left_is_swept(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    for name, process in (
        ("once-1", Process(2**22, 1)),
        ("once-2", Process.of(sleeper.pid)),
        ("lab", Process(2**22, 1)),
    ):
        (tmp_path / name).mkdir()
        records.write(tmp_path / name, noted(process))
    records.sweep(tmp_path, "once-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab", "once-2"]


def test_a_start_that_was_killed_is_swept_with_its_qemu(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (tmp_path / "lab").mkdir()
    records.write(tmp_path / "lab", noted(Process.of(sleeper.pid), ready=False, owner=Process(2**22, 1)))
    records.sweep(tmp_path, "once-")
    assert list(tmp_path.iterdir()) == []
    assert gone(sleeper.pid)


def test_a_lab_that_is_not_up_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no lab named lab is up") as failed:
        Machine.attach("lab", Folders(tmp_path, tmp_path))
    assert failed.value.actions == (Action(UseCase.LAB_UP),)


def test_a_lab_that_died_shows_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    records.write(tmp_path / "lab", noted(Process(2**22, 1)))
    (tmp_path / "lab/console").write_text("fine\nKernel panic - not syncing\n")
    with pytest.raises(LabError, match="the guest died; its console ends with:\nKernel panic"):
        Machine.attach("lab", Folders(tmp_path, tmp_path))
    assert not Machine.is_up("lab", Folders(tmp_path, tmp_path))


def test_a_lab_that_died_can_be_taken_down(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    records.write(tmp_path / "lab", noted(Process(2**22, 1)))
    assert Machine.end("lab", Folders(tmp_path, tmp_path)) is False
    assert not (tmp_path / "lab").exists()
    with pytest.raises(LabError, match="no lab named lab is up"):
        Machine.end("lab", Folders(tmp_path, tmp_path))
