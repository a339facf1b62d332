"""A host from a declared state: diff, order, guards, plan. Pure."""
