"""What a cloud operator has at hand in these tests: virtfn itself, and OpenStack's own SDK to see what it has done."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cloud.control_plane.configs import CLOUD

from virtfn.app import App
from virtfn.cli.main import main
from virtfn.journal.files import FileJournal

if TYPE_CHECKING:
    from openstack.connection import Connection

IMAGE = FLAVOR = "virtfn-vm"

Everything = Mapping[str, Mapping[str, object]]
"""All that is in the cloud, by kind and id: name, tags, and what changes when anybody writes to it."""


@dataclass(frozen=True)
class Operator:
    """virtfn with a state folder of its own, against one cloud."""

    connection: "Connection"
    folder: Path

    def spec(self, text: str) -> str:
        """The path of a file with this declared state."""
        path = self.folder / "cloud.yaml"
        path.write_text(text)
        return str(path)

    def virtfn(self, *words: str) -> int:
        """Run ``virtfn cloud ...`` in this process; its exit code."""
        return main(["cloud", *words])

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start ``virtfn cloud ...`` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "virtfn", "cloud", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    @property
    def journal(self) -> FileJournal:
        return App().cloud_journal(CLOUD)

    def everything(self) -> Everything:
        """All networks, subnets, ports, server groups and servers, whoever made them."""
        sdk: Any = self.connection
        network, compute = sdk.network, sdk.compute
        return {
            "networks": {one.id: _stamp(one) for one in network.networks()},
            "subnets": {one.id: _stamp(one) for one in network.subnets()},
            "ports": {one.id: _stamp(one) for one in network.ports()},
            "server groups": {one.id: (one.name, tuple(one.member_ids)) for one in compute.server_groups()},
            "servers": {one.id: (one.name, one.status, one.updated_at) for one in compute.servers()},
        }

    def names(self, kind: str) -> list[str]:
        """The names of all objects of this kind of ``everything``, each as often as it is there."""
        return sorted(str(stamp[0]) for stamp in self.everything()[kind].values() if isinstance(stamp, tuple))

    def ports(self, spec: str) -> dict[str, Any]:
        """The ports that bear a spec's tag, by name."""
        sdk: Any = self.connection
        return {one.name: one for one in sdk.network.ports(tags=f"virtfn:{spec}")}

    def servers(self) -> dict[str, Any]:
        """All servers by name."""
        sdk: Any = self.connection
        return {one.name: one for one in sdk.compute.servers()}


@contextmanager
def furnished(connection: "Connection") -> Iterator[None]:
    """While in the block the image and the flavor that the specs name are there."""
    sdk: Any = connection
    image = sdk.image.create_image(
        name=IMAGE, disk_format="raw", container_format="bare", data=b"vm\n", use_import=False
    )
    flavor = sdk.compute.create_flavor(name=FLAVOR, ram=64, vcpus=1, disk=0)
    try:
        yield
    finally:
        sdk.compute.delete_flavor(flavor.id)
        sdk.image.delete_image(image.id)


def sweep(connection: "Connection", before: Everything) -> None:
    """Delete what is there and was not before, as a failed test leaves it."""
    sdk: Any = connection
    for one in [one for one in sdk.compute.servers() if one.id not in before["servers"]]:
        sdk.compute.delete_server(one, ignore_missing=True)
        sdk.compute.wait_for_delete(one, interval=0.2, wait=90)
    for one in [one for one in sdk.compute.server_groups() if one.id not in before["server groups"]]:
        sdk.compute.delete_server_group(one, ignore_missing=True)
    for one in [one for one in sdk.network.ports() if one.id not in before["ports"]]:
        sdk.network.delete_port(one, ignore_missing=True)
    for one in [one for one in sdk.network.networks() if one.id not in before["networks"]]:
        sdk.network.delete_network(one, ignore_missing=True)


def _stamp(one: Any) -> object:
    return one.name, one.revision_number, one.updated_at, tuple(sorted(one.tags or ()))
