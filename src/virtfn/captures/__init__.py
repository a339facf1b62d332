"""Text that iproute2 printed somewhere else, read as an inventory. Pure.

Two readers (words, JSON) turn a capture into one ``Printout``; ``to_inventory`` turns that into an ``Inventory`` or
lists everything that is wrong with it.
"""
