"""What the SDK raises, as errors of ours: the cloud's own word, which object, what is known of why, what to do."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from virtfn.errors import CloudDenied, CloudError, CloudUnreachable
from virtfn.model.cloud.causes import CauseKind
from virtfn.model.secrets import without_secrets
from virtfn.planning.cloud.diagnosis.api_errors import meaning_of

_SIGN_IN = "check the credentials in clouds.yaml (--os-cloud, OS_CLOUD)"
_BE_ADMIN = "provider networks, hosts and agents are for administrators: use such a cloud with --os-cloud"
_SEE_FILE = "see clouds.yaml, --os-cloud, OS_CLOUD"
_UP = "is the cloud up, and its address in clouds.yaml right?"
_NO_CONNECTION = re.compile(
    r"(?P<address>https?://\S+?)(?:/auth/tokens)?: HTTPS?ConnectionPool\(.*\[Errno -?\d+\] (?P<why>[^\"')\]]+)"
)
"""keystoneauth's ConnectFailure with urllib3's MaxRetryError in it, which names the operating system's error last."""
_NEVER_SENT = re.compile("NewConnectionError|NameResolutionError|ConnectTimeoutError")
"""urllib3's words where no connection came about."""
_GATEWAY_TIMEOUT = 504
_AWAY = (502, 503, _GATEWAY_TIMEOUT)
"""A proxy has no service behind it, or too much to do. Neutron says 503 of a network that it cannot make, too."""


@contextlib.contextmanager
def refusals(where: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Within this context the SDK's errors leave as CloudError, CloudDenied or CloudUnreachable.

    Their texts are without passwords, tokens and keys, and without these ``secrets``: nova repeats what it refuses.
    """
    from keystoneauth1 import exceptions as auth
    from openstack import exceptions as sdk

    def line(said: object) -> str:
        return without_secrets(_line(said), secrets)

    try:
        yield
    except sdk.HttpException as fault:
        raise _by_status(int(fault.status_code or 0), line(_word(fault)), where) from fault
    except auth.HttpError as fault:
        raise _by_status(int(fault.http_status or 0), line(fault), where) from fault
    except (sdk.ConfigException, auth.MissingRequiredOptions, auth.NoMatchingPlugin) as fault:
        raise CloudUnreachable(line(fault), where=where, hint=_SEE_FILE) from fault
    except (sdk.ResourceTimeout, auth.ClientException, OSError) as fault:
        error = CloudUnreachable(line(fault), where=where, hint=_UP)
        error.may_be_at_work = not _NEVER_SENT.search(str(fault))
        raise error from fault
    except sdk.SDKException as fault:
        raise CloudError(line(fault), where=where) from fault
    except Exception as fault:
        if type(fault) is not Exception:
            raise
        # keystoneauth raises it bare where a password is missing (identity/generic/password.py)
        raise CloudUnreachable(line(fault), where=where, hint=_SEE_FILE) from fault


def _by_status(status: int, word: str, where: str) -> CloudError:
    cause = meaning_of(word, status)
    if cause:
        kind = CloudDenied if cause.kind in (CauseKind.NOT_ALLOWED, CauseKind.DISKLESS_FLAVOR) else CloudError
        error = kind(word, where=where, status=status)
        error.causes = (cause,)
        return error
    if status == 401:
        return CloudDenied(word, where=where, hint=_SIGN_IN, status=status)
    if status == 403:
        return CloudDenied(word, where=where, hint=_BE_ADMIN, status=status)
    if status in _AWAY:
        away = CloudUnreachable(word, where=where, hint=_UP, status=status)
        away.may_be_at_work = status == _GATEWAY_TIMEOUT
        return away
    return CloudError(word, where=where, status=status)


def _word(fault: object) -> object:
    """What the service says itself, without what the SDK puts around it."""
    return getattr(fault, "details", None) or fault


def _line(said: object) -> str:
    """One line; where no connection came about, the address and why, without the library's own retelling."""
    line = " ".join(str(said).split())
    found = _NO_CONNECTION.search(line)
    return f"{found['address']}: {found['why'].lower()}" if found else line
