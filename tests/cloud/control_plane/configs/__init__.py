"""Configuration files as templates (``string.Template``), and the values that fill them."""

import json
from pathlib import Path
from string import Template

from tests.cloud.control_plane.places import LOOPBACK, PASSWORD, PORTS, Places, url
from tests.cloud.control_plane.vfs import HOST, PF_PRODUCT_ID, PFS, VENDOR_ID, VF_PRODUCT_ID, WHOLE_PF, Pf

CLOUD = "virtfn-test"
DATABASES = ("keystone", "glance", "placement", "neutron", "nova", "nova_api", "nova_cell0")
TRANSPORT_URL = f"rabbit://guest:guest@{LOOPBACK}:{PORTS['rabbitmq']}/"
AGENT_DOWN_TIME_S = 20
CONFIG_FILES = {
    "keystone": ("keystone.conf",),
    "placement": ("placement.conf",),
    "glance": ("glance-api.conf",),
    "neutron": ("neutron.conf", "ml2_conf.ini", "sriov_agent.ini"),
    "nova": ("nova.conf",),
}
_VLANS = (100, 199)
_TEMPLATES = Path(__file__).parent


def database_url(name: str) -> str:
    """As SQLAlchemy wants it."""
    return f"mysql+pymysql://os:{PASSWORD}@{LOOPBACK}:{PORTS['mariadb']}/{name}?charset=utf8mb4"


def fill(template: str, values: dict[str, str]) -> str:
    """Raises KeyError for a value that the template wants and nobody gave."""
    return Template((_TEMPLATES / template).read_text()).substitute(values)


def settings(places: Places, venv: Path) -> dict[str, str]:
    """Every value that the services' configuration files take."""
    values = {
        "cloud": CLOUD,
        "password": PASSWORD,
        "data": str(places.data),
        "venv": str(venv),
        "host": HOST,
        "transport_url": TRANSPORT_URL,
        "rabbitmq_port": str(PORTS["rabbitmq"]),
        "agent_down_time": str(AGENT_DOWN_TIME_S),
        "physnets": ",".join(pf.physnet for pf in PFS),
        "vlan_ranges": ",".join(f"{pf.physnet}:{_VLANS[0]}:{_VLANS[1]}" for pf in PFS),
        "device_mappings": ",".join(f"{pf.physnet}:{pf.name}" for pf in PFS),
        "device_specs": "\n".join(f"device_spec = {json.dumps(spec)}" for spec in _device_specs()),
        "keystone": url("keystone"),
        "glance": url("glance"),
    }
    values |= {f"database_url_{name}": database_url(name) for name in DATABASES}
    return values | {"auth": fill("auth.ini", values).strip()}


def _device_specs() -> list[dict[str, object]]:
    """What nova may hand out: the VFs of each PF, and one PF, each with its physical network."""
    specs = [_device_spec(pf, VF_PRODUCT_ID, {"slot": pf.vf_slot, "function": ".*"}) for pf in PFS]
    return [*specs, _device_spec(WHOLE_PF, PF_PRODUCT_ID, {"slot": "00", "function": "2"})]


def _device_spec(pf: Pf, product: str, where: dict[str, str]) -> dict[str, object]:
    address = {"domain": "0000", "bus": "3b", **where}
    return {"vendor_id": VENDOR_ID, "product_id": product, "address": address, "physical_network": pf.physnet}


def write_configs(places: Places, venv: Path) -> None:
    """All configuration files, one folder a project, and ``clouds.yaml`` (readable by this user only)."""
    values = settings(places, venv)
    for project, names in CONFIG_FILES.items():
        folder = places.etc / project
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(fill(name, values))
    (places.etc / "rabbitmq.conf").write_text(fill("rabbitmq.conf", values))
    places.clouds_yaml.touch(mode=0o600)
    places.clouds_yaml.write_text(fill("clouds.yaml", values))
