"""The machine of the lab: QEMU, its snapshot, its monitor, what is recorded about it."""
