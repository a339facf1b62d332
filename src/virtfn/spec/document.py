"""One file as plain values, with the line of each; merge keys are merged and every key is unique."""

import pathlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from virtfn.errors import SpecError
from virtfn.spec.constants import FORMAT
from virtfn.spec.problems import KEY, SYNTAX, TOO_BIG, Findings, Path, PlacedFinding, Position, quoted, refusal
from virtfn.spec.yaml_nodes import MAX_DEPTH, MAX_NODES, ListNode, MapNode, Node, Refused, ScalarNode, node_of

MAX_BYTES = 1024 * 1024
"""Size of one file, in octets of UTF-8."""

_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2.2, 5.1 does not allow."""
_NOT_TEXT = "a spec is UTF-8 text; was another file meant?"
_TOO_BIG = f"a spec has at most {MAX_BYTES // 1024} KiB; split it, or use each and ranges of VFs"


@dataclass(frozen=True)
class Document:
    """Plain values (dict with text keys, list, scalars) and what was found wrong while they were read."""

    data: Any
    findings: Findings


def decoded(data: bytes, *, file: str) -> str:
    """The text of a file's octets. Raises SpecError where it is not UTF-8 or too big.

    A byte order mark is taken off.
    """
    if len(data) > MAX_BYTES:
        raise refusal([_too_big(len(data), file)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        what = f"not text: it holds the byte {data[error.start]:#04x}"
        raise refusal([PlacedFinding.of(SYNTAX, Position(file, line, column), what, _NOT_TEXT)]) from error


def source_of(name: str | pathlib.Path, stdin: BinaryIO | None = None) -> tuple[str, str]:
    """The name by which errors call a spec, and its text; ``stdin`` is read for the name ``-``. Raises SpecError."""
    if stdin and str(name) == "-":
        return "stdin", decoded(stdin.read(), file="stdin")
    if not str(name):
        raise SpecError("no file is named", where="-f ''", hint="name a file, or - for standard input")
    try:
        return str(name), decoded(pathlib.Path(name).read_bytes(), file=str(name))
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=str(name), hint="name a file") from fault


def sources_of(names: Iterable[str], stdin: BinaryIO) -> list[tuple[str, str]]:
    """The same of several specs; a folder means all its *.yaml, in the order of their names."""
    found = []
    for name in names:
        paths = sorted(pathlib.Path(name).glob("*.yaml")) if name and pathlib.Path(name).is_dir() else [name]
        if not paths:
            hint = "name a file, or put one there"
            raise SpecError("there is no *.yaml in this folder", where=name, hint=hint)
        found += [source_of(path, stdin) for path in paths]
    return found


def read(text: str, file: str, *, form: str = FORMAT) -> Document:
    """The plain values in ``text``, a file of the format ``form``.

    Raises Refused where nothing can be read: syntax, size, depth, not text.
    """
    text = text.removeprefix("\ufeff")
    _check(text, file)
    node = node_of(text, file)
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        fix = f"begin it with the line virtfn: {form}"
        raise Refused(PlacedFinding.of(SYNTAX, Position(file, 1), "the file is empty", fix))
    reader = _Reader(file)
    data = reader.plain(node, (), 1)
    return Document(data, Findings(file, reader.lines, reader.found))


def _check(text: str, file: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise Refused(_too_big(size, file))
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        what = f"not text: it holds U+{ord(found[0]):04X}"
        raise Refused(PlacedFinding.of(SYNTAX, Position(file, line, column), what, _NOT_TEXT))


def _too_big(size: int, file: str) -> PlacedFinding:
    return PlacedFinding.of(TOO_BIG, Position(file, 1), f"too big: {size} octets", _TOO_BIG)


class _Reader:
    """Turns nodes into plain values, aliases written out, within the same bounds as the nodes themselves."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self.found: list[PlacedFinding] = []
        self._file = file
        self._spent = 0

    def plain(self, node: Node, path: Path, depth: int) -> Any:
        """The plain value; its lines are noted."""
        self._spend(node.line, depth)
        self.lines.setdefault(path, node.line)
        if isinstance(node, ScalarNode):
            return node.value
        if isinstance(node, ListNode):
            return [self._item(item, (*path, number), depth) for number, item in enumerate(node.items)]
        result = {}
        for key, value in self._merged(node, depth):
            if key.text not in result:
                self.lines[(*path, key.text)] = key.line
                result[key.text] = self.plain(value, (*path, key.text), depth + 1)
        return result

    def _item(self, node: Node, path: Path, depth: int) -> Any:
        self.lines[path] = node.line
        return self.plain(node, path, depth + 1)

    def _merged(self, node: MapNode, depth: int) -> Iterator[tuple[ScalarNode, Node]]:
        """Own pairs first, then those of ``<<`` in their order; of pairs with one key, the first counts."""
        seen: dict[str, ScalarNode] = {}
        merges = []
        for key, value in node.pairs:
            self._spend(node.line, depth)
            if not isinstance(key, ScalarNode):
                self._fault(key.line, "a key that is a list or a mapping", "write a word and a colon")
            elif key.is_merge:
                merges.append((key, value))
            elif key.text in seen:
                what = f"the key {quoted(key.text)} is there twice, first on line {seen[key.text].line}"
                self._fault(key.line, what, "keep one of them")
            else:
                seen[key.text] = key
                yield key, value
        for key, value in merges:
            yield from self._inherited(key, value, depth)

    def _inherited(self, key: ScalarNode, value: Node, depth: int) -> Iterator[tuple[ScalarNode, Node]]:
        for source in value.items if isinstance(value, ListNode) else (value,):
            self._spend(key.line, depth + 1)
            if isinstance(source, MapNode):
                yield from self._merged(source, depth + 1)
            else:
                self._fault(key.line, "<< takes a mapping, or a list of mappings", "write <<: *NAME of a mapping")

    def _spend(self, line: int, depth: int) -> None:
        self._spent += 1
        if self._spent > 2 * MAX_NODES:
            remedy = "aliases make the file much bigger than it looks; write it with each and ranges of VFs"
            what = f"more than {MAX_NODES} values with all aliases"
            raise Refused(PlacedFinding.of(TOO_BIG, Position(self._file, line), what, remedy))
        if depth > MAX_DEPTH:
            what = f"nested more than {MAX_DEPTH} deep with all aliases"
            raise Refused(PlacedFinding.of(TOO_BIG, Position(self._file, line), what, "a host spec needs six levels"))

    def _fault(self, line: int, what: str, remedy: str) -> None:
        self.found.append(PlacedFinding.of(KEY, Position(self._file, line), what, remedy))
