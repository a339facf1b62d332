"""Use cases, and the Protocols they need from the edges (ports.py)."""
