"""Every folder under tests/golden/captures and captures_errors is one case: an input and what is expected of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from virtfn.captures.to_inventory import parse
from virtfn.errors import SpecError
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import NOT_CAPTURED, Inventory, Unknown

GOLDEN = Path(__file__).parents[2] / "golden"
READ = sorted((GOLDEN / "captures").iterdir())
REFUSED = sorted((GOLDEN / "captures_errors").iterdir())


def plain(value: Any) -> Any:
    """A model value as plain JSON. A fact that is not in the capture is left out, any other Unknown says its reason."""
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if isinstance(value, MacAddress):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        facts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(fact) for name, fact in facts.items() if fact != NOT_CAPTURED}
    return value


def text_of(case: Path) -> str:
    return next(case.glob("input.*")).read_bytes().decode()


def expected_of(case: Path) -> Any:
    return json.loads((case / "expected.json").read_text())


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_capture_is_read_as_expected(case: Path) -> None:
    read: Inventory = parse(text_of(case), where=case.name)
    assert plain(read) == expected_of(case)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_unreadable_capture_says_where_and_why(case: Path) -> None:
    expected = expected_of(case)
    with pytest.raises(SpecError) as caught:
        parse(text_of(case), where="capture.txt")
    assert caught.value.where == f"capture.txt:{expected['line']}"
    assert [part for part in expected["message_has"] if part not in caught.value.message] == []
    assert len(caught.value.findings) == expected["problems"]
    assert caught.value.hint


def test_every_case_has_an_input_and_an_expectation() -> None:
    assert [case.name for case in (*READ, *REFUSED) if len(list(case.iterdir())) != 2] == []
