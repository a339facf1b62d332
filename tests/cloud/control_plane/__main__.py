"""``python -m tests.cloud.control_plane install|up|down|status|env``: a real OpenStack here, for a person."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path

from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.release import CHOICE, every_release

from virtfn.errors import ExitCode, VirtfnError


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.control_plane", description=__doc__)
    parser.add_argument("command", choices=("install", "up", "down", "status", "env"))
    parser.add_argument("--folder", type=Path, help="state, logs and clouds.yaml (XDG_CACHE_HOME/virtfn/cloud-run)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cloud = ControlPlane(asked.folder, lambda text: print(text, file=sys.stderr, flush=True))
    commands = {"install": _install, "up": _up, "down": _down, "status": _status, "env": _env}
    try:
        return commands[asked.command](cloud)
    except VirtfnError as failed:
        print(f"error: {failed}", file=sys.stderr)
        if failed.hint:
            print(f"  {failed.hint}", file=sys.stderr)
        return failed.exit_code
    except KeyboardInterrupt:
        print("interrupted; what was started is stopped", file=sys.stderr)
        return ExitCode.INTERRUPTED


def _install(cloud: ControlPlane) -> int:
    """Every release that is pinned, as the tests run on each of them."""
    for release in every_release():
        cloud.install(release)
        print(f"OpenStack {release.name} is installed in {release.environment}", file=sys.stderr)
    return 0


def _up(cloud: ControlPlane) -> int:
    """One that is up already is used, unless another release is asked for."""
    if cloud.stays_up and os.environ.get(CHOICE, cloud.release.name) == cloud.release.name:
        print(f"OpenStack {cloud.release.name} is up already", file=sys.stderr)
    else:
        cloud.start()
    cloud.furnish()
    print(f"\nclouds.yaml  {cloud.clouds_yaml()}")
    print(f"logs         {cloud.places.log}\n\nReach it:\n")
    _env(cloud)
    print(f"    {shlex.quote(str(cloud.client))} network agent list")
    print("    virtfn cloud plan -f examples/cloud/field-note.yaml")
    print("\nStop it:\n")
    print(f"    {_this_command(cloud, 'down')}")
    return 0


def _down(cloud: ControlPlane) -> int:
    was_up = bool(cloud.running())
    cloud.stop()
    print("stopped" if was_up else f"nothing is up in {cloud.places.root}", file=sys.stderr)
    return 0


def _status(cloud: ControlPlane) -> int:
    running = cloud.running()
    if not running:
        print(f"nothing is up in {cloud.places.root}")
        return ExitCode.UNREACHABLE
    memory = cloud.memory_mib()
    for name, alive in running.items():
        print(f"{name:16} {'up' if alive else 'DEAD':6} {memory[name]:5} MiB")
    print(f"{'all':23} {sum(memory.values()):5} MiB   logs: {cloud.places.log}")
    return 0 if all(running.values()) else ExitCode.FAILED


def _env(cloud: ControlPlane) -> int:
    for name, value in cloud.environment().items():
        print(f"    export {name}={shlex.quote(value)}")
    return 0


def _this_command(cloud: ControlPlane, command: str) -> str:
    folder = "" if cloud.places == type(cloud.places).usual() else f" --folder {shlex.quote(str(cloud.places.root))}"
    return f"{shlex.quote(sys.executable)} -m tests.cloud.control_plane {command}{folder}"


if __name__ == "__main__":
    sys.exit(main())
