"""A start whose QEMU breaks down is tried once more; any other failure is told."""

import os
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.record import Process, Record
from virtfn.lab.machine.shape import Shape
from virtfn.lab.machine.startup import again

UP = Machine(Path("/run/lab"), Record("lab", Shape(), Process.of(os.getpid()), None))


class Boots:
    """Fails as often as it has failures."""

    def __init__(self, *notes: str) -> None:
        self.notes = list(notes)
        self.tried = 0

    def __call__(self) -> Machine:
        self.tried += 1
        if not self.notes:
            return UP
        failed = LabError("the guest stopped while starting")
        failed.add_note(self.notes.pop(0))
        raise failed


ASSERTION = "QEMU said:\nqemu: system/physmem.c:2678: iotlb_to_section: Assertion `section_index < d' failed."


def test_a_breakdown_of_qemu_is_tried_once_more_and_said() -> None:
    boots, said = Boots(ASSERTION), list[str]()
    assert again(boots, said.append) is UP
    assert (boots.tried, len(said)) == (2, 1)


def test_two_breakdowns_in_a_row_are_a_failure() -> None:
    boots = Boots(ASSERTION, ASSERTION)
    with pytest.raises(LabError):
        again(boots, lambda text: None)
    assert boots.tried == 2


def test_a_panic_is_tried_once_more_where_it_is_a_sign_of_the_emulations_breakdown() -> None:
    boots, said = Boots("---[ end Kernel panic - not syncing: Fatal exception ]---"), list[str]()
    assert again(boots, said.append, signs=("end Kernel panic",)) is UP
    assert (boots.tried, len(said)) == (2, 1)


def test_a_guest_that_does_not_start_is_not_tried_again() -> None:
    boots = Boots("the guest's console ended with:\nKernel panic")
    with pytest.raises(LabError):
        again(boots, lambda text: None)
    assert boots.tried == 1
