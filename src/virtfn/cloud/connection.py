"""A connection as clouds.yaml describes it, made when it is first needed (the SDK takes 0.4 s to import)."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from virtfn.cloud.clouds_yaml import entry
from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import BackendUnreachable, CloudUnreachable
from virtfn.model.place import CloudAccount

_PATIENCE_S = 120.0
"""For one answer, where clouds.yaml has no ``api_timeout``: the SDK would wait for ever."""


def account(cloud: str | None) -> CloudAccount:
    """Whose objects an entry of clouds.yaml means; None: what OS_... variables say. Raises what ``connect`` does."""
    _need_sdk()
    with _well_formed(cloud):
        region = entry(cloud)
        return CloudAccount.of(cloud, region.get_region_name(), region.config.get("auth") or {})


def connect(cloud: str | None) -> Any:
    """An ``openstack.connection.Connection`` to this entry of clouds.yaml; None: what OS_... variables say.

    Nothing is sent yet. An answer is waited for as long as ``api_timeout`` says, or two minutes. Raises
    BackendUnreachable where openstacksdk is not installed, CloudUnreachable where clouds.yaml has no such entry.
    """
    _need_sdk()
    import openstack.connection

    with _well_formed(cloud):
        made = openstack.connection.Connection(config=entry(cloud))
        made.session.timeout = made.session.timeout or _PATIENCE_S
        return made


def _need_sdk() -> None:
    if importlib.util.find_spec("openstack") is None:
        raise BackendUnreachable(
            "openstacksdk is not installed", where="virtfn cloud", hint="pip install 'virtfn[cloud]'"
        )


@contextmanager
def _well_formed(cloud: str | None) -> Iterator[None]:
    """Within this context whatever is wrong with clouds.yaml or the cloud leaves as an error of ours."""
    label = f"cloud {cloud}" if cloud else "cloud"
    with refusals(label):
        try:
            yield
        except (AttributeError, TypeError, ValueError, KeyError) as fault:  # the SDK takes the file's shape for granted
            raise CloudUnreachable(
                f"clouds.yaml is not as the SDK wants it ({fault})", where=label, hint="see clouds.yaml, --os-cloud"
            ) from fault
