"""The kernel: sysfs, netlink, devlink and raw frames."""
