"""The kinds of causes why a server of a cloud does not start; found by agents, preflight and diagnosis.

Before a plan runs they are warnings, as the state may change before nova schedules.
"""

from collections.abc import Iterable
from dataclasses import replace

from virtfn.model.finding import Finding, FindingKind, Severity


def _cause(id: str, meaning: str, fix: str) -> FindingKind:
    return FindingKind(id, Severity.FAULT, meaning, fix)


AGENT_DEAD = _cause(
    "agent-dead",
    "The NIC Switch agent of a physical network does not answer, so no VF of it is bound or set up.",
    "start neutron-sriov-nic-agent on the host",
)
NO_AGENT = _cause(
    "no-agent",
    "No NIC Switch agent serves the physical network, so none of its VFs is bound.",
    "map the physical network to the PF in [sriov_nic] physical_device_mappings of the agent",
)
BINDING_FAILED = _cause(
    "binding-failed",
    "Neutron could not bind a port, although an agent seems to serve it.",
    "see Neutron's log for `Failed to bind port` (is sriovnicswitch in mechanism_drivers?)",
)
NO_FREE_VF = _cause(
    "no-free-vf",
    "No VF of the physical network is free on a host that the server may run on.",
    "free VFs, or give nova more: its [pci] device_spec must name the NIC with this physical_network, "
    "and sriov_numvfs of the PF makes them",
)
NO_FREE_PF = _cause(
    "no-free-pf",
    "No PF of the physical network is free for a direct-physical port.",
    "free a PF, or give nova one without VFs: its [pci] device_spec must name it with this physical_network",
)
FLAVOR_FITS_NOWHERE = _cause(
    "flavor-fits-nowhere",
    "No host has the vCPUs, memory and disk of the flavor free, or Placement offers none.",
    "delete servers, add a host, or take a smaller flavor",
)
HOST_OUT_OF_SERVICE = _cause(
    "host-out-of-service",
    "The compute host that the server may run on is down or disabled.",
    "start nova-compute there, or `openstack compute service set --enable HOST nova-compute`",
)
ZONE_WITHOUT_HOSTS = _cause(
    "zone-without-hosts",
    "Every compute host of the availability zone is down or disabled.",
    "start nova-compute there, or `openstack compute service set --enable HOST nova-compute`",
)
GROUP_TOO_LARGE = _cause(
    "group-too-large",
    "An anti-affinity group has more servers than there are hosts that take servers.",
    "take fewer servers or more hosts, or leave anti_affinity out",
)
TYPE_NOT_BOUND = _cause(
    "type-not-bound",
    "The network of a port is of a type that Neutron's sriovnicswitch does not bind VFs on.",
    "put the port on a flat or vlan network of a physical network that an agent serves",
)
VF_NOT_SEEN = _cause(
    "vf-not-seen",
    "A port is bound, and the NIC Switch agent does not see its VF on the host, so the port stays DOWN.",
    "see `ip link` on the host: it must show the VF with the port's MAC and without a netdev",
)


def about(subject: str, found: Iterable[Finding]) -> list[Finding]:
    """The findings, with this subject where they have none."""
    return [one if one.subject else replace(one, subject=subject) for one in found]


def merged(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Equal findings of several objects merged into one, with all subjects and all evidence."""
    first: dict[tuple[str, str], Finding] = {}
    for one in found:
        known = first.setdefault((one.id, one.what), one)
        subjects = dict.fromkeys((*known.subject.split(", "), one.subject))
        evidence = dict.fromkeys((*known.evidence, *one.evidence))
        first[one.id, one.what] = replace(known, subject=", ".join(subjects), evidence=tuple(evidence))
    return tuple(first.values())
