"""README's two commands on a bare Debian: a new root in a folder, with make, git and python3 only.

The root has nothing of this machine but its package settings: the archive that apt takes packages from, and where pip
takes them from. Both are read from this machine when this runs. It gets a clone of what is committed. Needs root.

    .venv/bin/python scripts/fresh.py trixie --run demo --keep
"""

import argparse
import ast
import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from virtfn.errors import VirtfnError
from virtfn.lab.build.packages import Packages, this_distribution
from virtfn.lab.build.programs import Program, install_missing, missing_programs
from virtfn.lab.build.sources import own_sources, read_sources
from virtfn.lab.machine.folders import Folders

TREE = Path(__file__).resolve().parents[1]
SUITES = ("trixie", "bookworm")
BARE = ("make", "git", "python3")
BUILDER = Program("mmdebstrap", "mmdebstrap", "builds the bare root")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
COMMAND_S = 2 * 3600
_PIP_SETTING = re.compile(r"^(\w+)\.([\w-]+)=(.*)$", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--run", default="test demo", help="targets of the Makefile, one after the other (test demo)")
    parser.add_argument("--keep", action="store_true", help="leave the root in its folder, and use one that is there")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = Folders.of_this_user().cache / f"fresh-{wanted.suite}"
    if os.geteuid() != 0:
        return _fail("only root can build and enter a root folder", 77)
    try:
        if not (wanted.keep and (root / "complete").exists()):
            build(wanted.suite, root)
        return run(wanted.run.split(), wanted.suite, root, settle(root))
    except VirtfnError as failed:
        return _fail(str(failed), failed.exit_code)
    except subprocess.CalledProcessError as failed:
        return _fail(f"{failed.cmd[0]} ended with {failed.returncode}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    finally:
        if not wanted.keep:
            shutil.rmtree(root, ignore_errors=True)


def build(suite: str, root: Path) -> None:
    """Make the root. Raises CalledProcessError and LabError."""
    machine = this_distribution()
    packages = Packages(root.parent / "apt", machine, say)
    install_missing(missing_programs((BUILDER,)), packages, say)
    sources = own_sources(read_sources(Path("/etc/apt")), replace(machine, version=""))
    lines = [
        f"deb {uri} {name.replace(machine.codename, suite)} {' '.join(source.components)}"
        for source in sources
        for uri in source.uris
        for name in source.suites
    ]
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    say(f"building a bare {suite} with {', '.join(BARE)} in {root}")
    settings = subprocess.run(["apt-config", "dump", "Acquire"], check=True, capture_output=True, text=True).stdout
    options = [f"--aptopt={line}" for line in settings.splitlines() if "::IndexTargets" not in line]
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(BARE)}", *options]
    subprocess.run([*command, suite, str(root), "-"], input="\n".join(lines), check=True, text=True, timeout=COMMAND_S)
    (root / "complete").touch()


def settle(root: Path) -> list[str]:
    """Put the committed tree and the package settings into the root; the folders of this machine that pip reads."""
    clone = root / "root/virtfn"
    shutil.rmtree(clone, ignore_errors=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TREE, check=True, capture_output=True, text=True)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(TREE), str(clone)], check=True)
    subprocess.run(["git", "checkout", "--quiet", "--detach", head.stdout.strip()], cwd=clone, check=True)
    for name in NETWORK_FILES:
        shutil.copyfile(name, root / name.lstrip("/"))
    settings = pip_settings()
    with (root / "etc/pip.conf").open("w") as file:
        settings.write(file)
    values = [value for section in settings.sections() for _, value in settings.items(section)]
    places = {Path(name) for value in [*values, *pip_variables().values()] for name in local_names(value)}
    for path in filter(Path.is_file, places):
        (root / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, root / path.relative_to("/"))
    # what a folder of links (by convention "simple") leads to is beside it
    return sorted({str(path.parent if path.name == "simple" else path) for path in places if path.is_dir()})


def pip_settings() -> configparser.RawConfigParser:
    """What pip here takes from its files, as one file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings = configparser.RawConfigParser()
    for section, name, value in _PIP_SETTING.findall(listed):
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, name, " ".join(ast.literal_eval(value).split()))
    return settings


def pip_variables() -> dict[str, str]:
    """What pip here takes from the environment."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in PROXIES}


def local_names(value: str) -> list[str]:
    """The files and folders of this machine that a setting names."""
    return [word.removeprefix("file://") for word in value.split() if word.startswith(("/", "file:///"))]


def run(targets: list[str], suite: str, root: Path, binds: list[str]) -> int:
    """Each target in turn, until one fails; its exit code."""
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
    environment |= pip_variables()
    for target in targets:
        began = time.monotonic()
        inside = ["sh", "-c", 'cd /root/virtfn && make "$1" && test -z "$(git status --porcelain)"', "sh", target]
        enter = [str(TREE / "scripts/enter-root.sh"), str(root), *binds, "--", *inside]
        code = subprocess.run(enter, env=environment, check=False, timeout=COMMAND_S).returncode
        say(f"make {target} on a bare {suite}: {'passed' if code == 0 else f'ended with {code}'}"
            f" after {time.monotonic() - began:.0f} s")  # fmt: skip
        if code:
            return code
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str, code: int) -> int:
    print(f"fresh: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
