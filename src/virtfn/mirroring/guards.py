"""What must not be mirrored, and why. Every guard is asked; all that refuse are told at once."""

from collections.abc import Callable, Iterator

from virtfn.mirroring.context import MirrorContext
from virtfn.model.inventory import EswitchMode, Unknown
from virtfn.model.mirror import Objection
from virtfn.model.physnets import differ

Guard = Callable[[MirrorContext], Objection | None]


def objections(context: MirrorContext) -> tuple[Objection, ...]:
    """All guards that refuse this request and are not forced, in the order of the table."""
    return tuple(_objections(context))


def _objections(context: MirrorContext) -> Iterator[Objection]:
    for guard in GUARDS:
        objection = guard(context)
        if objection and (objection.absolute or objection.guard not in context.request.forced):
            yield objection


def _same_vf(context: MirrorContext) -> Objection | None:
    if context.request.source != context.request.copy:
        return None
    return Objection("same-vf", "source and copy are the same VF", "name two different VFs", absolute=True)


def _other_pf(context: MirrorContext) -> Objection | None:
    if context.source_pf.device == context.copy_pf.device:
        return None
    return Objection(
        "other-pf",
        f"{context.source_label} and {context.copy_label} are on different PFs; "
        "a NIC's switch copies only to its own VFs",
        f"choose a copy among the VFs of {context.source_pf.label}",
        absolute=True,
    )


def _incomplete_reading(context: MirrorContext) -> Objection | None:
    if not context.pf.problems:
        return None
    return Objection("incomplete-reading", f"{context.pf.label} could not be read whole: {context.pf.problems[0]}")


def _switchdev(context: MirrorContext) -> Objection | None:
    if context.pf.eswitch_mode in (EswitchMode.LEGACY,) or isinstance(context.pf.eswitch_mode, Unknown):
        return None
    return Objection(
        "switchdev",
        f"{context.pf.label} is in {context.pf.eswitch_mode} mode: its frames are forwarded by rules, not by MAC",
        absolute=True,
    )


def _source_mac(context: MirrorContext) -> Objection | None:
    mac = context.mac
    if mac is None or mac.is_zero:
        return Objection(
            "source-mac",
            f"{context.source_label} has no MAC that is known here, so no frame can be said to be for it",
            f"give it one: `ip link set dev {context.source_pf.label} vf {context.source.index} mac ...`",
            absolute=True,
        )
    if mac.is_multicast:
        return Objection("source-mac", f"{mac} of {context.source_label} is a group address", absolute=True)
    return None


def _foreign_mac(context: MirrorContext) -> Objection | None:
    origin = context.outside.get(context.mac) if context.mac else None
    if origin is None:
        return None
    return Objection(
        "foreign-mac",
        f"{context.mac} of {context.source_label} also belongs to somebody outside ({origin}); a VF with that MAC "
        f"draws in every frame that {context.pf.label} and its VFs send there",
        "give the source a MAC of its own",
        absolute=True,
    )


def _in_use(context: MirrorContext) -> Objection | None:
    request = context.request
    for mirror in context.standing:
        if mirror.copy == request.copy:
            return Objection(
                "in-use",
                f"{context.copy_label} already is the copy of mirror {mirror.id} (of {mirror.source_label})",
                f"remove mirror {mirror.id} first",
                absolute=True,
            )
        if mirror.source == request.copy or mirror.copy == request.source:
            return Objection(
                "in-use",
                f"mirror {mirror.id} ({mirror.source_label} to {mirror.copy_label}) uses one of the two the other way",
                f"remove mirror {mirror.id} first",
                absolute=True,
            )
    return None


def _vlan(context: MirrorContext) -> Objection | None:
    source, copy = context.source.vlan, context.copy.vlan
    if isinstance(source, Unknown) or isinstance(copy, Unknown):
        return Objection("vlan", f"the VLANs of {context.source_label} and {context.copy_label} could not be read")
    if source.id == copy.id:
        return None
    return Objection(
        "vlan",
        f"{context.source_label} is in VLAN {source.id}, {context.copy_label} in VLAN {copy.id} (0: none); "
        "the NIC cuts the copy off after the MAC matched",
        f"`ip link set dev {context.pf.label} vf {context.copy.index} vlan {source.id}`",
    )


def _two_physnets(context: MirrorContext) -> Objection | None:
    source = context.physnets.of_vf(context.source_pf, context.source)
    copy = context.physnets.of_vf(context.copy_pf, context.copy)
    if source is None or copy is None or not differ((source, copy)):
        return None
    return Objection(
        "two-physnets",
        f"source and copy are handed out under two physical networks, {source} and {copy}: "
        "who has the copy would read a network that it has no port on",
        f"choose a copy among the VFs of {source.physical_network}",
    )


def _pf_down(context: MirrorContext) -> Objection | None:
    if context.pf.up is not False:
        return None
    return Objection(
        "pf-down", f"{context.pf.label} is down: no VF of it gets frames", f"`ip link set dev {context.pf.label} up`"
    )


def _source_down(context: MirrorContext) -> Objection | None:
    netdev = context.source.netdev
    if netdev is None or netdev.up:
        return None
    return Objection(
        "source-down",
        f"{netdev} of {context.source_label} is down: its owner gets nothing while the copy would get all",
        "set it up first",
    )


def _copy_down(context: MirrorContext) -> Objection | None:
    netdev = context.copy.netdev
    if netdev is None or netdev.up:
        return None
    return Objection(
        "copy-down", f"{netdev} of {context.copy_label} is down: it cannot receive a copy", "set it up first"
    )


GUARDS: tuple[Guard, ...] = (
    _same_vf,
    _other_pf,
    _incomplete_reading,
    _switchdev,
    _source_mac,
    _foreign_mac,
    _in_use,
    _vlan,
    _two_physnets,
    _pf_down,
    _source_down,
    _copy_down,
)
