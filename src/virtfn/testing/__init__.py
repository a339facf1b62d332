"""Fakes that keep the kernel's rules, for tests of virtfn and of programs that use it."""

from virtfn.testing.fake_host import FakeHost, FakeVf, field_note_host

__all__ = ["FakeHost", "FakeVf", "field_note_host"]
