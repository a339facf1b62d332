"""Network namespaces of the running kernel. What makes one needs root."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.kernel import KernelHost
from virtfn.host.netns import call_in, namespace_path, other_namespaces
from virtfn.host.rtnetlink import RouteSocket
from virtfn.model.plan import Target

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def identity() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


@pytest.fixture
def netns() -> Iterator[str]:
    name = f"vft{os.getpid()}"
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "add", "a0", "type", "veth", "peer", "name", "a1")
    yield name
    run("ip", "netns", "del", name)


@needs_root
def test_a_function_is_run_inside_and_the_caller_stays_where_it_is(netns: str) -> None:
    here = identity()
    there = call_in(netns, identity)
    assert there == Path(f"/run/netns/{netns}").stat().st_ino
    assert identity() == here != there


@needs_root
def test_a_socket_made_inside_stays_inside(netns: str) -> None:
    with call_in(netns, RouteSocket) as route:
        assert {link.name for link in route.links()} == {"lo", "a0", "a1"}


@needs_root
def test_an_error_inside_comes_out(netns: str) -> None:
    with pytest.raises(ZeroDivisionError):
        call_in(netns, lambda: 1 // 0)


@needs_root
def test_a_named_namespace_is_listed_once_by_its_name_also_with_a_process_in_it(netns: str) -> None:
    sleeper = subprocess.Popen(["ip", "netns", "exec", netns, "sleep", "60"])
    try:
        found = other_namespaces()
        assert found.names.count(netns) == 1
        assert f"pid:{sleeper.pid}" not in found.names
    finally:
        sleeper.kill()
        sleeper.wait()


@needs_root
def test_a_namespace_without_a_name_is_listed_and_entered_by_its_process() -> None:
    process = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        netns = f"pid:{process.pid}"
        assert netns in other_namespaces().names
        assert call_in(netns, identity) == Path(f"/proc/{process.pid}/ns/net").stat().st_ino
    finally:
        process.kill()
        process.wait()


@needs_root
def test_facts_of_a_netdev_in_a_namespace_are_read_and_written(netns: str) -> None:
    host, target = KernelHost(), Target("netdev", f"{netns}:a0", f"{netns}:a0")
    host.write(target, "mac", "fa:16:3e:aa:33:59")
    host.write(target, "up", True)
    host.write(target, "mtu", 1400)
    assert [host.read(target, field) for field in ("mac", "up", "mtu")] == ["fa:16:3e:aa:33:59", True, 1400]


@needs_root
def test_what_the_kernel_refuses_has_its_errno_its_word_and_the_command(netns: str) -> None:
    target = Target("netdev", f"{netns}:a0", f"{netns}:a0")
    with pytest.raises(KernelRefused) as refused:
        KernelHost().write(target, "mtu", 1_000_000)
    assert refused.value.errno == 22
    assert "mtu greater than device maximum" in refused.value.message
    assert refused.value.command == f"ip -n {netns} link set dev a0 mtu 1000000"


def test_the_empty_name_is_here_and_needs_no_thread() -> None:
    assert call_in("", threading.get_ident) == threading.get_ident()


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="no network namespaces in this kernel")
def test_a_namespace_that_is_not_there_is_refused() -> None:
    with pytest.raises(KernelRefused, match="network namespace nosuch: setns was refused") as refused:
        call_in("nosuch", identity)
    assert refused.value.errno == 2


@pytest.mark.parametrize("name", ["", "a/b", "..", "pid:x", "pid:"])
def test_text_that_can_be_no_namespace_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        namespace_path(name)


def test_a_file_left_behind_in_run_netns_is_no_namespace(tmp_path: Path) -> None:
    (tmp_path / "run/netns").mkdir(parents=True)
    (tmp_path / "run/netns/stale").touch()
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").symlink_to("/proc/self/ns/net")
    assert other_namespaces(root=tmp_path).names == ()


def test_the_list_of_namespaces_is_bounded_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").touch()
    (tmp_path / "run/netns").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (tmp_path / "run/netns" / name).touch()
    found = other_namespaces(root=tmp_path, most=2)
    assert found.names == ("a", "b")
    assert found.problems == ("more than 2 network namespaces: the rest was not looked at",)
