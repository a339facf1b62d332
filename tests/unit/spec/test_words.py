"""Unquoted words, VF selections, and the text that is written for a value."""

import pytest

from virtfn.spec.selection import Selection
from virtfn.spec.yaml_scalars import Scalar, resolved, written


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("Null", None),
        ("TRUE", True),
        ("false", False),
        ("yes", "yes"),
        ("off", "off"),
        ("0", 0),
        ("-12", -12),
        ("010", 10),
        ("0o10", 8),
        ("0x2328", 9000),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        (".", "."),
        ("1_000", "1_000"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("0000:01:00.0", "0000:01:00.0"),
        ("8086:1572", "8086:1572"),
        ("802.1ad", "802.1ad"),
        ("2001-01-01", "2001-01-01"),
        ("9" * 31, "9" * 31),
    ],
)
def test_an_unquoted_word_means_what_yaml_1_2_says(word: str, value: Scalar) -> None:
    assert resolved(word) == value
    assert type(resolved(word)) is type(value)


@pytest.mark.parametrize("word", ["vfio-pci", "igb", "802.1ad", "p2p1", "4xxx", "host/1"])
def test_a_harmless_word_is_written_without_quotes(word: str) -> None:
    assert written(word) == word


@pytest.mark.parametrize(
    "word", ["true", "1e3", "10", "", "null", "on", "No", "y", "a b", "a: b", "#", "0000:01:00.0", "-"]
)
def test_a_word_that_could_be_taken_for_something_else_is_quoted(word: str) -> None:
    assert written(word) == f'"{word}"'


@pytest.mark.parametrize(
    ("text", "indexes"),
    [("2", (2,)), ("0-3", (0, 1, 2, 3)), ("0-1,6", (0, 1, 6)), ("6, 0-1", (0, 1, 6)), ("007", (7,)), ("3-3", (3,))],
)
def test_a_selection_names_vfs(text: str, indexes: tuple[int, ...]) -> None:
    selection = Selection.parse(text)
    assert selection.indexes == indexes
    assert len(selection) == len(indexes)
    assert selection.last == indexes[-1]


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "3-1", "0-3,2", "1,1", "65535", "1.5", "1,,2", "1 - 2", "٣", "2\n"]
)
def test_what_is_no_selection_says_why(text: str) -> None:
    with pytest.raises(ValueError, match="; "):
        Selection.parse(text)


def test_a_selection_is_written_in_the_shortest_way() -> None:
    assert str(Selection.of([6, 0, 2, 1, 8])) == "0-2,6,8"
