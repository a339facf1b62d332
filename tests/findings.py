"""What an error's findings say, for tests to compare."""

from virtfn.errors import VirtfnError


def ids(error: VirtfnError) -> list[str]:
    """The id of each finding, in order."""
    return [one.id for one in error.findings]


def found(error: VirtfnError) -> list[str]:
    """``SUBJECT: what``, one line for each finding."""
    return [f"{one.subject}: {one.what}" if one.subject else one.what for one in error.findings]


def found_with_fix(error: VirtfnError) -> list[str]:
    """``SUBJECT: what; fix``, one line for each finding."""
    return [f"{line}; {one.fix}" for line, one in zip(found(error), error.findings, strict=True)]
