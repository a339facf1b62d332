"""What a cloud with servers on VFs costs: virtfn beside the same objects by `openstack` commands, in one real cloud.

One flat network, a subnet, eight direct ports, eight servers, until all are ACTIVE and bound; then all of it deleted.
The peer is a shell script of the commands that `virtfn cloud plan --explain` prints, one after the other, with `--wait`
for servers. Both reach the APIs through one proxy on loopback that counts. virtfn is measured before the peer and after
it, and the slower of the two counts, as a machine that others use is not equally loaded all the time.

    .venv/bin/python tests/bench/cloud_up.py --json FILE

It starts a control plane for itself, or uses the one in the folder that VIRTFN_TEST_CLOUD names.
"""

import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from report import Figure, options, publish, say

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for the control plane, which is one of the tests'

from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.furniture import FLAVOR, IMAGE, furnish
from tests.cloud.control_plane.places import LOOPBACK
from tests.cloud.control_plane.release import chosen_release, recorded_release
from tests.cloud.control_plane.rest import Rest

SERVERS, FEW_SERVERS = 8, 1
PEER = "the same `openstack` commands in a row"
LIMIT_S = 1800
SPEC = f"""
virtfn: cloud/1
name: bench
networks:
  - name: bench
    physical_network: physnet2
    subnets: [{{name: bench-v4, cidr: 192.0.2.0/24, gateway: none, dhcp: false}}]
servers:
  - name: bench-{{n}}
    count: {{count}}
    image: {IMAGE}
    flavor: {FLAVOR}
    ports: [{{network: bench, vnic_type: direct}}]
"""
ALL_ACTIVE = """
for second in $(seq 600); do
    up=$(openstack port list --tags virtfn:bench -f value -c Status | grep -c ACTIVE)
    [ "$up" = SERVERS ] && exit 0
    sleep 1
done
exit 1
"""


@dataclass(frozen=True)
class Cost:
    """What a command took; ``load`` is the machine's load average when it began."""

    seconds: float
    calls: int
    load: float


class CountingProxy(http.server.ThreadingHTTPServer):
    """A forward proxy on loopback; ``calls`` is how many requests it has passed on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _PassOn)
        self.calls = 0
        self.counting = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        return {"http_proxy": f"http://{LOOPBACK}:{self.server_port}", "no_proxy": "", "NO_PROXY": ""}


class _PassOn(http.server.BaseHTTPRequestHandler):
    server: CountingProxy

    def _pass_on(self) -> None:
        with self.server.counting:
            self.server.calls += 1
        wanted = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_HOP}
        onward = http.client.HTTPConnection(wanted.netloc, timeout=LIMIT_S)
        try:
            path = f"{wanted.path or '/'}?{wanted.query}" if wanted.query else wanted.path or "/"
            onward.request(self.command, path, body or None, {**kept, "Connection": "close"})
            answer = onward.getresponse()
            said = answer.read()
        finally:
            onward.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in (*_OF_THE_HOP, "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *_: object) -> None:
        """Quiet."""


_OF_THE_HOP = ("connection", "proxy-connection", "keep-alive", "transfer-encoding", "accept-encoding")


class TimedCommands:
    """Commands against one cloud, each timed and its calls counted. ``servers``: how many the spec declares."""

    def __init__(self, folder: Path, environment: Mapping[str, str], proxy: CountingProxy, servers: int) -> None:
        self.servers = servers
        self._folder = folder
        self._environment = {**os.environ, **environment, **proxy.environment, "VIRTFN_STATE_DIR": str(folder)}
        self._proxy = proxy

    def virtfn(self, *words: str, count: int | None = None) -> tuple[str, Cost]:
        """``virtfn cloud WORDS`` for so many servers: what it printed, and its cost."""
        spec = self._folder / "cloud.yaml"
        spec.write_text(SPEC.replace("{count}", str(count or self.servers)))
        return self._run([sys.executable, "-m", "virtfn", "cloud", *words, "-f", str(spec), "-q"])

    def commands(self, *words: str) -> list[str]:
        """What ``virtfn cloud WORDS`` would do, as commands."""
        steps = json.loads(self.virtfn(*words, "-o", "json")[0])["plan"]["steps"]
        return [
            step["command"].replace("server create ", "server create --wait ", 1) for step in steps if step["command"]
        ]

    def script(self, commands: list[str], then: str = "") -> Cost:
        """The commands one after the other, then these lines."""
        lines = "\n".join(f"{command} > {os.devnull}" for command in commands)
        path = self._folder / "peer.sh"
        path.write_text(f"set -e\n{lines}\nset +e\n{then}\n")
        return self._run(["sh", str(path)])[1]

    def _run(self, argv: list[str]) -> tuple[str, Cost]:
        load, calls, began = os.getloadavg()[0], self._proxy.calls, time.monotonic()
        done = subprocess.run(
            argv,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        took = time.monotonic() - began
        if done.returncode:
            raise SystemExit(f"{argv} ended with {done.returncode}: {done.stderr}")
        return done.stdout, Cost(took, self._proxy.calls - calls, load)


def main() -> int:
    wanted = options(__doc__ or "")
    with (
        control_plane() as cloud,
        tempfile.TemporaryDirectory() as folder,
        counting_proxy() as proxy,
    ):
        furnish(Rest())
        release = recorded_release(cloud.places) or chosen_release()
        programs = f"{release.environment / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        servers = FEW_SERVERS if wanted.quick else SERVERS
        bench = TimedCommands(Path(folder), {**cloud.environment(), "PATH": programs}, proxy, servers)
        if not wanted.quick:  # the services load much of themselves at their first server
            bench.virtfn("up", "--yes", count=1)
            bench.virtfn("down", "--yes", count=1)
        making = bench.commands("plan")
        rounds = [there_and_back(bench)]
        peer_up = bench.script(making, ALL_ACTIVE.replace("SERVERS", str(servers)))
        ready(bench)
        peer_down = bench.script(bench.commands("down", "--dry-run"))
        if not wanted.quick:
            rounds.append(there_and_back(bench))
    up, down = (max(costs, key=lambda cost: cost.seconds) for costs in zip(*rounds, strict=True))
    code: int = publish(figures(servers, up, peer_up, down, peer_down), wanted)
    return code


def there_and_back(bench: TimedCommands) -> tuple[Cost, Cost]:
    """virtfn makes all and deletes it."""
    _, up = bench.virtfn("up", "--yes")
    ready(bench)
    _, down = bench.virtfn("down", "--yes")
    return up, down


def figures(servers: int, up: Cost, peer_up: Cost, down: Cost, peer_down: Cost) -> list[Figure]:
    what = f"{servers} servers on VFs"
    fast = up.seconds <= 0.25 * peer_up.seconds
    few = up.calls <= peer_up.calls
    return [
        Figure(f"{what}: ACTIVE and bound", up.seconds, "s", PEER, peer_up.seconds, "at most 0.25", fast),
        Figure(f"{what}: calls of APIs to make them", up.calls, "calls", PEER, peer_up.calls, "not more", few),
        Figure(f"{what}: deleted", down.seconds, "s", PEER, peer_down.seconds, "", None),
        Figure(f"{what}: calls of APIs to delete them", down.calls, "calls", PEER, peer_down.calls, "", None),
        Figure("load of the machine before making", up.load, "", PEER, peer_up.load, "", None),
        Figure("load of the machine before deleting", down.load, "", PEER, peer_down.load, "", None),
    ]


def ready(bench: TimedCommands) -> None:
    """What was just made is what the spec says, whoever made it; ``--exit-code`` fails where it is not."""
    shown = json.loads(bench.virtfn("show", "--exit-code", "-o", "json")[0])
    bound = [one for one in shown["objects"] if one["kind"] == "port" and one["pci_slot"]]
    if len(bound) != bench.servers:
        raise SystemExit(f"{len(bound)} ports have a VF, not {bench.servers}")


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    running = os.environ.get("VIRTFN_TEST_CLOUD")
    cloud = ControlPlane(Path(running) if running else None, say)
    if running:
        yield cloud
        return
    cloud.start(owner=os.getpid())
    try:
        yield cloud
    finally:
        cloud.stop()


@contextmanager
def counting_proxy() -> Iterator[CountingProxy]:
    with CountingProxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
