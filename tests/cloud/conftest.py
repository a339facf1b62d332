"""An operator on the session's cloud (the fixtures ``cloud`` and ``connection`` are in tests/conftest.py)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.operating import Operator, furnished, sweep

if TYPE_CHECKING:
    from openstack.connection import Connection


@pytest.fixture
def operator(
    cloud: ControlPlane, connection: "Connection", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operator]:
    """With an image and a flavor in the cloud. Whatever the test leaves there is deleted."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    one = Operator(connection, tmp_path)
    before = one.everything()
    with furnished(connection):
        try:
            yield one
        finally:
            sweep(connection, before)
