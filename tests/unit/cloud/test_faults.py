"""What nova has against a server, where its list does not tell."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from openstack.exceptions import NotFoundException

from virtfn.cloud import from_sdk as reading
from virtfn.cloud.listing import Listing

NO_HOST = {"message": "No valid host was found. ", "code": 500}


def server(status: str = "ERROR", fault: Mapping[str, object] | None = None, spec: str = "ours") -> Any:
    return SimpleNamespace(id="s1", status=status, fault=fault, metadata={reading.MARK: spec})


class Nova:
    """A list of one server, and what is told of it when it is asked for by itself."""

    def __init__(self, listed: Any, alone: Any = None) -> None:
        self._listed, self._alone = listed, alone
        self.asked: list[str] = []

    def servers(self) -> list[Any]:
        return [self._listed]

    def get_server(self, one: str) -> Any:
        self.asked.append(one)
        if self._alone is None:
            raise NotFoundException
        return self._alone

    def listing(self) -> Listing:
        return Listing(SimpleNamespace(compute=self))


def test_a_server_in_error_without_a_fault_is_asked_for_by_itself() -> None:
    nova = Nova(server(), server(fault=NO_HOST))
    assert [one.fault for one in nova.listing().servers("ours")] == [NO_HOST]
    assert nova.asked == ["s1"]


def test_one_that_runs_or_whose_fault_is_listed_or_that_is_not_ours_is_not() -> None:
    for listed in (server("ACTIVE"), server(fault=NO_HOST), server(spec="another")):
        nova = Nova(listed)
        nova.listing().servers("ours")
        assert nova.asked == []


def test_one_that_goes_meanwhile_is_as_it_was_listed() -> None:
    listed = server()
    assert Nova(listed).listing().servers("ours") == [listed]
