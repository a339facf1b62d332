"""What a spec hands to its servers as user data is in no view, unless it is asked for."""

import base64
import io
import json
import string
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.unit.cloud.rig import FIELD_NOTE, Rig

from virtfn.app import App
from virtfn.cli.main import main

MARKER = "hunter2-MARKER"
around = st.text(string.ascii_letters + string.digits + " \n\t'\"$`\\|;%{}:#é", max_size=30)
FORMATS: tuple[list[str], ...] = ([], ["--explain"], ["-o", "wide"], ["-o", "json"], ["-o", "yaml"])


def said(words: list[str], rig: Rig) -> str:
    """What a command prints on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(App, "clouds", lambda *_, **__: rig.clouds)
        patch.setattr(App, "cloud_records", lambda *_, **__: rig.records)
        main(words)
    return out.getvalue() + err.getvalue() + "".join(rig.told)


def spec_with(user_data: str, folder: str) -> str:
    path = Path(folder) / "cloud.yaml"
    text = FIELD_NOTE.replace("    flavor:", f"    user_data: {json.dumps(user_data)}\n    flavor:")
    path.write_text(text, encoding="utf-8")
    return str(path)


def views(rig: Rig, spec: str) -> list[list[str]]:
    """Every command that shows a plan or a transaction, in the order of a life: nothing, failed, made, deleted."""
    documents = [*FORMATS[:1], *FORMATS[2:]]
    return [
        *(["cloud", "plan", "-f", spec, *how] for how in FORMATS),
        *(["cloud", "up", "-f", spec, "--dry-run", *how] for how in FORMATS),
        ["cloud", "up", "-f", spec, "--yes", "--explain"],
        *(["cloud", "show", "-f", spec, *how] for how in documents),
        *(["journal", "show", "1", "--cloud", *how] for how in FORMATS),
        *(["journal", "ls", "--cloud", *how] for how in documents),
        ["cloud", "down", "-f", spec, "--dry-run", "-o", "json"],
        ["rollback", "--cloud", "--yes"],
        ["cloud", "up", "-f", spec, "--yes", "-o", "json"],
        ["cloud", "down", "-f", spec, "--yes", "--explain"],
    ]


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(around, around)
def test_user_data_is_in_no_view(before: str, after: str) -> None:
    user_data = before + MARKER + after
    rig = Rig()
    with TemporaryDirectory() as folder:
        spec = spec_with(user_data, folder)
        for words in views(rig, spec):
            shown = said(words, rig)
            assert MARKER not in shown, words
            assert base64.b64encode(user_data.encode()).decode() not in shown, words


def test_user_data_is_in_no_view_of_a_run_that_failed(tmp_path: Path) -> None:
    rig = Rig()
    rig.cloud.rules.vfs.clear()
    spec = spec_with(MARKER, str(tmp_path))
    for words in (
        ["cloud", "up", "-f", spec, "--yes", "-o", "json"],
        ["journal", "show", "1", "--cloud", "-o", "json"],
    ):
        assert MARKER not in said(words, rig)


@pytest.mark.parametrize("how", [["--explain"], ["-o", "json"], ["-o", "yaml"]])
def test_show_secrets_shows_it(how: list[str], tmp_path: Path) -> None:
    rig = Rig()
    spec = spec_with(MARKER, str(tmp_path))
    assert MARKER in said(["cloud", "plan", "-f", spec, "--show-secrets", *how], rig)
    said(["cloud", "up", "-f", spec, "--yes"], rig)
    assert MARKER in said(["journal", "show", "1", "--cloud", "--show-secrets", *how], rig)
