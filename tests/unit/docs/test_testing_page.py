"""docs/reference/testing.md names every public fake, and its examples run."""

import re
from typing import Any

from tests.unit.docs.generated import ROOT

import virtfn.testing

TEXT = (ROOT / "docs/reference/testing.md").read_text(encoding="utf-8")


def test_every_public_fake_is_described() -> None:
    assert set(virtfn.testing.__all__) == set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))


def test_the_examples_run() -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(block, "testing.md", "exec"), names)
    assert names["found"].receivers
