"""The command line of each use case that an error or a status can advise."""

from collections.abc import Sequence

from virtfn.model.finding import Action, UseCase
from virtfn.model.place import Place

_ROWS = {
    # use case: (what follows the command's name where an action gives no arguments, what the command does)
    UseCase.SHOW: ("", "shows the current state"),
    UseCase.PLAN: ("-f FILE", "shows what is left to do"),
    UseCase.APPLY: ("-f FILE", "applies the spec again"),
    UseCase.VERIFY: ("-f FILE", "compares this host with the spec"),
    UseCase.ROLLBACK: ("TX", "puts back what it changed"),
    UseCase.RESUME: ("TX", "finishes it"),
    UseCase.CONFIRM: ("", "keeps what it changed"),
    UseCase.JOURNAL_LIST: ("", "lists the transactions"),
    UseCase.JOURNAL_SHOW: ("TX", "shows it"),
    UseCase.MIRROR_PLAN: ("SOURCE COPY", "shows what it takes to add it"),
    UseCase.MIRROR_ADD: ("SOURCE COPY", "adds a mirror"),
    UseCase.MIRROR_LIST: ("", "lists the mirrors"),
    UseCase.MIRROR_PROVE: ("ID", "sends probe frames again"),
    UseCase.MIRROR_REMOVE: ("ID", "removes the mirror and puts everything back"),
    UseCase.CLOUD_PLAN: ("-f FILE", "shows what is left to do"),
    UseCase.CLOUD_UP: ("-f FILE", "creates what is missing"),
    UseCase.CLOUD_SHOW: ("-f FILE", "shows the current state"),
    UseCase.CLOUD_DOWN: ("-f FILE", "deletes what can be deleted"),
    UseCase.PERSIST_INSTALL: ("-f FILE", "installs a spec for every boot"),
    UseCase.LAB_PREPARE: ("", "builds what the lab needs"),
    UseCase.LAB_UP: ("", "starts a lab"),
    UseCase.LAB_STATUS: ("", "shows its console"),
    UseCase.LAB_DOWN: ("", "ends the lab"),
}
_OF_A_JOURNAL = (
    UseCase.ROLLBACK,
    UseCase.RESUME,
    UseCase.CONFIRM,
    UseCase.JOURNAL_LIST,
    UseCase.JOURNAL_SHOW,
)


def command(action: Action) -> str:
    """The command line: ``virtfn rollback 3 --os-cloud lab``."""
    arguments = " ".join(action.arguments) or _ROWS[action.use_case][0]
    options = (part for name, value in action.options for part in (f"--{name}", value))
    return " ".join(part for part in ("virtfn", action.use_case, arguments, *options, _option(action)) if part)


def advice(actions: Sequence[Action]) -> str:
    """Each command with what it does; "" for none."""
    return ", ".join(f"`{command(one)}` {_ROWS[one.use_case][1]}" for one in actions)


def _option(action: Action) -> str:
    place: Place = action.place
    if place.os_cloud is not None:
        return f"--os-cloud {place.os_cloud}"
    return "--cloud" if place.is_cloud and action.use_case in _OF_A_JOURNAL else ""
