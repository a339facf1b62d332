"""The library: a host, its mirrors, or a cloud, as an object. It does what the command does, and prints nothing.

Every type that it takes or returns is exported here; errors are in ``virtfn.errors``. All else is private.

::

    from virtfn.api import Cloud, Host

    with Host.local() as host:
        plan = host.plan(Path("host.yaml"))
        if not plan.findings:
            receipt = host.apply(plan)

    with Cloud.connect("lab") as cloud:
        plan = cloud.plan(Path("cloud.yaml"))
        receipt = cloud.apply(plan)

The end of a ``with`` block closes the object, as ``stop()`` does: methods that change something then raise Interrupted.
More, with every error: docs/how-to/use-the-library.md.
"""

from virtfn.api.cloud import Cloud
from virtfn.api.host import Host
from virtfn.api.mirrors import Mirrors
from virtfn.api.session import Spec
from virtfn.engine.events import (
    Event,
    EventSink,
    JournalFailed,
    RestoredValue,
    RollbackStarted,
    StepsDone,
    StepsFailed,
    StepsStarted,
    TransactionStarted,
    ValuesRestored,
)
from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.cloud import (
    DesiredCloud,
    DesiredNetwork,
    DesiredPort,
    DesiredServer,
    DesiredSubnet,
    Kind,
    NetworkType,
    VnicType,
)
from virtfn.model.cloud.mirror import (
    CloudMirror,
    HostSide,
    MirrorPort,
    PortNetwork,
    PortOwner,
    Preparation,
    PreparationState,
    Project,
)
from virtfn.model.cloud.observed import (
    ObservedNetwork,
    ObservedPort,
    ObservedServer,
    ObservedServerGroup,
    ObservedSubnet,
)
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.finding import Action, Finding, Severity, UseCase
from virtfn.model.inventory import (
    EswitchMode,
    Holder,
    HolderKind,
    Inventory,
    Known,
    Netdev,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
    Vlan,
    VlanProtocol,
)
from virtfn.model.mirror import (
    Attempt,
    Mirror,
    MirrorHealth,
    MirrorProposal,
    MirrorReceipt,
    MirrorRequest,
    MirrorSpec,
    MirrorStatus,
    Rejection,
)
from virtfn.model.place import Place
from virtfn.model.plan import Impact, Plan, Step, Target, Undoing, Value, Writing
from virtfn.model.probe import (
    Counter,
    Direction,
    Endpoint,
    IdleControl,
    Leg,
    NoMeter,
    ProbePoint,
    ProbePoints,
    ProofReport,
    Strength,
    Tally,
    Waypoint,
)
from virtfn.model.proposal import CloudProposal, CloudRequest, HostRequest, InterruptedRun, Proposal, Receipt, Recovery
from virtfn.model.subject import CloudAction, CloudSubject, HostSubject, MirrorSubject
from virtfn.model.transaction import Status, Transaction, TransactionSummary
from virtfn.planning.cloud.readiness import Readiness
from virtfn.planning.host.diff import Difference
from virtfn.services.boot_unit import BootUnit, BootUnitStatus
from virtfn.services.cloud_state import CloudReceipt, CloudView
from virtfn.services.events import (
    BurstJudged,
    ConfirmationOverdue,
    InterruptedFound,
    ModesCorrected,
    ProofRetried,
    RecoveryIncomplete,
    ServerProgress,
    StrategyNotProven,
)
from virtfn.services.history import History, Retention

__all__ = [
    "Action", "Attempt", "BootUnit", "BootUnitStatus", "BurstJudged", "Cloud", "CloudAction", "CloudMirror",
    "CloudProposal", "CloudReceipt", "CloudRequest", "CloudSubject", "CloudView", "ConfirmationOverdue", "Counter",
    "DesiredCloud", "DesiredHost", "DesiredNetwork", "DesiredPf", "DesiredPort", "DesiredServer", "DesiredSubnet",
    "DesiredVf", "Difference", "Direction", "Endpoint", "EswitchMode", "Event", "EventSink", "Finding", "History",
    "Holder", "HolderKind", "Host", "HostRequest", "HostSide", "HostSubject", "IdleControl", "Impact",
    "InterruptedFound", "InterruptedRun", "Inventory", "JournalFailed", "Kind", "Known", "Leg", "MacAddress", "Mirror",
    "MirrorHealth", "MirrorPort", "MirrorProposal", "MirrorReceipt", "MirrorRequest", "MirrorSpec", "MirrorStatus",
    "MirrorSubject", "Mirrors", "ModesCorrected", "Netdev", "NetworkType", "NoMeter", "ObservedNetwork", "ObservedPort",
    "ObservedServer", "ObservedServerGroup", "ObservedSubnet", "PciAddress", "PfMatch", "PfState", "Place", "Plan",
    "PortNetwork", "PortOwner", "Preparation", "PreparationState", "ProbePoint", "ProbePoints", "Project",
    "ProofReport", "ProofRetried", "Proposal", "Readiness", "Receipt", "Recovery", "RecoveryIncomplete", "Rejection",
    "RestoredValue", "Retention", "RollbackStarted", "ServerProgress", "Severity", "Spec", "Status", "Step",
    "StepsDone", "StepsFailed", "StepsStarted", "StrategyNotProven", "Strength", "Tally", "Target", "Transaction",
    "TransactionStarted", "TransactionSummary", "Undoing", "Unknown", "UseCase", "Value", "ValuesRestored",
    "VfLinkState", "VfRef", "VfState", "Vlan", "VlanProtocol", "VnicType", "Waypoint", "Writing",
]  # fmt: skip
