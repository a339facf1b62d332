"""``twin-mac``: the copy's admin MAC becomes the source's.

The NIC then has two filters for one MAC and hands each frame to both. No PF goes down, nothing is done in a guest.
"""

from collections.abc import Iterator, Sequence

from virtfn.eswitch.facts import AdminMacEffect, DriverFacts
from virtfn.eswitch.forwarding import Frame, predict
from virtfn.eswitch.nic_state import WIRE, nic_state
from virtfn.eswitch.transitions import after
from virtfn.mirroring.context import MirrorContext, ObservedMirror, working_mac
from virtfn.mirroring.strategies.mac_filters import CANNOT, copied_directions, findings_of, plan_of, vf_step
from virtfn.model.drift import changed_since
from virtfn.model.finding import Action, Finding, UseCase
from virtfn.model.inventory import Unknown
from virtfn.model.mirror import HEALTHY, MirrorHealth, MirrorStatus, lost
from virtfn.model.plan import Plan, Step
from virtfn.model.probe import Direction
from virtfn.model.value_format import say


class TwinMac:
    """Give the copy's filter the source's MAC, with trust off."""

    name = "twin-mac"
    cost = "the copy VF is cut off from its own traffic"

    def directions(self, facts: DriverFacts | None) -> tuple[Direction, ...]:
        """Frames to the source."""
        return copied_directions(facts)

    def judge(self, context: MirrorContext) -> Iterator[Finding]:
        """What keeps it from working, or makes it dangerous."""
        yield from findings_of(context)
        pair, facts = context.pair, context.facts
        if facts and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
            yield CANNOT.at(pair, f"{facts.driver} does not touch the VF's filters when its admin MAC is set")
        if context.mac is None or isinstance(context.copy.mac, Unknown):
            yield CANNOT.at(pair, f"the MACs of {context.source_label} and {context.copy_label} are not both known")
        trust = context.copy.trust
        if isinstance(trust, Unknown):
            yield CANNOT.at(pair, f"whether {context.copy_label} is trusted is not known: {trust.reason}")

    def plan(self, context: MirrorContext) -> Plan:
        """Trust off where it is on, then the MAC."""
        facts, mac = context.facts, context.mac
        if mac is None:
            raise ValueError("the source's MAC is not known")
        steps: list[Step] = []
        if context.copy.trust is True:
            note = "resets the copy VF" if facts and facts.trust_resets_vf else ""
            reason = "with trust on, a reset of the copy's guest writes its own MAC back and ends the mirror"
            steps.append(vf_step(context, "trust", True, False, reason, note))
        reset = bool(facts and facts.admin_mac is AdminMacEffect.RESETS_VF)
        steps.append(
            vf_step(
                context,
                "mac",
                str(context.copy.mac),
                str(mac),
                f"the NIC hands a frame to every VF whose filter has its MAC: {context.copy_label} now gets what "
                f"{context.source_label} gets",
                f"{context.copy_label} loses its own traffic" + (" and is reset" if reset else ""),
            )
        )
        return plan_of(context, self.name, mac, steps, _notes(context, steps))

    def waypoints(self, plan: Plan) -> tuple[int, ...]:
        """None: the frames at the end say all."""
        return ()

    def health(self, observed: ObservedMirror) -> MirrorStatus:
        """Lost where one of the two MACs is another; degraded where the copy is trusted."""
        mirror, own, source = observed.subject, observed.copy.mac, working_mac(observed.source)
        if not isinstance(own, Unknown) and own != mirror.mac:
            again = (Action(UseCase.MIRROR_ADD, (mirror.source_label, mirror.copy_label)),)
            found = changed_since(
                mirror.copy_label, "mac", str(own), str(mirror.mac), effect="it gets no copies", actions=again
            )
            return MirrorStatus(MirrorHealth.LOST, (found,))
        if source is not None and source != mirror.mac:
            what = f"{mirror.source_label} has the MAC {source} now; copied are frames for {mirror.mac}"
            return lost(mirror.id, mirror.source_label, mirror.copy_label, what)
        if observed.copy.trust is True:
            effect = "the next reset of its guest's driver ends the mirror"
            found = changed_since(mirror.copy_label, "trust", say(True), say(False), effect=effect)
            return MirrorStatus(MirrorHealth.DEGRADED, (found,))
        return HEALTHY


def _notes(context: MirrorContext, steps: Sequence[Step]) -> Iterator[str]:
    own = context.copy.mac
    lost = f"frames for its own MAC {own} go to the PF instead" if str(own) != "00:00:00:00:00:00" else "it has no MAC"
    yield f"{context.copy_label} is cut off from its own traffic as long as the mirror is in place: {lost}."
    yield f"Copied is what is sent TO {context.source_label}; what it sends itself is not."
    yield f"The copy's guest sees the frames with a sniffer; its IP stack drops them, as they are for {context.mac}."
    if context.copy.spoofchk is not False:
        yield f"Its spoof check may then let the copy's guest send with {context.mac}, too: that is not known."
    if context.mac:
        mirrored = predict(after(nic_state(context.pf), steps), Frame(WIRE, context.mac))
        if why := mirrored.unknown.get(context.copy_label):
            yield f"Whether {context.copy_label} gets such frames is not known ({why}): the probe frames will tell."
