from dataclasses import replace

from virtfn.model.plan import Impact, Step, Target, differing

STEPS = tuple(
    Step(Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}"), "vlan", 0, 100, "it is wanted") for index in range(3)
)


def test_plans_that_differ_in_their_texts_only_do_the_same() -> None:
    assert differing(STEPS, [replace(step, reason="another", command="ip", impact_note="vm1") for step in STEPS]) == ()


def test_fields_that_only_one_plan_writes_or_writes_otherwise_are_named() -> None:
    other = (STEPS[0], replace(STEPS[1], after=200))
    assert differing(STEPS, other) == ("p2p1/1 vlan", "p2p1/2 vlan")
    assert differing(STEPS, [replace(step, impact=Impact.BYSTANDERS) for step in STEPS[:1]]) != ()


def test_the_same_steps_in_another_order_are_another_plan() -> None:
    assert differing(STEPS, STEPS[::-1]) == ("the order of the steps",)
