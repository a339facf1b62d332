"""Just enough of OpenStack's REST to register services and to ask whether they are ready; tests use the real SDK."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import PASSWORD, url
from tests.cloud.control_plane.vfs import HOST

_TIMEOUT_S = 60
_ENDPOINTS = {
    "nova": ("compute", f"{url('nova')}/v2.1"),
    "neutron": ("network", f"{url('neutron')}/v2.0"),
    "placement": ("placement", url("placement")),
    "glance": ("image", f"{url('glance')}/v2"),
}
_MICROVERSION = {"OpenStack-API-Version": "compute 2.79"}


class Rest:
    """The administrator's requests, with one token. Raises ControlPlaneError with the service's own words."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token = ""

    def log_in(self) -> None:
        """Get a token for the project admin."""
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": scope}}
        _, headers = self._send("POST", f"{url('keystone')}/v3/auth/tokens", body)
        self._token = headers["X-Subject-Token"]

    def get(self, service: str, path: str) -> Any:
        return self._send("GET", self._url(service, path))[0]

    def post(self, service: str, path: str, body: Mapping[str, object]) -> Any:
        return self._send("POST", self._url(service, path), body)[0]

    def put(self, service: str, path: str) -> None:
        self._send("PUT", self._url(service, path))

    def delete(self, service: str, path: str) -> None:
        self._send("DELETE", self._url(service, path))

    def upload(self, image_id: str, data: bytes) -> None:
        where = self._url("glance", f"/images/{image_id}/file")
        self._send("PUT", where, data, {"Content-Type": "application/octet-stream"})

    def _url(self, service: str, path: str) -> str:
        base = f"{url('keystone')}/v3" if service == "keystone" else _ENDPOINTS[service][1]
        return base + path

    def _send(
        self, method: str, where: str, body: Mapping[str, object] | bytes | None = None, more: Mapping[str, str] = {}
    ) -> tuple[Any, Mapping[str, str]]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._token, **_MICROVERSION, **more}
        request = urllib.request.Request(where, data=data, method=method, headers=headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), dict(answer.headers)
        except urllib.error.HTTPError as refused:
            words = refused.read().decode(errors="replace")[:400]
            raise ControlPlaneError(f"{refused.code} {words}", where=f"{method} {where}") from refused
        except (OSError, ValueError) as failed:
            raise ControlPlaneError(str(failed), where=f"{method} {where}") from failed


def register_services(rest: Rest) -> None:
    """The services' own account ``svc`` with its roles, and their endpoints in the catalog."""
    project = rest.post("keystone", "/projects", {"project": {"name": "service", "domain_id": "default"}})["project"]
    account = {"name": "svc", "password": PASSWORD, "domain_id": "default"}
    user = rest.post("keystone", "/users", {"user": account})["user"]
    roles = {role["name"]: role["id"] for role in rest.get("keystone", "/roles")["roles"]}
    for name in ("admin", "service"):
        if name not in roles:
            roles[name] = rest.post("keystone", "/roles", {"role": {"name": name}})["role"]["id"]
        rest.put("keystone", f"/projects/{project['id']}/users/{user['id']}/roles/{roles[name]}")
    for name, (kind, address) in _ENDPOINTS.items():
        # The catalog's addresses without a version, except nova's: clients find the others' versions themselves.
        base = address if name == "nova" else url(name)
        service = rest.post("keystone", "/services", {"service": {"name": name, "type": kind}})["service"]
        for interface in ("public", "internal", "admin"):
            endpoint = {"service_id": service["id"], "interface": interface, "url": base, "region_id": "RegionOne"}
            rest.post("keystone", "/endpoints", {"endpoint": endpoint})


def what_is_missing(rest: Rest) -> list[str]:
    """What must still come before servers can be made; empty when the cloud is ready."""
    rest.log_in()
    up = {service["binary"] for service in rest.get("nova", "/os-services")["services"] if service["state"] == "up"}
    missing = sorted({"nova-conductor", "nova-scheduler"} - up)
    rest.get("glance", "/images")
    return [*missing, *what_is_missing_on(rest, HOST)]


def what_is_missing_on(rest: Rest, host: str) -> list[str]:
    """What must still come before servers can be made on a compute host."""
    services = rest.get("nova", f"/os-services?host={host}&binary=nova-compute")["services"]
    hypervisors = rest.get("nova", "/os-hypervisors/detail")["hypervisors"]
    there = {
        "nova-compute": any(service["state"] == "up" for service in services),
        "a hypervisor": any(one["service"]["host"] == host for one in hypervisors),
        "the SR-IOV agent": nic_agent_alive(rest, host),
    }
    return [name for name, is_there in there.items() if not is_there]


def nic_agent_alive(rest: Rest, host: str = HOST) -> bool:
    """What Neutron believes."""
    return any(agent["alive"] for agent in _nic_agents(rest, host))


def nic_agent_started(rest: Rest, host: str = HOST) -> str:
    """When the agent that Neutron knows was started, in Neutron's words."""
    return next((str(agent["started_at"]) for agent in _nic_agents(rest, host)), "")


def forget_host(rest: Rest, host: str) -> None:
    """Delete what nova and Neutron know of a compute host whose processes are stopped and whose servers are gone."""
    for service in rest.get("nova", f"/os-services?host={host}&binary=nova-compute")["services"]:
        rest.delete("nova", f"/os-services/{service['id']}")
    for agent in _nic_agents(rest, host):
        rest.delete("neutron", f"/agents/{agent['id']}")


def _nic_agents(rest: Rest, host: str) -> list[Any]:
    every = rest.get("neutron", f"/agents?host={host}")["agents"]
    return [agent for agent in every if agent["agent_type"] == "NIC Switch agent"]
