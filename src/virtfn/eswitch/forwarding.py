"""Who receives a frame at a NIC's embedded switch, and why: one pure function per driver family over a NicState.

Every port gets a delivery: yes, no, or Unknown with the reason, each with the rule that decided and its evidence from
the driver table. What is not known of a family is Unknown, never a guess.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from virtfn.eswitch.facts import Evidence, Rung, SameMacDelivery, Topic
from virtfn.eswitch.nic_state import WIRE, Family, NicState, VfPort
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Known, Unknown, VfLinkState

BROADCAST = MacAddress(b"\xff" * 6)


@dataclass(frozen=True)
class Frame:
    """A frame that enters the switch at ``sender``, a port's name.

    ``source``: its source MAC; None: the sender's own. ``vlan``: the tag it carries when it enters (0: none).
    """

    sender: str
    destination: MacAddress
    source: MacAddress | None = None
    vlan: int = 0


@dataclass(frozen=True)
class Delivery:
    """Whether the switch gives a frame to ``port``: True, False, or Unknown; ``rule`` and ``why`` say what decided.

    ``evidence`` is the row of the driver table behind it, None where the state alone decides.
    """

    port: str
    receives: Known[bool]
    rule: Topic
    why: str
    evidence: Evidence | None = None

    @property
    def verdict(self) -> str:
        """``yes``, ``no`` or ``unknown``."""
        if isinstance(self.receives, Unknown):
            return "unknown"
        return "yes" if self.receives else "no"


@dataclass(frozen=True)
class Forwarding:
    """What becomes of one frame: one delivery per port of the NIC, the wire included, the sender left out."""

    frame: Frame
    family: Family
    deliveries: tuple[Delivery, ...]

    @property
    def receivers(self) -> frozenset[str]:
        """The ports that are known to receive it."""
        return frozenset(one.port for one in self.deliveries if one.receives is True)

    @property
    def unknown(self) -> Mapping[str, str]:
        """The ports of which nothing is known, each with the reason."""
        return {one.port: one.receives.reason for one in self.deliveries if isinstance(one.receives, Unknown)}

    def to(self, port: str) -> Delivery:
        """The delivery to one port. Raises KeyError for the sender and for what is no port of this NIC."""
        return {one.port: one for one in self.deliveries}[port]


def predict(nic: NicState, frame: Frame) -> Forwarding:
    """Who receives the frame, by the NIC's family."""
    return Forwarding(frame, nic.family, tuple(FORWARDING[nic.family](nic, frame)))


def by_filter(nic: NicState, frame: Frame) -> Iterator[Delivery]:
    """Legacy mode: the destination MAC selects among the VFs' filters, then the VLAN cuts.

    One function for the families of which that is known; in what they differ is in their rows: a step without evidence
    in the row is Unknown.
    """
    stopped = _stopped(nic, frame)
    vlan = _inner_vlan(nic, frame)
    if stopped:
        yield from (Delivery(port, *stopped) for port in _ports(nic, frame))
    elif isinstance(vlan, Unknown):
        yield from _same(nic, frame, vlan, Topic.VLAN, vlan.reason)
    elif frame.destination == BROADCAST:
        yield from _broadcast(nic, frame, vlan)
    elif frame.destination.is_multicast:
        reason = Unknown("which groups the guests have joined is not known")
        yield from _same(nic, frame, reason, Topic.MULTICAST, reason.reason)
    else:
        yield from _unicast(nic, frame, vlan)


def switchdev(nic: NicState, frame: Frame) -> Iterator[Delivery]:
    """The first flow rule that matches; a miss goes to the sender's representor on the host."""
    rules = nic.rules
    if isinstance(rules, Unknown):
        reason = Unknown(f"frames are forwarded by flow rules, which are {rules.reason}")
        yield from _same(nic, frame, reason, Topic.FLOW_RULES, reason.reason)
        return
    rule = next(
        (one for one in rules if one.source == frame.sender and one.destination in (None, frame.destination)), None
    )
    for port in _ports(nic, frame):
        if rule:
            yield Delivery(port, port in rule.outputs, Topic.FLOW_RULES, "the first flow rule that matches decides")
        else:
            yield Delivery(port, *_by_rule(nic, False, Topic.FLOW_RULES, "no flow rule: its representor gets it"))


def netdevsim(nic: NicState, frame: Frame) -> Iterator[Delivery]:
    """The simulator forwards nothing."""
    return _same(nic, frame, False, Topic.UNICAST, "the simulator forwards no frames")


def unknown(nic: NicState, frame: Frame) -> Iterator[Delivery]:
    """A driver that nothing is known of."""
    reason = Unknown("how this driver's NIC forwards is not known")
    return _same(nic, frame, reason, Topic.UNICAST, reason.reason)


FORWARDING: Mapping[Family, Callable[[NicState, Frame], Iterator[Delivery]]] = {
    Family.IGB_82576: by_filter,
    Family.IGB_I350: by_filter,
    Family.IXGBE: by_filter,
    Family.I40E: by_filter,
    Family.ICE: by_filter,
    Family.MLX5_LEGACY: by_filter,
    Family.SWITCHDEV: switchdev,
    Family.NETDEVSIM: netdevsim,
    Family.UNKNOWN: unknown,
}


_Verdict = tuple[Known[bool], Topic, str, Evidence | None]
"""A delivery without its port."""


def _ports(nic: NicState, frame: Frame) -> tuple[str, ...]:
    ports = (nic.pf.label, *(vf.label for vf in nic.vfs), WIRE)
    return tuple(port for port in ports if port != frame.sender)


def _same(nic: NicState, frame: Frame, receives: Known[bool], rule: Topic, why: str) -> Iterator[Delivery]:
    return (Delivery(port, receives, rule, why, _evidence(nic, rule)) for port in _ports(nic, frame))


def _evidence(nic: NicState, rule: Topic) -> Evidence | None:
    return nic.facts.about(rule) if nic.facts else None


def _by_rule(nic: NicState, receives: Known[bool], rule: Topic, why: str) -> _Verdict:
    """A verdict that needs evidence in the row: without it, Unknown."""
    evidence = _evidence(nic, rule)
    if evidence is None and not isinstance(receives, Unknown):
        receives = Unknown(f"what this NIC does is not known ({rule})")
    return receives, rule, receives.reason if isinstance(receives, Unknown) else why, evidence


def _stopped(nic: NicState, frame: Frame) -> _Verdict | None:
    """Why no port gets the frame, or why that is not known: the PF is down, or the sender may not send it."""
    cuts = nic.facts.pf_down_cuts_vfs if nic.facts else None
    if nic.pf.up is not True and cuts is not False:
        known = nic.pf.up is False and cuts is True
        why = "the PF is down, and with it all VFs" if known else "what the VFs get is not known: the PF may be down"
        return _by_rule(nic, False if known else Unknown(why), Topic.PF_DOWN, why)
    sender = nic.vf(frame.sender)
    return _spoofed(nic, sender, frame.source) if sender and frame.source else None


def _spoofed(nic: NicState, sender: VfPort, source: MacAddress) -> _Verdict | None:
    """The spoof check's verdict on a source MAC; None: it passes."""
    if sender.spoofchk is False or source in sender.filters:
        return None
    not_enforced = nic.facts.about(Topic.SPOOF_CHECK, Rung.EMULATED) if nic.facts else None
    if not_enforced and nic.emulated is True:
        return None
    reason = next((one for one in (sender.spoofchk, sender.unseen) if isinstance(one, Unknown)), None)
    if not reason and not_enforced and isinstance(nic.emulated, Unknown):
        reason = Unknown(f"the spoof check drops it on hardware; {not_enforced.fact}")
    why = f"the spoof check drops a frame with the source MAC {source}"
    return _by_rule(nic, reason or False, Topic.SPOOF_CHECK, why)


def _inner_vlan(nic: NicState, frame: Frame) -> Known[int]:
    """The frame's VLAN inside the switch: the sender's port VLAN, else its own tag."""
    sender = nic.vf(frame.sender)
    if sender is None or sender.vlan == 0:
        return frame.vlan
    return Unknown(f"the VLAN of {sender.label} is not known") if isinstance(sender.vlan, Unknown) else sender.vlan


def _pf_in_vlan(nic: NicState, vlan: int) -> Known[bool]:
    if vlan == 0:
        return True
    vlans = nic.pf.vlans
    return (
        Unknown(f"whether the PF is in VLAN {vlan} is {vlans.reason}") if isinstance(vlans, Unknown) else vlan in vlans
    )


def _at_vf(nic: NicState, vf: VfPort, vlan: int, receives: Known[bool], rule: Topic, why: str) -> _Verdict:
    """The verdict on a VF that ``rule`` gives the frame to: its netdev, its link and its VLAN may still cut it."""
    if vf.up is False:
        return False, Topic.VF_DOWN, "its netdev is down, or no driver has it", _evidence(nic, Topic.VF_DOWN)
    if vf.link_state is VfLinkState.DISABLE:
        return _by_rule(nic, Unknown("what a disabled VF link cuts is not known"), Topic.VF_DOWN, "")
    if isinstance(vf.vlan, Unknown):
        return _by_rule(nic, Unknown(f"its VLAN is not known: {vf.vlan.reason}"), Topic.VLAN, "")
    if vf.vlan != vlan:
        return _by_rule(nic, False, Topic.VLAN, f"it is in VLAN {vf.vlan}, the frame in VLAN {vlan} (0: none)")
    return _by_rule(nic, receives, rule, why)


def _broadcast(nic: NicState, frame: Frame, vlan: int) -> Iterator[Delivery]:
    for port in _ports(nic, frame):
        vf = nic.vf(port)
        if vf:
            yield Delivery(port, *_at_vf(nic, vf, vlan, True, Topic.BROADCAST, "broadcast goes to all of its VLAN"))
        else:
            there = True if port == WIRE else _pf_in_vlan(nic, vlan)
            yield Delivery(port, *_by_rule(nic, there, Topic.BROADCAST, "broadcast goes to all of its VLAN"))


def _unicast(nic: NicState, frame: Frame, vlan: int) -> Iterator[Delivery]:
    sender = nic.vf(frame.sender)
    if sender and frame.destination in sender.filters:
        reason = Unknown("what the switch does with a frame for its sender's own MAC is not known")
        yield from _same(nic, frame, reason, Topic.UNICAST, reason.reason)
        return
    owners = tuple(vf for vf in nic.vfs if frame.destination in vf.filters)
    perhaps = tuple(vf for vf in nic.vfs if vf.unseen and vf not in (*owners, sender))
    matched = bool(owners) or nic.pf.mac == frame.destination
    for port in _ports(nic, frame):
        vf = nic.vf(port)
        if vf:
            yield Delivery(port, *_unicast_at_vf(nic, frame, vf, owners, vlan))
        elif matched:
            yield Delivery(port, *_matched_elsewhere(nic, frame, port, owners, vlan))
        else:
            yield Delivery(port, *_unmatched(nic, frame, port, perhaps, vlan))


def _match(nic: NicState, mac: MacAddress, owners: tuple[VfPort, ...]) -> tuple[Known[bool], Topic, str]:
    """What becomes of a frame at a port that has its MAC, by the number of ports that have it."""
    count = len(owners) + (nic.pf.mac == mac)
    if count == 1:
        return True, Topic.UNICAST, f"{mac} is in its filter"
    if nic.facts is None or nic.facts.same_mac is not SameMacDelivery.BOTH:
        return Unknown(f"which of {count} ports with the MAC {mac} gets it is not known"), Topic.SAME_MAC, ""
    return True, Topic.SAME_MAC, f"{mac} is in {count} filters"


def _unicast_at_vf(nic: NicState, frame: Frame, vf: VfPort, owners: tuple[VfPort, ...], vlan: int) -> _Verdict:
    if vf in owners:
        return _at_vf(nic, vf, vlan, *_match(nic, frame.destination, owners))
    flooded = _evidence(nic, Topic.PF_PROMISCUOUS)
    if not owners and nic.pf.mac != frame.destination and nic.pf.promiscuous is not False and flooded:
        if nic.emulated is True and nic.pf.promiscuous is True:
            return _at_vf(
                nic, vf, vlan, True, Topic.PF_PROMISCUOUS, "the PF is promiscuous: QEMU's NIC floods the frame"
            )
        if nic.emulated is not False:
            return _by_rule(nic, Unknown(f"the PF may be promiscuous; {flooded.fact}"), Topic.PF_PROMISCUOUS, "")
    if vf.unseen:
        return _by_rule(nic, vf.unseen, Topic.UNICAST, "")
    if vf.promiscuous is not False and not _evidence(nic, Topic.VF_PROMISCUOUS):
        return _by_rule(nic, Unknown("what a promiscuous VF gets is not known"), Topic.VF_PROMISCUOUS, "")
    return _by_rule(nic, False, Topic.UNICAST, f"{frame.destination} is not in its filter")


def _matched_elsewhere(nic: NicState, frame: Frame, port: str, owners: tuple[VfPort, ...], vlan: int) -> _Verdict:
    """The PF and the wire, where a filter of the NIC has the MAC."""
    if port != WIRE and nic.pf.mac == frame.destination:
        there, (receives, rule, why) = _pf_in_vlan(nic, vlan), _match(nic, frame.destination, owners)
        return _by_rule(nic, receives if there is True else there, rule, why)
    vlans = [vf.vlan for vf in owners]
    if frame.sender != WIRE or vlan in vlans or not owners:
        return _by_rule(
            nic, False, Topic.UNICAST, f"{frame.destination} is in a filter of the NIC: the frame stays inside"
        )
    if any(isinstance(one, Unknown) for one in vlans):
        return _by_rule(nic, Unknown("the VLANs of the VFs with this MAC are not known"), Topic.VLAN, "")
    return _default_pool(nic, vlan, Topic.VLAN_MISS, "the VLAN filter takes the frame from every VF with its MAC")


def _unmatched(nic: NicState, frame: Frame, port: str, perhaps: tuple[VfPort, ...], vlan: int) -> _Verdict:
    """The PF and the wire, where no filter that is known has the MAC."""
    inside = frame.sender != WIRE
    if inside and port != WIRE and nic.pf.promiscuous is not False:
        return _by_rule(nic, Unknown("what a promiscuous PF sees of it is not known"), Topic.PF_PROMISCUOUS, "")
    if inside and port != WIRE:
        return _by_rule(nic, False, Topic.UNMATCHED, "no filter matches: the frame goes to the wire")
    if perhaps:
        reason = Unknown(f"only if no VF has the MAC, and of {perhaps[0].label} that is not known")
        return _by_rule(nic, reason, Topic.UNMATCHED, "")
    if inside:
        return _by_rule(nic, True, Topic.UNMATCHED, "no filter matches: the frame goes to the wire")
    return _default_pool(nic, vlan, Topic.UNMATCHED, "no filter matches: the frame goes to the PF")


def _default_pool(nic: NicState, vlan: int, rule: Topic, why: str) -> _Verdict:
    """The PF as the receiver of frames from the wire that no VF gets; a VLAN without members is dropped before."""
    known = vlan == 0 or any(vf.vlan == vlan for vf in nic.vfs) or _pf_in_vlan(nic, vlan)
    return _by_rule(nic, known, rule, why if known else f"no port of this NIC is in VLAN {vlan}")
