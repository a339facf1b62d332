"""Fakes that keep the kernel's rules, for tests of virtfn and of programs that use it."""

from virtfn.testing.fake_host import FakeHost, field_note_host
from virtfn.testing.fake_pf import FakePf, FakeVf
from virtfn.testing.memory_journal import MemoryJournal

__all__ = ["FakeHost", "FakePf", "FakeVf", "MemoryJournal", "field_note_host"]
