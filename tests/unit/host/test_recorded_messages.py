"""Answers to RTM_GETLINK as real drivers gave them (tests/golden/netlink/<case>/message.hex), decoded."""

import json
from pathlib import Path

import pytest

from virtfn.host.vfinfo import decode_link
from virtfn.model.plain import encode

CASES = sorted((Path(__file__).parents[2] / "golden/netlink").glob("*/message.hex"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.parent.name))
def test_a_recorded_answer_is_read_as_it_was(case: Path) -> None:
    unknown: dict[str, str] = {}
    link = encode(decode_link(bytes.fromhex(case.read_text())), unknown=unknown)
    reasons = {path: why for path, why in unknown.items() if why != "not in the captured text"}
    assert {"link": link, "unknown": reasons} == json.loads((case.parent / "link.json").read_text())


def test_there_are_recorded_answers() -> None:
    assert CASES
