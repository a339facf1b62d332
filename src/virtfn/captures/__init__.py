"""Text that iproute2 printed somewhere else, read as an inventory. Pure.

Two readers (words, JSON) turn a capture into one ``Printout``; ``to_inventory`` turns that into an ``Inventory`` or
lists everything that is wrong with it.
"""

from virtfn.captures.to_inventory import NO_CARRIER_WHEN_DOWN, parse

__all__ = ["NO_CARRIER_WHEN_DOWN", "parse"]
