"""Declared state on disk: what the user wants to have, apart from the journal of what was done."""
