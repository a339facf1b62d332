import stat
from pathlib import Path

import pytest

from virtfn.app import App, Settings
from virtfn.services.transaction import never_cancelled

pytest.importorskip("openstack")


def test_each_cloud_has_a_journal_that_others_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    clouds = App(Settings(tmp_path)).clouds("my/cloud", lambda _text: None, never_cancelled)
    assert not clouds.has_unfinished()
    assert list(tmp_path.iterdir()) == [], "nothing is written by looking"
    with clouds._journal.lock():
        (state,) = (tmp_path / "cloud").iterdir()
    assert state.name == "my%2Fcloud"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
