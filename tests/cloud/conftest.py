"""An operator on the session's cloud (the fixtures ``cloud`` and ``connection`` are in tests/conftest.py)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.control_plane.places import PASSWORD
from tests.cloud.mistaken import MEMBER, THEIRS, Mistaken, entry, provider_network
from tests.cloud.operating import IMAGE, Operator, furnished, sweep

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


@pytest.fixture
def mistaken(operator: Operator, capsys: pytest.CaptureFixture[str]) -> Mistaken:
    return Mistaken(operator, capsys)


@pytest.fixture
def theirs(operator: Operator, connection: "Connection") -> str:
    """The id of a network on physnet1 that everybody may use, and that is not ours; with what a member boots."""
    sdk: Any = connection
    return str(provider_network(sdk, THEIRS, "physnet1", is_shared=True).id)


@pytest.fixture
def member(
    operator: Operator, connection: "Connection", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An ordinary member of a project of their own: their entry in clouds.yaml, beside the administrator's."""
    sdk: Any = connection
    project = sdk.identity.create_project(name=MEMBER, domain_id="default")
    user = sdk.identity.create_user(name=MEMBER, password=PASSWORD, domain_id="default")
    sdk.identity.assign_project_role_to_user(project, user, sdk.identity.find_role("member"))
    image = sdk.image.find_image(IMAGE)
    sdk.image.update_image(image, visibility="public")
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(json.dumps({"clouds": {MEMBER: entry(MEMBER), CLOUD: entry("admin")}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    yield MEMBER
    sdk.identity.delete_user(user)
    sdk.identity.delete_project(project)


@pytest.fixture
def flavors(operator: Operator, connection: "Connection") -> Iterator[None]:
    """One with a disk, as a member may boot no other, and one with more disk than the host has."""
    sdk: Any = connection
    made = [
        sdk.compute.create_flavor(name=name, ram=64, vcpus=1, disk=disk) for name, disk in (("disk", 1), ("vast", 9999))
    ]
    yield
    for one in made:
        sdk.compute.delete_flavor(one)
