"""Plans for a cloud in waves: what is made, or deleted, at once."""

import pytest
from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.engine.batches import ends_by_kind
from virtfn.errors import CloudError, Interrupted
from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.plan import Step, Target, Value
from virtfn.model.proposal import WaitPolicy
from virtfn.model.transaction import Status
from virtfn.testing import FakeCloud

FIVE = FIELD_NOTE.replace("count: 2", "count: 5").replace("    anti_affinity: apart\n", "")


def steps(*names: str) -> list[Step]:
    """A step for each ``KIND/NAME``."""
    return [
        Step(cloud_target("note", Kind(kind), name), "definition", None, {}, "because")
        for kind, name in (one.split("/") for one in names)
    ]


@pytest.mark.parametrize(
    ("at_most", "ends"),
    [(1, {0, 1, 2, 3, 4, 5}), (2, {0, 2, 3, 5}), (3, {0, 3, 5}), (32, {0, 3, 5})],
)
def test_a_wave_ends_at_its_size_and_where_the_kind_changes(at_most: int, ends: set[int]) -> None:
    plan = steps("network/a", "port/a", "port/b", "port/c", "server/a", "server/b")
    assert ends_by_kind(plan, at_most) == ends


def test_the_steps_of_an_object_are_not_torn_apart() -> None:
    plan = steps("network/a", "network/a", "network/b", "network/b", "network/b", "network/c")
    assert ends_by_kind(plan, 1) == {1, 4, 5}
    assert ends_by_kind(plan, 2) == {4, 5}


def test_objects_of_one_name_and_of_different_kinds_are_in_different_waves() -> None:
    assert ends_by_kind(steps("port/vm", "server/vm"), 4) == {0, 1}


def test_no_steps_make_no_waves() -> None:
    assert ends_by_kind([], 4) == frozenset()


class Watch:
    """What was written, object by object, and how often the cloud was read; ``refused`` is the target to refuse."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.actions: list[str] = []

    def __call__(self, action: str, target: Target, field: str, value: Value) -> None:
        if field == "definition":
            self.actions.append(f"{'+' if value is not None else '-'}{target}" if action == "write" else "read")
        if action == "write" and value is not None and str(target) == self.refused:
            raise CloudError("500", where=str(target), status=500)

    @property
    def written(self) -> list[str]:
        return [one for one in self.actions if one != "read"]


def waves(watch: Watch) -> list[int]:
    """How many objects were written between two readings."""
    counts = [0]
    for one in watch.actions:
        if one == "read":
            counts.append(0)
        else:
            counts[-1] += 1
    return [count for count in counts if count]


@pytest.mark.parametrize(("parallel", "sizes"), [(1, [1] * 12), (4, [1, 1, 4, 1, 4, 1]), (32, [1, 1, 5, 5])])
def test_up_reads_and_writes_wave_by_wave(parallel: int, sizes: list[int]) -> None:
    watch = Watch()
    rig = Rig(FakeCloud(hook=watch, parallel=parallel))
    rig.up(FIVE)
    assert waves(watch) == sizes
    assert rig.clouds.show(desired(FIVE)).readiness.is_ready


@pytest.mark.parametrize("parallel", [1, 4, 32])
def test_down_deletes_everything_however_many_at_once(parallel: int) -> None:
    rig = Rig(FakeCloud(parallel=parallel))
    rig.up(FIVE)
    rig.down()
    assert rig.cloud.everything() == ()


def test_a_refusal_in_the_middle_of_a_wave_takes_back_all_that_was_made_beside_it() -> None:
    watch = Watch(refused="port vm-2-0")
    rig = Rig(FakeCloud(hook=watch))
    with pytest.raises(CloudError, match="port vm-2-0: 500"):
        rig.up(FIVE)
    made = [one for one in watch.written if one.startswith("+port")]
    assert made == ["+port vm-1-0", "+port vm-2-0", "+port vm-3-0", "+port vm-4-0"]
    assert "-port vm-4-0" in watch.written
    assert rig.cloud.everything() == ()
    assert rig.journal.load(1).status is Status.ROLLED_BACK


def test_what_was_deleted_beside_a_refused_deletion_is_told_as_gone() -> None:
    rig = Rig()
    rig.up(FIVE)

    def refuse(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and str(target) == "server vm-2":
            raise CloudError("500", where=str(target), status=500)

    rig.cloud.hook = refuse
    with pytest.raises(CloudError, match="server vm-2: 500") as caught:
        rig.down()
    assert caught.value.__notes__ == ["This cannot be taken back, and is done: server vm-1, server vm-3, server vm-4."]
    assert {name for kind, name in rig.ours() if kind is Kind.SERVER} == {"vm-2", "vm-5"}
    rig.cloud.hook = None
    rig.down()
    assert rig.cloud.everything() == ()


def test_a_wave_that_was_killed_half_made_is_taken_back_by_the_next_run() -> None:
    rig = Rig()
    plan = rig.plan(desired(FIVE))
    entry = rig.journal.begin(plan)
    wave = sorted(ends_by_kind(plan.steps, rig.cloud.parallel))[2]
    entry = rig.journal.record_intent(entry, range(wave + 1))
    half = [step for step in plan.steps[: wave + 1] if str(step.target) not in ("port vm-2-0", "port vm-3-0")]
    rig.cloud.write_all([(step.target, step.field, step.after) for step in half])
    ids = {one.id for one in rig.cloud.everything()}
    rig.up(FIVE)
    assert rig.journal.load(entry.id).status is Status.ROLLED_BACK
    assert ids.isdisjoint(one.id for one in rig.cloud.everything())
    assert len(rig.cloud.everything()) == 12


@pytest.mark.parametrize("parallel", [1, 3, 32])
@pytest.mark.parametrize("after", range(0, 16, 3))
def test_ctrl_c_between_waves_leaves_all_or_nothing(parallel: int, after: int) -> None:
    rig = Rig(FakeCloud(parallel=parallel), cancel_after=after)
    try:
        rig.up(FIVE)
    except Interrupted:
        assert rig.cloud.everything() == ()
    else:
        assert rig.clouds.show(desired(FIVE)).readiness.is_ready


def test_each_server_is_told_once_for_each_change() -> None:
    rig = Rig(FakeCloud(patience=5), patience=WaitPolicy(30.0, 0.0))
    rig.up()
    assert [line for line in rig.told if line.startswith("vm-")] == [
        "vm-1: BUILD",
        "vm-2: BUILD",
        "vm-1: ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.0",
        "vm-2: ACTIVE on compute2, port vm-2-0 bound to 0000:af:02.0",
    ]


def test_what_up_returns_shows_where_everything_is() -> None:
    rig = Rig()
    now = rig.up().now
    assert now
    assert now.differences == ()
    assert now.readiness.is_ready
    assert {one.name for one in now.objects if one.kind is Kind.SERVER} == {"vm-1", "vm-2"}
    again = rig.up().now
    assert again
    assert again.objects == now.objects
