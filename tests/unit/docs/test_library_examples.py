"""The examples of docs/how-to/use-the-library.md, run in their order on the fakes."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cloud.entries import write_clouds_yaml
from tests.unit.docs.generated import ROOT
from tests.unit.services.rig import Rig

import virtfn.cloud.openstack
from virtfn.api import Host
from virtfn.app import App
from virtfn.model.transaction import Status
from virtfn.testing import FakeCloud

TEXT = (ROOT / "docs/how-to/use-the-library.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_examples_run_and_what_they_do_can_be_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig, cloud = Rig(tmp_path / "state"), FakeCloud()
    before = rig.host.observe()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(rig.state))
    monkeypatch.setattr(App, "host", lambda _app: rig.host)
    monkeypatch.setattr(App, "journal", lambda *_: rig.journal)
    monkeypatch.setattr(App, "mirrors", lambda *_, **__: rig.mirrors)
    monkeypatch.setattr(virtfn.cloud.openstack, "OpenStackCloud", lambda *_, **__: cloud)
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "admin"})
    for block in _blocks("yaml"):
        Path(block.splitlines()[0].removeprefix("# ")).write_text(block)
    names: dict[str, Any] = {}
    for block in _blocks("python"):
        exec(compile(block, "use-the-library.md", "exec"), names)
    with Host.local() as host:
        host.rollback(names["done"].id)
    assert rig.host.observe() == before
    assert cloud.everything() == ()
    assert {entry.status for entry in rig.journal.all()} == {Status.ROLLED_BACK}
