"""``field-note``: the recipe of 2015 as it was written, step by step with its meaning. It must be asked for by name."""

from collections.abc import Iterator

from virtfn.eswitch.facts import AdminMacEffect, DriverFacts
from virtfn.mirroring.context import MirrorContext, ObservedMirror
from virtfn.mirroring.strategies.mac_filters import (
    CANNOT,
    copied_directions,
    findings_of,
    owner_of,
    plan_of,
    vf_step,
)
from virtfn.model.finding import Finding
from virtfn.model.inventory import Unknown
from virtfn.model.mirror import HEALTHY, MirrorStatus
from virtfn.model.plan import Impact, Plan, Step, Target, Undoing
from virtfn.model.probe import Direction


class FieldNote:
    """The recipe, with the PF's down/up only where ``literal`` asks for it."""

    name = "field-note"
    cost = "the copy VF is cut off from its own traffic; literally, every VF of the PF for seconds"

    def directions(self, facts: DriverFacts | None) -> tuple[Direction, ...]:
        """Frames to the source; the note claims both, which was not seen."""
        return copied_directions(facts)

    def judge(self, context: MirrorContext) -> Iterator[Finding]:
        """What keeps it from working, or makes it dangerous."""
        yield from findings_of(context)
        pair, label, mac = context.pair, context.copy_label, context.mac
        if mac is None or isinstance(context.copy.mac, Unknown) or isinstance(context.copy.spoofchk, Unknown):
            yield CANNOT.at(pair, f"the MACs and the spoof check of {label} are not all known")
        if context.copy.netdev is None:
            yield CANNOT.at(pair, f"its first step is done in the guest of {label}, out of reach from here")
        if context.copy.trust is True:
            yield CANNOT.at(pair, f"{label} is trusted: its guest can change the filter")
        if mac and (owner := owner_of(context, mac.neighbour(-1))):
            yield CANNOT.at(pair, f"its last step would give {label} {mac.neighbour(-1)}, which {owner} has")

    def plan(self, context: MirrorContext) -> Plan:
        """The steps in the note's order, without those that change nothing here."""
        mac, own, netdev = context.mac, context.copy.mac, context.copy.netdev
        if mac is None or netdev is None:
            raise ValueError("the source's MAC, or the copy's netdev, is not known")
        recipe = [
            Step(
                Target("netdev", str(netdev), str(netdev)),
                "guest_mac",
                str(netdev.mac),
                str(mac),
                "in the copy's guest: down, take the source's MAC, up; a driver that is not trusted does not keep it",
                Impact.PARTY,
                undoing=Undoing.OVERWRITE,
            ),
            *_pf_step(context, before=True, reason="the note takes the PF down, and with it every VF of the NIC"),
            vf_step(
                context, "mac", str(own), str(mac), "the copy's filter gets the source's MAC: here the mirror begins"
            ),
            *_spoofchk_step(context),
            *_pf_step(context, before=False, reason="and up again"),
            vf_step(
                context,
                "mac",
                str(mac),
                str(mac.neighbour(-1)),
                "the note's last step, a neighbour of the MAC" + _last_step_meaning(context.facts),
            ),
        ]
        notes = (
            "This is the recipe as it was found by trying in 2015; it is here to be examined, not to be relied on.",
            f"As long as it is in place, {context.copy_label} loses its own traffic.",
        )
        return plan_of(context, self.name, mac, [step for step in recipe if step.before != step.after], notes)

    def waypoints(self, plan: Plan) -> tuple[int, ...]:
        """Before its last step: there the recipe is a mirror on some NICs."""
        return (len(plan.steps) - 2,)

    def health(self, observed: ObservedMirror) -> MirrorStatus:
        """Nothing beyond the checks of every mirror."""
        return HEALTHY


def _last_step_meaning(facts: DriverFacts | None) -> str:
    if facts and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        return f": on {facts.driver} the filters stay as the guest set them"
    if facts and facts.admin_mac in (AdminMacEffect.FILTER_AT_ONCE, AdminMacEffect.RESETS_VF):
        return f": on {facts.driver} it takes the source's MAC out of the copy's filter again, and ends the mirror"
    return ""


def _spoofchk_step(context: MirrorContext) -> tuple[Step, ...]:
    if context.copy.spoofchk is not True:
        return ()
    reason = "lets the copy's guest send with the source's MAC; a copy needs to receive only"
    return (vf_step(context, "spoofchk", True, False, reason),)


def _pf_step(context: MirrorContext, *, before: bool, reason: str) -> tuple[Step, ...]:
    if not context.literal:
        return ()
    target = Target("pf", context.pf.device, context.pf.label)
    note = "every VF of this PF loses frames for seconds"
    return (Step(target, "up", before, not before, reason, Impact.BYSTANDERS, note),)
