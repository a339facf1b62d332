from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from virtfn.host import probing
from virtfn.host.probing import Pace, PacketProber
from virtfn.model.addresses import MacAddress
from virtfn.model.probe import Endpoint, ProbeBurst, ProbePoint, Strength, Tally

MAC = MacAddress.parse("fa:16:3e:00:00:01")
SENDER = Endpoint("lo", "", "lo", MAC)
BURST = ProbeBurst(
    SENDER,
    MAC,
    b"nonce-01",
    3,
    tuple(ProbePoint(f"p2p1/{number}", f"meter-{number % 2}", Strength.COUNTED) for number in range(3)),
)


class Counter:
    """A reader whose points receive all frames of a burst."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def ready(self, point: ProbePoint) -> ProbePoint:
        return point

    @contextmanager
    def start(self, burst: ProbeBurst, points: Sequence[ProbePoint]) -> Iterator["Counter"]:
        self.labels = [point.label for point in points]
        self.count = burst.count
        yield self

    def collect(self, wait_s: float) -> bool:
        return False

    def tallies(self) -> Mapping[str, Tally]:
        return {label: Tally(self.count) for label in self.labels}


def test_each_point_is_counted_by_its_own_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(probing, "opened", lambda _point: Counter().start(BURST, ()))
    monkeypatch.setattr(probing, "send_frame", lambda _sender, _burst, number: sent.append(number))
    even, odd = Counter(), Counter()
    prober = PacketProber(Pace(0.0, 0.0, 0.0), {"meter-0": even, "meter-1": odd})
    assert prober.send(BURST) == {f"p2p1/{number}": Tally(3) for number in range(3)}
    assert (even.labels, odd.labels, sent) == (["p2p1/0", "p2p1/2"], ["p2p1/1"], [0, 1, 2])
