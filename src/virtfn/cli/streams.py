"""Standard streams that never fail: a full or closed stream must not end the work, nor hide its result."""

import io
import os
import re
import select
import sys
from collections.abc import Iterator
from typing import IO, TextIO


class _Lasting(io.FileIO):
    """Keeps the first write error instead of raising it; later output is dropped."""

    fault: OSError | None = None

    def write(self, data: object) -> int:
        whole = memoryview(data).cast("B")  # type: ignore[arg-type]
        left = whole
        while left and self.fault is None:
            try:
                sent = super().write(left)
            except OSError as fault:
                self.fault = fault
                break
            if sent is None:  # another process made it non-blocking: wait as a blocking one would
                select.select((), (self,), ())
            else:
                left = left[sent:]
        return whole.nbytes


def take_over() -> None:
    """Replace the process's own streams. One that the caller closed counts as one that cannot be written.

    Streams that another caller has put in their place stay.
    """
    for number in range(3):  # ascending, as the lowest free number is given: no journal becomes standard output
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(2, sys.stderr, errors="backslashreplace")


def width_of(stream: IO[str]) -> int | None:
    """The terminal's columns, or COLUMNS instead; None where the stream is not a terminal."""
    if not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def rows(text: str, width: int | None) -> Iterator[tuple[str, slice]]:
    """A line as rows of at most ``width``, wrapped between words: the indent of each, and its part of ``text``.

    A longer word gets a row of its own, unbroken. None: one row.
    """
    blanks = len(text) - len(text.lstrip(" "))
    if width is None or len(text) <= width:
        yield "", slice(0, len(text))
        return
    indent, start, end = " " * blanks, blanks, blanks
    for word in re.finditer(r"\S+", text):
        if end > start and len(indent) + word.end() - start > width:
            yield indent, slice(start, end)
            indent, start = " " * min(blanks + 2, width // 2), word.start()
        end = word.end()
    yield indent, slice(start, end)


def lost_output() -> OSError | None:
    """Why standard output was not written completely; None where it was."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, _Lasting) else None


def _lasting(number: int, stream: TextIO | None, errors: str | None = None) -> TextIO:
    """Standard error has no buffer: a signal is reported there, even during another write."""
    raw = _Lasting(number, "w", closefd=False)
    is_error = number == 2
    return io.TextIOWrapper(
        raw if is_error else io.BufferedWriter(raw),
        encoding=stream.encoding if stream else None,
        errors=errors or (stream.errors if stream else None),
        line_buffering=raw.isatty(),
        write_through=is_error,
    )
