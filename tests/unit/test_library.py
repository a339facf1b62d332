"""The library: what it exports, and a host without SR-IOV."""

import inspect
import typing
from pathlib import Path

import pytest
from tests.unit.api_types import reachable
from tests.unit.docs.generated import public_methods

import virtfn.api
from virtfn.api import Cloud, Host, Mirrors
from virtfn.errors import SpecError, UsageError

EXPORTED = [getattr(virtfn.api, name) for name in virtfn.api.__all__]


def test_every_type_that_its_methods_take_or_give_is_exported() -> None:
    assert sorted(one.__qualname__ for one in reachable() if one not in EXPORTED) == []


def test_nothing_else_is_exported() -> None:
    kinds = [one for one in EXPORTED if isinstance(one, type)]
    assert sorted(one.__qualname__ for one in kinds if one not in reachable()) == []


def test_names_are_exported_in_order() -> None:
    assert virtfn.api.__all__ == sorted(virtfn.api.__all__)


@pytest.mark.parametrize("kind", [Host, Cloud, Mirrors])
def test_every_public_method_is_annotated_and_says_what_it_does(kind: type) -> None:
    for name, function in public_methods(kind):
        hints = typing.get_type_hints(function)
        assert "return" in hints, name
        assert set(inspect.signature(function).parameters) <= {"self", "cls", *hints}, name
        assert inspect.getdoc(function), name


def test_a_host_without_sr_iov_is_an_empty_inventory_and_a_spec_for_it_is_refused(tmp_path: Path) -> None:
    with Host.local(state=tmp_path / "state") as host:
        if host.inventory().pfs:
            pytest.skip("this machine has SR-IOV devices of its own")
        assert host.transactions() == ()
        with pytest.raises(SpecError, match="No PF matches name=p2p1: no SR-IOV devices found"):
            host.plan("virtfn: host/1\npfs:\n  - match: {name: p2p1}\n    num_vfs: 4\n")
        with pytest.raises(SpecError, match="cannot be read"):
            host.plan(tmp_path / "nothing.yaml")
        with pytest.raises(UsageError):
            host.rollback()
    with Mirrors.local(state=tmp_path / "state") as mirrors:
        assert mirrors.ls() == ()
    assert not (tmp_path / "state/journal").exists()


def test_a_saved_plan_is_read_with_the_findings_of_now(tmp_path: Path) -> None:
    with Host.local(state=tmp_path / "state") as host:
        if host.inventory().pfs:
            pytest.skip("this machine has SR-IOV devices of its own")
        nothing = host.plan("virtfn: host/1\npfs: []\n")
        host.save_plan(nothing, tmp_path / "host.plan")
        assert host.load_plan(tmp_path / "host.plan") == nothing
        assert host.apply(nothing).id is None
