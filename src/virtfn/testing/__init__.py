"""Fakes that keep the kernel's rules, and those of a cloud, for tests of virtfn and of programs that use it."""

from virtfn.testing.fake_cloud import FakeCloud
from virtfn.testing.fake_cloud_rules import FakeRules
from virtfn.testing.fake_host import FakeHost, field_note_host
from virtfn.testing.fake_pf import FakePf, FakeVf
from virtfn.testing.memory import MemoryJournal, MemoryMirrorStore

__all__ = [
    "FakeCloud",
    "FakeHost",
    "FakePf",
    "FakeRules",
    "FakeVf",
    "MemoryJournal",
    "MemoryMirrorStore",
    "field_note_host",
]
