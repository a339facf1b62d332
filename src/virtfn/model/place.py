"""The host or cloud that an engine and its journal work on, as its messages name it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """This host, or a cloud. ``os_cloud``: its name in clouds.yaml; None: the cloud of the OS_... variables."""

    name: str
    is_cloud: bool = False
    os_cloud: str | None = None


HOST = Place("this host")


def cloud_place(os_cloud: str | None) -> Place:
    """The cloud of this name in clouds.yaml; None: the cloud of the OS_... variables."""
    if os_cloud is None:
        return Place("this cloud", is_cloud=True)
    return Place(f"cloud {os_cloud}", is_cloud=True, os_cloud=os_cloud)
