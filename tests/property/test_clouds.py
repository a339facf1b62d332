"""Laws of a cloud from a declared state, on the fake cloud."""

import string
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.cloud.rig import Rig

from virtfn.errors import CloudError, VirtfnError
from virtfn.model.cloud import (
    DesiredCloud,
    DesiredNetwork,
    DesiredPort,
    DesiredServer,
    DesiredSubnet,
    Kind,
    NetworkType,
    VnicType,
)
from virtfn.model.desired import UNSET
from virtfn.model.plan import Target, Value
from virtfn.planning.cloud.wanted_objects import wanted_objects
from virtfn.testing import FakeCloud, FakeRules

names = st.text(string.ascii_lowercase, min_size=1, max_size=6)
PHYSICAL = ("physnet1", "physnet2")


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.just(UNSET), values)


@st.composite
def networks(draw: st.DrawFn, number: int, name: str) -> DesiredNetwork:
    flat = number < len(PHYSICAL)
    subnets = tuple(
        DesiredSubnet(f"{name}-{place}", f"10.{number}.{place}.0/24", dhcp=draw(maybe(st.booleans())))  # type: ignore[arg-type]
        for place in range(draw(st.integers(0, 2)))
    )
    return DesiredNetwork(
        name=name,
        physical_network=PHYSICAL[number] if flat else "physnet1",
        type=NetworkType.FLAT if flat else NetworkType.VLAN,
        segmentation_id=UNSET if flat else 100 + number,
        mtu=draw(maybe(st.integers(1280, 9000))),  # type: ignore[arg-type]
        shared=draw(maybe(st.booleans())),  # type: ignore[arg-type]
        port_security=draw(maybe(st.booleans())) if subnets else False,  # type: ignore[arg-type]
        subnets=subnets,
    )


@st.composite
def desired_clouds(draw: st.DrawFn) -> DesiredCloud:
    chosen = draw(st.lists(names, unique=True, max_size=4))
    made = tuple(draw(networks(number, name)) for number, name in enumerate(chosen))
    servers = []
    for name in draw(st.lists(names, unique=True, max_size=3 if made else 0)):
        on = draw(st.lists(st.sampled_from(chosen), min_size=1, max_size=2))
        ports = tuple(
            DesiredPort(f"{name}-{place}", network, draw(st.sampled_from([VnicType.DIRECT, VnicType.MACVTAP])))
            for place, network in enumerate(on)
        )
        group = draw(maybe(st.just("apart")))
        servers.append(DesiredServer(name, "cirros", "m1.tiny", ports, anti_affinity=group))  # type: ignore[arg-type]
    return DesiredCloud("spec", made, tuple(servers))


def rich_rig() -> Rig:
    vfs = [
        (f"compute{host}", physical, f"0000:{host:02x}:{bus:02x}.{function}")
        for host in range(1, 4)
        for bus, physical in enumerate(PHYSICAL)
        for function in range(8)
    ]
    rules = FakeRules(vfs=vfs)
    agents = tuple(type(rules.agents[0])(f"compute{host}", True, PHYSICAL) for host in range(1, 4))
    hosts = tuple(replace(rules.hosts[0], name=f"compute{host}") for host in range(1, 4))
    extensions = rules.extensions | {"ip_allocation"}
    rig = Rig(FakeCloud(FakeRules(vfs=vfs, agents=agents, hosts=hosts, extensions=extensions)))
    rig.cloud.add_foreign(Kind.NETWORK, "others", {"type": "vlan", "physical_network": "physnet1"})
    return rig


def up(rig: Rig, desired: DesiredCloud) -> None:
    rig.clouds.carry_out(rig.propose(desired))


@given(desired_clouds())
@settings(max_examples=60, deadline=None)
def test_up_then_down_leaves_the_cloud_as_it_was(desired: DesiredCloud) -> None:
    rig = rich_rig()
    before, vfs = rig.cloud.everything(), sorted(rig.cloud.rules.vfs)
    up(rig, desired)
    rig.down(desired.name)
    assert rig.cloud.everything() == before
    assert sorted(rig.cloud.rules.vfs) == vfs


@given(desired_clouds())
@settings(max_examples=60, deadline=None)
def test_up_makes_all_and_a_second_up_does_nothing(desired: DesiredCloud) -> None:
    rig = rich_rig()
    up(rig, desired)
    view = rig.clouds.show(desired)
    assert view.differences == ()
    assert view.readiness.is_ready
    assert len(view.objects) == len(wanted_objects(desired))
    assert rig.plan(desired).is_empty


@given(desired_clouds(), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_failure_at_any_write_takes_back_what_this_run_made(desired: DesiredCloud, at: int) -> None:
    rig = rich_rig()
    before, writes = rig.cloud.everything(), 0

    def fail(action: str, target: Target, field: str, value: Value) -> None:
        nonlocal writes
        writes += action == "write"
        if action == "write" and writes == at + 1:
            raise CloudError("500", where=str(target), status=500)

    rig.cloud.hook = fail
    try:
        up(rig, desired)
    except VirtfnError:
        assert rig.cloud.everything() == before
    else:
        assert writes <= at


@given(desired_clouds())
@settings(max_examples=60, deadline=None)
def test_what_needs_another_object_comes_after_it_and_goes_before_it(desired: DesiredCloud) -> None:
    rig = rich_rig()
    order = {kind.value: place for place, kind in enumerate(Kind)}
    made = [order[step.target.kind] for step in rig.plan(desired).steps]
    up(rig, desired)
    gone = [order[step.target.kind] for step in rig.propose_down(desired.name).plan.steps]
    assert all(one <= other for one, other in pairwise(made))
    assert all(one >= other for one, other in pairwise(gone))
