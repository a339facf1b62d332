"""What must not be mirrored by any strategy, and why. All guards that refuse are reported at once. Pure."""

from collections.abc import Callable, Iterator

from virtfn.mirroring.context import MirrorContext
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.mirror import SAME_VF, Mirror, MirrorHealth
from virtfn.model.physnets import TWO_PHYSNETS, differ


def _guard(id: str, meaning: str, fix: str, *, overridable: bool = False) -> FindingKind:
    return FindingKind(id, Severity.REFUSAL, meaning, fix, overridable)


INCOMPLETE_READING = _guard(
    "incomplete-reading",
    "A PF of the mirror could not be read completely.",
    "fix what keeps it from being read, rather than override this",
    overridable=True,
)
SOURCE_MAC = _guard(
    "source-mac",
    "The source has no MAC that is known here, or a group address: no frame can be said to be for it.",
    "give it a MAC of its own, then load its driver again",
)
FOREIGN_MAC = _guard(
    "foreign-mac",
    "The source's MAC also belongs to a host outside: a VF with that MAC receives every frame sent there.",
    "give the source a MAC of its own",
)
IN_USE = _guard("in-use", "A VF of the mirror is part of another mirror already.", "remove that mirror first")
PF_DOWN = _guard("pf-down", "The PF is down: its VFs receive nothing.", "set the PF up", overridable=True)
SOURCE_DOWN = _guard(
    "source-down",
    "The source's netdev is down: its owner receives nothing while the copy would receive everything.",
    "set it up first",
    overridable=True,
)
COPY_DOWN = _guard(
    "copy-down", "The copy's netdev is down: it cannot receive a copy.", "set it up first", overridable=True
)
UNFINISHED = _guard(
    "unfinished-transaction",
    "A transaction was interrupted, or is still running: it must be finished before a mirror is made.",
    "finish it, or roll it back",
)
NO_METER = _guard(
    "no-meter",
    "What a VF of the mirror receives cannot be counted from this host, so nothing could be proven.",
    "source and copy need a netdev that is up, on the host or in a network namespace, or a driver that counts for them",
)
UNPROVEN = FindingKind(
    "unproven",
    Severity.WARNING,
    "Nothing can be proven here; the mirror is made all the same, as that was asked for.",
    "look in the copy's guest whether it receives the source's frames",
)

Guard = Callable[[MirrorContext], Iterator[Finding]]


def findings_of(context: MirrorContext) -> tuple[Finding, ...]:
    """All findings that refuse this mirror for every strategy, in the order of ``GUARDS``."""
    return tuple(finding for guard in GUARDS for finding in guard(context))


def _same_vf(context: MirrorContext) -> Iterator[Finding]:
    if context.spec.source == context.spec.copy:
        yield SAME_VF.at(context.source_label, "source and copy are the same VF")


def _incomplete_reading(context: MirrorContext) -> Iterator[Finding]:
    for pf in {one.device: one for one in (context.source_pf, context.copy_pf)}.values():
        if pf.problems:
            yield INCOMPLETE_READING.at(pf.label, f"{pf.label} could not be read completely: {pf.problems[0]}")


def _source_mac(context: MirrorContext) -> Iterator[Finding]:
    label, mac = context.source_label, context.mac
    if mac is None or mac.is_zero:
        yield SOURCE_MAC.at(label, f"{label} has no MAC that is known here, so no frame can be said to be for it")
    elif mac.is_multicast:
        yield SOURCE_MAC.at(label, f"{mac} of {label} is a group address")


def _foreign_mac(context: MirrorContext) -> Iterator[Finding]:
    origin = context.outside.get(context.mac) if context.mac else None
    if origin:
        yield FOREIGN_MAC.at(
            context.source_label,
            f"{context.mac} of {context.source_label} also belongs to a host outside ({origin}); a VF with that MAC "
            f"receives every frame that {context.pf.label} and its VFs send there",
        )


def _in_use(context: MirrorContext) -> Iterator[Finding]:
    for mirror in context.declared:
        if what := _conflict(context, mirror):
            yield IN_USE.at(context.copy_label, what, actions=(Action(UseCase.MIRROR_REMOVE, (str(mirror.id),)),))
            return


def _conflict(context: MirrorContext, mirror: Mirror) -> str:
    """How a declared mirror conflicts with the wanted one; "" where it does not. A lost one may be made again."""
    ours, theirs = context.spec, mirror.spec
    if (ours.source, ours.copy) == (theirs.source, theirs.copy) and mirror.status.health is MirrorHealth.LOST:
        return ""
    if ours.copy == theirs.copy:
        return f"{context.copy_label} already is the copy of mirror {mirror.id} (of {mirror.source_label})"
    if theirs.source == ours.copy or theirs.copy == ours.source:
        pair = f"{mirror.source_label} to {mirror.copy_label}"
        return f"mirror {mirror.id} ({pair}) uses one of the two VFs the other way"
    return ""


def _two_physnets(context: MirrorContext) -> Iterator[Finding]:
    source = context.physnets.of_vf(context.source_pf, context.source)
    copy = context.physnets.of_vf(context.copy_pf, context.copy)
    if source and copy and differ((source, copy)):
        yield TWO_PHYSNETS.at(
            context.pair,
            f"source and copy are handed out under two physical networks, {source} and {copy}: "
            "the copy's user would read a network that it has no port on",
            fix=f"choose a copy among the VFs of {source.physical_network}",
        )


def _pf_down(context: MirrorContext) -> Iterator[Finding]:
    for pf in {one.device: one for one in (context.source_pf, context.copy_pf)}.values():
        if pf.up is False:
            yield PF_DOWN.at(
                pf.label, f"{pf.label} is down: no VF of it receives frames", fix=f"`ip link set dev {pf.label} up`"
            )


def _source_down(context: MirrorContext) -> Iterator[Finding]:
    label, netdev = context.source_label, context.source.netdev
    if netdev and not netdev.up:
        yield SOURCE_DOWN.at(
            label, f"{netdev} of {label} is down: its owner receives nothing while the copy would receive everything"
        )


def _copy_down(context: MirrorContext) -> Iterator[Finding]:
    label, netdev = context.copy_label, context.copy.netdev
    if netdev and not netdev.up:
        yield COPY_DOWN.at(label, f"{netdev} of {label} is down: it cannot receive a copy")


GUARDS: tuple[Guard, ...] = (
    _same_vf,
    _incomplete_reading,
    _source_mac,
    _foreign_mac,
    _in_use,
    _two_physnets,
    _pf_down,
    _source_down,
    _copy_down,
)
