"""What the words mean with which Neutron and nova refuse something: cause and remedy. Pure.

Every pattern was read in the answer of release 2026.2. 2025.2 says the same: `tests/cloud/test_mistakes.py` on it, and
for quotas and zero disks nova 32's source.
"""

import re
from dataclasses import dataclass

from virtfn.model.cloud.causes import Cause, CauseKind

_RESTART = "and restart Neutron's servers"


@dataclass(frozen=True)
class _Meaning:
    pattern: re.Pattern[str]
    kind: CauseKind
    what: str
    do: str


def _means(pattern: str, kind: CauseKind, what: str, do: str) -> _Meaning:
    return _Meaning(re.compile(pattern), kind, what, do)


_MEANINGS = (
    _means(
        r"network_type value '(?P<type>[^']+)' not supported",
        CauseKind.TYPE_OFF,
        "Neutron makes no networks of type {type}: its type driver is off",
        "add {type} to [ml2] type_drivers " + _RESTART + ", or declare another type",
    ),
    _means(
        r"physical_network '(?P<physical>[^']+)' unknown for flat",
        CauseKind.PHYSICAL_NETWORK_UNKNOWN,
        "Neutron lets no flat network onto {physical}",
        "add {physical} to [ml2_type_flat] flat_networks " + _RESTART + ", or name a physical network that is there",
    ),
    _means(
        r"physical_network '(?P<physical>[^']+)' unknown for VLAN",
        CauseKind.PHYSICAL_NETWORK_UNKNOWN,
        "Neutron has no VLANs on {physical}",
        "add {physical} to [ml2_type_vlan] network_vlan_ranges " + _RESTART + ", or name one that is there",
    ),
    _means(
        r"flat network\. Physical network (?P<physical>\S+) is in use",
        CauseKind.PHYSICAL_NETWORK_TAKEN,
        "{physical} carries a flat network already, and cannot carry two",
        "`openstack network list --long --provider-physical-network {physical}` names it (to an administrator): "
        "use it by its name, or another physical network, or type: vlan",
    ),
    _means(
        r"VLAN (?P<vlan>\d+) on physical network (?P<physical>\S+) is in use",
        CauseKind.SEGMENT_TAKEN,
        "another network has VLAN {vlan} of {physical}",
        "take another segmentation_id, or leave it out: Neutron then chooses a free one",
    ),
    _means(
        r"(?:physical_network required|segmentation_id prohibited) for flat provider network",
        CauseKind.NETWORK_INCOMPLETE,
        "a flat network has a physical network and no segmentation id",
        "declare physical_network, and leave segmentation_id out",
    ),
    _means(
        r"No (?:project|tenant) network is available",
        CauseKind.NO_PROJECT_NETWORKS,
        "it was asked for without type and physical network, and this cloud has no networks of its own choice",
        "declare type and physical_network ([ml2] tenant_network_types is empty, or its segments are used up)",
    ),
    _means(
        r"Quota exceeded|Quota limit exceeded|OverQuota",
        CauseKind.QUOTA,
        "the project's quota does not allow it",
        "`openstack quota show --usage` tells what is left: delete something, or ask an administrator for more",
    ),
    _means(
        r"binding:profile\S* is disallowed by policy",
        CauseKind.NOT_ALLOWED,
        "binding:profile is for OpenStack's services only, not even for administrators (role service)",
        "leave it out: nova fills it as it gives the VF",
    ),
    _means(
        r"create_network:provider:\S+.*is disallowed by policy",
        CauseKind.NOT_ALLOWED,
        "these credentials may not choose type and physical network of a network: that is for administrators",
        "let an administrator make the network, shared or in this project, and leave it out of networks:; "
        "or use an administrator's cloud with --os-cloud",
    ),
    _means(
        r"\(?rule:(?P<rule>[\w:]+)\S* is disallowed by policy",
        CauseKind.NOT_ALLOWED,
        "policy {rule} does not let these credentials do it",
        "leave it out of the spec, or use an administrator's cloud with --os-cloud",
    ),
    _means(
        r"Policy doesn't allow (?P<rule>\S+) to be performed",
        CauseKind.NOT_ALLOWED,
        "policy {rule} does not let these credentials do it",
        "leave it out of the spec, or use an administrator's cloud with --os-cloud",
    ),
    _means(
        r"Only volume-backed servers are allowed for flavors with zero disk",
        CauseKind.DISKLESS_FLAVOR,
        "a flavor with disk 0 boots from an image for administrators only",
        "name a flavor with a disk",
    ),
)


def meaning_of(word: str, status: int) -> Cause | None:
    """What a service's word means; None where it is not among those that are known."""
    for one in _MEANINGS:
        if found := one.pattern.search(word):
            named = found.groupdict()
            return Cause(one.kind, one.what.format(**named), (f"HTTP {status}: {word}",), one.do.format(**named))
    return None
