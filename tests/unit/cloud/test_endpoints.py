"""A cloud that cannot be used: no stack trace, the exit code that says whose fault it is, and what to do.

By real HTTP on loopback and the real SDK.
"""

import json
import socket
import threading
from pathlib import Path

import pytest
from tests.unit.cloud.rig import FIELD_NOTE
from tests.unit.cloud.stub import Answer, Stub, serving, write_clouds_yaml

from virtfn.cli.main import main
from virtfn.cloud.connection import connect
from virtfn.errors import ExitCode

pytest.importorskip("openstack")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

PROXY_PAGE = "<html><body><h1>503 Service Unavailable</h1>No server is available.</body></html>"


class Command:
    """``virtfn cloud plan`` against what a test serves."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.clouds = folder / "clouds.yaml"
        self._spec = folder / "cloud.yaml"
        self._spec.write_text(FIELD_NOTE)
        self._capsys = capsys

    def plan(self, cloud: str = "stub") -> tuple[int, str]:
        """The exit code, and what was said on stderr."""
        code = main(["cloud", "plan", "-f", str(self._spec), "--os-cloud", cloud, "-q"])
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err
        assert "fault of virtfn itself" not in said.err
        return code, said.err


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    made = Command(tmp_path, capsys)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(made.clouds))
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    return made


def test_an_unknown_name_names_it(command: Command) -> None:
    write_clouds_yaml(command.clouds, "http://127.0.0.1:1/v3")
    code, said = command.plan("no-such-cloud")
    assert code == ExitCode.UNREACHABLE
    assert "no-such-cloud" in said
    assert "clouds.yaml" in said


@pytest.mark.parametrize("text", ["clouds: [a, b\n", "clouds:\n  stub: just a word\n", "a word\n", ""])
def test_a_clouds_yaml_that_cannot_be_read_is_said(command: Command, text: str) -> None:
    command.clouds.write_text(text)
    code, said = command.plan()
    assert code == ExitCode.UNREACHABLE
    assert "clouds.yaml" in said


def test_credentials_that_are_missing_are_said(command: Command) -> None:
    command.clouds.write_text('{"clouds": {"stub": {"auth": {"auth_url": "http://127.0.0.1:1/v3"}}}}')
    code, said = command.plan()
    assert code == ExitCode.UNREACHABLE
    assert "check clouds.yaml" in said


def test_nobody_at_the_address_is_unreachable(command: Command) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        write_clouds_yaml(command.clouds, f"http://127.0.0.1:{held.getsockname()[1]}/v3")
        code, said = command.plan()
    assert code == ExitCode.UNREACHABLE
    assert "check that the cloud is up, and that its address in clouds.yaml is right" in said


def test_no_answer_in_time_is_unreachable(command: Command) -> None:
    with serving(Stub(hang=threading.Event())) as stub:
        write_clouds_yaml(command.clouds, f"{stub.url}/v3", api_timeout=0.2)
        code, _ = command.plan()
    assert code == ExitCode.UNREACHABLE


def test_an_answer_is_not_waited_for_for_ever(command: Command) -> None:
    write_clouds_yaml(command.clouds, "http://127.0.0.1:1/v3")
    assert connect("stub").session.timeout == 120
    write_clouds_yaml(command.clouds, "http://127.0.0.1:1/v3", api_timeout=7)
    assert connect("stub").session.timeout == 7


def test_a_proxy_with_no_keystone_behind_it_is_unreachable(command: Command) -> None:
    with serving(Stub(lambda _method, _path: (503, PROXY_PAGE))) as stub:
        write_clouds_yaml(command.clouds, f"{stub.url}/v3")
        code, _ = command.plan()
    assert code == ExitCode.UNREACHABLE


def test_a_token_that_is_refused_is_about_permission(command: Command) -> None:
    def refuse(_method: str, path: str) -> Answer | None:
        word = '{"error": {"code": 401, "message": "The request you have made requires authentication."}}'
        return (401, word) if path.endswith("/auth/tokens") else None

    with serving(Stub(refuse)) as stub:
        write_clouds_yaml(command.clouds, f"{stub.url}/v3")
        code, said = command.plan()
    assert code == ExitCode.NO_PERMISSION
    assert "check the credentials in clouds.yaml" in said


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, '{"error": {"message": "Unauthorized"}}'), ExitCode.NO_PERMISSION),
        ((403, '{"NeutronError": {"message": "no", "type": "x", "detail": ""}}'), ExitCode.NO_PERMISSION),
        ((500, '{"NeutronError": {"message": "Request Failed", "type": "x", "detail": ""}}'), ExitCode.FAILED),
        ((502, PROXY_PAGE), ExitCode.UNREACHABLE),
        ((503, PROXY_PAGE), ExitCode.UNREACHABLE),
        ((504, PROXY_PAGE), ExitCode.UNREACHABLE),
        ((200, "no JSON at all"), ExitCode.UNREACHABLE),
    ],
)
def test_what_neutron_answers_decides_the_exit_code(command: Command, answer: Answer, code: ExitCode) -> None:
    with serving(Stub(lambda _method, path: answer if path.startswith("/network/v2.0/networks") else None)) as stub:
        write_clouds_yaml(command.clouds, f"{stub.url}/v3")
        assert command.plan()[0] == code


def test_a_service_that_fails_in_preflight_is_said_and_hides_nothing_else(command: Command) -> None:
    def broken(_method: str, path: str) -> Answer | None:
        return (500, '{"errors": []}') if path.startswith("/placement/") else None

    with serving(Stub(broken)) as stub:
        write_clouds_yaml(command.clouds, f"{stub.url}/v3")
        code, said = command.plan()
    assert code == ExitCode.BAD_SPEC, "the stub has no image and no flavor, and that is said"
    assert "there is no image cirros (there is: none)" in said


def test_without_a_network_service_it_is_said(command: Command) -> None:
    def no_catalog(_method: str, path: str) -> Answer | None:
        if not path.endswith("/auth/tokens"):
            return None
        return 201, json.dumps({"token": {**stub.token(), "catalog": []}})

    stub = Stub(no_catalog)
    with serving(stub):
        write_clouds_yaml(command.clouds, f"{stub.url}/v3")
        code, _ = command.plan()
    assert code == ExitCode.UNREACHABLE
