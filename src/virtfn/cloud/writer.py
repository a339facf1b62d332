"""Objects of one kind, made, changed and deleted at once."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, TypeVar

from virtfn.cloud import create as making
from virtfn.cloud.listing import Listing
from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import CloudError, CloudUnreachable, StillNeeded, VirtfnError
from virtfn.model.cloud import Kind, meant_by
from virtfn.model.cloud.fields import find, whole
from virtfn.model.cloud.observed import ObservedObject, ObservedPort
from virtfn.model.cloud.references import is_uuid
from virtfn.model.plan import DEFINITION, Target, Value

DELETION_S = 180.0
LATE_S = 15.0
"""How long what was asked for, and never answered, is looked for before it is taken as not made."""
_PAUSE_S = 0.5
_LOOKING_PAUSE_S = 1.0

T = TypeVar("T")
Fields = Mapping[str, Value]
Ours = Callable[[str, Kind], list[ObservedObject]]
"""What bears the mark of a spec, of one kind."""


@dataclass(frozen=True)
class _Work:
    """One object with the fields to be written; ``found`` is what there is of it, where that matters.

    ``holder`` is the server that has a port which is to be deleted.
    """

    target: Target
    fields: Fields
    found: ObservedObject | None = None
    holder: str = ""

    @property
    def makes(self) -> bool:
        return self.fields.get(DEFINITION) is not None

    @property
    def deletes(self) -> bool:
        return DEFINITION in self.fields and not self.makes


class Writer:
    """Writes to one cloud, ``parallel`` objects at once. It remembers the ids of what it has made."""

    def __init__(self, sdk: Any, listing: Listing, ours: Ours, parallel: int) -> None:
        self._sdk = sdk
        self._listing = listing
        self._ours = ours
        self._parallel = parallel
        self._ids: dict[tuple[str, Kind, str], str] = {}
        self._stuck: set[str] = set()

    def forget(self) -> None:
        """What was made may have been deleted by others meanwhile: look ids up again."""
        self._ids.clear()

    def write(self, objects: Sequence[tuple[Target, Fields]]) -> None:
        """Write objects of one kind, each of them once; deleted servers are gone when this returns. Raises CloudError.

        All that was begun has ended then. After a refusal nothing more is begun.
        """
        work = self._with_holders(self._with_found([_Work(target, fields) for target, fields in objects]))
        with refusals(str(work[0].target)):
            _ = self._sdk.network, self._sdk.compute  # the SDK makes them at first use, which threads must not share
            self._look_up([one for one in work if one.makes])
        deleted: list[_Work] = []
        unanswered: list[Target] = []
        if any(meant_by(one.target)[1] is Kind.NETWORK for one in work):
            self._listing.forget_networks()
        try:
            in_parallel(lambda one: self._write(one, deleted, unanswered), work, self._parallel)
        except BaseException as refusal:
            for target in self._never_seen(unanswered):
                refusal.add_note(
                    f"{target} was asked for and may still be created: look for it, and delete it by its id"
                )
            try:
                self._wait_until_gone(deleted)
            except CloudError as more:
                refusal.add_note(str(more))
            raise
        self._wait_until_gone(deleted)

    def _with_found(self, work: Sequence[_Work]) -> list[_Work]:
        """What is not to be made, with what there is of it: listed once."""
        listed: dict[str, list[ObservedObject]] = {}
        found = []
        for one in work:
            if one.makes:
                found.append(one)
                continue
            spec, kind, _ = meant_by(one.target)
            with refusals(str(one.target)):
                if spec not in listed:
                    listed[spec] = self._ours(spec, kind)
                found.append(_Work(one.target, one.fields, find(listed[spec], one.target)))
        return found

    def _with_holders(self, work: Sequence[_Work]) -> list[_Work]:
        """Neutron would take a port from a server that runs: a server that could not be deleted keeps its ports."""
        devices = [one.found.device_id if one.deletes and isinstance(one.found, ObservedPort) else "" for one in work]
        if not any(devices):
            return list(work)
        with refusals(str(work[0].target)):
            servers = self._listing.server_names()
        return [replace(one, holder=servers.get(device, "")) for one, device in zip(work, devices, strict=True)]

    def _write(self, one: _Work, deleted: list[_Work], unanswered: list[Target]) -> None:
        try:
            self._ask(one, deleted)
        except CloudUnreachable as fault:
            if one.makes and fault.may_be_at_work:
                unanswered.append(one.target)
            raise

    def _never_seen(self, targets: Sequence[Target]) -> list[Target]:
        """Those that are not there within some seconds: what comes later cannot be taken back by who asked for it."""
        missing = list(targets)
        deadline = time.monotonic() + LATE_S
        while missing:
            spec, kind, _ = meant_by(missing[0])
            with contextlib.suppress(CloudError), refusals(str(missing[0])):
                there = {one.name for one in self._ours(spec, kind)}
                missing = [target for target in missing if meant_by(target)[2] not in there]
            if not missing or time.monotonic() >= deadline:
                break
            time.sleep(_LOOKING_PAUSE_S)
        return missing

    def _ask(self, one: _Work, deleted: list[_Work]) -> None:
        spec, kind, name = meant_by(one.target)
        with refusals(str(one.target), making.secrets_of(one.fields)):
            if one.makes:
                ids = making.Ids(lambda *asked: self._ids[spec, *asked], self._flavor)
                self._ids[spec, kind, name] = making.create(self._sdk, spec, kind, name, whole(one.fields), ids)
            elif one.deletes:
                if one.holder:
                    what, hint = f"server {one.holder} has it, and is still there", f"delete server {one.holder} first"
                    raise StillNeeded(what, where=str(one.target), hint=hint, status=409)
                self._ids.pop((spec, kind, name), None)
                if one.found is not None:
                    making.delete(self._sdk, one.found)
                    deleted.append(one)
            elif one.found is None:
                raise CloudError("it is not there any more", where=str(one.target), status=404)
            else:
                making.change(self._sdk, one.found, one.fields)

    def _look_up(self, work: Sequence[_Work]) -> None:
        """Know the id of everything that these objects name, before any is made: each kind is listed once at most."""
        listed: dict[tuple[str, Kind], list[ObservedObject]] = {}
        for one in work:
            spec, kind, _ = meant_by(one.target)
            if kind is Kind.SERVER:
                _ = self._listing.flavors
            for asked, name in making.referred(kind, whole(one.fields)):
                if (spec, asked, name) in self._ids:
                    continue
                if (spec, asked) not in listed:
                    listed[spec, asked] = self._ours(spec, asked)
                own = [found.id for found in listed[spec, asked] if found.name == name]
                self._ids[spec, asked, name] = _only(asked.value, name, own or self._foreign(asked, name))

    def _foreign(self, kind: Kind, name: str) -> list[str]:
        """A network of others is named by its id."""
        return [name] if kind is Kind.NETWORK and is_uuid(name) else []

    def _flavor(self, name: str) -> str:
        return _only("flavor", name, [one for one, known in self._listing.flavors.names.items() if known == name])

    def _wait_until_gone(self, deleted: Sequence[_Work]) -> None:
        """Servers only: their ports and networks are next. One list shows it for all of them."""
        ids = {one.found.id: one.target for one in deleted if one.found and one.found.kind is Kind.SERVER}
        patience_s = 0.0 if ids.keys() <= self._stuck else DELETION_S  # one that was waited for is looked at only
        deadline = time.monotonic() + patience_s
        while ids:
            with refusals(str(next(iter(ids.values())))):
                there = self._listing.server_names()
            ids = {one: target for one, target in ids.items() if one in there}
            if not ids:
                return
            if time.monotonic() >= deadline:
                self._stuck.update(ids)
                left = ", ".join(map(str, ids.values()))
                raise CloudError(f"still there {DELETION_S:g} s after it was deleted", where=left)
            time.sleep(_PAUSE_S)


def _only(kind: str, name: str, ids: Sequence[str]) -> str:
    if not ids:
        raise CloudError(f"there is none of the name {name}", where=kind.replace("_", " "), status=404)
    if len(ids) > 1:
        raise CloudError(f"there are {len(ids)} of the name {name}", where=kind.replace("_", " "))
    return ids[0]


def in_parallel(work: Callable[[T], None], items: Sequence[T], at_most: int) -> None:
    """Do the work on every item, up to ``at_most`` at once; all that was begun has ended when this returns.

    After an error nothing more is begun. The error that came first is raised; the others become its notes.
    """
    workers = min(at_most, len(items))
    if workers <= 1:
        for item in items:
            work(item)
        return
    faults: list[BaseException] = []
    stop = Event()

    def one(item: T) -> None:
        if stop.is_set():
            return
        try:
            work(item)
        except BaseException as fault:
            stop.set()
            faults.append(fault)
            raise

    with ThreadPoolExecutor(workers, thread_name_prefix="virtfn") as pool:
        try:
            wait([pool.submit(one, item) for item in items])
        except BaseException:  # of this thread: what has not begun does not begin any more
            stop.set()
            raise
    if faults:
        for other in faults[1:]:
            faults[0].add_note(f"refused as well: {_text(other)}")
            for note in getattr(other, "__notes__", ()):
                faults[0].add_note(note)
        raise faults[0]


def _text(fault: BaseException) -> str:
    return str(fault) if isinstance(fault, VirtfnError) else repr(fault)
