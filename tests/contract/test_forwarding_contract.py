"""Who gets a frame, and what a write changes: the fake and the emulated igb (inside the lab), by the same cases.

Each case is judged twice: by the receivers it names, and by what ``predict`` says of the state that was observed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.contract.hosts import MAKERS, Subject

from virtfn.errors import KernelRefused
from virtfn.eswitch.forwarding import BROADCAST, Frame, predict
from virtfn.eswitch.nic_state import WIRE, NicState, nic_state
from virtfn.eswitch.transitions import after_write
from virtfn.mirroring.meters import CAPTURED_FRAMES
from virtfn.model.addresses import MacAddress
from virtfn.model.plan import Target, Value
from virtfn.model.probe import Endpoint, ProbeBurst, ProbePoint, Strength

SIBLING_MAC, COPY_MAC, SOURCE_MAC = "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59"
PF_MAC, NOBODYS_MAC = "a0:36:9f:68:fc:f4", "02:00:00:00:00:77"
PF, SIBLING, COPY, SOURCE, CABLE = "p2p1", "p2p1/1", "p2p1/2", "p2p1/3", "wire:w0"
ENDPOINTS = {
    PF: Endpoint(PF, "", PF, MacAddress.parse(PF_MAC)),
    SIBLING: Endpoint(SIBLING, "vm1", "eth0", MacAddress.parse(SIBLING_MAC)),
    COPY: Endpoint(COPY, "vm2", "eth0", MacAddress.parse(COPY_MAC)),
    SOURCE: Endpoint(SOURCE, "vm3", "eth0", MacAddress.parse(SOURCE_MAC)),
    CABLE: Endpoint(CABLE, "wire", "w0", MacAddress.parse("52:54:00:00:00:01")),
}
FRAMES = 5
Write = tuple[str, str, Value]
"""The label of a VF or of its netdev, a field, a value."""


@pytest.fixture(params=["fake", pytest.param("igb", marks=pytest.mark.guest)])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    yield from MAKERS[request.param]()


def vlan(number: int) -> Value:
    return {"id": number, "qos": 0, "protocol": "802.1Q"}


TWIN: Write = (COPY, "mac", SOURCE_MAC)


def target_of(subject: Subject, label: str) -> Target:
    if label == PF:
        return subject.target
    index = int(label[-1]) if label.startswith(PF) else int(label[2])
    return subject.vf(index) if label.startswith(PF) else subject.netdev(index)


@contextmanager
def changed(subject: Subject, writes: tuple[Write, ...]) -> Iterator[None]:
    """With these writes done, and taken back in the reverse order."""
    found = [(label, field, subject.host.read(target_of(subject, label), field)) for label, field, _ in writes]
    try:
        for label, field, value in writes:
            subject.host.write(target_of(subject, label), field, value)
        yield
    finally:
        for label, field, value in reversed(found):
            subject.host.write(target_of(subject, label), field, value)


def receivers_of(subject: Subject, sender: Endpoint, destination: MacAddress) -> frozenset[str]:
    """Send a burst, and say which endpoints got all of it; a part of it is a failure."""
    watchers = tuple(
        ProbePoint(one.label, CAPTURED_FRAMES.name, Strength.SEEN, one)
        for one in ENDPOINTS.values()
        if one.label != sender.label
    )
    nonce = (hash((sender.label, destination)) & 0xFFFFFFFF).to_bytes(8)
    tallies = subject.prober.send(ProbeBurst(sender, destination, nonce, FRAMES, watchers))
    assert {one.frames for one in tallies.values()} <= {0, FRAMES}
    return frozenset(label for label, one in tallies.items() if one.frames)


def observed_nic(subject: Subject) -> NicState:
    """The state as observed; that both NICs are emulated cannot be observed."""
    return replace(nic_state(subject.pf), emulated=True)


def assert_predicted(nic: NicState, frame: Frame, got: frozenset[str]) -> None:
    found = predict(nic, frame)
    named = {port: CABLE if port == WIRE else port for port in (*found.receivers, *found.unknown)}
    assert {named[port] for port in found.receivers} & set(ENDPOINTS) <= got
    assert got <= set(named.values()), {one.port: one.why for one in found.deliveries}


CASES: dict[str, tuple[tuple[Write, ...], str, str, set[str]]] = {
    "wire to source": ((), CABLE, SOURCE_MAC, {SOURCE}),
    "PF to source": ((), PF, SOURCE_MAC, {SOURCE}),
    "sibling to source": ((), SIBLING, SOURCE_MAC, {SOURCE}),
    "wire to the copy's own MAC": ((), CABLE, COPY_MAC, {COPY}),
    "wire to the PF": ((), CABLE, PF_MAC, {PF}),
    "source to the PF": ((), SOURCE, PF_MAC, {PF}),
    "source to the wire": ((), SOURCE, "52:54:00:00:00:01", {CABLE}),
    "unknown unicast from the wire": ((), CABLE, NOBODYS_MAC, {PF}),
    "unknown unicast from a VF": ((), SIBLING, NOBODYS_MAC, {CABLE}),
    "unknown unicast from the PF": ((), PF, NOBODYS_MAC, {CABLE}),
    "broadcast from the wire": ((), CABLE, str(BROADCAST), {PF, SIBLING, COPY, SOURCE}),
    "broadcast from a VF": ((), SIBLING, str(BROADCAST), {PF, COPY, SOURCE, CABLE}),
    "broadcast from the PF": ((), PF, str(BROADCAST), {SIBLING, COPY, SOURCE, CABLE}),
    "broadcast, one VF in a VLAN": (((COPY, "vlan", vlan(100)),), CABLE, str(BROADCAST), {PF, SIBLING, SOURCE}),
    "source in a VLAN, untagged from the wire": (((SOURCE, "vlan", vlan(100)),), CABLE, SOURCE_MAC, {PF}),
    "source in a VLAN, from a sibling in none": (((SOURCE, "vlan", vlan(100)),), SIBLING, SOURCE_MAC, set()),
    "source and sibling in one VLAN": (
        ((SOURCE, "vlan", vlan(100)), (SIBLING, "vlan", vlan(100))),
        SIBLING,
        SOURCE_MAC,
        {SOURCE},
    ),
    "twin MACs, from the wire": ((TWIN,), CABLE, SOURCE_MAC, {COPY, SOURCE}),
    "twin MACs, from the PF": ((TWIN,), PF, SOURCE_MAC, {COPY, SOURCE}),
    "twin MACs, from a sibling": ((TWIN,), SIBLING, SOURCE_MAC, {COPY, SOURCE}),
    "twin MACs, to the copy's own MAC": ((TWIN,), CABLE, COPY_MAC, {PF}),
    "twin MACs, from the source": ((TWIN,), SOURCE, "52:54:00:00:00:01", {CABLE}),
    "twin MACs, the source in a VLAN": ((TWIN, (SOURCE, "vlan", vlan(100))), CABLE, SOURCE_MAC, {COPY}),
    "twin MACs, the copy in a VLAN": ((TWIN, (COPY, "vlan", vlan(100))), CABLE, SOURCE_MAC, {SOURCE}),
    "twin MACs, both in a VLAN": (
        (TWIN, (COPY, "vlan", vlan(100)), (SOURCE, "vlan", vlan(100))),
        CABLE,
        SOURCE_MAC,
        {PF},
    ),
    "two twins": ((TWIN, (SIBLING, "mac", SOURCE_MAC)), CABLE, SOURCE_MAC, {SIBLING, COPY, SOURCE}),
    "promiscuous PF, from a VF to the wire": (((PF, "promisc", True),), SIBLING, NOBODYS_MAC, {COPY, SOURCE, CABLE}),
    "promiscuous PF and twin MACs, from the source to the wire": (
        ((PF, "promisc", True), TWIN),
        SOURCE,
        "52:54:00:00:00:01",
        {SIBLING, COPY, CABLE},
    ),
    "promiscuous PF and twin MACs, to the source": (
        ((PF, "promisc", True), TWIN),
        CABLE,
        SOURCE_MAC,
        {COPY, SOURCE},
    ),
    "the field note's last step": ((TWIN, (COPY, "mac", "fa:16:3e:aa:33:58")), CABLE, SOURCE_MAC, {SOURCE}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_frame_reaches_whom_the_switch_gives_it_to(subject: Subject, case: str) -> None:
    writes, sender, destination, receivers = CASES[case]
    mac = MacAddress.parse(destination)
    with changed(subject, writes):
        got = receivers_of(subject, ENDPOINTS[sender], mac)
        nic = observed_nic(subject)
    assert got == receivers
    assert_predicted(nic, Frame(WIRE if sender == CABLE else sender, mac), got)


@pytest.mark.parametrize("spoofchk", [True, False])
def test_the_emulated_nic_does_not_enforce_its_spoof_check(subject: Subject, spoofchk: bool) -> None:
    """A quirk of the emulation, so that nobody takes it for the chip's behaviour."""
    spoofer = replace(ENDPOINTS[SIBLING], mac=MacAddress.parse(COPY_MAC))
    source = MacAddress.parse(SOURCE_MAC)
    with changed(subject, ((SIBLING, "spoofchk", spoofchk),)):
        got = receivers_of(subject, spoofer, source)
        nic = observed_nic(subject)
    assert got == {SOURCE}
    assert_predicted(nic, Frame(SIBLING, source, spoofer.mac), got)


OTHER_MAC = "02:00:00:00:00:55"
TRANSITIONS: dict[str, tuple[tuple[Write, ...], tuple[str, str]]] = {
    "an admin MAC leaves the netdev alone": ((TWIN,), (SOURCE_MAC, COPY_MAC)),
    "an untrusted guest does not keep its MAC": ((("vm2:eth0", "guest_mac", OTHER_MAC),), (COPY_MAC, COPY_MAC)),
    "a trusted guest changes its filter": (
        ((COPY, "trust", True), ("vm2:eth0", "guest_mac", OTHER_MAC)),
        (OTHER_MAC, OTHER_MAC),
    ),
    "an untrusted guest takes the admin MAC when it is reset": (
        (TWIN, ("vm2:eth0", "up", False), ("vm2:eth0", "up", True)),
        (SOURCE_MAC, SOURCE_MAC),
    ),
    "a trusted guest writes its own back when it is reset": (
        ((COPY, "trust", True), TWIN, ("vm2:eth0", "up", False), ("vm2:eth0", "up", True)),
        (COPY_MAC, COPY_MAC),
    ),
    "the PF down and up resets an untrusted guest": (
        (TWIN, (PF, "up", False), (PF, "up", True)),
        (SOURCE_MAC, SOURCE_MAC),
    ),
    "the PF down and up resets a trusted guest": (
        ((COPY, "trust", True), TWIN, (PF, "up", False), (PF, "up", True)),
        (COPY_MAC, COPY_MAC),
    ),
}


@pytest.mark.parametrize("case", TRANSITIONS)
def test_a_write_changes_what_the_drivers_row_says(subject: Subject, case: str) -> None:
    writes, macs = TRANSITIONS[case]
    before = subject.pf
    predicted = observed_nic(subject)
    for label, field, value in writes:
        subject.host.write(target_of(subject, label), field, value)
        predicted = after_write(predicted, target_of(subject, label), field, value)
    wait_until(lambda: _macs(predicted) == _macs(observed_nic(subject)))  # after a reset of the PF guests take a while
    found = observed_nic(subject)
    _restore(subject)
    wait_until(lambda: subject.pf == before)
    assert (str(found.vfs[2].admin_mac), str(found.vfs[2].guest_mac)) == macs
    assert _macs(predicted) == _macs(found)
    assert subject.pf == before


def test_a_mac_of_an_untrusted_guest_is_refused(subject: Subject) -> None:
    before = subject.pf
    with pytest.raises(KernelRefused, match="EADDRNOTAVAIL"):
        subject.host.write(subject.netdev(2), "mac", OTHER_MAC)
    assert subject.pf == before


def wait_until(ready: Callable[[], bool]) -> None:
    """Poll for up to 30 s; the caller asserts what it waited for."""
    deadline = time.monotonic() + 30
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.05)


def _restore(subject: Subject) -> None:
    """VF 2 as it was: its guest takes the admin MAC only without trust and with a reset."""
    for label, field, value in (
        (COPY, "trust", False),
        (COPY, "mac", COPY_MAC),
        ("vm2:eth0", "up", False),
        ("vm2:eth0", "up", True),
    ):
        subject.host.write(target_of(subject, label), field, value)


def _macs(nic: NicState) -> Mapping[str, object]:
    return {vf.label: (vf.admin_mac, vf.guest_mac, vf.filters, vf.trust) for vf in nic.vfs}
