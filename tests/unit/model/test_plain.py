import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtfn.engine.rollback import revert
from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.inventory import Unknown, VfState
from virtfn.model.plan import Impact, Plan, Step, Target, Undoing, Value, Writing
from virtfn.model.probe import Direction
from virtfn.model.serialization import decode, encode, to_json
from virtfn.model.subject import CloudAction, CloudSubject, HostSubject, MirrorSubject, Subject

texts = st.text(max_size=8)
values: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
targets = st.builds(Target, st.sampled_from(["pf", "vf"]), texts, texts)
steps = st.builds(
    Step,
    targets,
    texts,
    values,
    values,
    texts,
    st.sampled_from(Impact),
    texts,
    texts,
    texts,
    st.sampled_from(Writing),
    st.sampled_from(Undoing),
)
names = st.dictionaries(texts, texts, max_size=3)
vfs = st.builds(VfRef, texts.filter(bool), st.integers(0, 2**16))
macs = st.binary(min_size=6, max_size=6).map(MacAddress)
directions = st.lists(st.sampled_from(Direction), max_size=2).map(tuple)
subjects: st.SearchStrategy[Subject] = st.one_of(
    st.builds(HostSubject, st.dictionaries(texts, st.integers(0, 512), max_size=3)),
    st.builds(MirrorSubject, st.integers(1), vfs, vfs, texts, texts, directions, texts, macs),
    st.builds(CloudSubject, st.sampled_from(CloudAction), texts, names),
)
plans = st.builds(Plan, subjects, texts, st.lists(steps, max_size=3).map(tuple), st.lists(texts).map(tuple))


@given(plans)
def test_a_plan_survives_the_journal(plan: Plan) -> None:
    assert decode(Plan, json.loads(json.dumps(encode(plan)))) == plan


@given(plans)
def test_the_json_of_a_plan_is_that_of_its_plain_form(plan: Plan) -> None:
    assert to_json({"plan": plan}) == json.dumps({"plan": encode(plan)})


@given(subjects)
def test_a_subject_is_tagged_with_its_kind(subject: Subject) -> None:
    plain = encode(subject)
    assert isinstance(plain, dict)
    assert (next(iter(plain)), plain["kind"]) == ("kind", subject.kind)


def test_a_subject_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of subject 'wire'"):
        decode(Plan, {"subject": {"kind": "wire"}, "title": "", "steps": []})


@pytest.mark.parametrize(
    "value",
    [
        (VfState(3, mac=MacAddress(bytes(6)), trust=Unknown("the driver does not say")), frozenset({"b", "a"})),
        MappingProxyType({"pci": PciAddress(0, 1, 0, 0), "impact": Impact.PARTY}),
        [None, 0.5, ({"nested": (True, VfRef("0000:01:00.0", 2))},)],
    ],
)
def test_the_json_of_a_value_is_that_of_its_plain_form(value: object) -> None:
    assert to_json(value) == json.dumps(encode(value))


def test_what_has_no_plain_form_is_no_json() -> None:
    with pytest.raises(TypeError, match="no plain form for object"):
        to_json([object()])


def test_what_is_unknown_is_null_and_its_reason_is_kept() -> None:
    unknown: dict[str, str] = {}
    plain = encode((VfState(0, trust=Unknown("the driver does not say"), spoofchk=True),), unknown=unknown, path="vfs")
    assert isinstance(plain, list)
    assert plain[0]["trust"] is None
    assert plain[0]["spoofchk"] is True
    assert unknown["vfs[0].trust"] == "the driver does not say"


@given(st.binary(min_size=6, max_size=6))
def test_a_mac_is_read_as_it_is_written(octets: bytes) -> None:
    mac = MacAddress(octets)
    assert MacAddress.parse(str(mac)) == mac
    assert MacAddress.parse(str(mac).upper().replace(":", "-")) == mac
    assert mac.neighbour(-1).neighbour(1) == mac


def test_the_neighbour_is_the_last_octet_minus_one() -> None:
    assert str(MacAddress.parse("fa:16:3e:aa:33:59").neighbour(-1)) == "fa:16:3e:aa:33:58"


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0x1F), st.integers(0, 7))
def test_a_pci_address_is_read_as_it_is_written(domain: int, bus: int, slot: int, function: int) -> None:
    address = PciAddress(domain, bus, slot, function)
    assert PciAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "fa:16:3e", "fa:16:3e:aa:33:5g", "fa163eaa3359", "fa:16:3e:aa:33:59:00"])
def test_a_wrong_mac_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="is not a MAC address"):
        MacAddress.parse(text)


def test_a_rollback_writes_each_field_once_the_last_touched_first() -> None:
    pf, vf = Target("pf", "a", "a"), Target("vf", "a/2", "a/2")
    recipe = (
        Step(pf, "up", True, False, ""),
        Step(vf, "mac", "own", "twin", ""),
        Step(pf, "up", False, True, ""),
        Step(vf, "mac", "twin", "neighbour", ""),
    )
    back = revert(recipe)
    assert [(entry.target, entry.field, entry.value) for entry in back] == [(vf, "mac", "own"), (pf, "up", True)]
    assert back[0].ours == ("own", "twin", "neighbour")


def test_a_rollback_from_a_new_number_of_vfs_goes_through_none_and_restores_what_went_with_them() -> None:
    pf, old, new = Target("pf", "a", "a"), Target("vf", "a/0", "a/0"), Target("vf", "a/5", "a/5")
    plan = (
        Step(old, "mac", "M", None, "", writing=Writing.IMPLIED),
        Step(pf, "num_vfs", 4, 0, "", undoing=Undoing.RETRACE),
        Step(pf, "num_vfs", 0, 6, "", undoing=Undoing.RETRACE),
        Step(new, "mac", None, "N", "", writing=Writing.FRESH),
    )
    back = [(entry.target, entry.field, entry.value) for entry in revert(plan)]
    assert back == [(pf, "num_vfs", 0), (pf, "num_vfs", 4), (old, "mac", "M")]
