"""OpenStack, by its SDK: the only room that imports ``openstack``."""
