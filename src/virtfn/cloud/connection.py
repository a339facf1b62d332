"""A connection as clouds.yaml describes it, made when it is first needed (the SDK takes 0.4 s to import)."""

import importlib.util
from typing import Any

from virtfn.cloud.refusals import refusals
from virtfn.errors import BackendUnreachable


def connect(cloud: str | None) -> Any:
    """An ``openstack.connection.Connection`` to this entry of clouds.yaml; None: what OS_... variables say.

    Nothing is sent yet. Raises BackendUnreachable where openstacksdk is not installed, CloudUnreachable where
    clouds.yaml has no such entry.
    """
    if importlib.util.find_spec("openstack") is None:
        raise BackendUnreachable(
            "openstacksdk is not installed", where="virtfn cloud", hint="pip install 'virtfn[cloud]'"
        )
    import openstack

    with refusals(f"cloud {cloud}" if cloud else "cloud"):
        return openstack.connect(cloud=cloud, app_name="virtfn")
