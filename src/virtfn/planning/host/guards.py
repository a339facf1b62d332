"""What a host plan must not do unless the user overrides it. All guards that refuse are reported at once. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.forwarding import Frame, predict
from virtfn.eswitch.limits import Limit, limits_on
from virtfn.eswitch.nic_state import WIRE, nic_state
from virtfn.eswitch.transitions import after
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.inventory import EswitchMode, HolderKind, Inventory, PfState, Unknown, VfState
from virtfn.model.physnets import TWO_PHYSNETS, PhysicalNetworks, differ
from virtfn.model.plan import Plan, Step, Writing
from virtfn.planning.host.impact import counted, user_of
from virtfn.planning.host.lookup import device_of
from virtfn.planning.host.mac_owners import MacOwner, mac_owners


@dataclass(frozen=True)
class HostDependencies:
    """What depends on this host: netdevs with a default route, those that carry an SSH connection, VFs of mirrors.

    Names are netdevs of the host's own namespace, with the ports of bonds and bridges. ``physnets``: the configuration
    of OpenStack's services here.
    """

    default_route_netdevs: frozenset[str] = frozenset()
    ssh_netdevs: frozenset[str] = frozenset()
    mirrors: tuple[VfRef, ...] = ()
    physnets: PhysicalNetworks = field(default_factory=PhysicalNetworks)


@dataclass(frozen=True)
class GuardContext:
    """A plan, the host it was made for, and what depends on that host."""

    plan: Plan
    inventory: Inventory
    host_dependencies: HostDependencies
    checked: Mapping[str, list[Step]]

    @classmethod
    def of(cls, plan: Plan, inventory: Inventory, host_dependencies: HostDependencies) -> "GuardContext":
        """With the plan's steps sorted out by their targets once, for all guards."""
        checked: dict[str, list[Step]] = {}
        for step in plan.steps:
            if step.writing is Writing.CHECKED:
                checked.setdefault(step.target.id, []).append(step)
        return cls(plan, inventory, host_dependencies, checked)

    @cached_property
    def steps_by_pf(self) -> Mapping[str, list[Step]]:
        """All steps that write to a PF or to one of its VFs, recreated or not, by the PF's device."""
        found: dict[str, list[Step]] = {}
        for step in self.plan.steps:
            if step.writing is not Writing.IMPLIED:
                found.setdefault(device_of(step.target.kind, step.target.id), []).append(step)
        return found

    @cached_property
    def hit(self) -> Sequence[tuple[PfState, VfState, str]]:
        """The VFs that the plan removes, re-binds or changes, with what it does to them."""
        return tuple(_hit(self))

    def written(self, identity: str) -> list[Step]:
        """The steps that write to this target as it is now; a VF that is recreated is another one."""
        return self.checked.get(identity, [])


def _guard(id: str, meaning: str, fix: str) -> FindingKind:
    return FindingKind(id, Severity.REFUSAL, meaning, fix, overridable=True)


VF_IN_USE = _guard(
    "vf-in-use",
    "The plan destroys, changes or re-binds a VF that a guest, a container or a process uses, or may use.",
    "stop or detach its user first",
)
VF_COUNT = _guard(
    "vf-count",
    "The plan changes the number of VFs of a PF that has some: the kernel destroys all of them first.",
    "keep the number of VFs that the PF has",
)
DEFAULT_ROUTE = _guard(
    "default-route",
    "The plan interrupts a PF or VF that carries the host's default route.",
    "work from a console, or move the default route to another NIC first",
)
SSH_CONNECTION = _guard(
    "ssh-connection",
    "The plan interrupts a PF or VF that carries your SSH connection.",
    "work from a console, or connect through another NIC first",
)
MAC_TWICE = _guard(
    "mac-twice",
    "After the plan, two of a NIC's PFs and VFs have one MAC: frames for one reach both, or only the other.",
    "give each its own MAC; to copy frames on purpose, add a mirror",
)
MIRROR_IN_USE = _guard(
    "mirror-in-use",
    "The plan destroys or changes a VF that is the source or the copy of a mirror.",
    "remove the mirror first",
)
TOO_MANY_VFS = FindingKind(
    "too-many-vfs",
    Severity.REFUSAL,
    "The plan gives a PF more VFs than its device has; the kernel refuses the number with ERANGE.",
    "ask for fewer, or raise the limit in the NIC's firmware settings",
)
UNSUPPORTED_VALUE = _guard(
    "unsupported-value",
    "The NIC or its driver is known to refuse a value of the plan, or to ignore it. Overridable where only other "
    "versions of the driver may differ.",
    "leave this field out, or use a NIC that offers it",
)

Guard = Callable[[GuardContext], Iterator[Finding]]
_PF_WIDE = ("num_vfs", "eswitch_mode", "up", "mtu")


def guard_findings(plan: Plan, inventory: Inventory, host_dependencies: HostDependencies) -> tuple[Finding, ...]:
    """All findings that refuse, in the order of ``GUARDS``. ``inventory`` is the one the plan was made from."""
    context = GuardContext.of(plan, inventory, host_dependencies)
    return tuple(finding for guard in GUARDS.values() for finding in guard(context))


def destroyed(plan: Plan, inventory: Inventory) -> tuple[tuple[PfState, VfState], ...]:
    """The VFs that exist now and do not survive the plan, each with its PF."""
    gone = {step.target.id for step in plan.steps if step.field == "num_vfs" and step.before and not step.after}
    return tuple((pf, vf) for pf in inventory.pfs if pf.device in gone for vf in pf.vfs)


def _vf_in_use(context: GuardContext) -> Iterator[Finding]:
    for pf, vf, what in context.hit:
        label = f"{pf.label}/{vf.index}"
        if (why := _why_not_known(vf)) is not None:
            yield VF_IN_USE.at(
                label, f"{label} may be in use (run as root to check), and the plan {what}", evidence=(why,)
            )
        elif user := _user(vf):
            yield VF_IN_USE.at(label, f"{label} is in use by {user}, and the plan {what}")


def _hit(context: GuardContext) -> Iterator[tuple[PfState, VfState, str]]:
    gone = destroyed(context.plan, context.inventory)
    for pf, vf in gone:
        yield pf, vf, "destroys it"
    lost = {str(pf.ref(vf.index)) for pf, vf in gone}
    for pf in context.inventory.pfs:
        wide = next((step for step in context.written(pf.device) if _stops_vfs(step)), None)
        for vf in pf.vfs:
            identity = str(pf.ref(vf.index))
            if identity in lost:
                continue
            fields = [step.field for step in context.written(identity) if step.field in ("mac", "vlan", "driver")]
            if fields:
                yield pf, vf, f"changes its {' and '.join(dict.fromkeys(fields))}"
            elif wide:
                yield pf, vf, _stop(wide, pf)


def _stops_vfs(step: Step) -> bool:
    return step.field == "eswitch_mode" or (step.field == "up" and step.after is False)


def _why_not_known(vf: VfState) -> str | None:
    """Why it is not known whether the VF is in use; None where it is known. A VF without PCI device has no user."""
    holder = vf.holder
    if isinstance(holder, Unknown):
        return None if isinstance(vf.pci, Unknown) else holder.reason
    if isinstance(holder.opened, Unknown) and _user(vf):
        return f"it is bound for vfio; {holder.opened.reason}"
    return None


def _user(vf: VfState) -> str:
    """The user of the VF; a netdev on the host itself does not count."""
    is_on_host = not isinstance(vf.holder, Unknown) and vf.holder.kind is HolderKind.HOST
    return "" if is_on_host else user_of(vf)


def _vf_count(context: GuardContext) -> Iterator[Finding]:
    for pf in context.inventory.pfs:
        count = sum(1 for owner, _ in destroyed(context.plan, context.inventory) if owner.device == pf.device)
        if count:
            yield VF_COUNT.at(
                pf.label,
                f"the plan destroys {counted(count)} of {pf.label}, used or not: "
                "their PCI devices and netdevs are removed, with their configuration",
            )


def _default_route(context: GuardContext) -> Iterator[Finding]:
    for pf, what in _on_netdevs(context, context.host_dependencies.default_route_netdevs):
        yield DEFAULT_ROUTE.at(pf.label, f"the default route goes over {what}")


def _ssh_connection(context: GuardContext) -> Iterator[Finding]:
    for pf, what in _on_netdevs(context, context.host_dependencies.ssh_netdevs):
        yield SSH_CONNECTION.at(pf.label, f"your SSH connection comes in over {what}")


def _on_netdevs(context: GuardContext, netdevs: frozenset[str]) -> Iterator[tuple[PfState, str]]:
    """PFs and VFs among these netdevs that the plan interrupts, in words."""
    if not netdevs:
        return
    for pf in context.inventory.pfs:
        wide = [step.field for step in context.written(pf.device) if step.field in _PF_WIDE]
        if pf.label in netdevs and wide:
            yield pf, f"{pf.label}, and the plan changes its {' and '.join(dict.fromkeys(wide))}"
    for pf, vf, what in context.hit:
        on_host = vf.netdev is not None and not vf.netdev.netns
        if vf.netdev and on_host and vf.netdev.name in netdevs:
            yield pf, f"{vf.netdev.name}, which is {pf.label}/{vf.index}, and the plan {what}"


def _mac_twice(context: GuardContext) -> Iterator[Finding]:
    by_mac: dict[MacAddress, list[MacOwner]] = {}
    for owner in mac_owners(context.plan, context.inventory):
        by_mac.setdefault(owner.mac, []).append(owner)
    for mac, found in by_mac.items():
        owners = [owner.label for owner in found]
        if len(owners) > 1 and any(owner.written for owner in found):
            yield MAC_TWICE.at(
                owners[0],
                f"{' and '.join(owners)} would have one MAC, {mac}: frames for one reach both, or only the other",
                evidence=tuple(_reached(context, mac, frozenset(owners))),
                actions=(Action(UseCase.MIRROR_ADD),),
            )


def _reached(context: GuardContext, mac: MacAddress, owners: frozenset[str]) -> Iterator[str]:
    """Who gets a frame for this MAC from the wire after the plan, with all netdevs up."""
    for pf in context.inventory.pfs:
        nic = after(nic_state(pf), context.plan.steps)
        vfs = tuple(replace(vf, up=True) for vf in nic.vfs)
        found = predict(replace(nic, pf=replace(nic.pf, up=True), vfs=vfs), Frame(WIRE, mac))
        for one in found.deliveries:
            if one.port in owners:
                yield f"{one.port} receives them: {one.verdict}; {one.why}"


def _mirror_in_use(context: GuardContext) -> Iterator[Finding]:
    gone = {str(pf.ref(vf.index)): "destroys it" for pf, vf in destroyed(context.plan, context.inventory)}
    for ref in dict.fromkeys(context.host_dependencies.mirrors):
        own = [step.field for step in context.written(str(ref))]
        wide = [step.field for step in context.written(ref.pf) if step.field in _PF_WIDE]
        what = gone.get(str(ref)) or next((f"changes its {field}" for field in own), "")
        what = what or next((f"changes {field} of its PF" for field in wide), "")
        if what:
            label = _label(context, ref)
            yield MIRROR_IN_USE.at(
                label, f"{label} is part of a mirror, and the plan {what}", actions=(Action(UseCase.MIRROR_REMOVE),)
            )


def _two_physnets(context: GuardContext) -> Iterator[Finding]:
    for pf in context.inventory.pfs:
        claims = context.host_dependencies.physnets.of_pf(pf) if pf.device in context.steps_by_pf else ()
        if differ(claims):
            yield TWO_PHYSNETS.at(
                pf.label,
                f"{pf.label} is given to two physical networks: {' and '.join(map(str, claims))}; "
                "ports on its VFs cannot bind, or are on the wrong wire",
            )


def _unsupported_value(context: GuardContext) -> Iterator[Finding]:
    for pf in context.inventory.pfs:
        driver = pf.driver if isinstance(pf.driver, str) else None
        mode = _final_mode(context, pf)
        refused: dict[Limit, list[str]] = {}
        for step in context.steps_by_pf.get(pf.device, ()):
            for row in limits_on(driver, step.field, step.after, mode=mode):
                refused.setdefault(row, []).append(step.target.label)
        for row, labels in refused.items():
            subject = _listed(labels)
            yield UNSUPPORTED_VALUE.at(
                subject,
                f"{row.field} of {subject}: {row.evidence.fact}",
                evidence=(row.evidence.source,),
                overridable=not row.absolute,
            )


def _too_many_vfs(context: GuardContext) -> Iterator[Finding]:
    for pf in context.inventory.pfs:
        facts = facts_of(pf.driver) if isinstance(pf.driver, str) else None
        most = pf.total_vfs if isinstance(pf.total_vfs, int) else facts.max_vfs if facts else None
        source = "sriov_totalvfs" if isinstance(pf.total_vfs, int) else f"the known maximum of {pf.driver}"
        for step in context.written(pf.device):
            if step.field == "num_vfs" and isinstance(step.after, int) and most is not None and step.after > most:
                yield TOO_MANY_VFS.at(
                    pf.label, f"{pf.label} can have {most} VFs, not {step.after}", evidence=(f"{source} is {most}",)
                )


def _listed(labels: list[str]) -> str:
    unique = list(dict.fromkeys(labels))
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    return ", ".join(unique[:3]) + more


def _final_mode(context: GuardContext, pf: PfState) -> EswitchMode | None:
    wanted = [step.after for step in context.written(pf.device) if step.field == "eswitch_mode"]
    if wanted:
        return EswitchMode(str(wanted[-1]))
    return pf.eswitch_mode if isinstance(pf.eswitch_mode, EswitchMode) else None


def _label(context: GuardContext, ref: VfRef) -> str:
    pf = context.inventory.pf(ref.pf)
    return f"{pf.label}/{ref.index}" if pf else str(ref)


def _stop(step: Step, pf: PfState) -> str:
    return f"takes {pf.label} down" if step.field == "up" else f"sets {step.field} of {pf.label} to {step.after}"


GUARDS: dict[str, Guard] = {
    VF_IN_USE.id: _vf_in_use,
    VF_COUNT.id: _vf_count,
    DEFAULT_ROUTE.id: _default_route,
    SSH_CONNECTION.id: _ssh_connection,
    MAC_TWICE.id: _mac_twice,
    MIRROR_IN_USE.id: _mirror_in_use,
    TWO_PHYSNETS.id: _two_physnets,
    TOO_MANY_VFS.id: _too_many_vfs,
    UNSUPPORTED_VALUE.id: _unsupported_value,
}
"""Every guard by the id of its findings, in the order in which they are reported."""
