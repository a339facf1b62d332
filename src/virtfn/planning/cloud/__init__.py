"""A cloud from a declared state: what is wanted, what is in the way, the plan, how far it is and why not. Pure."""
