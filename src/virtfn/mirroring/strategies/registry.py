"""All strategies, and which of them are tried on a NIC in which order: that of its driver's row."""

from collections.abc import Iterator
from typing import Protocol

from virtfn.eswitch.facts import DriverFacts
from virtfn.mirroring.context import MirrorContext, ObservedMirror
from virtfn.mirroring.strategies.field_note import FieldNote
from virtfn.mirroring.strategies.twin_mac import TwinMac
from virtfn.model.finding import Finding, FindingKind, Severity
from virtfn.model.mirror import Attempt, MirrorStatus, Rejection
from virtfn.model.plan import Plan
from virtfn.model.probe import Direction


class Strategy(Protocol):
    """One way to make a mirror. ``cost``: what it takes from whom, as long as the mirror is in place."""

    name: str
    cost: str

    def directions(self, facts: DriverFacts | None) -> tuple[Direction, ...]:
        """What it copies on NICs of this driver."""

    def judge(self, context: MirrorContext) -> Iterator[Finding]:
        """Its own guards, each asked of this NIC, driver and state: faults, and refusals that may be overridden."""

    def plan(self, context: MirrorContext) -> Plan:
        """What it would do. Only called where nothing keeps it from working."""

    def waypoints(self, plan: Plan) -> tuple[int, ...]:
        """The step numbers after which frames are looked at."""

    def health(self, observed: ObservedMirror) -> MirrorStatus:
        """The status of its mirror from the two VFs, beyond the checks of every mirror."""


UNKNOWN_DRIVER = FindingKind(
    "unknown-driver",
    Severity.FAULT,
    "Nothing is known about the PF's driver, so no strategy is tried on it unasked.",
    "name a strategy to try it; the frames will judge it",
)
BY_NAME_ONLY = FindingKind(
    "by-name-only", Severity.INFO, "The strategy is tried only if you request it by name.", "name it to try it"
)

STRATEGIES: dict[str, Strategy] = {one.name: one for one in (TwinMac(), FieldNote())}
UNASKED = (TwinMac.name,)
"""What is tried on a driver without a row of its own, were it known."""


def judge_all(context: MirrorContext) -> tuple[tuple[Attempt, ...], tuple[Rejection, ...]]:
    """The strategies to try, best first, and all others with the reason. A requested one is the only one tried.

    A refusal that ``forced`` names does not count.
    """
    wanted = context.spec.strategy
    names = (wanted,) if wanted else context.facts.mirror_strategies if context.facts else UNASKED
    attempts, rejections = [], []
    for name in names:
        strategy = STRATEGIES[name]
        against = tuple(_against(strategy, context))
        if against:
            rejections.append(Rejection(name, against))
        else:
            plan = strategy.plan(context)
            attempts.append(Attempt(name, plan, strategy.cost, strategy.waypoints(plan)))
    if not wanted:
        what = "it is tried only if you request it by name"
        others = (name for name in STRATEGIES if name not in names)
        rejections += [Rejection(name, (BY_NAME_ONLY.at(context.pair, what),)) for name in others]
    return tuple(attempts), tuple(rejections)


def _against(strategy: Strategy, context: MirrorContext) -> Iterator[Finding]:
    """What keeps a strategy from being tried."""
    driver = context.pf.driver
    if not isinstance(driver, str):
        yield UNKNOWN_DRIVER.at(context.pf.label, f"the driver of {context.pf.label} is not known")
    elif context.facts is None and not context.spec.strategy:
        yield UNKNOWN_DRIVER.at(context.pf.label, f"nothing is known about the driver {driver}")
    yield from (one for one in strategy.judge(context) if not (one.overridable and one.id in context.forced))
