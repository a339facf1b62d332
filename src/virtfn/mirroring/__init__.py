"""How a mirror is made on a given NIC, and how frames prove it: pure decisions."""
