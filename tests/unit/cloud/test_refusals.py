"""What the SDK raises leaves as an error of ours, with the exit code that tells whose fault it is."""

import importlib.util

import pytest

from virtfn.cloud.connection import connect
from virtfn.cloud.refusals import refusals
from virtfn.errors import BackendUnreachable, CloudDenied, CloudError, CloudUnreachable, ExitCode, VirtfnError

pytest.importorskip("openstack")
pytestmark = pytest.mark.filterwarnings("ignore:The 'http_status' parameter")


def leaves(fault: Exception) -> VirtfnError:
    with pytest.raises(VirtfnError) as caught, refusals("network flat"):
        raise fault
    assert caught.value.where == "network flat"
    return caught.value


def test_a_refusal_has_the_services_own_word() -> None:
    from openstack.exceptions import ConflictException

    word = "Unable to create the flat network. Physical network physnet1 is in use."
    error = leaves(ConflictException(message="ConflictException", details=word, http_status=409))
    assert type(error) is CloudError
    assert (error.message, error.status, error.exit_code) == (word, 409, ExitCode.FAILED)


def test_policy_and_credentials_are_about_permission() -> None:
    from keystoneauth1.exceptions import Unauthorized
    from openstack.exceptions import ForbiddenException

    denied = [leaves(ForbiddenException(http_status=403)), leaves(Unauthorized())]
    assert [type(error) for error in denied] == [CloudDenied, CloudDenied]
    assert {error.exit_code for error in denied} == {ExitCode.NO_PERMISSION}
    assert all(error.hint for error in denied)


def test_a_cloud_that_does_not_answer_is_unreachable() -> None:
    from keystoneauth1.exceptions import ConnectFailure, ConnectTimeout
    from openstack.exceptions import HttpException, ResourceTimeout

    faults = (ConnectFailure("no"), ConnectTimeout("no"), ResourceTimeout("no"), HttpException(http_status=504))
    for fault in faults:
        error = leaves(fault)
        assert isinstance(error, CloudUnreachable)
        assert error.exit_code is ExitCode.UNREACHABLE


def test_an_unknown_cloud_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nonexistent/clouds.yaml")
    with pytest.raises(CloudUnreachable, match="no-such-cloud"):
        connect("no-such-cloud")


def test_without_the_sdk_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendUnreachable) as caught:
        connect(None)
    assert "virtfn[cloud]" in caught.value.hint
