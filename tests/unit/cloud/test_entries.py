"""What is said where clouds.yaml has not what a person means."""

from pathlib import Path

import pytest
from tests.unit.cloud.entries import write_clouds_yaml

from virtfn.errors import CloudUnreachable

pytest.importorskip("openstack")

from virtfn.cloud.connection import account, connect


def said(cloud: str | None) -> str:
    with pytest.raises(CloudUnreachable) as refused:
        connect(cloud)
    with pytest.raises(CloudUnreachable):
        account(cloud)
    return f"{refused.value}; {refused.value.hint}"


def test_an_entry_that_is_not_there_names_those_that_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "nfv", "prod": "nfv"})
    assert said("lib") == f"cloud lib: {tmp_path}/clouds.yaml has no such entry; there is: lab, prod"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"clouds:\n  lab: {\n", ":3: not YAML"),
        (b"\xff\xfe\x00", " is not text in YAML"),
        (b"", " has no clouds: with an entry each"),
        (b"lab: {auth: {}}\n", " has no clouds: with an entry each"),
    ],
)
def test_a_file_that_the_sdk_passes_over_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, fault: str
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_bytes(text)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    assert f"cloud lab: {path}{fault}" in said("lab")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "nothing.yaml"))
    assert said("lab") == f"cloud lab: there is no clouds.yaml; OS_CLIENT_CONFIG_FILE names {tmp_path}/nothing.yaml"


def test_no_cloud_at_all_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_PROJECT_NAME", "OS_USERNAME", "OS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    assert "no cloud is named; name an entry of clouds.yaml, or export OS_CLOUD=NAME" in said(None)
