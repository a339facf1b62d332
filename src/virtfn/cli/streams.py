"""Standard streams that hold: one that is full, closed or gone must not end what is at work, nor hide how it ended."""

import io
import os
import re
import select
import sys
from collections.abc import Iterator
from typing import IO, TextIO


class _Lasting(io.FileIO):
    """Keeps the first fault of writing instead of raising it; what comes after is dropped."""

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
            if sent is None:  # somebody has made it non-blocking: wait as a blocking one would
                select.select((), (self,), ())
            else:
                left = left[sent:]
        return whole.nbytes


def take_over() -> None:
    """Make the process's own streams last. One that was closed by the caller is taken as one that cannot be written.

    Streams that somebody else has put in their place are left alone.
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
    """Columns of the terminal that this stream is, or what COLUMNS says instead; None where it is no terminal."""
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
    """A line as rows of at most ``width``, broken between words: the indent of each, and the part of ``text`` after it.

    A word that is longer has a row of its own and stays whole. None: one row.
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
    """Why not all that was printed on standard output has left; None where it has."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, _Lasting) else None


def _lasting(number: int, stream: TextIO | None, errors: str | None = None) -> TextIO:
    """Standard error has no buffer: a signal is told there, even while something else is being written."""
    raw = _Lasting(number, "w", closefd=False)
    is_error = number == 2
    return io.TextIOWrapper(
        raw if is_error else io.BufferedWriter(raw),
        encoding=stream.encoding if stream else None,
        errors=errors or (stream.errors if stream else None),
        line_buffering=raw.isatty(),
        write_through=is_error,
    )
