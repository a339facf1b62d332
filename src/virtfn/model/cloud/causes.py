"""Why something in a cloud failed, as far as it can be known: the cause, what was seen of it, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class CauseKind(StrEnum):
    """Causes that are told apart, in the words that documents carry."""

    AGENT_DEAD = "agent_dead"
    NO_AGENT = "no_agent"
    BINDING_FAILED = "binding_failed"
    NO_FREE_VF = "no_free_vf"
    NO_FREE_PF = "no_free_pf"
    FLAVOR_FITS_NOWHERE = "flavor_fits_nowhere"
    HOST_OUT_OF_SERVICE = "host_out_of_service"
    ZONE_WITHOUT_HOSTS = "zone_without_hosts"
    GROUP_TOO_LARGE = "group_too_large"
    TYPE_NOT_BOUND = "type_not_bound"
    VF_NOT_SEEN = "vf_not_seen"
    TYPE_OFF = "type_off"
    PHYSICAL_NETWORK_UNKNOWN = "physical_network_unknown"
    PHYSICAL_NETWORK_TAKEN = "physical_network_taken"
    SEGMENT_TAKEN = "segment_taken"
    NETWORK_INCOMPLETE = "network_incomplete"
    NO_PROJECT_NETWORKS = "no_project_networks"
    QUOTA = "quota"
    NOT_ALLOWED = "not_allowed"
    DISKLESS_FLAVOR = "diskless_flavor"


@dataclass(frozen=True)
class Cause:
    """One cause: ``what`` it is, what was ``seen`` that says so (each a line), and what to ``do`` about it."""

    kind: CauseKind
    what: str
    seen: tuple[str, ...] = ()
    do: str = ""
