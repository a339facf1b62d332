"""Clouds: wanted objects, checks before the plan, the plan, readiness and diagnosis. Pure."""
