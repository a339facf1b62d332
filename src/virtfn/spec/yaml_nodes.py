"""YAML text to nodes that know their line: what the parser says, bounded and without surprises.

ruamel.yaml scans and parses (YAML 1.2); the nodes are built here, so that depth, number and aliases have bounds before
anything is built, and so that words are read by one schema whatever a ``%YAML`` line says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from virtfn.model.finding import FindingKind
from virtfn.spec.problems import SYNTAX, TOO_BIG, PlacedFinding, Position, quoted
from virtfn.spec.yaml_scalars import Scalar, resolved

MAX_DEPTH = 16
"""Levels of nesting; the format itself has six."""
MAX_NODES = 200_000
"""Values in one file, each use of an alias counted again: about ten times 256 VFs on 10 PFs, all keys named."""

_TEXT_TAGS = (None, "!", "!!str")
_MERGE = "<<"
_PARSER_GAVE_UP = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, RecursionError)
"""What ruamel.yaml lets through on some damaged input, where a YAMLError was meant."""
_GIVES_UP = "the parser gives up near here"
_SPLIT = "split the file, or use each and ranges of VFs"
_CHECK = "look at the indentation, the colons and the quotes on this line and the one before"


class Refused(Exception):
    """The text cannot be read at all; ``fault`` says why. Caught within this room."""

    def __init__(self, fault: PlacedFinding) -> None:
        super().__init__(fault.finding.what)
        self.fault = fault


@dataclass(frozen=True, eq=False)
class ScalarNode:
    """A word. ``text`` is what is written, ``value`` what it means; ``is_merge``: an unquoted ``<<``."""

    line: int
    text: str
    value: Scalar
    is_merge: bool = False


@dataclass(frozen=True, eq=False)
class ListNode:
    """A sequence."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, eq=False)
class MapNode:
    """A mapping as written: duplicate and merge keys are still in it."""

    line: int
    pairs: tuple[tuple["Node", "Node"], ...]


Node: TypeAlias = ScalarNode | ListNode | MapNode


def node_of(text: str, file: str) -> Node | None:
    """The one document in ``text``, or None where it is empty. Raises Refused."""
    composer = _Composer(text, file)
    try:
        return composer.document()
    except MarkedYAMLError as error:
        raise Refused(_syntax(error, file)) from error
    except YAMLError as error:
        raise Refused(_not_yaml(Position(file, composer.line), _one_line(error))) from error
    except _PARSER_GAVE_UP as error:
        raise Refused(_not_yaml(Position(file, composer.line), _GIVES_UP)) from error


def _not_yaml(position: Position, why: str, fix: str = _CHECK) -> PlacedFinding:
    return PlacedFinding.of(SYNTAX, position, f"not YAML: {why}", fix)


def _syntax(error: MarkedYAMLError, file: str) -> PlacedFinding:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(_one_line(part) for part in (error.context, error.problem) if part)
    remedy = "indent with spaces: YAML takes no tabs there" if "\\t" in what else _CHECK
    if mark is None:
        return _not_yaml(Position(file, 1), what, remedy)
    return _not_yaml(Position(file, mark.line + 1, mark.column + 1), what, remedy)


def _one_line(said: object) -> str:
    return re.sub(r"\s+", " ", str(said)).strip()[:200]


def _tag(event: Event) -> str | None:
    """An explicit tag as a person writes it; None where there is none."""
    tag: Any = getattr(event, "tag", None)
    return None if tag is None else str(tag).replace("tag:yaml.org,2002:", "!!")


class _Composer:
    """Builds nodes from the parser's events; an event is only asked for when what came before is within bounds."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        self._anchors: dict[str, Node | None] = {}  # None: not yet finished
        self._nodes = 0
        self.line = 1

    def document(self) -> Node | None:
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, StreamEndEvent):
            return None
        if isinstance(start, DocumentStartEvent) and start.version not in (None, (1, 2)):
            raise self._refused("%YAML asks for another YAML than 1.2", "leave the %YAML line out")
        node = self._node(self._next(), 1)
        self._next()  # the end of the document
        if not isinstance(self._next(), StreamEndEvent):
            raise self._refused("a second document begins here", "give each document a file of its own")
        return node

    def _next(self) -> Event:
        event = next(self._events)
        if event.start_mark is not None:
            self.line = event.start_mark.line + 1
        return event

    def _node(self, event: Event, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refused(f"more than {MAX_NODES} values", _SPLIT, TOO_BIG)
        if depth > MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} deep", "a host spec needs six levels", TOO_BIG)
        if isinstance(event, AliasEvent):
            return self._aliased(event)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = None
        node = self._scalar(event) if isinstance(event, ScalarEvent) else self._collection(event, depth)
        if anchor:
            self._anchors[anchor] = node
        return node

    def _aliased(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise self._refused(f"*{event.anchor} is not defined", f"put &{event.anchor} before the value it means")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._refused(f"*{event.anchor} contains itself", "write the value out")
        return node

    def _scalar(self, event: ScalarEvent) -> ScalarNode:
        tag = _tag(event)
        if tag not in _TEXT_TAGS:
            raise self._refused(f"the tag {quoted(tag)} is not used in a spec", "leave the tag out")
        plain = tag is None and event.style is None
        value = resolved(event.value) if plain else event.value
        return ScalarNode(self.line, event.value, value, is_merge=plain and event.value == _MERGE)

    def _collection(self, event: Event, depth: int) -> Node:
        line, tag = self.line, _tag(event)
        if tag is not None:
            raise self._refused(f"the tag {quoted(tag)} is not used in a spec", "leave the tag out")
        if isinstance(event, SequenceStartEvent):
            return ListNode(line, tuple(self._until(SequenceEndEvent, depth)))
        if isinstance(event, MappingStartEvent):
            parts = list(self._until(MappingEndEvent, depth))
            return MapNode(line, tuple(zip(parts[::2], parts[1::2], strict=True)))
        raise self._refused(f"not YAML: {_GIVES_UP}", _CHECK)

    def _until(self, end: type[Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := self._next(), end):
            yield self._node(event, depth + 1)

    def _refused(self, what: str, remedy: str, kind: FindingKind = SYNTAX) -> Refused:
        return Refused(PlacedFinding.of(kind, Position(self._file, self.line), what, remedy))
