from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.model.cloud import Kind
from virtfn.planning.cloud.commands import create_command

MARK = "--description virtfn:note --tag virtfn:note"


def commands(rig: Rig, text: str = FIELD_NOTE) -> list[str]:
    return [step.command for step in rig.plan(desired(text)).steps if step.command]


def test_up_has_a_command_for_each_object() -> None:
    assert commands(Rig(), FIELD_NOTE.replace("count: 2", "count: 1")) == [
        "openstack network create --provider-network-type flat --provider-physical-network physnet1 "
        f"--disable-port-security {MARK} flat",
        "openstack subnet create --network flat --subnet-range 192.0.2.0/24 "
        f"--allocation-pool start=192.0.2.10,end=192.0.2.99 --gateway none --no-dhcp {MARK} flat-v4",
        f"openstack port create --network flat --vnic-type direct {MARK} vm-1-0",
        "openstack server group create --policy anti-affinity virtfn:note/apart",
        "openstack server create --image cirros --flavor m1.tiny --port vm-1-0 --server-group virtfn:note/apart "
        "--property virtfn=note vm-1",
    ]


def test_down_has_a_command_for_each_object_in_reverse() -> None:
    rig = Rig()
    rig.up(FIELD_NOTE.replace("count: 2", "count: 1"))
    ids = {kind: one.id for (kind, _), one in rig.ours().items()}
    assert [step.command for step in rig.propose_down("note").plan.steps] == [
        f"openstack server delete --wait {ids[Kind.SERVER]}",
        f"openstack server group delete {ids[Kind.SERVER_GROUP]}",
        f"openstack port delete {ids[Kind.PORT]}",
        f"openstack subnet delete {ids[Kind.SUBNET]}",
        f"openstack network delete {ids[Kind.NETWORK]}",
    ]


def test_what_stands_is_changed_by_its_id() -> None:
    rig = Rig()
    rig.up()
    (network,) = [one.id for (kind, _), one in rig.ours().items() if kind is Kind.NETWORK]
    text = FIELD_NOTE.replace("port_security: false", "port_security: true")
    assert commands(rig, text) == [f"openstack network set --enable-port-security {network}"]


def test_user_data_comes_by_a_pipe_and_a_host_needs_a_newer_api() -> None:
    fields = {"image": "a b", "flavor": "f", "ports": ["p"], "host": "compute1", "user_data": "#!/bin/sh\necho 'hi'\n"}
    assert create_command("note", Kind.SERVER, "vm", fields) == (
        "printf %s '#!/bin/sh\necho '\"'\"'hi'\"'\"'\n' | openstack --os-compute-api-version 2.74 server create "
        "--image 'a b' --flavor f --port p --host compute1 --user-data /dev/stdin --property virtfn=note vm"
    )
