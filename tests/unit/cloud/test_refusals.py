"""What the SDK raises leaves as an error of ours, with the exit code that tells whose fault it is."""

import importlib.util

import pytest

from virtfn.cloud.connection import connect
from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import BackendUnreachable, CloudDenied, CloudError, CloudUnreachable, ExitCode, VirtfnError
from virtfn.planning.cloud.api_errors import NO_PROJECT_NETWORKS, QUOTA_EXCEEDED

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


def test_what_a_service_repeats_of_the_request_is_without_its_secrets() -> None:
    from keystoneauth1.exceptions import ConnectFailure
    from openstack.exceptions import BadRequestException

    word = "Invalid input for field/attribute user_data. Value: aHVudGVyMg==."
    with pytest.raises(CloudError) as caught, refusals("server vm", ["aHVudGVyMg=="]):
        raise BadRequestException(details=word, http_status=400)
    assert caught.value.message == "Invalid input for field/attribute user_data. Value: ***."
    assert "hunter2" not in str(leaves(ConnectFailure("http://admin:hunter2@h:9/v3 does not answer")))


def test_policy_and_credentials_are_about_permission() -> None:
    from keystoneauth1.exceptions import Unauthorized
    from openstack.exceptions import ForbiddenException

    denied = [leaves(ForbiddenException(http_status=403)), leaves(Unauthorized())]
    assert [type(error) for error in denied] == [CloudDenied, CloudDenied]
    assert {error.exit_code for error in denied} == {ExitCode.NO_PERMISSION}
    assert [error.findings[0].id for error in denied] == ["not-allowed", "not-signed-in"]


def test_a_quota_is_no_matter_of_permission_though_nova_answers_403() -> None:
    from openstack.exceptions import ForbiddenException

    word = "Quota exceeded for ram: Requested 64000000, but already used 0 of 51200 ram"
    error = leaves(ForbiddenException(details=word, http_status=403))
    assert type(error) is CloudError
    assert [cause.id for cause in error.findings] == [QUOTA_EXCEEDED.id]


def test_a_503_that_says_what_neutron_lacks_is_no_silence() -> None:
    from openstack.exceptions import HttpException

    word = "Unable to create the network. No project network is available for allocation."
    error = leaves(HttpException(details=word, http_status=503))
    assert type(error) is CloudError
    assert [cause.id for cause in error.findings] == [NO_PROJECT_NETWORKS.id]
    assert isinstance(leaves(HttpException(details="<html>busy</html>", http_status=503)), CloudUnreachable)


def test_a_policy_that_forbids_is_named() -> None:
    from openstack.exceptions import ForbiddenException

    words = {
        "Policy doesn't allow compute:servers:create:requested_destination to be performed.": "requested_destination",
        "(rule:create_port and rule:create_port:mac_address) is disallowed by policy": "create_port:mac_address",
        "(rule:create_port and rule:create_port:binding:profile) is disallowed by policy": "role service",
        "((rule:create_network and rule:create_network:provider:network_type) and "
        "rule:create_network:provider:physical_network) is disallowed by policy": "only administrators may",
        "Only volume-backed servers are allowed for flavors with zero disk.": "disk 0",
    }
    for word, part in words.items():
        error = leaves(ForbiddenException(details=word, http_status=403))
        assert isinstance(error, CloudDenied)
        (cause,) = error.findings
        assert part in cause.what
        assert cause.evidence == (f"HTTP 403: {word}",)


def test_a_cloud_that_does_not_answer_is_unreachable() -> None:
    from keystoneauth1.exceptions import ConnectFailure, ConnectTimeout
    from openstack.exceptions import HttpException, ResourceTimeout

    faults = (ConnectFailure("no"), ConnectTimeout("no"), ResourceTimeout("no"), HttpException(http_status=504))
    for fault in faults:
        error = leaves(fault)
        assert isinstance(error, CloudUnreachable)
        assert error.exit_code is ExitCode.UNREACHABLE
        assert error.may_be_at_work
    busy = leaves(HttpException(details="<html>busy</html>", http_status=503))
    assert isinstance(busy, CloudUnreachable)
    assert not busy.may_be_at_work


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (
            "NewConnectionError(\"HTTPConnection(host='h', port=9): Failed to establish a new connection: "
            '[Errno 111] Connection refused")',
            "connection refused",
        ),
        (
            "NameResolutionError(\"HTTPConnection(host='h', port=9): Failed to resolve 'h' "
            '([Errno -2] Name or service not known)")',
            "name or service not known",
        ),
    ],
)
def test_no_connection_is_an_address_and_a_reason(cause: str, why: str) -> None:
    from keystoneauth1.exceptions import ConnectFailure

    for path in ("/v3/auth/tokens", "/v3"):
        retold = f"HTTPConnectionPool(host='h', port=9): Max retries exceeded with url: {path} (Caused by {cause})"
        error = leaves(ConnectFailure(f"Unable to establish connection to http://h:9{path}: {retold}"))
        assert error.message == f"http://h:9/v3: {why}"
        assert isinstance(error, CloudUnreachable)
        assert not error.may_be_at_work, "it was never sent"


def test_an_unknown_cloud_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nonexistent/clouds.yaml")
    with pytest.raises(CloudUnreachable, match="no-such-cloud"):
        connect("no-such-cloud")


def test_without_the_sdk_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendUnreachable) as caught:
        connect(None)
    assert "virtfn[cloud]" in caught.value.hint
