"""A mirror between two ports of a cloud: finds the ports, checks the guards, lists what it requires. Pure.

Facts: Neutron's SR-IOV agent (plugins/ml2/drivers/mech_sriov/agent) sets a VF's spoof check from its port's port
security at each port update and at its own start, and knows a VF by its MAC together with its PCI address. Who may turn
port security off: neutron/conf/policies/port.py, ``update_port:port_security_enabled``.
"""

import shlex
from collections.abc import Iterator

from virtfn.errors import UsageError
from virtfn.model.addresses import PciAddress
from virtfn.model.cloud.mirror import (
    BOUND,
    CloudMirror,
    HostSide,
    MirrorPort,
    NameMatches,
    PortOwner,
    Preparation,
    PreparationState,
    Project,
)
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.inventory import Known, Unknown
from virtfn.model.mirror import OTHER_PF, SAME_VF

_DIRECT = "direct"
_ON_A_NIC = ("direct", "macvtap", "direct-physical")
_NO_VF = {
    "macvtap": "its VM has a macvtap on the VF, which accepts frames for its own MAC only",
    "direct-physical": "its VM has the whole PF: there is no VF to mirror",
}


def _guard(id: str, meaning: str, fix: str) -> FindingKind:
    return FindingKind(id, Severity.REFUSAL, meaning, fix)


VNIC_TYPE = _guard(
    "vnic-type", "A port of a mirror is of a type that has no VF to mirror.", "use ports of vnic_type direct"
)
NOT_TOLD = _guard(
    "not-told",
    "Where a port of a mirror is bound, or to which VF, is not known.",
    "use the credentials of an administrator",
)
NOT_BOUND = _guard("not-bound", "A port of a mirror has no VF now.", "boot a server with it")
SAME_PORT = _guard("same-port", "Source and copy of a mirror are one port.", "name two ports")
OTHER_HOST = _guard(
    "other-host",
    "The servers of a mirror are on two hosts: a NIC's switch copies only to its own VFs.",
    "move one server: servers with VFs move by cold migration, or are recreated on the other host",
)
OTHER_NETWORK = _guard("other-network", "The ports of a mirror are on two networks.", "choose ports of one network")
OTHER_PHYSNET = _guard(
    "other-physnet",
    "The ports of a mirror are on two physical networks: on two wires.",
    "choose ports of one physical network",
)
OTHER_PROJECT = _guard(
    "other-project",
    "Ports and servers belong to different projects: one would read the other's traffic.",
    "choose ports of one project; an administrator can override this, and is responsible",
)


def choose(word: str, named: NameMatches) -> MirrorPort:
    """The one port for a name or an id: a port, or the direct port of a server. Raises UsageError."""
    if len(named.ports) + len(named.servers) > 1:
        raise UsageError(
            f"{len(named.ports) + len(named.servers)} things have this name",
            where=word,
            hint="name one by its id: " + "; ".join(_said(named)),
        )
    if named.ports:
        return named.ports[0]
    if not named.servers:
        raise UsageError(
            "there is no such server or port",
            where=word,
            hint="name a server, a port, SERVER:PORT, or an id; ordinary users see only their own project",
        )
    ((server, ports),) = named.servers
    return _port_of(server, ports)


def of_server(named: NameMatches, port: str) -> NameMatches:
    """The ports of these servers with this name or id, for SERVER:PORT."""
    return NameMatches(tuple(one for _, ports in named.servers for one in ports if port in (one.name, one.id)))


def guard_findings(source: MirrorPort, copy: MirrorPort, *, as_admin: bool) -> tuple[Finding, ...]:
    """All findings that refuse a mirror of ``source`` to ``copy``; ``as_admin`` allows two projects."""
    found = [*_by_itself(source), *(_by_itself(copy) if copy.id != source.id else ()), *_together(source, copy)]
    if not as_admin:
        found += _two_projects(source, copy)
    return tuple(found)


def plan_mirror(
    source: MirrorPort, copy: MirrorPort, agents: Known[tuple[NicAgent, ...]], *, as_admin: bool = False
) -> CloudMirror:
    """What a mirror of two ports requires, once no guard refuses it."""
    host, network = str(source.host), _physical_network(source) or ""
    pf = _pf(host, network, agents)
    return CloudMirror(
        source,
        copy,
        host,
        network,
        pf,
        tuple(_preparations(copy, host, pf)),
        _host_side(source, copy, host, pf),
        tuple(_warnings(source, copy, as_admin)),
        tuple(_notes(source, copy, host, agents)),
        tuple(_lookups(source, copy, host)),
    )


def _said(named: NameMatches) -> Iterator[str]:
    for port in named.ports:
        yield f"port {port.id} (network {port.network.name}, project {port.project})"
    for server, _ in named.servers:
        yield f"server {server.id} (project {server.project})"


def _port_of(server: PortOwner, ports: tuple[MirrorPort, ...]) -> MirrorPort:
    direct = [one for one in ports if one.vnic_type == _DIRECT]
    fit = direct or [one for one in ports if one.vnic_type in _ON_A_NIC]
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise UsageError(
            f"it has {len(fit)} {fit[0].vnic_type} ports",
            where=f"server {server.name}",
            hint="choose one: " + ", ".join(shlex.quote(one.label) for one in fit),
        )
    there = ", ".join(f"{one.name or one.id} ({one.vnic_type})" for one in ports) or "none"
    raise UsageError("it has no port with a VF", where=f"server {server.name}", hint=f"its ports: {there}")


def _by_itself(port: MirrorPort) -> Iterator[Finding]:
    """Findings that refuse any mirror of this port."""
    label = port.label
    if port.vnic_type != _DIRECT:
        why = _NO_VF.get(port.vnic_type, "it has no VF")
        yield VNIC_TYPE.at(label, f"{label} is of vnic_type {port.vnic_type}: {why}")
        return
    if isinstance(port.vif_type, Unknown):
        yield NOT_TOLD.at(label, f"where {label} is bound is not known: {port.vif_type.reason}")
    elif port.vif_type != BOUND:
        fix = None if port.vif_type == "unbound" else "see `openstack network agent list`"
        yield NOT_BOUND.at(label, f"{label} has no VF: its vif_type is {port.vif_type}, not {BOUND}", fix=fix)
    elif not isinstance(port.pci_slot, PciAddress):
        why = port.pci_slot.reason if isinstance(port.pci_slot, Unknown) else "its binding:profile has no pci_slot"
        yield NOT_TOLD.at(label, f"which VF {label} has is not known: {why}")


def _together(source: MirrorPort, copy: MirrorPort) -> Iterator[Finding]:
    """Findings that refuse a mirror of these two; unknown facts are findings of the single ports."""
    if source.id == copy.id:
        yield SAME_PORT.at(source.label, f"source and copy are one port, {source.label}")
        return
    pair = f"{source.label} and {copy.label}"
    bound = source.vif_type == copy.vif_type == BOUND
    if bound and source.host != copy.host:
        what = f"{pair} are on {source.host} and on {copy.host}; a NIC's switch copies only to its own VFs"
        yield OTHER_HOST.at(pair, what)
    if source.network.id != copy.network.id:
        yield OTHER_NETWORK.at(pair, f"{pair} are on two networks, {source.network.name} and {copy.network.name}")
    one, other = _physical_network(source), _physical_network(copy)
    if one and other and one.lower() != other.lower():
        yield OTHER_PHYSNET.at(pair, f"{pair} are on two physical networks, {one} and {other}: on two wires")
    if bound and source.host == copy.host:
        yield from _two_vfs(source, copy, pair)


def _two_vfs(source: MirrorPort, copy: MirrorPort, pair: str) -> Iterator[Finding]:
    first, second = source.pci_slot, copy.pci_slot
    if not isinstance(first, PciAddress) or not isinstance(second, PciAddress):
        return
    if first == second:
        fix = "boot the server with the stale binding again"
        yield SAME_VF.at(pair, f"{pair} both name the VF {first}: one of the two bindings is stale", fix=fix)
    elif first.domain != second.domain:  # a VF's routing id is its PF's plus an offset: never in another domain
        yield OTHER_PF.at(pair, f"the VFs of {pair}, {first} and {second}, cannot be of one PF: other PCI domains")


def _two_projects(source: MirrorPort, copy: MirrorPort) -> Iterator[Finding]:
    owners = [*_owners(source), *_owners(copy)]
    if len({project.id for _, project in owners}) > 1:
        named = ", ".join(f"{what} is of {_told_apart(project, owners)}" for what, project in owners)
        yield OTHER_PROJECT.at(
            f"{source.label} and {copy.label}",
            f"not one project owns all of it ({named}); what is sent to the one would be read by the other",
        )


def _owners(port: MirrorPort) -> Iterator[tuple[str, Project]]:
    yield f"port {port.name or port.id}", port.project
    if port.owner:
        yield f"server {port.owner.name}", port.owner.project


def _told_apart(project: Project, owners: list[tuple[str, Project]]) -> str:
    """A project's name; with its id where another one has that name (names are unique within a domain only)."""
    alike = {other.id for _, other in owners if other.name == project.name}
    return f"{project.name} ({project.id})" if project.name and len(alike) > 1 else str(project)


def _physical_network(port: MirrorPort) -> str | None:
    """The physical network under which nova found the VF, else its network's; None where neither is known."""
    for known in (port.physical_network, port.network.physical_network):
        if isinstance(known, str) and known:
            return known
    return None


def _pf(host: str, network: str, agents: Known[tuple[NicAgent, ...]]) -> Known[str]:
    """The PF of the VFs, where the agent's configuration allows only one."""
    if isinstance(agents, Unknown):
        return Unknown(f"the netdevs of Neutron's agents are not known: {agents.reason}")
    agent = next((one for one in agents if one.host == host), None)
    if agent is None:
        return Unknown(f"Neutron has no NIC Switch agent on {host}")
    netdevs = agent.pfs.get(network, ())
    if not netdevs:
        return Unknown(f"the agent on {host} does not serve {network or 'a physical network'} now")
    if len(netdevs) > 1:
        return Unknown(
            f"the agent on {host} serves {network} with {', '.join(netdevs)}, and a VF's address names no PF"
        )
    return netdevs[0]


def _preparations(copy: MirrorPort, host: str, pf: Known[str]) -> Iterator[Preparation]:
    off = copy.port_security is False
    yield Preparation(
        f"port security of {copy.label} off",
        PreparationState.DONE if off else PreparationState.TO_DO,
        f"an administrator, or the owner of network {copy.network.name} ({copy.network.project})",
        "while the VF has its port's own MAC, Neutron's agent sets its spoof check from this, at each port update and "
        "at its own start: a check that was turned off only on the host is then on again. Needed only if the copy's "
        "guest must send. It also removes the port's security groups, which never applied to VFs",
        ()
        if off
        else (shlex.join(["openstack", "port", "set", "--no-security-group", "--disable-port-security", copy.id]),),
    )
    if off:
        return
    netdev = pf if isinstance(pf, str) else "PF"
    yield Preparation(
        f"the VF of {copy.label} excluded from the agent",
        PreparationState.CHOICE,
        f"root on {host}",
        "the agent then ignores this VF, and no longer reports its port up or down. Add it to the existing "
        "value, restart the agent, and remove it afterwards",
        ("[sriov_nic]", f"exclude_devices = {netdev}:{copy.pci_slot}"),
    )


def _host_side(source: MirrorPort, copy: MirrorPort, host: str, pf: Known[str]) -> HostSide:
    netdev = pf if isinstance(pf, str) else "PF"
    return HostSide(
        host,
        Action(UseCase.MIRROR_ADD, (str(source.pci_slot), str(copy.pci_slot))),
        "VMs hold both VFs through vfio, so no probe frame can be captured there: what they receive is counted, where "
        "the NIC's driver has counters of it; elsewhere the mirror is refused (`no-meter`), and nothing is changed",
        (
            f"VFs of {netdev} with a netdev on {host} or in a network namespace, for example a container's: between "
            "those the mirror can be made and proven",
            f"by hand, not proven, and not undone automatically: `ip link set dev {netdev} vf N mac {source.mac}`, "
            f"where N is the index of VF {copy.pci_slot}; undo it with mac {copy.mac}. Whether that mirrors depends on "
            "the NIC: docs/reference/drivers.md",
        ),
    )


def _warnings(source: MirrorPort, copy: MirrorPort, as_admin: bool) -> Iterator[str]:
    if as_admin and any(_two_projects(source, copy)):
        every = [*_owners(source), *_owners(copy)]
        sent, read = (
            " and ".join(f"{what} of project {_told_apart(project, every)}" for what, project in _owners(port))
            for port in (source, copy)
        )
        yield f"all that is sent to {sent} will be read by {read}"


def _notes(source: MirrorPort, copy: MirrorPort, host: str, agents: Known[tuple[NicAgent, ...]]) -> Iterator[str]:
    known = () if isinstance(agents, Unknown) else agents
    if any(not one.alive for one in known if one.host == host):
        yield f"the NIC Switch agent on {host} does not answer: what Neutron knows of these ports may be outdated"
    for port in (source, copy):
        if port.owner is None:
            yield f"the server of {port.label} is not shown, so its project is not known"
        elif port.owner.status != "ACTIVE":
            yield f"server {port.owner.name} is {port.owner.status}: its start sets the VF's MAC again"
    if copy.trusted is True:
        yield f"{copy.label} is trusted: the mirror turns trust off, and nova turns it on again when the server starts"
    yield (
        f"while the mirror exists, the agent does not know the VF of {copy.label}: Neutron shows that port DOWN, and "
        "its server loses its own traffic, until the mirror is removed"
    )
    yield f"a stop of server {copy.owner.name if copy.owner else copy.label}, or a hard reboot, ends the mirror"


def _lookups(source: MirrorPort, copy: MirrorPort, host: str) -> Iterator[str]:
    columns = ("project_id", "device_id", "network_id", "binding_host_id", "binding_vif_type", "binding_profile")
    shown = [word for column in (*columns, "port_security_enabled") for word in ("-c", column)]
    for port in (source, copy):
        yield shlex.join(["openstack", "port", "show", port.id, *shown])
    yield shlex.join(["openstack", "network", "agent", "list", "--agent-type", "nic", "--host", host, "--long"])
