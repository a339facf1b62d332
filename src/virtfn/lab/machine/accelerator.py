"""KVM or emulation: decided by trying, because /dev/kvm may exist, start a machine, and then fail to run it."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.store import file_identity, key_of
from virtfn.lab.machine.qemu import Accelerator, Board

VARIABLE = "VIRTFN_LAB_ACCEL"
_TRIAL_S = 6.0
_PASSED = "virtfn-lab: trial passed"
_FAILED = ("KVM internal error", "kvm run failed")


def choose(board: Board, env: Mapping[str, str], runtime: Path) -> Accelerator:
    """KVM where a guest really gets to its first program with it, else TCG.

    ``VIRTFN_LAB_ACCEL`` (``kvm`` or ``tcg``) decides without a trial. The answer is kept in ``runtime`` until the
    host restarts or QEMU changes. Raises LabError for another value of the variable.
    """
    wanted = env.get(VARIABLE, "")
    if wanted:
        return _named(wanted)
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator.TCG
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    key = key_of(boot_id, file_identity(Path(board.qemu.program)), str(board.kernel))
    note = runtime / f"accelerator-{key}"
    if not note.exists():
        fresh = note.with_suffix(f".{os.getpid()}")
        fresh.write_text(Accelerator.KVM if _runs(replace(board, accelerator=Accelerator.KVM)) else Accelerator.TCG)
        fresh.rename(note)
    return Accelerator(note.read_text())


def _named(wanted: str) -> Accelerator:
    try:
        return Accelerator(wanted)
    except ValueError as failed:
        raise LabError(f"{VARIABLE} is kvm or tcg, not {wanted!r}") from failed


def _runs(board: Board) -> bool:
    with tempfile.TemporaryDirectory(prefix="virtfn-trial-") as folder:
        console, output = Path(folder, "console"), Path(folder, "output")
        console.touch()
        with output.open("wb") as sink:
            trial = subprocess.Popen(
                board.trial_command(console), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            return _passes(trial, console, output)
        finally:
            trial.kill()
            trial.wait()


def _passes(trial: subprocess.Popen[bytes], console: Path, output: Path) -> bool:
    deadline = time.monotonic() + _TRIAL_S
    while time.monotonic() < deadline:
        if trial.poll() is not None or _PASSED in console.read_text(errors="replace"):
            return _PASSED in console.read_text(errors="replace")
        if any(words in output.read_text(errors="replace") for words in _FAILED):
            return False
        time.sleep(0.02)
    return False
