"""The emulated SR-IOV host: its parts, its machine, the way in."""
