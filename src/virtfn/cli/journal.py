"""``virtfn rollback``, ``resume``, ``confirm`` and ``journal ls|show|prune``."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import click

from virtfn.app import App
from virtfn.cli.actions import advice, command
from virtfn.cli.console import (
    Console,
    OutputFormat,
    Table,
    ask,
    console,
    error_console,
    print_document,
    progress,
    quieten_sdk,
)
from virtfn.cli.events_view import EventsView, print_rollback
from virtfn.cli.interrupts import CLOUD_STEP, Interrupts, interruptible
from virtfn.cli.options import EXPLAIN, QUIET, SECRETS, YES, options, output_option
from virtfn.engine.events import ignore
from virtfn.engine.rollback import Restore, revert
from virtfn.errors import UsageError, VirtfnError
from virtfn.model.finding import Action, UseCase
from virtfn.model.place import Place, cloud_place
from virtfn.model.transaction import Status, Transaction, TransactionSummary
from virtfn.services.history import History, Retention

_NUMBER = click.argument("number", metavar="[TX]", type=click.IntRange(min=1), required=False)


_of_a_cloud = options(
    click.option("--cloud", is_flag=True, help="The journal of the cloud of OS_CLOUD or OS_...."),
    click.option("--os-cloud", metavar="NAME", help="The journal of this cloud of clouds.yaml."),
)
"""Options that select a cloud's journal. OS_CLOUD alone does not: it may be set for other reasons."""


@click.command(
    epilog="""\b
Examples:
  virtfn rollback            the unfinished transaction, or else the last one
  virtfn rollback 7 --yes
  virtfn rollback --os-cloud lab
"""
)
@_NUMBER
@_of_a_cloud
@YES
@QUIET
def rollback(number: int | None, cloud: bool, os_cloud: str | None, yes: bool, quiet: bool) -> None:
    """Put back what a transaction changed, and read it back.

    If another program has set one of the values since, it is named and nothing is changed.
    """
    with _records(quiet=quiet, cloud=cloud, os_cloud=os_cloud) as (records, stop):
        chosen = records.to_undo(number)
        _ask(chosen, yes=yes, back=revert(chosen.touched))
        with stop.held():
            done = records.rollback(chosen.id)
    console().print(f"Transaction {done.id} ({done.plan.title}) is rolled back: everything reads as before.")


@click.command(
    epilog="""\b
Examples:
  virtfn resume
  virtfn resume 7 --yes
"""
)
@_NUMBER
@_of_a_cloud
@YES
@QUIET
def resume(number: int | None, cloud: bool, os_cloud: str | None, yes: bool, quiet: bool) -> None:
    """Resume an interrupted transaction: the steps that were not done, then verify and commit."""
    with _records(quiet=quiet, cloud=cloud, os_cloud=os_cloud) as (records, stop):
        chosen = records.to_resume(number)
        _ask(chosen, yes=yes)
        with stop.held():
            done = records.resume(chosen.id)
    console().print(f"Transaction {done.id} ({done.plan.title}) is committed: everything reads as planned.")


@click.command(
    epilog="""\b
Example:
  virtfn apply -f host.yaml --yes --confirm-within 60
  virtfn confirm
"""
)
@_NUMBER
def confirm(number: int | None) -> None:
    """Keep what `apply --confirm-within` did; otherwise it is rolled back."""
    tell = progress(quiet=False)
    confirmations = App().confirmations(EventsView(tell))
    with interruptible(tell) as stop, stop.held():
        confirmations.roll_back_overdue()
        done = confirmations.confirm(number)
    console().print(f"Transaction {done.id} ({done.plan.title}) is confirmed and stays.")


@click.command("watch-over", hidden=True)
@click.argument("number", type=int)
@click.option("--within", type=float, required=True)
def watch_over(number: int, within: float) -> None:
    """Roll a transaction back unless it is confirmed in time; started by `apply --confirm-within`."""
    App().confirmations(ignore).watch(number, within)


@click.group()
def journal() -> None:
    """What virtfn has changed on this host, or in a cloud."""


@journal.command(
    epilog="""\b
Examples:
  virtfn journal ls
  virtfn journal ls -o json
  virtfn journal ls --os-cloud lab
"""
)
@_of_a_cloud
@output_option()
def ls(cloud: bool, os_cloud: str | None, how: OutputFormat) -> None:
    """List all transactions of this host, oldest first, and the clouds that have a journal of their own."""
    of_cloud, tell = bool(cloud or os_cloud), progress(quiet=False)
    with interruptible(tell) as stop:
        if of_cloud:
            quieten_sdk()
            kept = App().cloud_journal(_named(os_cloud))
        else:
            with stop.held():
                kept = App().settled_journal(EventsView(tell))
        found = tuple(kept.summaries())
        others = () if of_cloud else _cloud_journals()
    if how.is_document:
        listed = {"transactions": [_brief(entry) for entry in found], "clouds": [asdict(one) for one in others]}
        print_document("transactions", listed, how)
        return
    if found:
        _print_all(found)
        _print_next(console(), found, kept.place)
    else:
        console().print("The journal is empty.")
    for one in others:
        style = "bold red" if one.unfinished or one.broken or one.fault else ""
        console().print(str(one), style=style)


def _print_all(found: Sequence[TransactionSummary]) -> None:
    """One line per transaction."""
    table = Table("TX", "STATUS", "DONE", "STARTED", "WHAT")
    for one in found:
        status = f"{one.status.value}{' (to be confirmed)' if one.awaits_confirmation else ''}"
        style = "bold red" if one.status.unfinished or one.status is Status.BROKEN else ""
        table.add_row(str(one.id), status, f"{one.done}/{one.steps}", one.started, one.title, style=style)
    console().print_table(table)


def _print_next(out: Console, found: Sequence[TransactionSummary], place: Place) -> None:
    """The commands for the transactions that need a user."""
    for one in found:
        use_cases: tuple[UseCase, ...] = ()
        if one.status.unfinished:
            use_cases = (UseCase.JOURNAL_SHOW, UseCase.ROLLBACK)
        elif one.awaits_confirmation:
            use_cases = (UseCase.CONFIRM, UseCase.ROLLBACK)
        if use_cases:
            actions = [Action(use_case, (str(one.id),), place) for use_case in use_cases]
            out.print(f"next: {advice(actions)}")


@journal.command(
    epilog="""\b
Examples:
  virtfn journal prune --older 90
  virtfn journal prune --keep 100 --yes
"""
)
@_of_a_cloud
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N.")
@click.option("--older", type=click.FloatRange(min=0), metavar="DAYS", help="Remove only older ones.")
@YES
def prune(cloud: bool, os_cloud: str | None, keep: int | None, older: float | None, yes: bool) -> None:
    """Remove old transactions from the journal; they cannot be rolled back any more.

    Never removed: the newest one, unfinished and unconfirmed ones, committed mirrors, broken files.
    """
    if keep is None and older is None:
        raise UsageError("nothing says what to remove", hint="add --keep N or --older DAYS")
    with _records(quiet=True, cloud=cloud, os_cloud=os_cloud) as (records, stop):
        chosen = records.prunable(Retention(keep, older))
        if not chosen:
            console().print("Nothing to remove.")
            return
        counted = f"{len(chosen)} transaction{'' if len(chosen) == 1 else 's'}"
        ask(lambda: error_console().print(f"remove {counted}, {chosen[0].id} to {chosen[-1].id}"), yes=yes)
        with stop.held():
            records.prune(chosen)
    console().print(f"{counted} removed.")


@journal.command(
    "show",
    epilog="""\b
Examples:
  virtfn journal show 7
  virtfn journal show 7 -o json
""",
)
@click.argument("number", metavar="TX", type=click.IntRange(min=1))
@_of_a_cloud
@EXPLAIN
@SECRETS
@output_option()
def show_one(
    number: int, cloud: bool, os_cloud: str | None, explain: bool, show_secrets: bool, how: OutputFormat
) -> None:
    """Show one transaction: its plan, its progress, and what a rollback restores."""
    with _records(quiet=True, cloud=cloud, os_cloud=os_cloud) as (records, _):
        entry = records.load(number)
    if how.is_document:
        print_document("transaction", entry, how, show_secrets=show_secrets)
        return
    from virtfn.cli.plan_view import print_cloud_plan, print_plan

    out = console()
    out.print(f"transaction {entry.id}: {entry.status.value}, started {entry.started}")
    if cloud or os_cloud:
        print_cloud_plan(out, entry.plan, explain=explain, show_secrets=show_secrets)
    else:
        print_plan(out, entry.plan, explain=explain)
    out.print(f"{len(entry.begun)} of {len(entry.plan.steps)} steps begun, {len(entry.done)} done.")
    if entry.failure:
        out.print(f"It failed: {entry.failure}")
    for fault in entry.remaining:
        out.print(f"  remains: {fault}", style="red")
    if entry.status in (Status.ROLLED_BACK, Status.ENDED):
        return
    if entry.is_final:
        out.print("It cannot be rolled back: deleted objects cannot be restored.")
    elif restores := revert(entry.touched):
        out.print("A rollback restores:")
        print_rollback(out, restores, whole=True)


@dataclass(frozen=True)
class _CloudJournal:
    """The line of ``journal ls`` for a cloud's journal; ``cloud`` None: the cloud of the OS_... variables."""

    cloud: str | None
    project: str
    address: str
    transactions: int = 0
    unfinished: int = 0
    broken: int = 0
    fault: str = ""
    """Why it cannot be read; "" where it can."""

    def __str__(self) -> str:
        place = cloud_place(self.cloud)
        if self.fault:
            return f"{place.name} ({self.project} at {self.address}): its journal cannot be read: {self.fault}"
        unfinished = f", {self.unfinished} unfinished" if self.unfinished else ""
        broken = f", {self.broken} that cannot be read" if self.broken else ""
        counted = f"{self.transactions} transaction{'' if self.transactions == 1 else 's'}"
        see = command(Action(UseCase.JOURNAL_LIST, place=place))
        return f"{place.name} ({self.project} at {self.address}): {counted}{unfinished}{broken}; see `{see}`"


def _cloud_journals() -> tuple[_CloudJournal, ...]:
    counted = []
    for account, journal in App().journalled_clouds():
        whose = (account.name, account.project, account.address)
        try:
            entries = list(journal.summaries())
        except VirtfnError as fault:  # the host's own journal is shown nevertheless
            counted.append(_CloudJournal(*whose, fault=str(fault)))
            continue
        unfinished = sum(one.status.unfinished for one in entries)
        broken = sum(one.status is Status.BROKEN for one in entries)
        counted.append(_CloudJournal(*whose, len(entries), unfinished, broken))
    return tuple(counted)


@contextmanager
def _records(*, quiet: bool, cloud: bool = False, os_cloud: str | None = None) -> Iterator[tuple[History, Interrupts]]:
    tell = progress(quiet)
    of_cloud = bool(cloud or os_cloud)
    with interruptible(tell, CLOUD_STEP if of_cloud else "") as stop:
        if of_cloud:
            quieten_sdk()
            yield App().cloud_records(_named(os_cloud), EventsView(tell), stop), stop
        else:
            with stop.held():  # roll back first what was not confirmed in time
                records = App().records(EventsView(tell), stop)
            yield records, stop


def _named(os_cloud: str | None) -> str | None:
    """The entry of clouds.yaml that the options select."""
    return os_cloud or os.environ.get("OS_CLOUD") or None


def _ask(entry: Transaction, *, yes: bool, back: Sequence[Restore] = ()) -> None:
    """Show the transaction and the values that it restores; then ask."""

    def show() -> None:
        out = error_console()
        out.print(str(entry))
        print_rollback(out, back)

    ask(show, yes=yes)


def _brief(one: TransactionSummary) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "status": one.status,
        "started": one.started,
        "steps": one.steps,
        "done": one.done,
        "to_be_confirmed": one.awaits_confirmation,
    }
