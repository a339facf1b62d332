"""What the SDK raises, as errors of ours: the cloud's own word, which object, what is known of why, what to do."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from virtfn.model.secrets import without_secrets
from virtfn.planning.cloud.api_errors import api_error

_NO_CONNECTION = re.compile(
    r"(?P<address>https?://\S+?)(?:/auth/tokens)?: HTTPS?ConnectionPool\(.*\[Errno -?\d+\] (?P<why>[^\"')\]]+)"
)
"""keystoneauth's ConnectFailure with urllib3's MaxRetryError in it, which names the operating system's error last."""
_NEVER_SENT = re.compile("NewConnectionError|NameResolutionError|ConnectTimeoutError")
"""urllib3's words where no connection came about."""


@contextlib.contextmanager
def refusals(where: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Within this context the SDK's errors leave as CloudError, CloudDenied or CloudUnreachable.

    Their texts are without passwords, tokens and keys, and without these ``secrets``: nova repeats what it refuses.
    """
    from keystoneauth1 import exceptions as auth
    from openstack import exceptions as sdk

    try:
        yield
    except (sdk.SDKException, auth.ClientException, OSError) as fault:
        status = int(getattr(fault, "status_code", 0) or getattr(fault, "http_status", 0) or 0)
        raise api_error(where, without_secrets(_word(fault), secrets), status, _names(fault)) from fault
    except Exception as fault:
        if type(fault) is not Exception:
            raise
        # keystoneauth raises it bare where a password is missing (identity/generic/password.py)
        raise api_error(where, without_secrets(_word(fault), secrets), exceptions=("PlainException",)) from fault


def _names(fault: BaseException) -> list[str]:
    never_sent = ["NeverSent"] if _NEVER_SENT.search(str(fault)) else []
    return [*never_sent, *(kind.__name__ for kind in type(fault).__mro__)]


def _word(fault: BaseException) -> str:
    """What the service says itself, in one line; where no connection came about, the address and why."""
    line = " ".join(str(getattr(fault, "details", None) or fault).split())
    found = _NO_CONNECTION.search(line)
    return f"{found['address']}: {found['why'].lower()}" if found else line
