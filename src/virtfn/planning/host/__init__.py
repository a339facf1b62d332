"""Hosts: diff, order, guards, plan. Pure."""
