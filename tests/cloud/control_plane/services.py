"""OpenStack's own processes: what is run, in which environment, and where each API answers."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.control_plane.configs import CONFIG_FILES, fill
from tests.cloud.control_plane.places import LOOPBACK, PORTS, REPOSITORY, Places
from tests.cloud.control_plane.vfs import FOLDER_VARIABLE, HOST

AGENT = "sriov-agent"
_PACKAGE = "tests.cloud.control_plane"


@dataclass(frozen=True)
class Service:
    """A process; ``port`` for those with an API, ``host`` for those of a compute host."""

    name: str
    argv: tuple[str, ...]
    port: int = 0
    host: str = HOST


@dataclass(frozen=True)
class _Api:
    """A WSGI application for uWSGI: OpenStack ships no servers for them any more."""

    name: str
    port: int
    module: str


_KEYSTONE = _Api("keystone", PORTS["keystone"], "keystone.wsgi.api:application")
_APIS = (
    _Api("placement", PORTS["placement"], "placement.wsgi.api:application"),
    _Api("glance", PORTS["glance"], "glance.wsgi.api:application"),
    _Api("neutron-api", PORTS["neutron"], "neutron.wsgi.api:application"),
    _Api("nova-api", PORTS["nova"], "nova.wsgi.osapi_compute:application"),
)


def environment(places: Places, venv: Path, host: str = HOST) -> dict[str, str]:
    """For every process: the virtual environment first, the configuration's folders, no proxy between us.

    ``host`` is the compute host whose NIC it sees.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
    path = os.pathsep.join((str(venv / "bin"), own.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"))
    folders = {f"OS_{project.upper()}_CONFIG_DIR": str(places.etc / project) for project in CONFIG_FILES}
    return {
        **own,
        **folders,
        "PATH": path,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
        "XDG_CACHE_HOME": str(venv / "cache"),  # stevedore keeps entry points there, which makes later starts quicker
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini",
        "OS_NOVA_CONFIG_FILES": f"{venv}/etc/nova/api-paste.ini;nova.conf",
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
        FOLDER_VARIABLE: str(places.sysfs_of(host)),
    }


def config_options(places: Places, project: str) -> list[str]:
    """``--config-file`` for each file of a project; the agent's own file is for the agent only."""
    names = [name for name in CONFIG_FILES[project] if name != "sriov_agent.ini"]
    return [word for name in names for word in ("--config-file", str(places.etc / project / name))]


def keystone(places: Places) -> Service:
    """Alone, because the accounts are made with it before the others start."""
    return _under_uwsgi(_KEYSTONE, places)


def compute_host(places: Places, host: str = HOST) -> tuple[Service, Service]:
    """nova-compute with the fake virtual machines, and Neutron's real agent on the fake NIC."""
    own = () if host == HOST else ("--config-file", str(_host_config(places, host)))
    suffix = "" if host == HOST else f"@{host}"
    nova = (*config_options(places, "nova"), *own)
    agent = (*config_options(places, "neutron"), "--config-file", str(places.etc / "neutron/sriov_agent.ini"), *own)
    return (
        Service(f"nova-compute{suffix}", ("python", "-m", f"{_PACKAGE}.fake_compute", *nova), host=host),
        Service(f"{AGENT}{suffix}", ("python", "-m", f"{_PACKAGE}.sriov_agent", *agent), host=host),
    )


def remaining(places: Places) -> list[Service]:
    """All but keystone. The slowest to start comes first."""
    nova = tuple(config_options(places, "nova"))
    compute, agent = compute_host(places)
    return [
        compute,
        Service("nova-conductor", ("nova-conductor", *nova)),
        Service("neutron-rpc", ("neutron-rpc-server", *config_options(places, "neutron"))),
        *(_under_uwsgi(api, places) for api in _APIS),
        Service("nova-scheduler", ("nova-scheduler", *nova)),
        agent,
    ]


def _host_config(places: Places, host: str) -> Path:
    path = places.etc / f"{host}.conf"
    path.write_text(fill("host.conf", {"host": host, "data": str(places.data)}))
    return path


def _under_uwsgi(api: _Api, places: Places) -> Service:
    config = places.etc / f"uwsgi-{api.name}.ini"
    config.write_text(fill("uwsgi.ini", {"port": str(api.port), "module": api.module}))
    return Service(api.name, ("uwsgi", "--ini", str(config)), api.port)
