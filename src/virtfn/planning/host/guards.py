"""What a host plan must not do unasked, and why. Every guard is asked; all that refuse are told at once. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.limits import Limit, limits_on
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.inventory import EswitchMode, HolderKind, Inventory, PfState, Unknown, VfState
from virtfn.model.mirror import Objection
from virtfn.model.physnets import PhysicalNetworks, differ
from virtfn.model.plan import Plan, Step, Writing
from virtfn.planning.host.impact import counted, user_of
from virtfn.planning.host.lookup import device_of
from virtfn.planning.host.mac_owners import Claim, mac_owners


@dataclass(frozen=True)
class HostDependencies:
    """What depends on this host: netdevs with a default route, those that carry an SSH connection, VFs of mirrors.

    Names are netdevs of the host's own namespace; a bond's or a bridge's ports belong in, too. ``physnets``: what
    OpenStack's services here are told.
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

    def written(self, identity: str) -> list[Step]:
        """The steps that write to this target as it is now; a VF that is made anew is another one."""
        return self.checked.get(identity, [])


Guard = Callable[[GuardContext], Iterator[Objection]]
_PF_WIDE = ("num_vfs", "eswitch_mode", "up", "mtu")


def objections(
    plan: Plan, inventory: Inventory, host_dependencies: HostDependencies, *, forced: frozenset[str] = frozenset()
) -> tuple[Objection, ...]:
    """All that speaks against the plan, in the order of the table; guards named in ``forced`` keep silent.

    An absolute objection cannot be forced. ``inventory`` is the one the plan was made from.
    """
    context = GuardContext.of(plan, inventory, host_dependencies)
    found = (objection for guard in GUARDS.values() for objection in guard(context))
    return tuple(one for one in found if one.absolute or one.guard not in forced)


def destroyed(plan: Plan, inventory: Inventory) -> tuple[tuple[PfState, VfState], ...]:
    """The VFs that exist now and do not survive the plan, each with its PF."""
    gone = {step.target.id for step in plan.steps if step.field == "num_vfs" and step.before and not step.after}
    return tuple((pf, vf) for pf in inventory.pfs if pf.device in gone for vf in pf.vfs)


def _vf_in_use(context: GuardContext) -> Iterator[Objection]:
    for pf, vf, what in _hit(context):
        if user := _user(vf):
            yield Objection(
                "vf-in-use",
                f"{pf.label}/{vf.index} is in use by {user}, and the plan {what}",
                "stop or detach its user first",
            )


def _hit(context: GuardContext) -> Iterator[tuple[PfState, VfState, str]]:
    """The VFs that the plan takes away, re-binds or moves, with what it does to them."""
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
                yield pf, vf, f"sets {wide.field} of {pf.label} to {_word(wide)}"


def _stops_vfs(step: Step) -> bool:
    return step.field == "eswitch_mode" or (step.field == "up" and step.after is False)


def _user(vf: VfState) -> str:
    """Who has the VF, with doubt counted as use; a netdev on the host itself is no user that would be cut off."""
    holder = vf.holder
    if isinstance(holder, Unknown):
        return f"somebody not known ({holder.reason})" if not isinstance(vf.pci, Unknown) else ""
    if holder.kind is HolderKind.HOST:
        return ""
    user = user_of(vf)
    if user and isinstance(holder.opened, Unknown):
        return f"perhaps a process (it has it through vfio; {holder.opened.reason})"
    return user


def _vf_count(context: GuardContext) -> Iterator[Objection]:
    for pf in context.inventory.pfs:
        count = sum(1 for owner, _ in destroyed(context.plan, context.inventory) if owner.device == pf.device)
        if count:
            yield Objection(
                "vf-count",
                f"the plan destroys {counted(count)} of {pf.label}, all there are, whether used or not: "
                "their PCI devices and netdevs go, and what was set up on them",
                "--force vf-count if that is meant",
            )


def _default_route(context: GuardContext) -> Iterator[Objection]:
    for pf, what in _on_netdevs(context, context.host_dependencies.default_route_netdevs):
        yield Objection("default-route", f"the default route goes over {what}", _over(pf))


def _ssh_connection(context: GuardContext) -> Iterator[Objection]:
    for pf, what in _on_netdevs(context, context.host_dependencies.ssh_netdevs):
        yield Objection("ssh-connection", f"your SSH connection comes in over {what}", _over(pf))


def _over(pf: PfState) -> str:
    return f"work from a console, or move that traffic off {pf.label} first"


def _on_netdevs(context: GuardContext, netdevs: frozenset[str]) -> Iterator[tuple[PfState, str]]:
    """PFs and VFs among these netdevs that the plan interrupts, in words."""
    if not netdevs:
        return
    for pf in context.inventory.pfs:
        wide = [step.field for step in context.written(pf.device) if step.field in _PF_WIDE]
        if pf.label in netdevs and wide:
            yield pf, f"{pf.label}, and the plan changes its {' and '.join(dict.fromkeys(wide))}"
    for pf, vf, what in _hit(context):
        on_host = vf.netdev is not None and not vf.netdev.netns
        if vf.netdev and on_host and vf.netdev.name in netdevs:
            yield pf, f"{vf.netdev.name}, which is {pf.label}/{vf.index}, and the plan {what}"


def _mac_twice(context: GuardContext) -> Iterator[Objection]:
    claims: dict[MacAddress, list[Claim]] = {}
    for claim in mac_owners(context.plan, context.inventory):
        claims.setdefault(claim.mac, []).append(claim)
    for mac, found in claims.items():
        owners = [claim.label for claim in found]
        if len(owners) > 1 and any(claim.written for claim in found):
            yield Objection(
                "mac-twice",
                f"{' and '.join(owners)} would have one MAC, {mac}: frames for one reach both, or only the other",
                "give each its own MAC; to copy frames on purpose use `virtfn mirror add`",
            )


def _mirror_in_use(context: GuardContext) -> Iterator[Objection]:
    gone = {str(pf.ref(vf.index)): "destroys it" for pf, vf in destroyed(context.plan, context.inventory)}
    for ref in dict.fromkeys(context.host_dependencies.mirrors):
        own = [step.field for step in context.written(str(ref))]
        wide = [step.field for step in context.written(ref.pf) if step.field in _PF_WIDE]
        what = gone.get(str(ref)) or next((f"changes its {field}" for field in own), "")
        what = what or next((f"changes {field} of its PF" for field in wide), "")
        if what:
            yield Objection(
                "mirror-in-use",
                f"{_label(context, ref)} is part of a mirror that stands, and the plan {what}",
                "`virtfn mirror rm` takes the mirror down first",
            )


def _two_physnets(context: GuardContext) -> Iterator[Objection]:
    changed = _steps_by_pf(context.plan)
    for pf in context.inventory.pfs:
        claims = context.host_dependencies.physnets.of_pf(pf) if pf.device in changed else ()
        if differ(claims):
            yield Objection(
                "two-physnets",
                f"{pf.label} is given to two physical networks: {' and '.join(map(str, claims))}; "
                "ports on its VFs cannot bind, or are on the wrong wire",
                "let the agent's physical_device_mappings and nova's device_spec name one for it",
            )


def _unsupported_value(context: GuardContext) -> Iterator[Objection]:
    steps = _steps_by_pf(context.plan)
    for pf in context.inventory.pfs:
        yield from _too_many(context, pf)
        driver = pf.driver if isinstance(pf.driver, str) else None
        mode = _final_mode(context, pf)
        refused: dict[Limit, list[str]] = {}
        for step in steps.get(pf.device, ()):
            for row in limits_on(driver, step.field, step.after, mode=mode):
                refused.setdefault(row, []).append(step.target.label)
        for row, labels in refused.items():
            yield Objection(
                "unsupported-value",
                f"{row.field} of {_listed(labels)}: {row.evidence.fact} ({row.evidence.source})",
                "leave this field out, or use a NIC that offers it",
                absolute=row.absolute,
            )


def _steps_by_pf(plan: Plan) -> Mapping[str, list[Step]]:
    """All steps that write to a PF or to one of its VFs, made anew or not, by the PF's device."""
    found: dict[str, list[Step]] = {}
    for step in plan.steps:
        if step.writing is not Writing.IMPLIED:
            found.setdefault(device_of(step.target.kind, step.target.id), []).append(step)
    return found


def _too_many(context: GuardContext, pf: PfState) -> Iterator[Objection]:
    facts = facts_of(pf.driver) if isinstance(pf.driver, str) else None
    most = pf.total_vfs if isinstance(pf.total_vfs, int) else facts.max_vfs if facts else None
    for step in context.written(pf.device):
        if step.field == "num_vfs" and isinstance(step.after, int) and most is not None and step.after > most:
            yield Objection(
                "unsupported-value",
                f"{pf.label} can have {most} VFs, not {step.after} (sriov_totalvfs; ERANGE)",
                "ask for fewer, or raise the limit in the NIC's firmware settings",
                absolute=True,
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


def _word(step: Step) -> str:
    return "down" if step.field == "up" else str(step.after)


GUARDS: dict[str, Guard] = {
    "vf-in-use": _vf_in_use,
    "vf-count": _vf_count,
    "default-route": _default_route,
    "ssh-connection": _ssh_connection,
    "mac-twice": _mac_twice,
    "mirror-in-use": _mirror_in_use,
    "two-physnets": _two_physnets,
    "unsupported-value": _unsupported_value,
}
"""Every guard by its name, in the order in which they are told."""
