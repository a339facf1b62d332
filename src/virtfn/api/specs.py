"""A declared state as the library takes it."""

from pathlib import Path
from typing import TypeAlias, TypeVar

from virtfn.errors import SpecError

Desired = TypeVar("Desired")
Spec: TypeAlias = str | Path | Desired
"""YAML text, a file, or the value itself."""


def text_of(spec: str | Path) -> tuple[str, str]:
    """The name by which errors call it, and its text. Raises SpecError where the file cannot be read."""
    from virtfn.spec import decoded

    if isinstance(spec, str):
        return "spec", spec
    try:
        return str(spec), decoded(spec.read_bytes(), file=str(spec))
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=str(spec)) from fault
