"""A connection as clouds.yaml describes it, made when it is first needed (the SDK takes 0.4 s to import)."""

import importlib.util
from typing import Any

from virtfn.cloud.refusals import refusals
from virtfn.errors import BackendUnreachable, CloudUnreachable

_PATIENCE_S = 120.0
"""For one answer, where clouds.yaml has no ``api_timeout``: the SDK would wait for ever."""


def connect(cloud: str | None) -> Any:
    """An ``openstack.connection.Connection`` to this entry of clouds.yaml; None: what OS_... variables say.

    Nothing is sent yet. An answer is waited for as long as ``api_timeout`` says, or two minutes. Raises
    BackendUnreachable where openstacksdk is not installed, CloudUnreachable where clouds.yaml has no such entry.
    """
    if importlib.util.find_spec("openstack") is None:
        raise BackendUnreachable(
            "openstacksdk is not installed", where="virtfn cloud", hint="pip install 'virtfn[cloud]'"
        )
    import openstack

    label = f"cloud {cloud}" if cloud else "cloud"
    with refusals(label):
        try:
            made = openstack.connect(cloud=cloud, app_name="virtfn")
            made.session.timeout = made.session.timeout or _PATIENCE_S
            return made
        except (AttributeError, TypeError, ValueError, KeyError) as fault:  # the SDK takes the file's shape for granted
            raise CloudUnreachable(
                f"clouds.yaml is not as the SDK wants it ({fault})", where=label, hint="see clouds.yaml, --os-cloud"
            ) from fault
