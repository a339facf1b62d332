"""What nova and oslo.config themselves make of configuration. Runs in OpenStack's environment: JSON in, JSON out.

``{"pfs": {ADDRESS: NETDEV}, "vf_netdevs": {NETDEV: ADDRESS}, "functions": [...], "entries": [...], "files": [...]}``
gives for each entry of ``device_spec`` whether it means each function (null: nova refuses the entry), and for each file
its settings (null: oslo.config refuses the file).
"""

import json
import sys
from typing import Any

from nova import exception  # type: ignore[import-not-found]
from nova.pci import devspec, utils  # type: ignore[import-not-found]
from oslo_config import iniparser  # type: ignore[import-not-found]


class Settings(iniparser.BaseParser):  # type: ignore[misc]
    """Notes the assignments as they come."""

    def __init__(self) -> None:
        self.section = "DEFAULT"
        self.found: list[list[str]] = []

    def new_section(self, section: str) -> None:
        self.section = section

    def assignment(self, key: str, value: list[str]) -> None:
        self.found.append([self.section.lower(), key, "\n".join(value)])


def settings(text: str) -> list[list[str]] | None:
    parser = Settings()
    try:
        parser.parse(text.splitlines())
    except iniparser.ParseError:
        return None
    return parser.found


def meant(entry: dict[str, Any], functions: list[dict[str, Any]]) -> list[bool] | None:
    try:
        spec = devspec.PciDeviceSpec(entry)
    except exception.NovaException:
        return None
    return [bool(spec.match(function)) for function in functions]


def main() -> None:
    asked = json.load(sys.stdin)
    pfs, vf_netdevs = asked["pfs"], asked["vf_netdevs"]
    by_netdev = {netdev: (address, True) for address, netdev in pfs.items()}
    by_netdev |= {netdev: (address, False) for netdev, address in vf_netdevs.items()}
    # Both look into /sys: what they find there is given instead.
    utils.is_physical_function = lambda *parts: "{}:{}:{}.{}".format(*parts) in pfs
    utils.get_function_by_ifname = lambda netdev: by_netdev.get(netdev, (None, False))
    answer = {
        "entries": [meant(entry, asked["functions"]) for entry in asked["entries"]],
        "files": [settings(text) for text in asked["files"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
