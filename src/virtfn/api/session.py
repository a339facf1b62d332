"""The base of Host, Mirrors and Cloud: they can be stopped, and they take specs in three forms."""

from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from virtfn.app import App
from virtfn.engine.events import EventSink

Desired = TypeVar("Desired")
Spec: TypeAlias = str | Path | Desired
"""A declared state: YAML text, a file, or the value itself."""


class Session:
    """Base of Host, Mirrors and Cloud. The end of a ``with`` block stops it, as ``stop`` does."""

    def __init__(self, app: App, sink: EventSink) -> None:
        self._app = app
        self._sink = sink
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask a method that runs in another thread to finish its step, roll back and raise Interrupted.

        It stays stopped: methods that change something then raise Interrupted and change nothing.
        """
        self._stopped = True

    def _is_stopped(self) -> bool:
        return self._stopped


def text_of(spec: str | Path) -> tuple[str, str]:
    """The name by which errors call it, and its text. Raises SpecError where the file cannot be read."""
    from virtfn.spec.document import source_of

    return ("spec", spec) if isinstance(spec, str) else source_of(spec)
