"""Events as lines of text, and the values that a rollback restores."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from virtfn.cli.console import Console
from virtfn.engine import events as engine
from virtfn.engine.events import Event
from virtfn.engine.rollback import Restore
from virtfn.model.plan import DEFINITION, Step, Target
from virtfn.model.value_format import say_change
from virtfn.services import events as services

_ONE_BY_ONE = 16
_LONGEST = 200
_RECOVERIES = {"rollback": "rolling it back", "finish": "everything was created: finishing it"}
"""By the value of a Recovery."""


class EventsView:
    """An event sink that gives one line per event, or more, to ``tell``.

    Objects that a cloud's plan names by id are shown by name; the names are those of the current plan.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._names: Mapping[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Show the event."""
        if isinstance(event, engine.TransactionStarted | engine.RollbackStarted):
            self._names = event.plan.names
        for line in event_lines(event, self._names):
            self._tell(line)


def event_lines(event: Event, names: Mapping[str, str]) -> Iterator[str]:
    """The lines that show an event; none for one with no news for the user."""
    match event:
        case engine.StepsDone(_, steps):
            yield from _step_lines(steps, names)
        case engine.StepsFailed(_, steps):
            yield f"not done, or only in part: {_range([step.target for step in steps])}"
        case engine.RollbackStarted(cause=BaseException() as cause):
            yield f"rolling back: {cause or type(cause).__name__}"
        case engine.ValuesRestored(_, values) if len(values) > _ONE_BY_ONE:
            yield f"restored {_range([one.target for one in values])}"
        case engine.ValuesRestored(_, values):
            for one in values:
                yield _brief(say_change(one.target, one.field, one.before, one.after, names))
        case engine.JournalFailed(number, failure):
            yield f"the journal of transaction {number} could not be updated: {failure}"
        case services.InterruptedFound(number, title, recovery):
            yield f"transaction {number} ({title}) was interrupted: {_RECOVERIES[recovery]}"
        case services.ConfirmationOverdue(number, title, failure):
            outcome = failure or _RECOVERIES["rollback"]
            yield f"transaction {number} ({title}) was not confirmed in time: {outcome}"
        case services.ModesCorrected(paths):
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield f"other users could read {paths[0]}{more}: corrected"
        case services.RecoveryIncomplete(failure):
            yield str(failure)
        case services.ServerProgress(server, state):
            yield f"{server}: {state}"
        case services.BurstJudged(leg):
            yield f"probe {leg.name}: sent {leg.sent}, copy got {leg.copy.frames}"
        case services.ProofRetried(attempt, fault):
            yield f"proof attempt {attempt} failed ({fault}): once more"
        case services.StrategyNotProven(strategy):
            yield f"{strategy} is not proven and was rolled back"


def print_rollback(out: Console, restores: Sequence[Restore], *, whole: bool = False) -> None:
    """Each value that a rollback restores, and what is lost by it; at most sixteen lines unless ``whole``."""
    shown = restores if whole else restores[:_ONE_BY_ONE]
    for restore in shown:
        text = _brief(say_change(restore.target, restore.field, restore.ours[-1], restore.value))
        lost = ": it stops, and its disk is lost" if _deletes_a_server(restore) else ""
        out.print(f"  {text}{lost}")
    if len(shown) < len(restores):
        out.print(f"  ... and {len(restores) - len(shown)} more")


def _step_lines(steps: Sequence[Step], names: Mapping[str, str]) -> Iterator[str]:
    if len(steps) > _ONE_BY_ONE:
        yield _range([step.target for step in steps])
        return
    whole = {step.target for step in steps if step.field == DEFINITION}
    for step in steps:
        if step.field == DEFINITION or step.target not in whole:
            yield _brief(say_change(step.target, step.field, step.before, step.after, names))


def _range(targets: Sequence[Target]) -> str:
    """``640 fields of 128 objects, p1/0 to p1/127``."""
    if len(targets) == 1:
        return str(targets[0])
    objects = len(set(targets))
    counted = f"{len(targets)} fields of {objects} object{'' if objects == 1 else 's'}"
    return f"{counted}, {targets[0]} to {targets[-1]}"


def _deletes_a_server(restore: Restore) -> bool:
    from virtfn.model.cloud import Kind

    return restore.target.kind == Kind.SERVER and restore.field == DEFINITION and restore.value is None


def _brief(text: str) -> str:
    """At most one line: a definition can hold user data."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
