"""The physical networks under which this host's OpenStack services hand out PFs and VFs, by their configuration.

Files are read in the order in which the service reads them, as its packages and devstack start it. Of an option that
takes one list the last value counts; of one that may be repeated all count.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from virtfn.host.ini import NotIni, Setting, settings_of
from virtfn.model.device_spec import AddressPattern, DeviceSpec
from virtfn.model.inventory import Known, Unknown
from virtfn.model.physnets import DeviceMapping, PhysicalNetworks

_AGENT_FILES = (
    "etc/neutron/neutron.conf.d/*.conf",
    "etc/neutron/neutron-sriov-nic-agent.conf.d/*.conf",
    "etc/neutron/neutron.conf",
    "etc/neutron/plugins/ml2/sriov_agent.ini",
    "etc/neutron/conf.d/common/*.conf",
    "etc/neutron/conf.d/neutron-sriov-nic-agent/*.conf",
)
"""oslo.config reads its default folders before the files that the command line names; the last two are RDO's."""
_NOVA_FILES = (
    "etc/nova/nova.conf",
    "etc/nova/nova-compute.conf",
    "etc/nova/nova.conf.d/*.conf",
    "etc/nova/nova-compute.conf.d/*.conf",
)
_NOVA_OF_DEVSTACK = "etc/nova/nova-cpu.conf"
"""Where it is there, nova-compute is started with it instead of nova.conf."""
_SPEC_NAMES = (("default", "pci_passthrough_whitelist"), ("pci", "passthrough_whitelist"), ("pci", "device_spec"))
"""The option's names, oldest first: that is the order in which the values of one file count."""
_KEY_OF_ID = {"vendor": "vendor_id", "product": "product_id"}


class _Wrong(ValueError):
    """What is configured cannot be read; the message begins with ``FILE:LINE``."""


def physical_networks(root: Path = Path("/")) -> PhysicalNetworks:
    """The configuration of Neutron's agent and nova; a part is Unknown where a file cannot be read or parsed.

    Nothing is known where no such file is there. Sources: neutron (conf/plugins/ml2/drivers/mech_sriov), nova
    (conf/pci.py), oslo.config; ``sriov_vf_device`` in a PF's folder of /sys/bus/pci/devices.
    """
    return PhysicalNetworks(_mappings(root), _device_specs(root), _vf_products(root))


def _mappings(root: Path) -> Known[tuple[DeviceMapping, ...]]:
    try:
        given = [
            (setting, file)
            for file, settings in _read(root, _AGENT_FILES)
            for setting in settings
            if (setting.section, setting.key) == ("sriov_nic", "physical_device_mappings")
        ]
        return tuple(_mappings_of(*given[-1])) if given else ()
    except _Wrong as fault:
        return Unknown(str(fault))


def _mappings_of(setting: Setting, file: str) -> Iterator[DeviceMapping]:
    where = f"{file}:{setting.line}"
    for word in filter(None, (word.strip() for word in setting.value.split(","))):
        network, _, netdev = (part.strip() for part in word.partition(":"))
        if not network or not netdev or ":" in netdev:
            raise _Wrong(f"{where}: {word!r} is not PHYSICAL_NETWORK:NETDEV")
        yield DeviceMapping(network, netdev, where)


def _device_specs(root: Path) -> Known[tuple[DeviceSpec, ...]]:
    try:
        names = (_NOVA_OF_DEVSTACK, *_NOVA_FILES[2:]) if _is_there(root, _NOVA_OF_DEVSTACK) else _NOVA_FILES
        return tuple(
            spec
            for file, settings in _read(root, names)
            for name in _SPEC_NAMES
            for setting in settings
            if (setting.section, setting.key) == name
            for spec in _specs_of(setting, f"{file}:{setting.line}")
        )
    except _Wrong as fault:
        return Unknown(str(fault))


def _specs_of(setting: Setting, where: str) -> Iterator[DeviceSpec]:
    """One value is an entry, or a list of entries."""
    try:
        plain = json.loads(setting.value)
        for entry in plain if isinstance(plain, list) else [plain]:
            yield _spec(entry, where)
    except (ValueError, TypeError, AttributeError) as fault:
        raise _Wrong(f"{where}: {setting.key} is not understood ({fault})") from fault


def _spec(entry: Mapping[str, Any], where: str) -> DeviceSpec:
    network, devname, address = entry.get("physical_network"), entry.get("devname"), entry.get("address")
    ids = {
        name: None if entry.get(key, "*").strip() == "*" else f"{int(entry[key], 16):04x}"
        for name, key in _KEY_OF_ID.items()
    }
    return DeviceSpec(network or None, where, **ids, devname=devname or None, address=_pattern(address))


def _pattern(address: object) -> AddressPattern | None:
    if not address:
        return None
    if isinstance(address, dict):
        return AddressPattern.of_parts(address)
    return AddressPattern.of_glob(str(address))


def _vf_products(root: Path) -> dict[str, str]:
    """By the addresses of PFs; a kernel before 4.15 does not tell (drivers/pci/iov.c)."""
    return {
        path.parent.name: text.strip().zfill(4)
        for path in (root / "sys/bus/pci/devices").glob("*/sriov_vf_device")
        if (text := _text(path))
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _is_there(root: Path, name: str) -> bool:
    """Raises _Wrong where that may not be looked at."""
    try:
        return (root / name).exists()
    except OSError as fault:
        raise _Wrong(f"/{name}: {fault.strerror}") from fault


def _paths(root: Path, name: str) -> list[Path]:
    """The files of this name, or pattern. Raises _Wrong where a folder may not be entered: glob would be silent."""
    folder, _, last = name.rpartition("/")
    if not _is_there(root, folder):
        return []
    try:
        return sorted(path for path in (root / folder).iterdir() if path.match(last))
    except OSError as fault:
        raise _Wrong(f"/{folder}: {fault.strerror}") from fault


def _read(root: Path, names: tuple[str, ...]) -> Iterator[tuple[str, tuple[Setting, ...]]]:
    """Each file that is there, by the name it has on the host, with its settings. Raises _Wrong."""
    for name in names:
        for path in _paths(root, name):
            file = f"/{path.relative_to(root)}"
            try:
                yield file, settings_of(path.read_text(encoding="utf-8", errors="replace"))
            except NotIni as fault:
                raise _Wrong(f"{file}:{fault.line}: {fault}") from fault
            except OSError as fault:
                raise _Wrong(f"{file}: {fault.strerror}") from fault
