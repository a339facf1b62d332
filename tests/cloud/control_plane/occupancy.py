"""A server that holds VFs until none or few are left, for tests of what happens then."""

from contextlib import ExitStack
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
    undo: ExitStack

    def release(self) -> None:
        """The VFs are free again when this returns."""
        self.undo.close()


def take_vfs(rest: Rest, sysfs: FakeSysfs, network_id: str, but: int = 0) -> Holder:
    """Boot a server with all free VFs of the network's physical network ``but`` some. Raises ControlPlaneError.

    Nothing is left then.
    """
    network = rest.get("neutron", f"/networks/{network_id}")["network"]
    free = sysfs.free(network["provider:physical_network"])
    with ExitStack() as undo:
        if len(free) > but:
            _boot(rest, _Maker(rest, undo), network_id, len(free) - but)
        left = sysfs.free(network["provider:physical_network"])
        return Holder([one for one in free if one not in left], undo.pop_all())


@dataclass(frozen=True)
class _Maker:
    """Makes things, and remembers how each is deleted."""

    rest: Rest
    undo: ExitStack

    def make(self, service: str, collection: str, body: dict[str, object]) -> Any:
        answer = self.rest.post(service, collection, body)
        made = answer if service == "glance" else next(iter(answer.values()))
        self.undo.callback(self.rest.delete, service, f"{collection}/{made['id']}")
        return made


def _boot(rest: Rest, maker: _Maker, network_id: str, ports: int) -> None:
    image = maker.make("glance", "/images", {"name": _NAME, "disk_format": "raw", "container_format": "bare"})
    rest.upload(image["id"], b"vm\n")
    flavor = maker.make("nova", "/flavors", {"flavor": {"name": _NAME, "ram": 64, "vcpus": 1, "disk": 0}})
    port = {"port": {"network_id": network_id, "binding:vnic_type": "direct", "name": _NAME}}
    networks = [{"port": maker.make("neutron", "/ports", dict(port))["id"]} for _ in range(ports)]
    server = {"name": _NAME, "imageRef": image["id"], "flavorRef": flavor["id"], "networks": networks}
    booted = rest.post("nova", "/servers", {"server": server})["server"]
    maker.undo.callback(_delete_server, rest, booted["id"])

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
