from pathlib import Path

import pytest

from virtfn.api import Host, Mirrors
from virtfn.errors import SpecError, UsageError


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
    assert not (tmp_path / "state/store").exists()
