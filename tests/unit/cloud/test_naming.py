"""Images, flavors and networks by name or id: the same thing is meant, made, and found again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.findings import found
from tests.unit.cloud.rig import FIELD_NOTE, Rig, desired

from virtfn.errors import ConflictError, SpecError
from virtfn.model.cloud import Kind
from virtfn.model.cloud.references import References
from virtfn.model.cloud.survey import Flavor, Image
from virtfn.model.plan import Value
from virtfn.model.transaction import Status
from virtfn.planning.cloud.name_resolution import settled
from virtfn.testing import FakeCloud, FakeRules

OLD, NEW = Image("cirros", id="image-old"), Image("cirros", id="image-new")
BY_ID = FIELD_NOTE.replace("cirros", "image-old").replace("m1.tiny", "flavor-m1.tiny")
POOLS: dict[str, Value] = {"pools": [["192.0.2.10", "192.0.2.20"]]}
ON_THEIRS = """
virtfn: cloud/1
name: note
servers: [{name: vm, image: cirros, flavor: m1.tiny, ports: [{network: NETWORK}]}]
"""


def rig(*images: Image) -> Rig:
    return Rig(FakeCloud(FakeRules(images=images or (OLD,))))


def with_network(made: Rig, name: str, physical: str) -> str:
    """A network of somebody else with a subnet; its id."""
    before = {one.id for one in made.cloud.everything()}
    made.cloud.add_foreign(Kind.NETWORK, name, {"type": "flat", "physical_network": physical})
    (one,) = {one.id for one in made.cloud.everything()} - before
    made.cloud.add_foreign(Kind.SUBNET, "theirs-v4", {"network": one, "cidr": "192.0.2.0/24", **POOLS})
    return one


def server(made: Rig, name: str = "vm-1") -> Any:
    return made.ours()[Kind.SERVER, name]


@pytest.mark.parametrize("text", [FIELD_NOTE, BY_ID])
@pytest.mark.parametrize("again", [FIELD_NOTE, BY_ID])
def test_names_and_ids_mean_the_same(text: str, again: str) -> None:
    made = rig()
    made.up(text)
    assert (server(made).image, server(made).flavor) == ("image-old", "m1.tiny")
    assert made.plan(desired(again)).is_empty
    assert made.clouds.show(desired(again)).differences == ()
    assert made.up(again).id is None
    made.down()
    assert made.cloud.everything() == ()


def test_a_name_that_two_images_have_is_refused_with_their_ids_and_an_id_is_not() -> None:
    made = rig(OLD, NEW)
    with pytest.raises(SpecError) as refused:
        made.up()
    assert "there are 2 images of the name cirros: name one by its id (image-new, image-old)" in str(refused.value)
    made.up(BY_ID)
    assert server(made).image == "image-old"
    assert made.plan(desired(BY_ID)).is_empty
    other = BY_ID.replace("image-old", "image-new")
    with pytest.raises(ConflictError, match="server vm-1 has image image-old, not image-new"):
        made.plan(desired(other))
    made.down()
    assert made.cloud.everything() == ()


@pytest.mark.parametrize("text", [FIELD_NOTE, BY_ID])
def test_a_second_image_of_the_name_makes_no_difference_to_what_stands(text: str) -> None:
    made = rig()
    made.up(text)
    made.cloud.rules.images = (OLD, NEW)
    assert made.plan(desired(text)).is_empty
    assert made.clouds.show(desired(text)).differences == ()


def test_a_flavor_whose_id_is_anothers_name_is_told_from_it() -> None:
    made = Rig(FakeCloud(FakeRules(flavors=(Flavor("small", id="1"), Flavor("1", id="2")))))
    made.up(FIELD_NOTE.replace("m1.tiny", '"1"'))
    assert server(made).flavor == "small"
    made.down()
    made.up(FIELD_NOTE.replace("m1.tiny", '"2"'))
    assert server(made).flavor == "1"
    assert made.plan(desired(FIELD_NOTE.replace("m1.tiny", '"2"'))).is_empty


@pytest.mark.parametrize("name", ["theirs", ""])
def test_a_network_may_be_named_by_its_id(name: str) -> None:
    made = rig()
    network = with_network(made, name, "physnet1")
    text = ON_THEIRS.replace("NETWORK", network)
    found = made.propose(desired(text)).findings
    assert any("how many VFs of physnet1 are free" in one.what for one in found), "its physical network is known"
    made.up(text)
    assert made.ours()[Kind.PORT, "vm-0"].network == network
    view = made.clouds.show(desired(text))
    assert view.differences == ()
    assert view.names.get(network) == (name or None), "shown by its name, if it has one"


def test_of_two_networks_of_a_name_one_is_named_by_its_id() -> None:
    made = rig()
    first, second = with_network(made, "theirs", "physnet1"), with_network(made, "theirs", "physnet2")
    with pytest.raises(SpecError) as refused:
        made.up(ON_THEIRS.replace("NETWORK", "theirs"))
    assert f"there are 2 networks of the name theirs: name one by its id ({first}, {second})" in str(refused.value)
    text = ON_THEIRS.replace("NETWORK", first)
    made.up(text)
    assert made.plan(desired(text)).is_empty


def test_a_second_network_of_the_name_makes_no_difference_to_ports_that_stand() -> None:
    made = rig()
    with_network(made, "theirs", "physnet1")
    text = ON_THEIRS.replace("NETWORK", "theirs")
    made.up(text)
    with_network(made, "theirs", "physnet2")
    assert made.plan(desired(text)).is_empty


def test_a_name_means_our_own_network_and_an_id_that_of_others() -> None:
    made = rig()
    theirs = with_network(made, "flat", "physnet2")
    made.up()
    assert made.plan(desired()).is_empty
    own = made.ours()[Kind.NETWORK, "flat"].id
    assert made.plan(desired(FIELD_NOTE.replace("{network: flat,", f"{{network: {own},"))).is_empty
    with pytest.raises(ConflictError, match=f"port vm-1-0 has network flat, not {theirs}"):
        made.plan(desired(FIELD_NOTE.replace("{network: flat,", f"{{network: {theirs},")))


def test_the_network_of_others_is_meant_by_its_id_before_ours_of_that_name_is_made() -> None:
    made = rig()
    theirs = with_network(made, "flat", "physnet1")
    text = FIELD_NOTE.replace("{network: flat,", f"{{network: {theirs},").replace(
        "physical_network: physnet1", "physical_network: physnet2"
    )
    assert [one.network for one in settled(desired(text), made.cloud.observe("note")).servers[0].ports] == [theirs]
    made.up(text)
    assert made.ours()[Kind.PORT, "vm-1-0"].network == theirs
    assert made.plan(desired(text)).is_empty


def test_what_is_not_there_is_said_of_ids_as_of_names() -> None:
    with pytest.raises(SpecError) as refused:
        rig().up(ON_THEIRS.replace("NETWORK", "6a9f7bd2").replace("cirros", "0a3c4d55"))
    said = "\n".join(found(refused.value))
    assert "there is no image 0a3c4d55 (there is: cirros)" in said
    assert "there is no network 6a9f7bd2 (there is: none)" in said


WORDS = st.sampled_from(["a", "b", "c", "d"])


@given(st.dictionaries(WORDS, WORDS | st.just("")), st.sets(WORDS), WORDS)
def test_what_a_thing_is_called_means_it_alone(names: dict[str, str], first: set[str], word: str) -> None:
    known = References(names, frozenset(first & names.keys()))
    for one in names:
        assert known.meant(known.said(one)) == (one,)
        assert known.meant(one) == (one,), "an id comes before a name"
    assert all(word in (one, names[one]) for one in known.meant(word))
    assert known.meant("") == ()


UUID_WORD = "6A9F7BD2-0A3C-4D55-9D4E-0C5A4C6F1B11"


def test_a_uuid_may_be_written_in_capitals() -> None:
    made = rig(Image("cirros", id=UUID_WORD.lower()))
    text = FIELD_NOTE.replace("cirros", UUID_WORD)
    made.up(text)
    assert server(made).image == UUID_WORD.lower()
    assert made.plan(desired(text)).is_empty


def test_the_id_of_a_flavor_is_written_as_it_is() -> None:
    made = Rig(FakeCloud(FakeRules(flavors=(Flavor("Big", id="m1.tiny"), Flavor("M1.Tiny", id="7")))))
    made.up(FIELD_NOTE.replace("flavor: m1.tiny", "flavor: M1.Tiny"))
    assert server(made).flavor == "M1.Tiny"


def test_an_image_that_is_not_listed_is_used_by_its_id() -> None:
    hidden = Image("old", id="6a9f7bd2-0a3c-4d55-9d4e-0c5a4c6f1b11")
    made = Rig(FakeCloud(FakeRules(hidden_images=(hidden,))))
    text = FIELD_NOTE.replace("cirros", hidden.id)
    made.up(text)
    assert server(made).image == hidden.id
    assert made.plan(desired(text)).is_empty


@pytest.mark.parametrize("images", [(OLD, NEW), (NEW,), (Image("cirros-old", id="image-old"), NEW), ()])
def test_what_becomes_of_an_image_and_its_name_is_no_matter_of_what_stands(images: tuple[Image, ...]) -> None:
    """A second one, deleted and uploaded anew, renamed and uploaded anew, deleted."""
    made = rig()
    made.up()
    made.cloud.rules.images = images
    plan = made.plan(desired())
    assert plan.is_empty
    called = "cirros-old" if len(images) == 2 and OLD not in images else "image-old"
    why = "which is not what cirros means now" if images else "and there is no image cirros"
    told = [] if OLD in images else [f"server vm-1, vm-2 stays with image {called}, {why}"]
    assert [note for note in plan.notes if "stays with" in note] == told
    view = made.clouds.show(desired())
    assert (view.differences, list(view.remarks)) == ((), told)
    records = made.records
    assert records.rollback().status is Status.ROLLED_BACK
    assert made.cloud.everything() == ()


def test_what_was_planned_is_made_though_its_name_has_gone_to_another_since() -> None:
    made = rig()
    proposal = made.propose(desired())
    assert "image-old" not in "".join(step.command for step in proposal.plan.steps), "a person reads the name"
    made.cloud.rules.images = (Image("was", id="image-old"), NEW)
    made.clouds.carry_out(proposal)
    assert server(made).image == "image-old"


def test_a_network_of_others_is_told_by_its_name_and_planned_by_its_id() -> None:
    made = rig()
    network = with_network(made, "theirs", "physnet1")
    proposal = made.propose(desired(ON_THEIRS.replace("NETWORK", "theirs")))
    plan = proposal.plan
    assert plan.names == {network: "theirs", "image-old": "cirros"}
    (definition,) = [step.after for step in plan.steps if step.target.kind == "port" and isinstance(step.after, dict)]
    assert definition["network"] == network
    made.clouds.carry_out(proposal)
    assert any("network theirs" in line for line in made.told)
    assert not any(network in line for line in made.told)
