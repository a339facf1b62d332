"""Objects of one kind written at once, by a stand-in for the SDK's connection that counts what it is asked."""

from collections import Counter
from threading import Barrier, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from virtfn.cloud.listing import Listing
from virtfn.cloud.writer import Writer
from virtfn.errors import CloudError, CloudUnreachable
from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.cloud.observed import ObservedNetwork, ObservedObject, ObservedPort, ObservedServer
from virtfn.model.plan import DEFINITION, Target, Value

pytest.importorskip("openstack")
pytestmark = pytest.mark.filterwarnings("ignore:The 'http_status' parameter")
PATIENCE_S = 20
THEIRS = "6a9f7bd2-0a3c-4d55-9d4e-0c5a4c6f1b11"
PORT = {DEFINITION: {"network": "flat", "vnic_type": "direct"}}
ON_THEIRS = {DEFINITION: {"network": THEIRS, "vnic_type": "direct"}}


class Sdk:
    """Neutron and nova as one object. ``meeting``: where calls that change something wait for each other."""

    def __init__(self, meeting: Barrier | None = None) -> None:
        self.network = self.compute = self.image = self
        self.asked: Counter[str] = Counter()
        self.sent: list[tuple[str, Any]] = []
        self.dying: list[str] = []
        self._meeting = meeting
        self._lock = Lock()

    def create_port(self, **fields: Any) -> Any:
        return self._make("port", fields)

    def create_network(self, **fields: Any) -> Any:
        return self._make("network", fields)

    def create_server(self, **fields: Any) -> Any:
        return self._make("server", fields)

    def set_tags(self, made: Any, tags: list[str]) -> None:
        self._note("tags", (made.id, tags))

    def delete_server(self, one: str, **_: Any) -> None:
        self._meet()
        self._note("delete", one)
        with self._lock:
            self.dying.append(one)

    def servers(self, **_: Any) -> list[Any]:
        """Those that are dying are gone one reading later."""
        self._note("servers", None)
        with self._lock:
            there, self.dying = self.dying, []
        return [SimpleNamespace(id=one, name=one) for one in there]

    def flavors(self, **_: Any) -> list[Any]:
        self._note("flavors", None)
        return [SimpleNamespace(id="f1", name="m1.tiny")]

    def _make(self, kind: str, fields: dict[str, Any]) -> Any:
        self._meet()
        self._note(kind, fields)
        return SimpleNamespace(id=f"id of {fields['name']}")

    def _meet(self) -> None:
        if self._meeting:
            self._meeting.wait(PATIENCE_S)

    def _note(self, what: str, said: Any) -> None:
        with self._lock:
            self.asked[what] += 1
            self.sent.append((what, said))


class Ours:
    """What bears the mark; counts how often it is listed."""

    def __init__(self, *objects: ObservedObject) -> None:
        self.objects = list(objects)
        self.listed: Counter[Kind] = Counter()

    def __call__(self, spec: str, kind: Kind) -> list[ObservedObject]:
        assert spec == "note"
        self.listed[kind] += 1
        return [one for one in self.objects if one.kind is kind]


def port(name: str) -> tuple[Target, dict[str, Value]]:
    return cloud_target("note", Kind.PORT, name), dict(PORT)


def server(name: str, *ports: str) -> tuple[Target, dict[str, Value]]:
    fields: dict[str, Value] = {DEFINITION: {"image": "i1", "flavor": "m1.tiny"}, "ports": list(ports)}
    return cloud_target("note", Kind.SERVER, name), fields


def gone(kind: Kind, name: str) -> tuple[Target, dict[str, Value]]:
    return cloud_target("note", kind, name), {DEFINITION: None}


def writer(sdk: Any, ours: Ours, parallel: int = 4) -> Writer:
    return Writer(sdk, Listing(sdk), ours, parallel)


def test_two_servers_are_deleted_at_once_and_gone_when_it_returns() -> None:
    sdk = Sdk(Barrier(2))
    ours = Ours(*(ObservedServer(name, f"id of {name}") for name in ("vm-1", "vm-2")))
    writer(sdk, ours).write([gone(Kind.SERVER, "vm-1"), gone(Kind.SERVER, "vm-2")])
    assert sorted(said for what, said in sdk.sent if what == "delete") == ["id of vm-1", "id of vm-2"]
    assert sdk.dying == []
    assert ours.listed == {Kind.SERVER: 1}, "listed once for both"
    assert sdk.asked["servers"] == 2, "there once, gone once, asked for both together"


def test_what_is_not_there_is_not_deleted() -> None:
    sdk = Sdk()
    writer(sdk, Ours()).write([gone(Kind.SERVER, "vm-1")])
    assert sdk.asked == {}


def test_ports_are_made_at_once_marked_in_the_very_call_and_their_network_is_looked_up_once() -> None:
    sdk = Sdk(Barrier(3))
    ours = Ours(ObservedNetwork("flat", "n1"))
    writer(sdk, ours, 3).write([port("a"), port("b"), port("c")])
    made = [said for what, said in sdk.sent if what == "port"]
    assert {one["description"] for one in made} == {"virtfn:note"}
    assert {one["network_id"] for one in made} == {"n1"}
    assert ours.listed == {Kind.NETWORK: 1}


def test_the_id_of_what_was_made_is_not_asked_for() -> None:
    sdk, ours = Sdk(), Ours()
    at_work = writer(sdk, ours)
    at_work.write([(cloud_target("note", Kind.NETWORK, "flat"), {DEFINITION: {"type": "flat"}})])
    at_work.write([port("vm-1-0"), port("vm-2-0")])
    at_work.write([server("vm-1", "vm-1-0"), server("vm-2", "vm-2-0")])
    assert ours.listed == {}
    servers = {said["name"]: said for what, said in sdk.sent if what == "server"}
    assert servers["vm-2"]["networks"] == [{"port": "id of vm-2-0"}]
    assert (servers["vm-1"]["image_id"], servers["vm-1"]["metadata"]) == ("i1", {"virtfn": "note"})
    assert sdk.asked["flavors"] == 1


def test_a_network_that_is_not_ours_is_meant_by_its_id() -> None:
    sdk, ours = Sdk(), Ours()
    target = cloud_target("note", Kind.PORT, "a")
    writer(sdk, ours).write([(target, dict(ON_THEIRS))])
    assert {said["network_id"] for what, said in sdk.sent if what == "port"} == {THEIRS}
    with pytest.raises(CloudError, match="network: there is none of the name flat"):
        writer(sdk, ours).write([port("b")])


def test_what_was_remembered_is_asked_for_again_after_forgetting() -> None:
    sdk, ours = Sdk(), Ours(ObservedNetwork("flat", "n1"))
    at_work = writer(sdk, ours)
    at_work.write([port("a")])
    at_work.forget()
    at_work.write([port("b")])
    assert ours.listed == {Kind.NETWORK: 2}


def test_a_name_that_two_bear_is_refused_before_anything_is_made() -> None:
    sdk = Sdk()
    ours = Ours(*(ObservedNetwork("flat", name) for name in ("n1", "n2")))
    with pytest.raises(CloudError, match="network: there are 2 of the name flat"):
        writer(sdk, ours).write([port("a"), port("b")])
    assert sdk.asked["port"] == 0


def test_an_sdk_fault_in_a_thread_leaves_as_an_error_of_ours_that_names_its_object() -> None:
    from openstack.exceptions import ConflictException

    class Full(Sdk):
        def create_port(self, **fields: Any) -> Any:
            if fields["name"] == "b":
                raise ConflictException(details="no more ports", http_status=409)
            return super().create_port(**fields)

    sdk = Full()
    with pytest.raises(CloudError, match="port b: no more ports") as caught:
        writer(sdk, Ours(ObservedNetwork("flat", "n1")), 2).write([port("a"), port("b")])
    assert caught.value.status == 409
    assert sdk.asked["tags"] == 1, "the port beside it was made to its end"


def test_a_port_of_a_server_that_is_still_there_is_not_deleted_and_one_of_a_server_that_is_gone_is() -> None:
    class Neutron(Sdk):
        def delete_port(self, one: str, **_: Any) -> None:
            self._note("delete", one)

    def held(name: str, device: str) -> ObservedPort:
        return ObservedPort(name, f"id of {name}", "flat", device_id=device)

    sdk = Neutron()
    sdk.dying = ["stays"]
    ours = Ours(held("a", "gone"), held("b", ""))
    writer(sdk, ours).write([gone(Kind.PORT, "a"), gone(Kind.PORT, "b")])
    assert sorted(said for what, said in sdk.sent if what == "delete") == ["id of a", "id of b"]
    sdk.dying = ["stays"]
    with pytest.raises(CloudError, match="port c: server stays has it, and is still there") as caught:
        writer(sdk, Ours(held("c", "stays"))).write([gone(Kind.PORT, "c")])
    assert caught.value.status == 409
    assert ("delete", "id of c") not in sdk.sent


class Unanswered(Sdk):
    """A gateway gives up on a port; with ``comes`` it is there all the same."""

    def __init__(self, ours: "Ours", status: int, *, comes: bool) -> None:
        super().__init__()
        self.ours, self.status, self.comes = ours, status, comes

    def create_port(self, **fields: Any) -> Any:
        from openstack.exceptions import HttpException

        if self.comes:
            self.ours.objects.append(ObservedPort(fields["name"], "late", "flat"))
        raise HttpException(details="the gateway gives up", http_status=self.status)


@pytest.mark.parametrize(("status", "comes", "told"), [(504, True, False), (504, False, True), (503, False, False)])
def test_what_a_gateway_gave_up_on_is_looked_for_and_told_if_it_does_not_come(
    monkeypatch: pytest.MonkeyPatch, status: int, comes: bool, told: bool
) -> None:
    monkeypatch.setattr("virtfn.cloud.writer.LATE_S", 0.0)
    ours = Ours(ObservedNetwork("flat", "n1"))
    with pytest.raises(CloudUnreachable) as caught:
        writer(Unanswered(ours, status, comes=comes), ours).write([port("a")])
    assert ours.listed[Kind.PORT] == (1 if status == 504 else 0)
    said = getattr(caught.value, "__notes__", [])
    assert any(one.startswith("port a was asked for and may still be created") for one in said) == told


def test_servers_that_were_deleted_beside_a_refused_one_are_waited_for() -> None:
    from openstack.exceptions import ForbiddenException

    class Picky(Sdk):
        def delete_server(self, one: str, **more: Any) -> None:
            if one == "id of vm-2":
                self._meet()
                raise ForbiddenException(http_status=403)
            super().delete_server(one, **more)

    sdk = Picky(Barrier(2))
    ours = Ours(*(ObservedServer(name, f"id of {name}") for name in ("vm-1", "vm-2")))
    with pytest.raises(CloudError) as caught:
        writer(sdk, ours).write([gone(Kind.SERVER, "vm-1"), gone(Kind.SERVER, "vm-2")])
    assert caught.value.where == "server vm-2"
    assert sdk.asked["servers"] == 2


class _Undying(Sdk):
    """Whose servers never go."""

    def servers(self, **_: Any) -> list[Any]:
        self._note("servers", None)
        return [SimpleNamespace(id="id of vm-1", name="vm-1")]


def test_a_server_that_was_waited_for_in_vain_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtfn.cloud.writer.DELETION_S", 0.01)
    sdk = _Undying()
    writing = writer(sdk, Ours(ObservedServer("vm-1", "id of vm-1")))
    with pytest.raises(CloudError, match="still there"):
        writing.write([gone(Kind.SERVER, "vm-1")])
    monkeypatch.setattr("virtfn.cloud.writer.DELETION_S", 3600.0)
    asked = sdk.asked["servers"]
    with pytest.raises(CloudError, match="still there"):
        writing.write([gone(Kind.SERVER, "vm-1")])
    assert sdk.asked["servers"] == asked + 1
