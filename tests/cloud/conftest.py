"""The real OpenStack of the tests marked ``cloud``: one for the whole session.

These tests are not part of ``make test`` yet: only ``--cloud`` collects them, which ``make test-cloud`` gives.
A start takes a minute or two. Once the cloud commands are complete the rule below goes, and they run with all others.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.configs import CLOUD

from virtfn.errors import VirtfnError

if TYPE_CHECKING:
    from openstack.connection import Connection


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cloud", action="store_true", help="run the tests that need a real OpenStack control plane")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--cloud", default=False):
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("cloud")])
    items[:] = [item for item in items if not item.get_closest_marker("cloud")]


@pytest.fixture(scope="session")
def cloud() -> Iterator[ControlPlane]:
    """A running control plane. ``VIRTFN_TEST_CLOUD`` names the folder of one that is up, which then stays up."""
    running = os.environ.get("VIRTFN_TEST_CLOUD")
    plane = ControlPlane(Path(running) if running else None, lambda text: print(text, file=sys.stderr))
    if running:
        assert plane.running(), f"VIRTFN_TEST_CLOUD: nothing is up in {running}"
        yield plane
        return
    try:
        plane.start(owner=os.getpid())
    except VirtfnError as failed:
        pytest.fail(f"{failed}; {failed.hint}")
    yield plane
    plane.stop()


@pytest.fixture(scope="session")
def connection(cloud: ControlPlane) -> "Iterator[Connection]":
    """The administrator's connection by OpenStack's own SDK, from ``clouds.yaml`` alone."""
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    region = OpenStackConfig(config_files=[str(cloud.clouds_yaml())], load_envvars=False).get_one(cloud=CLOUD)
    with Connection(config=region) as made:
        yield made
