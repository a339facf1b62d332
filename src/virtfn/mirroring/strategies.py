"""The ways to make a mirror, each from a context to a plan or to the reason why not.

``twin-mac``: the copy's admin MAC becomes the source's. The NIC then has two filters for one MAC and hands each frame
to both. ``field-note``: the recipe of 2015 as it was written, step by step with its meaning.
"""

from collections.abc import Callable
from typing import TypeAlias

from virtfn.eswitch.drivers import AdminMacEffect, DriverFacts, SameMacDelivery, facts_of
from virtfn.mirroring.context import MirrorContext
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Unknown
from virtfn.model.mirror import Choice, Proposal, Rejection
from virtfn.model.plan import Impact, Plan, Step, Target, Undoing, Value
from virtfn.model.subject import MirrorSubject

Outcome: TypeAlias = Proposal | Rejection
Strategy: TypeAlias = Callable[[MirrorContext], Outcome]

TWIN_MAC = "twin-mac"
FIELD_NOTE = "field-note"


def choose(context: MirrorContext) -> Choice:
    """The strategies to try, best first, and those that do not fit. One asked for by name is the only one tried."""
    wanted = context.request.strategy
    names = (wanted,) if wanted else ON_OFFER
    outcomes = [STRATEGIES[name](context) for name in names]
    return Choice(
        tuple(outcome for outcome in outcomes if isinstance(outcome, Proposal)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Rejection)),
    )


def twin_mac(context: MirrorContext) -> Outcome:
    """Give the copy's filter the source's MAC, trust off: no PF down, no action in any guest."""
    facts, reason = _facts(context)
    if reason:
        return Rejection(TWIN_MAC, reason)
    if facts and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        return Rejection(TWIN_MAC, f"{facts.driver} does not touch the VF's filters when its admin MAC is set")
    mac, own = context.mac, context.copy.mac
    if mac is None or isinstance(own, Unknown):
        return Rejection(TWIN_MAC, f"the MACs of {context.source_label} and {context.copy_label} are not both known")
    steps = []
    if context.copy.trust is True:
        note = "resets the copy VF" if facts and facts.trust_resets_vf else ""
        reason = "with trust on, a reset of the copy's guest writes its own MAC back and ends the mirror"
        steps.append(_vf_step(context, "trust", True, False, reason, note))
    elif isinstance(context.copy.trust, Unknown):
        return Rejection(TWIN_MAC, f"whether {context.copy_label} is trusted is not known: {context.copy.trust.reason}")
    reset = bool(facts and facts.admin_mac is AdminMacEffect.RESETS_VF)
    steps.append(
        _vf_step(
            context,
            "mac",
            str(own),
            str(mac),
            f"the NIC hands a frame to every VF whose filter has its MAC: {context.copy_label} now gets what "
            f"{context.source_label} gets",
            f"{context.copy_label} loses its own traffic" + (" and is reset" if reset else ""),
        )
    )
    return Proposal(TWIN_MAC, _plan(context, TWIN_MAC, mac, steps, _twin_notes(context, facts)))


def field_note(context: MirrorContext) -> Outcome:
    """The recipe of the 2015 field note, with the PF's down/up only where ``literal`` asks for it."""
    facts, reason = _facts(context)
    if reason:
        return Rejection(FIELD_NOTE, reason)
    mac, own, netdev = context.mac, context.copy.mac, context.copy.netdev
    if mac is None or isinstance(own, Unknown) or isinstance(context.copy.spoofchk, Unknown):
        return Rejection(FIELD_NOTE, f"the MACs and the spoof check of {context.copy_label} are not all known")
    if netdev is None:
        return Rejection(
            FIELD_NOTE, f"its first step is done in the guest of {context.copy_label}, out of reach from here"
        )
    if context.copy.trust is True:
        return Rejection(FIELD_NOTE, f"{context.copy_label} is trusted: its guest would change the filter by itself")
    neighbour = mac.neighbour(-1)
    if owner := _owner(context, neighbour):
        return Rejection(FIELD_NOTE, f"its last step would give {context.copy_label} {neighbour}, which {owner} has")
    guest = Target("netdev", str(netdev), str(netdev))
    recipe = [
        Step(
            guest,
            "guest_mac",
            str(netdev.mac),
            str(mac),
            "in the copy's guest: down, take the source's MAC, up; a driver that is not trusted does not keep it",
            Impact.PARTY,
            undoing=Undoing.OVERWRITE,
        ),
        *_pf_step(context, before=True, reason="the note takes the PF down, and with it every VF of the NIC"),
        _vf_step(context, "mac", str(own), str(mac), "the copy's filter gets the source's MAC: here the mirror begins"),
        *_spoofchk_step(context),
        *_pf_step(context, before=False, reason="and up again"),
        _vf_step(
            context,
            "mac",
            str(mac),
            str(neighbour),
            "the note's last step, a neighbour of the MAC" + _last_step_meaning(facts),
        ),
    ]
    steps = [step for step in recipe if step.before != step.after]
    last = len(steps) - 1
    notes = (
        "This is the recipe as it was found by trying in 2015; it is here to be examined, not to be relied on.",
        f"While it stands, {context.copy_label} loses its own traffic.",
    )
    return Proposal(FIELD_NOTE, _plan(context, FIELD_NOTE, mac, steps, notes), waypoints=(last - 1,))


STRATEGIES: dict[str, Strategy] = {TWIN_MAC: twin_mac, FIELD_NOTE: field_note}
ON_OFFER = (TWIN_MAC,)
"""What is tried when no strategy is named, best first. The field note's recipe must be asked for."""


def _facts(context: MirrorContext) -> tuple[DriverFacts | None, str]:
    """The driver's row, or why no strategy may be tried on it unasked."""
    driver = context.pf.driver
    if not isinstance(driver, str):
        return None, f"the driver of {context.pf.label} is not known"
    facts = facts_of(driver)
    if facts is None and not context.request.strategy:
        return None, f"nothing is known about the driver {driver}; name a strategy to try it, frames will judge it"
    return facts, ""


def _last_step_meaning(facts: DriverFacts | None) -> str:
    if facts and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        return f": on {facts.driver} the filters stay as the guest set them"
    if facts and facts.admin_mac in (AdminMacEffect.FILTER_AT_ONCE, AdminMacEffect.RESETS_VF):
        return f": on {facts.driver} it takes the source's MAC out of the copy's filter again, and ends the mirror"
    return ""


def _twin_notes(context: MirrorContext, facts: DriverFacts | None) -> tuple[str, ...]:
    own = context.copy.mac
    lost = f"frames for its own MAC {own} go to the PF instead" if str(own) != "00:00:00:00:00:00" else "it has no MAC"
    notes = [
        f"{context.copy_label} is cut off from its own traffic while the mirror stands: {lost}.",
        f"Copied is what is sent TO {context.source_label}; what it sends itself is not.",
        f"The copy's guest sees the frames with a sniffer; its IP stack drops them, as they are for {context.mac}.",
    ]
    if context.copy.spoofchk is not False:
        notes.append(f"Its spoof check may then let the copy's guest send with {context.mac}, too: that is not known.")
    if facts is None or facts.same_mac is SameMacDelivery.NOT_KNOWN:
        notes.append("Whether this NIC hands such frames to both VFs is not known: the probe frames will tell.")
    return tuple(notes)


def _owner(context: MirrorContext, mac: MacAddress) -> str:
    """Who is known to have this MAC, "" for nobody."""
    for vf in context.pf.vfs:
        if mac in (vf.mac, vf.netdev.mac if vf.netdev else None):
            return f"{context.pf.label}/{vf.index}"
    if mac == context.pf.mac:
        return context.pf.label
    return context.outside.get(mac, "")


def _spoofchk_step(context: MirrorContext) -> tuple[Step, ...]:
    if context.copy.spoofchk is not True:
        return ()
    reason = "lets the copy's guest send with the source's MAC; a copy needs to receive only"
    return (_vf_step(context, "spoofchk", True, False, reason),)


def _pf_step(context: MirrorContext, *, before: bool, reason: str) -> tuple[Step, ...]:
    if not context.request.literal:
        return ()
    target = Target("pf", context.pf.device, context.pf.label)
    note = "every VF of this PF loses frames for seconds"
    return (Step(target, "up", before, not before, reason, Impact.BYSTANDERS, note),)


def _vf_step(context: MirrorContext, field: str, before: Value, after: Value, reason: str, note: str = "") -> Step:
    target = Target("vf", str(context.pf.ref(context.copy.index)), context.copy_label)
    return Step(target, field, before, after, reason, Impact.PARTY, note)


def _plan(context: MirrorContext, strategy: str, mac: MacAddress, steps: list[Step], notes: tuple[str, ...]) -> Plan:
    return Plan(
        subject=MirrorSubject(
            context.request.source,
            context.request.copy,
            context.source_label,
            context.copy_label,
            strategy,
            mac,
        ),
        title=f"mirror {context.source_label} to {context.copy_label} ({strategy})",
        steps=tuple(steps),
        notes=notes,
    )
