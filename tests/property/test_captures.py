"""Laws of the captures room: what is rendered reads back, and damage never does worse than a SpecError."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.rendering import render

from virtfn.captures.attributes import NOT_ETHERNET, Generation
from virtfn.captures.to_inventory import NO_CARRIER_WHEN_DOWN, parse
from virtfn.errors import SpecError
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import (
    NOT_CAPTURED,
    Inventory,
    Known,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
    Vlan,
    VlanProtocol,
)

T = TypeVar("T")
GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = 10
MUTANTS_PER_SEED = 1000
JSON_MUTANTS = 2000
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def known(values: st.SearchStrategy[T]) -> st.SearchStrategy[Known[T]]:
    return st.one_of(st.just(NOT_CAPTURED), values)


macs = st.binary(min_size=6, max_size=6).map(MacAddress)
guids = st.binary(min_size=8, max_size=8).map(lambda octets: octets.hex(":"))
rates = st.one_of(st.just(0), st.integers(0, 2**32 - 1))
one_vlan = st.builds(Vlan, st.integers(0, 4095), st.integers(0, 7), st.sampled_from(VlanProtocol))
# In words, an entry of a list without its id cannot be told from more words about the entry before it.
many_vlans = st.lists(one_vlan.filter(lambda vlan: vlan.id > 0), min_size=2, max_size=3).map(tuple)
vlan_lists = st.one_of(st.just(()), st.tuples(one_vlan), many_vlans)
names = st.from_regex(r"[a-z][a-z0-9_.\-]{1,12}", fullmatch=True).filter(lambda name: name not in ("ip", "vf"))
pci_addresses = st.tuples(st.integers(0, 255), st.integers(0, 31), st.integers(0, 7)).map(
    lambda place: f"0000:{place[0]:02x}:{place[1]:02x}.{place[2]}"
)
buses = st.one_of(pci_addresses, st.integers(0, 99).map(lambda number: f"netdevsim{number}"), st.none())


@st.composite
def vf_states(draw: st.DrawFn, index: int, ethernet: bool) -> VfState:
    return VfState(
        index=index,
        mac=draw(known(macs)) if ethernet else NOT_ETHERNET,
        broadcast=draw(known(macs)) if ethernet else NOT_ETHERNET,
        vlans=draw(known(vlan_lists)),
        spoofchk=draw(known(st.booleans())),
        trust=draw(known(st.booleans())),
        link_state=draw(known(st.sampled_from(VfLinkState))),
        min_tx_rate_mbps=draw(known(rates)),
        max_tx_rate_mbps=draw(known(rates)),
        rss_query=draw(known(st.booleans())),
        node_guid=draw(known(guids)),
        port_guid=draw(known(guids)),
    )


@st.composite
def pf_states(draw: st.DrawFn) -> PfState:
    name, ethernet = draw(names), draw(st.booleans())
    vfs = tuple(draw(vf_states(index, ethernet)) for index in range(draw(st.integers(0, 4))))
    return PfState(
        device=draw(buses) or name,
        name=name,
        ifindex=draw(known(st.integers(1, 2**31 - 1))),
        mac=draw(known(macs)) if ethernet else NOT_ETHERNET,
        num_vfs=len(vfs),
        up=draw(known(st.booleans())),
        carrier=draw(known(st.booleans())),
        promisc=draw(known(st.booleans())),
        mtu=draw(known(st.integers(68, 65535))),
        vfs=vfs,
    )


inventories = st.builds(
    Inventory,
    st.lists(pf_states(), max_size=3, unique_by=(lambda pf: pf.name, lambda pf: pf.device)).map(tuple),
    st.just("capture"),
)


def visible(inventory: Inventory, generation: Generation) -> Inventory:
    """What somebody can know who has only what this generation prints: the specification of ``render``."""
    return replace(inventory, pfs=tuple(visible_pf(pf, generation) for pf in inventory.pfs if pf.vfs))


def visible_pf(pf: PfState, generation: Generation) -> PfState:
    prints_bus = generation in (Generation.TODAY, Generation.JSON)
    seen = replace(
        PfState(device=pf.device if prints_bus else str(pf.name), name=pf.name),
        ifindex=pf.ifindex,
        mac=pf.mac,
        mtu=pf.mtu,
        num_vfs=pf.num_vfs,
        vfs=tuple(visible_vf(vf, generation) for vf in pf.vfs),
    )
    if NOT_CAPTURED in (pf.up, pf.promisc) or (pf.up and pf.carrier == NOT_CAPTURED):
        return seen
    carrier = pf.carrier if pf.up else NO_CARRIER_WHEN_DOWN
    return replace(seen, up=pf.up, carrier=carrier, promisc=pf.promisc, promiscuous=pf.promisc)


def visible_vf(vf: VfState, generation: Generation) -> VfState:
    if generation is Generation.JSON:
        return replace(vf, vlans=without_none(vf.vlans))
    vf = replace(
        vf,
        vlans=said_in_words(vf, generation),
        min_tx_rate_mbps=vf.min_tx_rate_mbps or NOT_CAPTURED,
        max_tx_rate_mbps=vf.max_tx_rate_mbps or NOT_CAPTURED,
    )
    if generation is Generation.TODAY:
        return vf
    vf = replace(vf, node_guid=NOT_CAPTURED, port_guid=NOT_CAPTURED)
    vf = vf if vf.broadcast == NOT_ETHERNET else replace(vf, broadcast=NOT_CAPTURED)
    return vf if generation is Generation.MIDDLE else replace(vf, trust=NOT_CAPTURED, rss_query=NOT_CAPTURED)


def without_none(vlans: Known[tuple[Vlan, ...]]) -> Known[tuple[Vlan, ...]]:
    return vlans if isinstance(vlans, Unknown) else tuple(vlan for vlan in vlans if vlan != Vlan())


def said_in_words(vf: VfState, generation: Generation) -> Known[tuple[Vlan, ...]]:
    """No word of a VLAN means none, where something is said that is always printed after it."""
    vlans = () if isinstance(vf.vlans, Unknown) else vf.vlans
    if generation is Generation.FIELD_NOTE:
        vlans = tuple(replace(vlan, protocol=VlanProtocol.C_TAG) for vlan in vlans[:1])
    silence: Known[tuple[Vlan, ...]] = NOT_CAPTURED if vf.spoofchk == NOT_CAPTURED == vf.link_state else ()
    return tuple(vlan for vlan in vlans if vlan != Vlan()) or silence


@pytest.mark.parametrize("generation", Generation)
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=QUIET)
@given(inventory=inventories)
def test_what_is_rendered_reads_back(generation: Generation, inventory: Inventory) -> None:
    assume(render(inventory, generation))  # a host without a PF prints nothing, and nothing is no capture
    assert parse(render(inventory, generation)) == visible(inventory, generation)


def with_flags(inventory: Inventory) -> Inventory:
    """Without flags and number, only its place at the begin of a line tells an interface."""
    return replace(inventory, pfs=tuple(replace(pf, up=True, carrier=True, promisc=False) for pf in inventory.pfs))


@pytest.mark.parametrize("generation", [one for one in Generation if one is not Generation.JSON])
@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=QUIET)
@given(inventory=inventories.filter(lambda inventory: bool(inventory.pfs)).map(with_flags), seed=st.integers(0, 2**32))
def test_where_lines_break_changes_nothing(generation: Generation, inventory: Inventory, seed: int) -> None:
    dice, text = random.Random(seed), render(inventory, generation)
    broken = "".join(
        word + dice.choice((" ", " ", "\n", "\r\n", "\t", "\u00a0", "   ", " \n\n ")) for word in text.split()
    )
    assert parse(broken) == parse(text)


# ---- damage


def goldens() -> list[str]:
    cases = sorted((*(GOLDEN / "captures").iterdir(), *(GOLDEN / "captures_errors").iterdir()))
    return [text for case in cases if (text := next(case.glob("input.*")).read_bytes().decode())]


def flip(text: str, dice: random.Random) -> str:
    place = dice.randrange(len(text))
    return text[:place] + dice.choice("0159aAfgz:,<>()[]{}\"'\\/.-#$@ \n\t\x00\x1b\u00a0é") + text[place + 1 :]


def cut(text: str, dice: random.Random) -> str:
    first, last = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
    return text[:first] + text[last:] if dice.random() < 0.5 else text[first:last]


def swap_lines(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    dice.shuffle(lines)
    return "\n".join(lines)


def join_lines(text: str, dice: random.Random) -> str:
    return text.replace("\n", dice.choice((" ", "", "\\", "\r", "\u00a0")))


def repeat_token(text: str, dice: random.Random) -> str:
    tokens = text.split(" ")
    place = dice.randrange(len(tokens))
    return " ".join((*tokens[:place], tokens[place], *tokens[place:]))


def swap_tokens(text: str, dice: random.Random) -> str:
    tokens = text.split(" ")
    one, other = dice.randrange(len(tokens)), dice.randrange(len(tokens))
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return " ".join(tokens)


MUTATIONS = (flip, flip, flip, cut, swap_lines, join_lines, repeat_token, swap_tokens)


def mutant(sources: list[str], dice: random.Random) -> str:
    text = dice.choice(sources)
    if dice.random() < 0.1:
        text += dice.choice(sources)
    for _ in range(dice.randint(1, 4)):
        text = dice.choice(MUTATIONS)(text, dice) or " "
    return text


def judged(text: str) -> Inventory | None:
    """The inventory, or None for a SpecError that names a line and a hint."""
    try:
        return parse(text, where="mutant")
    except SpecError as error:
        assert_complete(error)
        return None


def assert_complete(error: SpecError) -> None:
    assert error.where.startswith("mutant:")
    assert error.hint
    assert error.findings


@pytest.mark.parametrize("seed", range(SEEDS))
def test_damaged_captures_are_read_or_refused(seed: int) -> None:
    dice, sources = random.Random(seed), goldens()
    read = 0
    for number in range(MUTANTS_PER_SEED):
        inventory = judged(mutant(sources, dice))
        read += inventory is not None
        if inventory and inventory.pfs and number % 10 == 0:
            for generation in Generation:
                again = parse(render(inventory, generation))
                assert [pf.name for pf in again.pfs] == [pf.name for pf in inventory.pfs if pf.vfs]
    assert 0 < read < MUTANTS_PER_SEED  # the damage is neither harmless nor total


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0.5,
    1e999,
    10**30,
    "",
    "x",
    "fa:16:3e:00:00:01",
    [],
    [[]],
    {},
    {"vf": 0},
    "\ud800",
)


def damage(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.08:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {key: damage(item, dice) for key, item in value.items() if dice.random() > 0.02}
    if isinstance(value, list):
        return [damage(item, dice) for item in value] * (2 if dice.random() < 0.02 else 1)
    return value


def test_damaged_json_is_read_or_refused() -> None:
    dice = random.Random(2015)
    sources = [json.loads(path.read_text()) for path in sorted((GOLDEN / "captures").glob("json_[bimn]*/input.json"))]
    for _ in range(JSON_MUTANTS):
        judged(json.dumps(damage(dice.choice(sources), dice), indent=dice.choice((None, 2))))
