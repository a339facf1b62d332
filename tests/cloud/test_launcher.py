"""The launcher itself: processes, folders, ports, pins and templates. No OpenStack is started."""

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.configs import CONFIG_FILES, write_configs
from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.ownership import claim_folder, empty_folder, is_orphan, record_owner
from tests.cloud.control_plane.places import Places
from tests.cloud.control_plane.processes import Processes, look_at, refuse_busy_ports, wait_until
from tests.cloud.control_plane.release import (
    CHOICE,
    RELEASES,
    chosen_release,
    every_release,
    read_release,
    record_release,
    recorded_release,
)
from tests.cloud.control_plane.vfs import PFS, VFS_A_PF, FakeSysfs


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "run")
    claim_folder(places)
    empty_folder(places)
    return places


@pytest.fixture
def processes(places: Places) -> Processes:
    return Processes(places.run, places.log)


def pid_of(places: Places, name: str) -> int:
    return int((places.run / f"{name}.pid").read_text().split()[0])


def test_a_stopped_process_takes_its_workers_along(places: Places, processes: Processes) -> None:
    processes.start("a", ["sh", "-c", "sleep 600 & echo $! > worker; wait"], os.environ)
    worker = places.run / "worker"
    assert wait_until(lambda: worker.exists() and bool(worker.read_text().strip()), 5)
    processes.stop(["a"], 5)
    assert look_at(int(worker.read_text())) is None
    assert processes.names() == []


def test_a_worker_whose_parent_was_killed_is_found_and_stopped(places: Places, processes: Processes) -> None:
    processes.start("a", ["sh", "-c", "sleep 600 & echo $! > worker; wait"], os.environ)
    worker = places.run / "worker"
    assert wait_until(lambda: worker.exists() and bool(worker.read_text().strip()), 5)
    os.kill(pid_of(places, "a"), signal.SIGKILL)
    assert wait_until(lambda: not processes.alive("a"), 5)
    assert processes.any_left()
    processes.stop(["a"], 5)
    assert look_at(int(worker.read_text())) is None


def test_what_a_person_has_started_stays_up_until_one_of_it_dies(places: Places, processes: Processes) -> None:
    processes.start("nova-api", ["sleep", "600"], os.environ)
    cloud = ControlPlane(places.root, lambda text: None)
    record_owner(places, os.getpid())
    assert not cloud.stays_up, "it ends with a test run"
    record_owner(places, None)
    assert cloud.stays_up
    processes.stop(["nova-api"], 5)
    assert not cloud.stays_up


def test_one_that_ignores_the_request_is_killed(processes: Processes) -> None:
    processes.start("a", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 600; done"], os.environ)
    assert wait_until(lambda: "ready" in processes.last_words("a"), 5)
    processes.stop(["a"], 0.2)
    assert not processes.alive("a")


def test_a_dead_process_is_named_with_its_last_words(processes: Processes) -> None:
    processes.start("nova-api", ["sh", "-c", "echo no such database; exit 1"], os.environ)
    assert wait_until(lambda: not processes.alive("nova-api"), 5)
    with pytest.raises(ControlPlaneError, match="nova-api: died; its log ends with:\nno such database"):
        processes.check(["nova-api"])


def test_a_pid_that_belongs_to_somebody_else_by_now_is_left_alone(places: Places, processes: Processes) -> None:
    processes.start("a", ["sleep", "600"], os.environ)
    pid = pid_of(places, "a")
    (places.run / "b.pid").write_text(f"{pid} 1\n")
    assert not processes.alive("b")
    processes.stop(["b"], 0)
    assert processes.alive("a")
    processes.kill(["a"])


def test_a_later_launcher_knows_the_processes_again(places: Places, processes: Processes) -> None:
    processes.start("a", ["sleep", "600"], os.environ)
    later = Processes(places.run, places.log)
    assert later.alive("a")
    later.stop(["a"], 5)
    assert not processes.alive("a")


def test_a_busy_port_is_named() -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        with pytest.raises(ControlPlaneError, match=rf"port {port} \(keystone\)"):
            refuse_busy_ports({"keystone": port})


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ControlPlaneError, match="not the control plane's"):
        claim_folder(Places(tmp_path))


def test_a_run_is_an_orphan_when_its_owner_is_dead(places: Places, processes: Processes) -> None:
    record_owner(places, None)
    assert not is_orphan(places)
    processes.start("owner", ["sleep", "600"], os.environ)
    record_owner(places, pid_of(places, "owner"))
    assert not is_orphan(places)
    processes.kill(["owner"])
    assert is_orphan(places)


@pytest.mark.parametrize("file", sorted(RELEASES.glob("*.txt")), ids=lambda file: str(file.stem))
def test_a_release_is_plain_pins(file: Path) -> None:
    assert read_release(file).name == file.stem


def test_releases_pin_the_same_packages_and_differ_in_versions_only() -> None:
    """So that a release can be tried by changing numbers; one that needs another package says so here."""
    pins = {file.stem: [_pin(line) for line in file.read_text().splitlines()] for file in RELEASES.glob("*.txt")}
    assert len(pins) > 1
    names = {release: [name for name, _ in lines] for release, lines in pins.items()}
    for release, lines in names.items():
        assert lines == sorted(set(lines)), f"{release}: each package once, in order"
        assert lines == names[max(names)], release
    for project in ("keystone", "glance", "neutron", "nova", "openstack-placement", "tap-as-a-service"):
        versions = [dict(lines)[project] for lines in pins.values()]
        assert len(set(versions)) == len(versions), f"{project} is the same in two releases"


def _pin(line: str) -> tuple[str, str]:
    name, _, version = line.partition(";")[0].partition("==")
    return name, version


def test_the_newest_release_is_used_and_the_others_come_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    names = [release.name for release in every_release()]
    assert names == sorted((file.stem for file in RELEASES.glob("*.txt")), reverse=True)
    assert chosen_release().name == names[0]
    monkeypatch.setenv(CHOICE, names[-1])
    assert [release.name for release in every_release()] == [names[-1], *names[:-1]]
    monkeypatch.setenv(CHOICE, "1999.1")
    with pytest.raises(ControlPlaneError, match=f"1999.1: there is .*{names[0]}"):
        chosen_release()


def test_a_folder_tells_of_which_release_its_control_plane_is(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    assert recorded_release(places) is None
    oldest = every_release()[-1]
    assert ControlPlane(places.root).release == chosen_release()
    assert ControlPlane(places.root, release=oldest).release == oldest
    record_release(places, oldest)
    assert ControlPlane(places.root).release == oldest


def test_the_logs_of_the_run_before_are_kept(places: Places) -> None:
    (places.log / "nova-api.log").write_text("last words")
    empty_folder(places)
    assert not list(places.log.iterdir())
    assert (places.log_before / "nova-api.log").read_text() == "last words"
    empty_folder(places)
    assert not list(places.log_before.iterdir())


def test_a_line_that_is_no_pin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "2027.1.txt").write_text("nova==35.0.0\nneutron>=30\n")
    with pytest.raises(ControlPlaneError, match="neutron>=30"):
        read_release(tmp_path / "2027.1.txt")


def test_a_pin_may_be_for_some_versions_of_python_only(tmp_path: Path) -> None:
    file = tmp_path / "2027.1.txt"
    file.write_text('nova==35.0.0\nlegacy-cgi==2.6.4; python_version >= "3.13"\n')
    assert read_release(file).name == "2027.1"


def test_every_configuration_file_is_filled(places: Places, tmp_path: Path) -> None:
    write_configs(places, tmp_path / "venv")
    for project, names in CONFIG_FILES.items():
        for name in names:
            assert "$" not in (places.etc / project / name).read_text()
    assert places.clouds_yaml.stat().st_mode & 0o777 == 0o600


def test_a_vf_is_free_until_a_server_gives_it_a_mac(places: Places) -> None:
    sysfs = FakeSysfs(places.sysfs)
    sysfs.create()
    address = PFS[0].vf_address(3)
    assert address in sysfs.free("physnet1")
    sysfs.set_mac(address, "fa:16:3e:00:00:01")
    assert address not in sysfs.free("physnet1")
    assert len(sysfs.free("physnet2")) == VFS_A_PF
