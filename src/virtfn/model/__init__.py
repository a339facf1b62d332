"""Frozen values that all rooms share. They decide nothing and change nothing."""
