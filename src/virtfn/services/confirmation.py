"""Rolls back changes that are not confirmed in time: by a watchdog, or by the next command."""

import time
from collections.abc import Callable

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Journal
from virtfn.engine.rollback import Foreign
from virtfn.engine.transaction import Transactions
from virtfn.errors import ConflictError, LockHeld, PermissionDenied, UsageError, VirtfnError
from virtfn.model.finding import Action, UseCase
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status, Transaction, TransactionSummary
from virtfn.services.events import ConfirmationOverdue

_POLL_S = 0.2
_LONGEST_S = 24 * 3600.0

Report = Callable[[str], None]
"""Writes one line to the system log, for rollbacks without a user at the terminal."""


class Confirmations:
    """The transactions of one host that wait to be confirmed."""

    def __init__(self, journal: Journal, engine: Transactions, *, sink: EventSink, report: Report) -> None:
        self._journal = journal
        self._engine = engine
        self._sink = sink
        self._report = report

    def confirm(self, number: int | None = None) -> Transaction:
        """Keep the changes of a transaction. Raises UsageError where none waits, ConflictError where it is too late.

        LockHeld where another process holds the lock: the watchdog may be rolling it back.
        """
        with self._journal.lock():
            chosen = [one for one in self._journal.summaries() if one.unconfirmed and number in (None, one.id)]
            if not chosen:
                see = (Action(UseCase.JOURNAL_LIST, place=self._journal.place),)
                raise UsageError("no transaction waits to be confirmed", actions=see)
            entry = self._journal.load(chosen[-1].id)
            if entry.status is not Status.COMMITTED or _is_overdue(self._journal, entry.summary):
                raise ConflictError(
                    f"not confirmed within {entry.confirm_within_s:g} s, too late now: {entry}",
                    actions=_actions(self._journal, entry.id, UseCase.JOURNAL_SHOW),
                )
            return self._journal.record_confirmed(entry)

    def roll_back_overdue(self) -> None:
        """Roll back a transaction that was not confirmed in time, if its watchdog has not done it.

        Where that fails, an event reports it and the caller continues.
        """
        one = overdue(self._journal)
        if one is None:
            return
        try:
            with self._journal.lock():
                self._sink(ConfirmationOverdue(one.id, one.title))
                self._roll_back(one.id)
        except VirtfnError as fault:
            self._sink(ConfirmationOverdue(one.id, one.title, fault))

    def watch(self, number: int, within_s: float, *, sleep: Callable[[float], None] = time.sleep) -> Transaction:
        """Wait until a transaction is confirmed; roll it back at its deadline, or when its process has died.

        Its time begins when it is committed. Returns the transaction as it is then. Raises RollbackIncomplete, after it
        has been reported to the system log.
        """
        end = time.monotonic() + within_s + _LONGEST_S
        while time.monotonic() < end:
            now = self._summary(number)
            if _is_settled(now):
                break
            if now.status is not Status.COMMITTED or _is_overdue(self._journal, now):
                try:
                    with self._journal.lock():
                        return self._roll_back(number)
                except LockHeld:  # another process holds the lock, perhaps the transaction's own
                    pass
            sleep(_POLL_S)
        return self._journal.load(number)

    def _summary(self, number: int) -> TransactionSummary:
        """The newest summary needs no reading of plans, and the watched transaction is the newest."""
        newest = self._journal.newest()
        return newest if newest and newest.id == number else self._journal.load(number).summary

    def _roll_back(self, number: int) -> Transaction:
        """Restore every field that can be restored, as no user can decide, and report it. The caller holds the lock."""
        try:
            entry = self._journal.load(number)
            is_due = entry.status is not Status.COMMITTED or _is_overdue(self._journal, entry.summary)
            if _is_settled(entry.summary) or not is_due:
                return entry
            done = self._engine.rollback(entry, foreign=Foreign.KEEP)
        except VirtfnError as failure:
            self._report(f"transaction {number} was not confirmed; its rollback is incomplete: {failure}")
            raise
        why = "was not confirmed in time" if entry.status is Status.COMMITTED else "was left by its process"
        self._report(f"transaction {number} ({entry.plan.title}) {why}: rolled back")
        return done


def overdue(journal: Journal) -> TransactionSummary | None:
    """The transaction whose deadline is over. It can only be the newest, as no other may begin before that.

    None, too, where this user cannot read the journal.
    """
    try:
        newest = journal.newest()
    except PermissionDenied:
        return None
    return newest if newest and _is_overdue(journal, newest) else None


def refuse_blocked(journal: Journal) -> None:
    """Raise ConflictError where a transaction has to be finished, or confirmed, before anything else is changed."""
    for entry in journal.unfinished():
        resumable = entry.status is Status.OPEN and isinstance(entry.plan.subject, HostSubject)
        use_cases = (UseCase.ROLLBACK, UseCase.RESUME) if resumable else (UseCase.ROLLBACK,)
        raise ConflictError(str(entry), actions=_actions(journal, entry.id, *use_cases))
    refuse_unconfirmed(journal)


def refuse_unconfirmed(journal: Journal, *, besides: int | None = None) -> None:
    """Raise ConflictError where a transaction waits to be confirmed; not for the one that ``besides`` names."""
    one = journal.newest()
    if one and one.status is Status.COMMITTED and one.unconfirmed and one.id != besides:
        raise ConflictError(
            f"transaction {one.id} ({one.title}) waits to be confirmed",
            actions=_actions(journal, one.id, UseCase.CONFIRM, UseCase.ROLLBACK),
        )


def _actions(journal: Journal, number: int, *use_cases: UseCase) -> tuple[Action, ...]:
    return tuple(Action(use_case, (str(number),), journal.place) for use_case in use_cases)


def _is_settled(entry: TransactionSummary) -> bool:
    return entry.confirmed or entry.status in (Status.ROLLED_BACK, Status.ENDED, Status.INCOMPLETE)


def _is_overdue(journal: Journal, entry: TransactionSummary) -> bool:
    return entry.confirm_by_boot_s is not None and journal.now_s() >= entry.confirm_by_boot_s
