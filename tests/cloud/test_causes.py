"""What goes wrong in a cloud without anybody's mistake in the spec, made for real: hosts, agents, VFs; nothing is left.

A second compute host takes a while to start, so there is one for all tests that want it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.processes import wait_until
from tests.cloud.control_plane.vfs import HOST, PFS, VFS_A_PF
from tests.cloud.mistaken import THEIRS, Mistaken, disabled, server, several
from tests.cloud.operating import FLAVOR

from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

ZONE = "mars"
NOVA_WAITS_S = 3
WE_WAIT_S = 8
"""Long enough for a server to be built where it can be, on a busy machine, too."""


@pytest.fixture(scope="module")
def second_host(cloud: ControlPlane) -> Iterator[str]:
    """Its agent leaves the VFs of physnet1 alone, and its servers wait for their ports, as they do with libvirt."""
    vfs = ";".join(PFS[0].vf_address(index) for index in range(VFS_A_PF))
    with cloud.second_host(exclude_devices=f"{PFS[0].name}:{vfs}", vif_plugging_timeout=str(NOVA_WAITS_S)) as name:
        yield name


@contextmanager
def zone_of(connection: "Connection", host: str) -> Iterator[None]:
    """While in the block the host is the only one of an availability zone."""
    compute: Any = connection.compute
    with ExitStack() as undo:
        aggregate = compute.create_aggregate(name=ZONE, availability_zone=ZONE)
        undo.callback(compute.delete_aggregate, aggregate)
        compute.add_host_to_aggregate(aggregate, host)
        undo.callback(compute.remove_host_from_aggregate, aggregate, host)
        yield


@contextmanager
def down(connection: "Connection", host: str) -> Iterator[None]:
    """While in the block nova knows that nova-compute there is down: it is told, as it notices only after a minute."""
    sdk: Any = connection
    (service,) = sdk.compute.services(binary="nova-compute", host=host)
    sdk.compute.update_service_forced_down(service, forced=True)
    try:
        yield
    finally:
        sdk.compute.update_service_forced_down(service, forced=False)


def test_a_disabled_host_is_out_of_service(mistaken: Mistaken, connection: "Connection", theirs: str) -> None:
    with disabled(connection):
        (any_host,) = mistaken.up(server(THEIRS))
        (this_host,) = mistaken.up(server(THEIRS, more=f", host: {HOST}"))
    assert any_host["id"] == this_host["id"] == "host-out-of-service"
    assert any_host["what"] == "no compute host takes servers"
    assert this_host["what"] == f"host {HOST} takes no servers"
    assert this_host["evidence"] == [f"nova-compute on {HOST} (zone nova): up, disabled"]
    assert "openstack compute service set --enable" in this_host["fix"]


def test_a_member_boots_no_image_from_a_flavor_without_disk(mistaken: Mistaken, member: str, theirs: str) -> None:
    diskless = server(THEIRS)
    assert any(f"boot an image from flavor {FLAVOR} (disk 0)" in note for note in mistaken.plan(diskless, cloud=member))
    (cause,) = mistaken.up(diskless, cloud=member, exits=ExitCode.NO_PERMISSION)
    assert cause["id"] == "diskless-flavor"
    assert cause["evidence"] == ["HTTP 403: Only volume-backed servers are allowed for flavors with zero disk."]
    assert cause["fix"] == "name a flavor with a disk"


def test_more_servers_than_vfs(mistaken: Mistaken, cloud: ControlPlane, theirs: str) -> None:
    """Servers that begin at once may all pass the scheduler; for one that comes later it finds no host."""
    with cloud.use_up_vfs(theirs, but=1):
        said = mistaken.failure(several(2, server(THEIRS)))
    (cause,) = said["findings"]
    assert cause["id"] == "no-free-vf"
    assert cause["evidence"][1] == f"VFs of physnet1 in use: {VFS_A_PF} on {HOST}"
    if said["error"] == "No valid host was found. There are not enough hosts available.":
        assert cause["what"] == "no VF of physnet1 is free on a host that it may run on"
        assert cause["evidence"][0] == "by exclusion, as no API tells how many VFs there are"
    else:
        assert "Exhausted all hosts available for retrying build failures for instance " in said["error"]
        assert cause["what"] == (
            f"perhaps no VF of physnet1 was left on {HOST} when the server was built there, "
            "its port could not be bound, or nova-compute could not build it"
        )
        assert cause["evidence"][0] == f"nova chose a host and could not build the server there: {HOST}"


def test_a_vf_that_the_host_keeps_is_not_seen_by_the_agent(
    mistaken: Mistaken, cloud: ControlPlane, theirs: str
) -> None:
    with cloud.vfs_kept_by_the_host("physnet1"):
        said = mistaken.failure(server(THEIRS), exits=ExitCode.NOT_PROVEN, timeout_s=WE_WAIT_S)
    assert said["error"] == f"not ready after {WE_WAIT_S} s: port vm-1-0 is DOWN"
    (cause,) = said["findings"]
    assert cause["id"] == "vf-not-seen"
    assert cause["evidence"] == [
        f"bound on {HOST} and DOWN: port vm-1-0",
        f"NIC Switch agent on {HOST}: answers, physnet1 on ens1f0; physnet2 on ens1f1",
        "it sees 0 VFs in use",
    ]
    assert "no netdev of it" in cause["fix"]


def test_nova_gives_up_a_vf_that_the_agent_excludes(mistaken: Mistaken, second_host: str, theirs: str) -> None:
    said = mistaken.failure(server(THEIRS, more=f", host: {second_host}"))
    assert "Failed to allocate the network(s), not rescheduling." in said["error"]
    (cause,) = said["findings"]
    assert cause["id"] == "vf-not-seen"
    assert cause["what"].startswith(f"perhaps the NIC Switch agent on {second_host} has not seen the server's VFs ")
    assert "exclude_devices" in cause["fix"]


def test_a_zone_whose_host_is_disabled_is_refused_at_once(
    mistaken: Mistaken, connection: "Connection", second_host: str, theirs: str
) -> None:
    with zone_of(connection, second_host), disabled(connection, second_host):
        said = mistaken.refused(server(THEIRS, more=f", availability_zone: {ZONE}"))
    assert f"availability zone {ZONE} is not available: no host of it is in service" in said


def test_a_zone_whose_host_is_down_is_available_to_nova(
    mistaken: Mistaken, cloud: ControlPlane, connection: "Connection", second_host: str, theirs: str
) -> None:
    in_zone, on_host = (
        server(THEIRS, more=more) for more in (f", availability_zone: {ZONE}", f", host: {second_host}")
    )
    with (
        zone_of(connection, second_host),
        cloud.suspended(f"nova-compute@{second_host}"),
        down(connection, second_host),
    ):
        assert any(note.startswith(f"no host of zone {ZONE} takes servers; ") for note in mistaken.plan(in_zone))
        (zone,) = mistaken.up(in_zone)
        (host,) = mistaken.up(on_host)
    assert (zone["id"], host["id"]) == ("zone-without-hosts", "host-out-of-service")
    assert (zone["what"], host["what"]) == (
        f"no host of zone {ZONE} takes servers",
        f"host {second_host} takes no servers",
    )
    assert zone["evidence"] == host["evidence"] == [f"nova-compute on {second_host} (zone {ZONE}): down, enabled"]
    assert zone["fix"].startswith("start nova-compute there")


def test_a_host_that_hangs_leaves_a_server_in_build(
    mistaken: Mistaken, cloud: ControlPlane, connection: "Connection", second_host: str, theirs: str
) -> None:
    """Nova gives it servers until it notices. What it was given goes to no other host."""
    noticed = ExitStack()

    def notice() -> bool:
        there = wait_until(lambda: "BUILD" in {one.status for one in mistaken.operator.servers().values()}, 60)
        noticed.enter_context(down(connection, second_host))
        return there

    with cloud.suspended(f"nova-compute@{second_host}"), noticed, ThreadPoolExecutor() as beside:
        there = beside.submit(notice)
        said = mistaken.failure(
            server(THEIRS, more=f", host: {second_host}"), exits=ExitCode.NOT_PROVEN, timeout_s=WE_WAIT_S
        )
        assert there.result()
    assert said["error"] == f"not ready after {WE_WAIT_S} s: server vm-1 is BUILD; port vm-1-0 is not bound"
    (cause,) = said["findings"]
    assert (cause["id"], cause["what"]) == (
        "host-out-of-service",
        f"nova has assigned it to a host that does not answer: {second_host}",
    )
    assert cause["evidence"] == ["server vm-1: BUILD", f"nova-compute on {second_host} (zone nova): down, enabled"]


def test_a_group_with_more_servers_than_hosts_that_take_them(
    mistaken: Mistaken, connection: "Connection", second_host: str, theirs: str
) -> None:
    """Nova finds no host for the second; or both passed the scheduler at once, and the host refuses the second."""
    apart = several(2, server(THEIRS, more=", anti_affinity: apart"))
    with disabled(connection, second_host):
        assert any(note.startswith("group apart has 2 servers that ") for note in mistaken.plan(apart))
        (cause,) = mistaken.up(apart)
    assert (cause["id"], cause["what"]) == (
        "group-too-large",
        "group apart has 2 servers that never share a host, and 1 host takes servers",
    )
    for line in (
        f"nova-compute on {HOST} (zone nova): up, enabled",
        f"nova-compute on {second_host} (zone nova): up, disabled",
    ):
        assert line in cause["evidence"]
    assert cause["fix"] == "take fewer servers or more hosts, or leave anti_affinity out"
