"""In which order VFs get their MACs."""

from virtfn.model.fields import NO_MAC
from virtfn.planning.host.mac_order import Move, Turns, take_turns


def test_vfs_that_do_not_wait_keep_their_order() -> None:
    moves = {"a": Move("1", "2"), "b": Move(NO_MAC, "3"), "c": Move("4", None)}
    assert take_turns(moves) == Turns(("a", "b", "c"), ())


def test_one_that_gives_its_mac_up_goes_first() -> None:
    assert take_turns({"a": Move("1", "2"), "b": Move("2", "3")}) == Turns(("b", "a"), ())


def test_two_that_swap_are_undone_by_parking_one() -> None:
    assert take_turns({"a": Move("1", "2"), "b": Move("2", "1")}) == Turns(("b", "a"), ("a",))


def test_each_ring_parks_one() -> None:
    moves = {"a": Move("1", "2"), "b": Move("2", "1"), "c": Move("3", "4"), "d": Move("4", "3")}
    assert take_turns(moves).parked == ("a", "c")


def test_a_mac_that_nobody_gives_up_is_not_waited_for() -> None:
    assert take_turns({"a": Move("1", "2"), "b": Move("2", None)}) == Turns(("a", "b"), ())


def test_taking_a_mac_away_waits_for_nobody() -> None:
    assert take_turns({"a": Move("1", NO_MAC), "b": Move(NO_MAC, "1")}) == Turns(("a", "b"), ())


def test_twins_that_part_do_not_wait_for_each_other() -> None:
    assert take_turns({"a": Move("1", "2"), "b": Move("1", "3")}) == Turns(("a", "b"), ())
