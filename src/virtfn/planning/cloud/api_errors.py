"""Maps the errors of Neutron, nova and the SDK to findings: what they mean, and how to fix it. Pure.

One table, read from the top: by the service's message, the HTTP status, the SDK's exception. Every pattern was seen in
answers of release 2026.2. 2025.2 has the same: `tests/cloud/test_mistakes.py` on it, and for quotas and zero
disks nova 32's source.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from virtfn.errors import CloudDenied, CloudError, CloudUnreachable
from virtfn.model.finding import Finding, FindingKind, Severity

_RESTART = "and restart Neutron's servers"
_ADMIN = "or use the credentials of an administrator"


def _fault(id: str, meaning: str, fix: str) -> FindingKind:
    return FindingKind(id, Severity.FAULT, meaning, fix)


TYPE_OFF = _fault("type-off", "Neutron's type driver for this network type is off.", "add the type to type_drivers")
PHYSICAL_NETWORK_UNKNOWN = _fault(
    "physical-network-unknown",
    "Neutron does not allow networks of this type on the physical network.",
    "add it to flat_networks or network_vlan_ranges, or name an existing physical network",
)
PHYSICAL_NETWORK_TAKEN = _fault(
    "physical-network-taken", "The physical network carries a flat network already.", "use that network, or type: vlan"
)
SEGMENT_TAKEN = _fault("segment-taken", "Another network has this VLAN.", "take another segmentation_id, or none")
NETWORK_INCOMPLETE = _fault(
    "network-incomplete",
    "Type, physical network and segmentation id of a network do not match.",
    "declare physical_network, and leave segmentation_id out of a flat network",
)
NO_PROJECT_NETWORKS = _fault(
    "no-project-networks",
    "A network was requested without a type, and the cloud has no default type.",
    "declare type and physical_network",
)
QUOTA_EXCEEDED = _fault(
    "quota-exceeded",
    "A quota of the project does not allow it.",
    "`openstack quota show --usage` shows what is left: delete something, or ask an administrator for more",
)
NOT_ALLOWED = _fault(
    "not-allowed", "A policy of the cloud does not allow it with these credentials.", f"leave it out, {_ADMIN}"
)
DISKLESS_FLAVOR = _fault(
    "diskless-flavor",
    "A flavor with disk 0 boots from an image for administrators only.",
    "name a flavor with a disk",
)
NOT_SIGNED_IN = _fault(
    "not-signed-in", "Keystone does not accept the credentials.", "check the credentials in clouds.yaml (OS_CLOUD)"
)
CLOUD_AWAY = _fault(
    "cloud-away",
    "A service of the cloud does not answer in time.",
    "check that the cloud is up, and that its address in clouds.yaml is right",
)
CLOUDS_YAML = _fault(
    "clouds-yaml", "clouds.yaml has no such entry, or the SDK cannot use it.", "check clouds.yaml and OS_CLOUD"
)


@dataclass(frozen=True)
class _ErrorRow:
    """One known error. It is recognised by ``words``, ``status`` or ``exceptions`` (names of classes).

    ``what`` and ``fix`` may use the named groups of ``words``; "": those of the kind. ``may_be_at_work``: the request
    was sent, and the cloud may still carry it out.
    """

    kind: FindingKind
    words: re.Pattern[str] | None = None
    status: int = 0
    exceptions: frozenset[str] = frozenset()
    what: str = ""
    fix: str = ""
    error: type[CloudError] = CloudError
    may_be_at_work: bool = False

    def finding(self, where: str, word: str, status: int) -> Finding | None:
        """The finding, if the error matches."""
        found = self.words.search(word) if self.words else None
        if self.words and not found:
            return None
        named = found.groupdict() if found else {}
        evidence = (f"HTTP {status}: {word}",) if status else ()
        what = self.what.format(**named) or self.kind.meaning.rstrip(".")
        return self.kind.at(where, what, evidence=evidence, fix=self.fix.format(**named))


def _words(
    pattern: str, kind: FindingKind, what: str, fix: str = "", error: type[CloudError] = CloudError
) -> _ErrorRow:
    return _ErrorRow(kind, words=re.compile(pattern), what=what, fix=fix, error=error)


_ROWS = (
    _words(
        r"network_type value '(?P<type>[^']+)' not supported",
        TYPE_OFF,
        "Neutron has no type driver for {type}",
        "add {type} to [ml2] type_drivers " + _RESTART + ", or declare another type",
    ),
    _words(
        r"physical_network '(?P<physical>[^']+)' unknown for flat",
        PHYSICAL_NETWORK_UNKNOWN,
        "Neutron does not allow a flat network on {physical}",
        "add {physical} to [ml2_type_flat] flat_networks " + _RESTART + ", or name an existing physical network",
    ),
    _words(
        r"physical_network '(?P<physical>[^']+)' unknown for VLAN",
        PHYSICAL_NETWORK_UNKNOWN,
        "Neutron has no VLANs on {physical}",
        "add {physical} to [ml2_type_vlan] network_vlan_ranges " + _RESTART + ", or name one that is there",
    ),
    _words(
        r"flat network\. Physical network (?P<physical>\S+) is in use",
        PHYSICAL_NETWORK_TAKEN,
        "{physical} already carries a flat network, and cannot carry two",
        "`openstack network list --long --provider-physical-network {physical}` names it (to an administrator): "
        "use it by its name, or another physical network, or type: vlan",
    ),
    _words(
        r"VLAN (?P<vlan>\d+) on physical network (?P<physical>\S+) is in use",
        SEGMENT_TAKEN,
        "another network has VLAN {vlan} of {physical}",
        "take another segmentation_id, or leave it out: Neutron then chooses a free one",
    ),
    _words(
        r"(?:physical_network required|segmentation_id prohibited) for flat provider network",
        NETWORK_INCOMPLETE,
        "a flat network has a physical network and no segmentation id",
        "declare physical_network, and leave segmentation_id out",
    ),
    _words(
        r"No (?:project|tenant) network is available",
        NO_PROJECT_NETWORKS,
        "it was requested without type and physical network, and this cloud has no default type",
        "declare type and physical_network ([ml2] tenant_network_types is empty, or its segments are used up)",
    ),
    _words(r"Quota exceeded|Quota limit exceeded|OverQuota", QUOTA_EXCEEDED, "the project's quota does not allow it"),
    _words(
        r"binding:profile\S* is disallowed by policy",
        NOT_ALLOWED,
        "binding:profile is for OpenStack's services only, not even for administrators (role service)",
        "leave it out: nova fills it when it assigns the VF",
        CloudDenied,
    ),
    _words(
        r"create_network:provider:\S+.*is disallowed by policy",
        NOT_ALLOWED,
        "these credentials may not set type and physical network of a network: only administrators may",
        "let an administrator create the network, shared or in this project, and leave it out of networks:; " + _ADMIN,
        CloudDenied,
    ),
    _words(
        r"\(?rule:(?P<rule>[\w:]+)\S* is disallowed by policy",
        NOT_ALLOWED,
        "policy {rule} does not allow this for these credentials",
        "leave it out of the spec, " + _ADMIN,
        CloudDenied,
    ),
    _words(
        r"Policy doesn't allow (?P<rule>\S+) to be performed",
        NOT_ALLOWED,
        "policy {rule} does not allow this for these credentials",
        "leave it out of the spec, " + _ADMIN,
        CloudDenied,
    ),
    _words(
        r"Only volume-backed servers are allowed for flavors with zero disk",
        DISKLESS_FLAVOR,
        "a flavor with disk 0 boots from an image for administrators only",
        error=CloudDenied,
    ),
    _ErrorRow(NOT_SIGNED_IN, status=401, what="the cloud does not accept these credentials", error=CloudDenied),
    _ErrorRow(
        NOT_ALLOWED,
        status=403,
        what="these credentials do not allow it: provider networks, hosts and agents are for administrators",
        fix="use the credentials of an administrator",
        error=CloudDenied,
    ),
    _ErrorRow(CLOUD_AWAY, status=502, what="a service of the cloud does not answer", error=CloudUnreachable),
    _ErrorRow(CLOUD_AWAY, status=503, what="a service of the cloud does not answer", error=CloudUnreachable),
    _ErrorRow(
        CLOUD_AWAY,
        status=504,
        what="a service of the cloud does not answer in time",
        error=CloudUnreachable,
        may_be_at_work=True,
    ),
    _ErrorRow(
        CLOUDS_YAML,
        exceptions=frozenset({"ConfigException", "MissingRequiredOptions", "NoMatchingPlugin", "PlainException"}),
        what="the SDK cannot use this entry of clouds.yaml",
        error=CloudUnreachable,
    ),
    _ErrorRow(
        CLOUD_AWAY,
        exceptions=frozenset({"NeverSent"}),
        what="there is no connection to the cloud",
        error=CloudUnreachable,
    ),
    _ErrorRow(
        CLOUD_AWAY,
        exceptions=frozenset({"ResourceTimeout", "ClientException", "OSError"}),
        what="the cloud does not answer",
        error=CloudUnreachable,
        may_be_at_work=True,
    ),
)


def api_error(where: str, word: str, status: int = 0, exceptions: Collection[str] = ()) -> CloudError:
    """The error for the message of a service or the SDK about ``where``, with the matching finding, if any.

    ``exceptions``: the names of the SDK's exception and its bases; "NeverSent" where no connection came about.
    """
    for row in _ROWS:
        if row.status and row.status != status:
            continue
        if row.exceptions and (status or not row.exceptions & set(exceptions)):
            continue
        found = row.finding(where, word, status)
        if found:
            error = row.error(word, where=where, status=status, findings=(found,))
            if isinstance(error, CloudUnreachable):
                error.may_be_at_work = row.may_be_at_work
            return error
    return CloudError(word, where=where, status=status)
