"""Laws of the spec room: what is dumped reads back, today's host changes nothing, damage ends in a SpecError."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virtfn.errors import SpecError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch, Wanted
from virtfn.model.fields import MATCH_KEYS, PF_FIELDS
from virtfn.model.inventory import (
    NO_VLAN,
    NOT_CAPTURED,
    EswitchMode,
    Inventory,
    Known,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
    Vlan,
    VlanProtocol,
)
from virtfn.spec.from_inventory import describe, render
from virtfn.spec.loading import load
from virtfn.spec.writing import dump

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
CHUNKS, MUTANTS_PER_CHUNK = 10, 1000
LAWS = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def wanted(values: st.SearchStrategy[T]) -> st.SearchStrategy[Wanted[T]]:
    return st.one_of(st.just(UNSET), values)


def known(values: st.SearchStrategy[T]) -> st.SearchStrategy[Known[T]]:
    return st.one_of(st.just(NOT_CAPTURED), values)


any_mac = st.binary(min_size=6, max_size=6).map(MacAddress)
macs = any_mac.filter(lambda mac: not mac.is_multicast)
guids = st.binary(min_size=8, max_size=8).map(lambda octets: octets.hex(":"))
zero_mac = st.just(MacAddress(bytes(6)))
pci_addresses = st.builds(
    PciAddress, st.integers(0, 0x10FFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7)
)
names = st.from_regex(r"[A-Za-z0-9_.@#\-]{1,15}", fullmatch=True).filter(lambda name: name not in (".", ".."))
odd_names = st.sampled_from(["null", "true", "1e3", "0x10", "yes", "012", "~", "- x", "a#b", "'", '"', "&a", "é", "<<"])
netdev_names = st.one_of(names, odd_names.map(lambda name: name.replace(" ", "_")))
drivers = st.one_of(
    st.sampled_from(["vfio-pci", "igbvf", "4xxxvf", "mlx5_core", "true", "1", "1e5", "no"]),
    st.from_regex(r"[a-z0-9_][a-z0-9_.+\-]{0,20}", fullmatch=True),
).filter(lambda driver: driver not in ("native", "none"))
ids = st.integers(0, 2**32 - 1).map(lambda number: f"{number >> 16:04x}:{number & 0xFFFF:04x}")
vlans = st.builds(Vlan, st.integers(0, 4094), st.integers(0, 7), st.sampled_from(VlanProtocol)).map(
    lambda vlan: vlan if vlan.id or vlan.qos else NO_VLAN
)


def several(values: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(values, min_size=2, max_size=3, unique=True).map(tuple)


matches = st.builds(
    PfMatch,
    name=st.none() | netdev_names | several(netdev_names),
    pci=st.none() | pci_addresses | several(pci_addresses),
    permanent_mac=st.none() | macs | several(macs),
    driver=st.none() | drivers,
    vendor_device=st.none() | ids,
).filter(lambda match: match != PfMatch())
few_vfs = st.builds(
    DesiredVf,
    mac=wanted(zero_mac),
    vlan=wanted(st.one_of(st.just(NO_VLAN), st.just(Vlan(100)), vlans)),
    spoofchk=wanted(st.booleans()),
    trust=wanted(st.booleans()),
    link_state=wanted(st.sampled_from(VfLinkState)),
    min_tx_rate_mbps=wanted(st.sampled_from([0, 1, 100])),
    max_tx_rate_mbps=wanted(st.sampled_from([0, 100, 5000, 2**32 - 1])),  # never below a minimum above
    rss_query=wanted(st.booleans()),
    node_guid=wanted(st.just("00:00:00:00:00:00:00:00")),
    port_guid=wanted(st.just("00:00:00:00:00:00:00:00")),
    driver=wanted(st.one_of(st.none(), st.just("native"), drivers)),
)


@st.composite
def desired_pfs(draw: st.DrawFn) -> DesiredPf:
    indexes = draw(st.sets(st.one_of(st.integers(0, 12), st.integers(0, 65534)), max_size=8))
    alike = draw(st.lists(few_vfs, min_size=1, max_size=3))
    unique = iter(draw(st.lists(macs.filter(lambda mac: not mac.is_zero), min_size=8, max_size=8, unique=True)))
    vfs = []
    for index in sorted(indexes):
        vf = draw(st.sampled_from(alike))
        vfs.append((index, replace(vf, mac=next(unique)) if draw(st.booleans()) else vf))
    return DesiredPf(
        match=draw(matches),
        num_vfs=draw(wanted(st.integers(max(indexes, default=-1) + 1, 65535))),
        mtu=draw(wanted(st.integers(68, 65535))),
        promisc=draw(wanted(st.booleans())),
        up=draw(wanted(st.booleans())),
        eswitch_mode=draw(wanted(st.sampled_from([EswitchMode.LEGACY, EswitchMode.SWITCHDEV]))),
        autoprobe=draw(wanted(st.booleans())),
        vfs=tuple(vfs),
        each=draw(few_vfs),
    )


hosts = st.builds(DesiredHost, st.lists(desired_pfs(), max_size=3, unique_by=lambda pf: pf.match).map(tuple))


@LAWS
@given(desired=hosts)
def test_what_is_dumped_reads_back(desired: DesiredHost) -> None:
    assert load([("dumped.yaml", dump(desired))]) == desired


@LAWS
@given(desired=hosts, order=st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(desired: DesiredHost, order: random.Random) -> None:
    text = json.dumps(shuffled(as_json(desired), order))  # JSON is YAML
    assert load([("shuffled.json", text)]) == desired


def as_json(desired: DesiredHost) -> Any:
    """The long form of a spec, as one would write it without ``dump``."""
    return {"virtfn": "host/1", "pfs": [pf_as_json(pf) for pf in desired.pfs]}


def pf_as_json(pf: DesiredPf) -> Any:
    said = {key: getattr(pf, key) for key in PF_FIELDS}
    match = {MATCH_KEYS[name].key.name: [str(one) for one in choices] for name, choices in pf.match.named.items()}
    return {
        "match": {key: choices if len(choices) > 1 else choices[0] for key, choices in match.items()},
        **{key: value for key, value in said.items() if value is not UNSET},
        "each": vf_as_json(pf.each),
        "vfs": {str(index): vf_as_json(vf) for index, vf in pf.vfs},
    }


def vf_as_json(vf: DesiredVf) -> Any:
    said = {key: value for key, value in vars(vf).items() if value is not UNSET}
    if isinstance(vf.vlan, Vlan):
        said["vlan"] = {"id": vf.vlan.id, "qos": vf.vlan.qos, "protocol": vf.vlan.protocol}
        said["vlan"] = said["vlan"] if vf.vlan != NO_VLAN else "none"
    said = {key: str(value) if isinstance(value, MacAddress) else value for key, value in said.items()}
    return {key: "none" if value is None else value for key, value in said.items()}


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(item, order) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    order.shuffle(keys)
    return {key: shuffled(value[key], order) for key in keys}


@st.composite
def vf_states(draw: st.DrawFn, index: int) -> VfState:
    return VfState(
        index=index,
        mac=draw(known(st.one_of(zero_mac, zero_mac, any_mac, st.just(MacAddress(bytes([2, 0, 0, 0, 0, 1])))))),
        vlans=draw(
            known(st.one_of(st.just(()), st.lists(st.builds(Vlan, st.integers(0, 4095)), max_size=2).map(tuple)))
        ),
        spoofchk=draw(known(st.booleans())),
        trust=draw(known(st.booleans())),
        link_state=draw(known(st.sampled_from(VfLinkState))),
        min_tx_rate_mbps=draw(known(st.sampled_from([0, 100, 1000]))),
        max_tx_rate_mbps=draw(known(st.sampled_from([0, 100, 500]))),
        rss_query=draw(known(st.booleans())),
        node_guid=draw(known(guids)),
        driver=draw(known(st.one_of(st.none(), drivers, st.sampled_from(["native", "odd name"])))),
    )


@st.composite
def pf_states(draw: st.DrawFn) -> PfState:
    vfs = tuple(draw(vf_states(index)) for index in range(draw(st.integers(0, 5))))
    name = draw(known(st.none() | netdev_names))
    device = draw(st.one_of(pci_addresses.map(str), st.integers(0, 3).map(lambda number: f"netdevsim{number}")))
    return PfState(
        device=device,
        name=name,
        num_vfs=draw(known(st.one_of(st.just(len(vfs)), st.integers(0, 5)))),
        up=draw(known(st.booleans())),
        promisc=draw(known(st.booleans())),
        mtu=draw(known(st.one_of(st.integers(68, 9000), st.just(10**6)))),
        eswitch_mode=draw(known(st.sampled_from(EswitchMode))),
        autoprobe=draw(known(st.booleans())),
        vfs=vfs,
        problems=draw(st.sampled_from([(), ("a\nline: {break",)])),
    )


def name_or_itself(pf: PfState) -> object:
    """Two netdevs of a host have two names; any number of PFs may have none, or one that was not read."""
    return pf.name if isinstance(pf.name, str) else object()


inventories = st.builds(Inventory, st.lists(pf_states(), max_size=3, unique_by=name_or_itself).map(tuple))


@LAWS
@given(inventory=inventories)
def test_what_is_rendered_reads_back_and_changes_nothing(inventory: Inventory) -> None:
    desired = load([("rendered.yaml", render(inventory))])
    assert desired == describe(inventory)
    assert [wrong for pf in desired.pfs for wrong in changes(pf, state_of(pf.match, inventory))] == []


def state_of(match: PfMatch, inventory: Inventory) -> PfState:
    fits: list[Callable[[PfState], bool]] = [
        lambda pf: match.pci is None or str(match.pci) == pf.device,
        lambda pf: match.name is None or match.name == pf.name,
    ]
    return next(pf for pf in inventory.pfs if all(fit(pf) for fit in fits))


def changes(desired: DesiredPf, state: PfState) -> list[str]:
    """What applying would write, by the plainest reading: a wanted value that is not the one that was read."""
    wrong = [key for key in PF_FIELDS if getattr(desired, key) not in (UNSET, getattr(state, key))]
    states = {vf.index: vf for vf in state.vfs}
    count = state.num_vfs if not isinstance(state.num_vfs, Unknown) else len(states)
    wrong += [f"each, but VF {index} was not read" for index in range(count) if said_blindly(desired, index, states)]
    for index, vf in states.items():
        if index >= count:
            continue
        for key, value in vars(desired.vf(index)).items():
            if value is not UNSET and value != getattr(vf, key):
                wrong.append(f"VF {index} {key}")
            if (
                value is UNSET
                and key in ("spoofchk", "trust", "link_state", "rss_query")
                and is_known(getattr(vf, key))
            ):
                wrong.append(f"VF {index} {key} is not said")
    return wrong


def said_blindly(desired: DesiredPf, index: int, states: dict[int, VfState]) -> bool:
    return index not in states and desired.vf(index) != DesiredVf()


def is_known(value: object) -> bool:
    return not isinstance(value, Unknown)


def seeds() -> list[str]:
    """What mutants are made from; files that are right are there several times, as one fault hides the rest."""
    right = [*(ROOT / "examples/host").glob("*.yaml"), *(ROOT / "tests/golden/spec").glob("*/*.yaml")]
    wrong = [path for path in (ROOT / "tests/golden/spec_errors").glob("*/*.yaml") if path.parent.name not in SLOW]
    return [path.read_bytes().decode() for path in (*sorted(right) * 5, *sorted(wrong))]


SLOW = ("alias_bomb", "merge_bomb", "ranges_name_too_many", "huge_number")
WORDS = [
    "virtfn",
    "host/1",
    "pfs",
    "match",
    "name",
    "pci",
    "driver",
    "id",
    "num_vfs",
    "mtu",
    "promisc",
    "up",
    "eswitch_mode",
    "autoprobe",
    "each",
    "vfs",
    "mac",
    "vlan",
    "qos",
    "protocol",
    "spoofchk",
    "trust",
    "link_state",
    "min_tx_rate_mbps",
    "max_tx_rate_mbps",
    "rss_query",
    "node_guid",
    "mirrors",
    "0",
    "2",
    '"0-3"',
    "0-3,6",
    "-1",
    "65535",
    "1e9",
    "0x10",
    "0o7",
    ".inf",
    ".nan",
    "99999999999999999999",
    "true",
    "false",
    "yes",
    "null",
    "~",
    "none",
    "native",
    "legacy",
    "auto",
    "802.1ad",
    "fa:16:3e:a1:43:57",
    "01:00:5e:00:00:01",
    "0000:01:00.0",
    "8086:10c9",
    "[]",
    "{}",
    "[1,2]",
    "{a:",
    "1}",
    '""',
    "''",
    '"a',
    'b"',
    "&a",
    "*a",
    "<<:",
    "!!str",
    "!x",
    "?",
    "-",
    ":",
    "|",
    ">",
    "%",
    "@",
    "`",
    "#",
    "---",
    "...",
]
WORD = re.compile(r"[^\s{}\[\],:]+(?::[^\s{}\[\],:]+)*")
LETTERS = "\t\n\r \0\x07\x1b\x7f\x85\u2028\ufeff\ud800é中😀{}[]:,-&*!|>'\"%@`#?0aZ~<"


def flip(text: str, dice: random.Random) -> str:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice(LETTERS) + text[place + dice.randrange(2) :]


def cut(text: str, dice: random.Random) -> str:
    first = dice.randrange(len(text) + 1)
    return text[:first] + text[first + dice.randrange(1, 40) :]


def swap_lines(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def repeat_line(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return "\n".join(lines)


def indent_line(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    place = dice.randrange(len(lines))
    lines[place] = " " * dice.randrange(1, 5) + lines[place] if dice.random() < 0.5 else lines[place].lstrip()
    return "\n".join(lines)


def change_word(text: str, dice: random.Random) -> str:
    """Another word in the place of one: renames a key, or gives a value of another type."""
    place = dice.choice([found.span() for found in WORD.finditer(text)] or [(0, 0)])
    return text[: place[0]] + dice.choice(WORDS) + text[place[1] :]


MUTATIONS = (flip, cut, swap_lines, repeat_line, indent_line, *[change_word] * 7)


def outcome(text: str) -> str:
    """What became of a mutant; "" where it is one of the two things that may."""
    try:
        desired = load([("mutant.yaml", text)])
    except SpecError as error:
        whole = error.findings and all(one.subject.startswith("mutant.yaml:") for one in error.findings)
        return "" if whole else f"no place: {error.findings}"
    return "" if load([("dumped.yaml", dump(desired))]) == desired else "does not read back"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_damaged_spec_gives_a_host_or_a_spec_error(chunk: int) -> None:
    dice, texts = random.Random(chunk), seeds()
    bad = []
    for _ in range(MUTANTS_PER_CHUNK):
        text = dice.choice(texts)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            text = dice.choice(MUTATIONS)(text, dice)
        try:
            said = outcome(text)
        except Exception as error:  # noqa: BLE001  whatever it is, it is a fault
            said = repr(error)
        bad += [(said, text)] if said else []
    assert bad == []
