"""The ways into a running lab: programs, streams, terminals, frames."""
