"""Text that iproute2 printed somewhere else: read and rendered, pure.

Two readers (words, JSON) turn a capture into one ``Printout``; one judge turns that into an ``Inventory`` or
says everything that is wrong with it. The renderer goes the other way with the same table of attributes.
"""

from virtfn.captures.attributes import NOT_ETHERNET, Generation
from virtfn.captures.reading import parse
from virtfn.captures.rendering import render
from virtfn.captures.to_inventory import NO_CARRIER_WHEN_DOWN

__all__ = ["NOT_ETHERNET", "NO_CARRIER_WHEN_DOWN", "Generation", "parse", "render"]
