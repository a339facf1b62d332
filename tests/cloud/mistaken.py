"""Specs that cannot work, run as an operator runs them; what virtfn says of them; and what they find in the cloud."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.control_plane.places import PASSWORD, url
from tests.cloud.operating import FLAVOR, IMAGE, Operator

from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

THEIRS = "theirs"
MEMBER = "virtfn-member"
Said = dict[str, Any]


def network(physical: str = "physnet1", more: str = "") -> str:
    return (
        "networks:\n"
        f"  - {{name: ours, physical_network: {physical}{more}, subnets: [{{name: ours-v4, cidr: 192.0.2.0/24}}]}}\n"
    )


def server(on: str = "ours", *, port: str = "", more: str = "", flavor: str = FLAVOR) -> str:
    ports = f"ports: [{{network: {on}{port}}}]"
    return f"servers:\n  - {{name: 'vm-{{n}}', count: 1, image: {IMAGE}, flavor: {flavor}{more}, {ports}}}\n"


def several(number: int, text: str) -> str:
    return text.replace("count: 1", f"count: {number}")


class Mistaken:
    """Runs specs that cannot work and gives back what virtfn said."""

    def __init__(self, operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
        self.operator = operator
        self._capsys = capsys

    def spec(self, *parts: str) -> str:
        return self.operator.spec("virtfn: cloud/1\nname: wrong\n" + "".join(parts))

    def up(self, *parts: str, **how: Any) -> list[Said]:
        """The causes of a failed ``up``."""
        return list(self.failure(*parts, **how)["findings"])

    def failure(self, *parts: str, cloud: str = CLOUD, exits: ExitCode = ExitCode.FAILED, timeout_s: int = 300) -> Said:
        """What the document of a failed ``up`` tells, and the text as well; the cloud is as it was before."""
        before = self.operator.everything()
        spec = self.spec(*parts)
        self._capsys.readouterr()
        words = ("--os-cloud", cloud, "--timeout", str(timeout_s), "--yes", "-q", "-o", "json")
        assert self.operator.virtfn("up", "-f", spec, *words) == exits
        said = self._capsys.readouterr()
        assert set(ids(self.operator.everything())) == set(ids(before)), "nothing is left behind"
        assert "Traceback" not in said.err
        document = json.loads(said.out)
        assert (document["kind"], document["exit_code"]) == ("failure", exits)
        for cause in document["findings"]:
            assert cause["what"] in said.err
            assert all(f"seen: {line}" in said.err for line in cause["evidence"])
            assert f"{cause['fix']}\n" in said.err
        return dict(document)

    def refused(self, *parts: str, cloud: str = CLOUD, exits: ExitCode = ExitCode.BAD_SPEC) -> str:
        """What ``up`` says as it refuses before anything is made."""
        before = self.operator.everything()
        spec = self.spec(*parts)
        self._capsys.readouterr()
        assert self.operator.virtfn("up", "-f", spec, "--os-cloud", cloud, "--yes", "-q") == exits
        assert self.operator.everything() == before
        return self._capsys.readouterr().err

    def plan(self, *parts: str, cloud: str = CLOUD) -> list[str]:
        """What the plan warns of and does not know, with what was seen of it; and its notes."""
        spec = self.spec(*parts)
        self._capsys.readouterr()
        assert self.operator.virtfn("plan", "-f", spec, "--os-cloud", cloud, "-q", "-o", "json") == 0
        document = json.loads(self._capsys.readouterr().out)
        findings = document["findings"]
        seen = (line for one in findings for line in one["evidence"])
        return [*(f"{one['what']}; {one['fix']}" for one in findings), *seen, *document["plan"]["notes"]]

    def show(self, *parts: str, exits: ExitCode) -> Said:
        spec = self.spec(*parts)
        self._capsys.readouterr()
        assert self.operator.virtfn("show", "-f", spec, "--exit-code", "-q", "-o", "json") == exits
        return dict(json.loads(self._capsys.readouterr().out)["readiness"])


def ids(everything: Any) -> Iterator[str]:
    return (number for kind in everything.values() for number in kind)


def entry(user: str) -> dict[str, Any]:
    """An entry of clouds.yaml for a user in the project of the same name."""
    domain = {"user_domain_id": "default", "project_domain_id": "default"}
    auth = {"auth_url": f"{url('keystone')}/v3", "username": user, "password": PASSWORD, "project_name": user}
    return {"region_name": "RegionOne", "auth": {**auth, **domain}}


def provider_network(connection: "Connection", name: str, physical: str | None, **fields: Any) -> Any:
    """A network with a subnet, flat unless ``fields`` say otherwise."""
    sdk: Any = connection
    kind = {"provider_network_type": "flat", "provider_physical_network": physical, **fields}
    made = sdk.network.create_network(name=name, **{key: value for key, value in kind.items() if value is not None})
    sdk.network.create_subnet(network_id=made.id, cidr="198.51.100.0/24", ip_version=4)
    return made


@contextmanager
def disabled(connection: "Connection", *hosts: str) -> Iterator[None]:
    """While in the block nova gives these hosts, or all, no servers."""
    sdk: Any = connection
    with ExitStack() as undo:
        for service in list(sdk.compute.services(binary="nova-compute")):
            if not hosts or service.host in hosts:
                sdk.compute.disable_service(service, disabled_reason="a test")
                undo.callback(sdk.compute.enable_service, service)
        yield
