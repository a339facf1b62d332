"""What every store of declared mirrors keeps: the file below the state folder, and the one in memory."""

from pathlib import Path

import pytest

from virtfn.model.addresses import VfRef
from virtfn.model.mirror import DeclaredMirror, MirrorSpec
from virtfn.model.probe import Direction
from virtfn.services.interfaces import MirrorStore
from virtfn.store.mirrors import FileMirrorStore
from virtfn.testing import MemoryMirrorStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MirrorStore:
    return FileMirrorStore(tmp_path / "state") if request.param == "file" else MemoryMirrorStore()


def mirror(id: int, copy: int = 2, transaction: int = 7) -> DeclaredMirror:
    pf = "0000:01:00.0"
    spec = MirrorSpec(id, VfRef(pf, 3), VfRef(pf, copy), tuple(Direction), "twin-mac")
    return DeclaredMirror(spec, transaction)


def test_a_new_store_is_empty(store: MirrorStore) -> None:
    assert (store.all(), store.next_id()) == ((), 1)


def test_what_is_put_in_is_read_back_by_id(store: MirrorStore) -> None:
    store.put(mirror(2, copy=1))
    store.put(mirror(1))
    assert store.all() == (mirror(1), mirror(2, copy=1))


def test_a_mirror_is_replaced_by_its_id(store: MirrorStore) -> None:
    store.put(mirror(1))
    store.put(mirror(1, transaction=8))
    assert store.all() == (mirror(1, transaction=8),)


def test_an_id_is_never_given_twice(store: MirrorStore) -> None:
    store.put(mirror(1))
    store.remove(1)
    assert (store.all(), store.next_id()) == ((), 2)


def test_to_remove_what_is_not_there_is_nothing(store: MirrorStore) -> None:
    store.remove(7)
    assert store.all() == ()
