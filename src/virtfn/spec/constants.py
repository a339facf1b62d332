"""The words of the format that more than one module needs."""

from typing import Final

FORMAT: Final = "host/1"
"""What a file says under ``virtfn:``. The number changes when an old file would be read differently."""

NO_DRIVER: Final = "none"
NO_TAG: Final = "none"
RESERVED: Final = "mirrors"

MAX_NUM_VFS: Final = 65535
"""NumVFs in the SR-IOV capability has 16 bits (PCI Express Base, 9.3.3.7)."""
MAX_VLAN_ID: Final = 4094
"""IEEE 802.1Q, 9.6: 4095 (0xFFF) is reserved."""
MAX_QOS: Final = 7

NETDEV_NAME: Final = r"^[^\s/:]{1,15}$"
"""``dev_valid_name`` (net/core/dev.c), IFNAMSIZ 16; without "." and ".."."""
DRIVER_NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$"
"""A name that can stand as one folder below /sys/bus/pci/drivers, of letters that drivers use."""
PCI_ADDRESS: Final = r"^([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]$"
VENDOR_DEVICE: Final = r"^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$"
MAC_ADDRESS: Final = r"^[0-9A-Fa-f][02468ACEace]([:-][0-9A-Fa-f]{2}){5}$"
GUID: Final = r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){7}$"
SELECTION: Final = r"^[0-9]{1,5}(-[0-9]{1,5})?(, ?[0-9]{1,5}(-[0-9]{1,5})?)*$"
