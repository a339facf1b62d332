"""Servers that hold VFs until none is left, for tests of what happens then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.processes import wait_until
from tests.cloud.control_plane.rest import Rest
from tests.cloud.control_plane.vfs import FakeSysfs

_NAME = "virtfn-vf-holder"
_BOOT_S = 180


@dataclass
class Holder:
    """A server with a port for every VF that was free; ``release`` deletes all that was made for it."""

    vfs: list[str]
    _undo: list[Callable[[], None]]

    def release(self) -> None:
        """The VFs are free again when this returns."""
        while self._undo:
            self._undo.pop()()


def take_all_vfs(rest: Rest, sysfs: FakeSysfs, network_id: str) -> Holder:
    """Boot a server with all free VFs of the network's physical network. Raises ControlPlaneError; nothing is left."""
    network = rest.get("neutron", f"/networks/{network_id}")["network"]
    holder = Holder(sysfs.free(network["provider:physical_network"]), [])
    if not holder.vfs:
        return holder
    try:
        _boot(rest, network_id, holder)
    except BaseException:
        holder.release()
        raise
    return holder


def _boot(rest: Rest, network_id: str, holder: Holder) -> None:
    def made(service: str, collection: str, kind: str, body: dict[str, object]) -> Any:
        found = rest.post(service, collection, body if service == "glance" else {kind: body})
        found = found if service == "glance" else found[kind]
        holder._undo.append(lambda: rest.delete(service, f"{collection}/{found['id']}"))
        return found

    image = made("glance", "/images", "image", {"name": _NAME, "disk_format": "raw", "container_format": "bare"})
    rest.upload(image["id"], b"vm\n")
    flavor = made("nova", "/flavors", "flavor", {"name": _NAME, "ram": 64, "vcpus": 1, "disk": 0})
    port = {"network_id": network_id, "binding:vnic_type": "direct", "name": _NAME}
    ports = [made("neutron", "/ports", "port", dict(port)) for _ in holder.vfs]
    networks = [{"port": one["id"]} for one in ports]
    server = {"name": _NAME, "imageRef": image["id"], "flavorRef": flavor["id"], "networks": networks}
    booted = rest.post("nova", "/servers", {"server": server})["server"]
    holder._undo.append(lambda: _delete_server(rest, booted["id"]))

    def has_them() -> bool:
        found = rest.get("nova", f"/servers/{booted['id']}")["server"]
        if found["status"] == "ERROR":
            raise ControlPlaneError(found["fault"]["message"], where=_NAME)
        return bool(found["status"] == "ACTIVE")

    if not wait_until(has_them, _BOOT_S):
        raise ControlPlaneError(f"did not boot within {_BOOT_S} s", where=_NAME)


def _delete_server(rest: Rest, server_id: str) -> None:
    rest.delete("nova", f"/servers/{server_id}")

    def is_gone() -> bool:
        return all(server["id"] != server_id for server in rest.get("nova", "/servers")["servers"])

    if not wait_until(is_gone, _BOOT_S):
        raise ControlPlaneError(f"was not deleted within {_BOOT_S} s", where=_NAME)
