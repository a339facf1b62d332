"""Lines and tables as they leave: where they break, what is styled, how wide a cell is."""

from io import StringIO

import pytest

from virtfn.cli.console import Console, Table


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    return Terminal()


def table(*rows: tuple[str, ...]) -> Table:
    found = Table("NAME", "WHAT")
    for row in rows:
        found.add_row(*row)
    return found


def test_parts_keep_their_styles_where_a_line_is_broken(terminal: Terminal) -> None:
    Console(terminal).print(("  + ", "green"), "one two three", (" four five", "bold red"))
    assert terminal.getvalue() == "  \x1b[32m+ \x1b[0mone two three\n    \x1b[1;31mfour five\x1b[0m\n"


def test_each_line_of_a_text_is_broken_for_itself(terminal: Terminal) -> None:
    Console(terminal).print("first line of text\n  second line of text", style="dim")
    assert terminal.getvalue().count("\x1b[2m") == 3


def test_parts_without_a_style_have_the_lines_style(terminal: Terminal) -> None:
    Console(terminal).print("a", ("b", "red"), style="dim")
    assert terminal.getvalue() == "\x1b[2ma\x1b[0m\x1b[31mb\x1b[0m\n"


def test_forced_colours_are_in_a_pipe_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = StringIO()
    Console(out).print("a", style="bold")
    assert out.getvalue() == "\x1b[1ma\x1b[0m\n"


def test_a_table_is_whole_on_a_narrow_terminal(terminal: Terminal) -> None:
    Console(terminal).print_table(table(("a name", "a text that is longer than twenty columns")))
    assert len(terminal.getvalue().splitlines()) == 2


def test_nothing_follows_the_last_cell_that_is_not_empty() -> None:
    out = StringIO()
    Console(out).print_table(table(("longer name", ""), ("b", "c")))
    assert out.getvalue().splitlines() == ["NAME         WHAT", "longer name", "b            c"]


def test_wide_letters_take_two_columns_and_combining_ones_none() -> None:
    out = StringIO()
    Console(out).print_table(table(("網路", "a"), ("e\u0301", "b")))
    assert out.getvalue().splitlines() == ["NAME  WHAT", "網路  a", "e\u0301     b"]


def test_control_characters_of_names_do_not_reach_the_terminal(terminal: Terminal) -> None:
    Console(terminal).print_table(table(("a\x1b[31mb\x9b\n", "c")))
    assert terminal.getvalue().splitlines()[1].split() == ["a[31mb", "c"]
