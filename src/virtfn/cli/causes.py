"""Why something in a cloud failed, as text for people and as a document for programs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from virtfn.cli.output import OutputFormat, print_document
from virtfn.errors import VirtfnError
from virtfn.model.cloud.causes import Cause


def cause_lines(causes: Iterable[object]) -> Iterator[str]:
    """Each cause in a few lines: ``cause:`` what it is, ``seen:`` what says so, ``do:`` what to do about it."""
    for cause in causes:
        if isinstance(cause, Cause):
            yield f"cause: {cause.what}"
            yield from (f"  seen: {line}" for line in cause.seen)
            if cause.do:
                yield f"  do: {cause.do}"


@contextmanager
def causes_on_failure(how: OutputFormat) -> Iterator[None]:
    """Where a document was asked for, print one with the causes that an error carries; then let the error go on."""
    try:
        yield
    except VirtfnError as failure:
        if how.is_document and failure.causes:
            said = {"error": failure.message, "where": failure.where, "exit_code": int(failure.exit_code)}
            notes = getattr(failure, "__notes__", [])
            print_document("cloud-failure", {**said, "state": notes, "causes": failure.causes}, how)
        raise
