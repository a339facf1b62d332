import json
import stat
from pathlib import Path

import pytest

from virtfn.errors import SpecError
from virtfn.model.addresses import VfRef
from virtfn.model.mirror import DeclaredMirror, MirrorSpec
from virtfn.store.mirrors import FileMirrorStore

ONE = DeclaredMirror(MirrorSpec(1, VfRef("0000:01:00.0", 3), VfRef("0000:01:00.0", 2)), 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    FileMirrorStore(tmp_path).put(ONE)
    return tmp_path / "store" / "mirrors.json"


def test_another_process_reads_what_was_put_in(file: Path) -> None:
    assert FileMirrorStore(file.parents[1]).all() == (ONE,)


def test_only_its_owner_reads_it_also_where_it_was_open_before(file: Path) -> None:
    file.chmod(0o644)
    file.parent.chmod(0o755)
    FileMirrorStore(file.parents[1]).put(ONE)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]


def test_a_draft_that_a_crash_left_does_not_count(file: Path) -> None:
    (file.parent / ".mirrors.json.new").write_text("{")
    store = FileMirrorStore(file.parents[1])
    assert store.all() == (ONE,)
    store.remove(1)
    assert store.all() == ()


@pytest.mark.parametrize("change", ["format", "key of the file", "key of a mirror", "value", "not JSON"])
def test_what_is_not_known_is_refused_and_named(file: Path, change: str) -> None:
    document = json.loads(file.read_text())
    match change:
        case "format":
            document["format"] = 2
        case "key of the file":
            document["more"] = 1
        case "key of a mirror":
            document["mirrors"][0]["spec"]["more"] = 1
        case "value":
            document["mirrors"][0]["spec"]["source"] = "p2p1"
    file.write_text("{" if change == "not JSON" else json.dumps(document))
    with pytest.raises(SpecError, match="declared mirrors cannot be read") as caught:
        FileMirrorStore(file.parents[1]).all()
    assert caught.value.where == str(file)
