"""The whole error tree. It imports nothing at run time, so every room may raise from it.

An error is raised once, where the fact is known; callers add context with ``raise ... from`` or ``add_note``.
Only ``cli/main.py`` turns one into text and an exit code.
"""

from enum import IntEnum

TYPE_CHECKING = False  # as typing's, whose import would take half the time of `virtfn --help`
if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtfn.model.finding import Action, Finding


class ExitCode(IntEnum):
    """The process's exit codes: the one list that ``--help``, the docs and the code share."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DIFFERENT = 3
    ROLLBACK_INCOMPLETE = 4
    NOT_PROVEN = 5
    BAD_SPEC = 65
    UNREACHABLE = 69
    LOCKED = 75
    NO_PERMISSION = 77
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for ``--help`` and the reference."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.FAILED: "failed; what was changed is restored, or nothing was changed",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.DIFFERENT: "differences found",
    ExitCode.ROLLBACK_INCOMPLETE: "rollback incomplete: manual repair needed",
    ExitCode.NOT_PROVEN: "proof or verification failed; restored",
    ExitCode.BAD_SPEC: "bad input file",
    ExitCode.UNREACHABLE: "a required component is missing or does not answer",
    ExitCode.LOCKED: "another virtfn process is working on it",
    ExitCode.NO_PERMISSION: "no permission",
    ExitCode.INTERRUPTED: "interrupted, after rollback",
}


class VirtfnError(Exception):
    """Base of all errors: what failed, on which object (``where``), and what to do next.

    ``hint`` is in the field's terms, ``actions`` are use cases to run; a face knows their commands. ``findings`` are
    the known causes.
    """

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        actions: "tuple[Action, ...]" = (),
        findings: "tuple[Finding, ...]" = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.actions = actions
        self.findings = findings

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(VirtfnError):
    """The request itself is wrong (a VF that does not exist, an option of another command)."""

    exit_code = ExitCode.USAGE


class SpecError(VirtfnError):
    """A file or capture cannot be read; ``where`` is ``file:line``. ``findings`` holds every fault found."""

    exit_code = ExitCode.BAD_SPEC

    @classmethod
    def of(cls, findings: "Sequence[Finding]") -> "SpecError":
        """One error for all of these: the first gives message, ``where`` and hint."""
        first, more = findings[0], len(findings) - 1
        message = f"{first.what} (and {more} more)" if more else first.what
        return cls(message, where=first.subject, hint=first.fix, findings=tuple(findings))


class CapabilityError(VirtfnError):
    """The NIC, its driver or this machine cannot do the request; the message says which and why."""


class GuardRefused(VirtfnError):
    """Guards refused before anything was changed; ``findings`` has one for each."""


class ConflictError(VirtfnError):
    """Another program changed what virtfn was about to change, or a transaction is unfinished."""


class LockHeld(VirtfnError):
    """Another virtfn process is changing this host or cloud."""

    exit_code = ExitCode.LOCKED


class PermissionDenied(VirtfnError):
    """Root (or CAP_NET_ADMIN, CAP_NET_RAW) is needed."""

    exit_code = ExitCode.NO_PERMISSION


class BackendUnreachable(VirtfnError):
    """A service, a kernel interface or a program this needs is missing or does not answer."""

    exit_code = ExitCode.UNREACHABLE


class KernelRefused(VirtfnError):
    """The kernel refused: its errno, the call, and the equivalent command to try by hand."""

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", errno: int = 0, call: str = "", command: str = ""
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.errno = errno
        self.call = call
        self.command = command


class VerifyFailed(VirtfnError):
    """Values do not read back as written; restored. ``mismatches``: kind, id and field of each."""

    exit_code = ExitCode.NOT_PROVEN

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        mismatches: tuple[tuple[str, str, str], ...] = (),
        findings: "tuple[Finding, ...]" = (),
    ) -> None:
        super().__init__(message, where=where, hint=hint, findings=findings)
        self.mismatches = mismatches


class ProofFailed(VirtfnError):
    """Probe frames did not prove the mirror; restored. ``report`` has the result of each leg."""

    exit_code = ExitCode.NOT_PROVEN

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        actions: "tuple[Action, ...]" = (),
        report: object = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, actions=actions)
        self.report = report


class RollbackIncomplete(VirtfnError):
    """Not everything could be restored; the journal names what remains: manual repair needed."""

    exit_code = ExitCode.ROLLBACK_INCOMPLETE


class Interrupted(VirtfnError):
    """Ctrl-C or SIGTERM; the changes are rolled back."""

    exit_code = ExitCode.INTERRUPTED


class CloudError(VirtfnError):
    """The cloud refused, with its own message. ``status`` is HTTP's, 0 where there is none."""

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", status: int = 0, findings: "tuple[Finding, ...]" = ()
    ) -> None:
        super().__init__(message, where=where, hint=hint, findings=findings)
        self.status = status


class CloudUnreachable(CloudError):
    """The cloud does not answer in time, or its clouds.yaml cannot be used.

    ``may_be_at_work``: the request was sent, so the cloud may still carry it out.
    """

    exit_code = ExitCode.UNREACHABLE
    may_be_at_work: bool = False


class StillNeeded(CloudError):
    """Another object needs this one and must be deleted first: ``hint`` names it."""


class CloudDenied(CloudError):
    """The cloud does not accept the credentials (401), or its policy forbids it (403)."""

    exit_code = ExitCode.NO_PERMISSION


class LabError(VirtfnError):
    """The lab could not be prepared, started or reached."""

    exit_code = ExitCode.UNREACHABLE
