"""Mirrors between ports of a cloud: finds the ports, checks the guards, lists what a mirror requires. Reads only."""

from virtfn.model.cloud.mirror import CloudMirror, MirrorPort, NameMatches
from virtfn.model.finding import refuse
from virtfn.planning.cloud.mirror import choose, guard_findings, of_server, plan_mirror
from virtfn.services.interfaces import MirrorPorts


class CloudMirrors:
    """One cloud. Every method reads it again."""

    def __init__(self, ports: MirrorPorts) -> None:
        self._ports = ports

    def plan(self, source: str, copy: str, *, as_admin: bool = False) -> CloudMirror:
        """What a mirror of ``source`` to ``copy`` requires. Both are servers, ports or ``SERVER:PORT``, by name or id.

        ``as_admin``: the two may belong to different projects. Raises UsageError (no such thing, or several),
        GuardRefused (with every reason), CloudError.
        """
        first, second = self._find(source), self._find(copy)
        refuse(guard_findings(first, second, as_admin=as_admin), f"{first.label} to {second.label}")
        return plan_mirror(first, second, self._ports.nic_agents(), as_admin=as_admin)

    def _find(self, word: str) -> MirrorPort:
        named = self._ports.named(word) if word else NameMatches()  # "" is the name of every object without one
        server, _, port = word.rpartition(":")
        if server and port and not named.ports and not named.servers:
            named = of_server(self._ports.named(server), port)
        return choose(word, named)
