import stat
from pathlib import Path

import pytest
from tests.unit.cloud.entries import write_clouds_yaml

from virtfn.app import App, Settings
from virtfn.engine.transaction import never_cancelled

pytest.importorskip("openstack")


def test_each_cloud_has_a_journal_that_others_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(tmp_path / "state")
    write_clouds_yaml(tmp_path, monkeypatch, {"my/cloud": "admin"})
    clouds = App(settings).clouds("my/cloud", lambda _text: None, never_cancelled)
    assert not clouds._unfinished("note")
    assert not settings.state.exists(), "nothing is written by looking"
    with clouds._journal.lock():
        (state,) = (settings.state / "cloud").iterdir()
    assert state.name.startswith("my%2Fcloud,admin,keystone.invalid%3A5000,")
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
