"""Frozen values that the whole house speaks in. They decide nothing and touch nothing."""
