"""What the strategies share that give the copy's receive filter the source's MAC: guards, steps, and the plan's frame.

Such a mirror is made by the NIC's own switch: it works within one PF, in legacy mode, within one VLAN, and copies what
is sent to the source.
"""

from collections.abc import Iterable, Iterator

from virtfn.eswitch.facts import DriverFacts
from virtfn.mirroring.context import MirrorContext
from virtfn.model.addresses import MacAddress
from virtfn.model.finding import Finding, FindingKind, Severity
from virtfn.model.inventory import EswitchMode, Unknown
from virtfn.model.mirror import OTHER_PF
from virtfn.model.plan import Impact, Plan, Step, Target, Value
from virtfn.model.probe import Direction
from virtfn.model.subject import MirrorSubject

SWITCHDEV = FindingKind(
    "switchdev",
    Severity.REFUSAL,
    "The PF is in switchdev mode: frames are forwarded by rules, not by MAC.",
    "mirror with tc on the representors",
)
VLAN = FindingKind(
    "vlan",
    Severity.REFUSAL,
    "Source and copy are in different VLANs, or these could not be read: the NIC looks at the VLAN after the MAC.",
    "put the copy into the source's VLAN",
    overridable=True,
)
DIRECTION = FindingKind(
    "direction", Severity.FAULT, "The strategy does not copy this direction.", "ask for frames to the source only"
)
CANNOT = FindingKind(
    "strategy-cannot", Severity.FAULT, "The NIC, its driver or the VFs do not let this strategy work.", ""
)


def copied_directions(_facts: DriverFacts | None) -> tuple[Direction, ...]:
    """What a MAC filter copies: frames to that MAC."""
    return (Direction.TO_SOURCE,)


def findings_of(context: MirrorContext) -> Iterator[Finding]:
    """All that keeps such a mirror from working here, or makes it dangerous."""
    pair, pf = context.pair, context.pf
    if pf.device != context.copy_pf.device:
        what = "are on different PFs; a NIC's switch copies only to its own VFs"
        fix = f"choose a copy among the VFs of {pf.label}"
        yield OTHER_PF.at(pair, f"{context.source_label} and {context.copy_label} {what}", fix=fix)
    if not isinstance(pf.eswitch_mode, Unknown) and pf.eswitch_mode is not EswitchMode.LEGACY:
        what = "mode: its frames are forwarded by rules, not by MAC"
        yield SWITCHDEV.at(pf.label, f"{pf.label} is in {pf.eswitch_mode} {what}")
    yield from _vlan(context)
    for direction in context.spec.directions:
        if direction not in copied_directions(context.facts):
            yield DIRECTION.at(pair, f"it copies what is sent to {context.source_label}, not what is sent from it")


def _vlan(context: MirrorContext) -> Iterator[Finding]:
    source, copy = context.source.vlan, context.copy.vlan
    if isinstance(source, Unknown) or isinstance(copy, Unknown):
        what = f"the VLANs of {context.source_label} and {context.copy_label} could not be read"
        yield VLAN.at(context.pair, what, fix="read them: `ip link show` on this host")
    elif source.id != copy.id:
        yield VLAN.at(
            context.pair,
            f"{context.source_label} is in VLAN {source.id}, {context.copy_label} in VLAN {copy.id} (0: none); "
            "the NIC cuts the copy off after the MAC matched",
            fix=f"`ip link set dev {context.pf.label} vf {context.copy.index} vlan {source.id}`",
        )


def owner_of(context: MirrorContext, mac: MacAddress) -> str:
    """The known owner of this MAC, "" for none."""
    for vf in context.pf.vfs:
        if mac in (vf.mac, vf.netdev.mac if vf.netdev else None):
            return f"{context.pf.label}/{vf.index}"
    return context.pf.label if mac == context.pf.mac else context.outside.get(mac, "")


def vf_step(context: MirrorContext, field: str, before: Value, after: Value, reason: str, note: str = "") -> Step:
    """A step that sets a field of the copy VF."""
    target = Target("vf", str(context.spec.copy), context.copy_label)
    return Step(target, field, before, after, reason, Impact.PARTY, note)


def plan_of(
    context: MirrorContext, strategy: str, mac: MacAddress, steps: Iterable[Step] = (), notes: Iterable[str] = ()
) -> Plan:
    """A mirror's plan with these steps."""
    spec = context.spec
    labels = context.source_label, context.copy_label
    subject = MirrorSubject(spec.id, spec.source, spec.copy, *labels, spec.directions, strategy, mac)
    return Plan(subject, f"mirror {context.pair} ({strategy})", tuple(steps), tuple(notes))
