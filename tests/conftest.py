"""Where a test may run: ``guest`` tests inside the lab only, ``lab`` tests on a host that can boot it.

``compute`` tests run when they are asked for (``-m compute``): their VMs take minutes on a busy machine.

``cloud`` tests run last: the OpenStack that they share is started for the first of them, and is in nobody's way before.
Those that want another release come after them, because ports are fixed: the one before is stopped for them.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from virtfn.errors import LabError, VirtfnError
from virtfn.lab.build.parts import Parts, assemble
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.shape import Shape
from virtfn.lab.machine.startup import StartOptions, throw_away

if TYPE_CHECKING:
    from openstack.connection import Connection

    from tests.cloud.control_plane.cloud import ControlPlane

ROOT = Path(__file__).parents[1]
IN_LAB = "VIRTFN_IN_LAB" in os.environ
RUNNING_CLOUD = os.environ.get("VIRTFN_TEST_CLOUD")

_USER_SETTINGS = (
    "OS_", "VIRTFN_STATE_DIR", "VIRTFN_DEBUG", "SSH_CONNECTION", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR",
)  # fmt: skip
"""Environment variables, or the beginnings of their names, that virtfn or its libraries read."""

StartLab = Callable[..., AbstractContextManager[Machine]]


def pytest_configure() -> None:
    """Every run starts alike: from a login shell, in a script's background, with OpenStack's credentials set.

    A program that is started with a signal ignored keeps it ignored, and so do its children. SIGHUP is left alone, so
    that ``nohup`` has its effect.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.umask(0o022)
    for name in [name for name in os.environ if name.startswith(_USER_SETTINGS)]:
        del os.environ[name]
    loopback = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1", "localhost")))
    os.environ.update(LC_ALL="C.UTF-8", TERM="dumb", no_proxy=loopback, NO_PROXY=loopback)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``guest`` tests are taken into the lab by tests/lab/test_kernel_suites.py, so the host leaves them out."""
    elsewhere = ["lab", "cloud"] if IN_LAB else ["guest"]
    if IN_LAB or "compute" not in config.getoption("markexpr"):
        elsewhere.append("compute")
    config.hook.pytest_deselected(items=[item for item in items if _is_marked(item, *elsewhere)])
    items[:] = [item for item in items if not _is_marked(item, *elsewhere)]
    if RUNNING_CLOUD:
        config.hook.pytest_deselected(items=[item for item in items if _release_of(item)])
        items[:] = [item for item in items if not _release_of(item)]
    items.sort(key=lambda item: (_is_marked(item, "cloud"), _release_of(item)))


def _is_marked(item: pytest.Item, *markers: str) -> bool:
    return any(item.get_closest_marker(marker) for marker in markers)


def _release_of(item: pytest.Item) -> str:
    """The OpenStack that it was given as the parameter of ``cloud``; "" for the one of the session."""
    call = getattr(item, "callspec", None)
    return call.params["cloud"].name if call and "cloud" in call.params else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@pytest.fixture(scope="session")
def lab_parts() -> Parts:
    """What labs are made of. A machine that is not prepared fails these tests: `make setup` prepares it."""
    try:
        return assemble(Folders.of_this_user(), _say)
    except LabError as missing:
        pytest.fail(f"{missing}; {missing.hint or 'run: make setup'}")


@pytest.fixture(scope="session")
def start_lab(lab_parts: Parts) -> StartLab:
    """Starts throw-away labs: ``with start_lab(shape=Shape(vfs=7)) as machine``."""

    @contextmanager
    def start(*, shape: Shape | None = None, cold: bool = False) -> Iterator[Machine]:
        wishes = StartOptions(shape=shape or Shape(), cold=cold)
        with throw_away(lab_parts, Folders.of_this_user(), wishes, _say) as machine:
            machine.push(ROOT / "tests", "tests")
            machine.push(ROOT / "pyproject.toml", "pyproject.toml")
            yield machine

    return start


@pytest.fixture(scope="session")
def lab(start_lab: StartLab) -> Iterator[Machine]:
    """One lab for the whole session, for tests that leave it as it was. ``VIRTFN_TEST_LAB`` names a running one."""
    running = os.environ.get("VIRTFN_TEST_LAB")
    if running:
        machine = Machine.attach(running)
        machine.push(ROOT / "tests", "tests")
        machine.push(ROOT / "pyproject.toml", "pyproject.toml")
        yield machine
        return
    with start_lab() as machine:
        yield machine


@pytest.fixture
def fresh_lab(start_lab: StartLab) -> Iterator[Machine]:
    """A lab for one test, which may leave it in any state."""
    with start_lab() as machine:
        yield machine


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> "Iterator[ControlPlane]":
    """A running OpenStack control plane for the whole session; it is stopped at the end, after Ctrl-C too.

    ``VIRTFN_TEST_CLOUD`` names the folder of one that is up, which then stays up. Tests that give a ``Release`` as the
    parameter get that one; the one before is stopped first.
    """
    from tests.cloud.control_plane.cloud import ControlPlane

    folder = Path(RUNNING_CLOUD) if RUNNING_CLOUD else None
    plane = ControlPlane(folder, lambda text: _say_aloud(request.config, text), getattr(request, "param", None))
    if RUNNING_CLOUD:
        assert plane.running(), f"VIRTFN_TEST_CLOUD: nothing is up in {RUNNING_CLOUD}"
        yield plane
        return
    try:
        plane.start(owner=os.getpid())
    except VirtfnError as fault:
        failed = f"{fault}; {fault.hint}"
    else:
        yield plane
        plane.stop()
        return
    pytest.fail(f"the control plane cannot be started: {failed}", pytrace=False)


@pytest.fixture(scope="session")
def connection(cloud: "ControlPlane") -> "Iterator[Connection]":
    """The administrator's connection by OpenStack's own SDK, from ``clouds.yaml`` alone."""
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    from tests.cloud.control_plane.configs import CLOUD

    region = OpenStackConfig(config_files=[str(cloud.clouds_yaml())], load_envvars=False).get_one(cloud=CLOUD)
    with Connection(config=region) as made:
        yield made


def _say_aloud(config: pytest.Config, text: str) -> None:
    """To the terminal at once: a start takes a minute, and says what it installs."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        _say(text)
