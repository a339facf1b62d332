"""The registry of fields and the types that hold their values agree."""

from dataclasses import fields as attributes

import pytest

from virtfn.errors import UsageError
from virtfn.model.addresses import VfRef
from virtfn.model.desired import DesiredPf, DesiredVf
from virtfn.model.field_row import Field, in_order
from virtfn.model.fields import FIELDS, PF_FIELDS, VF_FIELDS
from virtfn.model.inventory import PfState, Unknown, VfState, Vlan, VlanProtocol

ROWS = [pytest.param(row, id=f"{kind} {row.name}") for kind, rows in FIELDS.items() for row in rows.values()]


def keys(rows: dict[str, Field]) -> list[str]:
    return [name for row in rows.values() for name in row.key_names]


def test_a_desired_vf_has_the_keys_of_the_rows() -> None:
    assert [one.name for one in attributes(DesiredVf)] == keys(dict(VF_FIELDS))


def test_a_desired_pf_has_the_keys_of_the_rows() -> None:
    others = {"match", "vfs", "each", "where"}
    assert [one.name for one in attributes(DesiredPf) if one.name not in others] == keys(dict(PF_FIELDS))


@pytest.mark.parametrize("row", ROWS)
def test_what_was_not_observed_is_unknown_in_every_row(row: Field) -> None:
    state = VfState(0) if row in VF_FIELDS.values() else PfState("0000:01:00.0", "p2p1")
    assert isinstance(row.read(state), Unknown)


def test_no_two_rows_of_a_kind_have_one_turn() -> None:
    for rows in FIELDS.values():
        assert len({row.turn for row in in_order(rows.values())}) == len(rows)


def test_a_rate_of_which_one_half_is_unknown_is_unknown() -> None:
    assert isinstance(VF_FIELDS["rate"].read(VfState(0, max_tx_rate_mbps=50)), Unknown)


def test_vlan_0_without_a_priority_is_no_vlan() -> None:
    assert VF_FIELDS["vlan"].read(VfState(0, vlans=(Vlan(0, 0, VlanProtocol.S_TAG),))) == VF_FIELDS["vlan"].fresh


def test_the_key_of_a_vf_is_read_as_it_is_written() -> None:
    for ref in (VfRef("0000:01:00.0", 2), VfRef("p2p1", 0), VfRef("netdevsim1", 511)):
        assert VfRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["p2p1", "p2p1/", "/3", "p2p1/x", "p2p1/-1", "p2p1/²"])
def test_what_is_not_the_key_of_a_vf_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a VF"):
        VfRef.parse(text)
