"""The emulated host is the field note's, and can be used as a machine can. Boots the lab."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.shape import Shape, Wire

if TYPE_CHECKING:
    from tests.conftest import StartLab

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]

VIRTFN = [sys.executable, "-m", "virtfn"]
STREAM = ["python3", "-m", "virtfn.lab.guest.stream", "--json"]
A = "fa:16:3e:aa:33:59"


def vfs(machine: Machine, pf: str = "p2p1") -> list[dict[str, object]]:
    (link,) = json.loads(machine.run(["ip", "-j", "-d", "link", "show", pf]).check().stdout)
    found: list[dict[str, object]] = link["vfinfo_list"]
    return found


def test_the_host_is_the_field_notes(lab: Machine) -> None:
    (link,) = json.loads(lab.run(["ip", "-j", "link", "show", "p2p1"]).check().stdout)
    assert link["address"] == "a0:36:9f:68:fc:f4"
    assert {"BROADCAST", "MULTICAST", "UP", "LOWER_UP"} <= set(link["flags"])
    assert (link["mtu"], link["qdisc"]) == (1500, "mq")
    macs = ["00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", A]
    assert [vf["address"] for vf in vfs(lab)] == macs
    assert all(vf["spoofchk"] and vf["link_state"] == "auto" for vf in vfs(lab))


def test_each_guest_has_its_vf_and_its_mac(lab: Machine) -> None:
    for number, mac in ((1, "fa:16:3e:c0:d8:11"), (2, "fa:16:3e:a1:43:57"), (3, A)):
        (link,) = json.loads(lab.run(["ip", "-n", f"vm{number}", "-j", "link", "show", "eth0"]).check().stdout)
        assert (link["address"], link["operstate"]) == (mac, "UP")


def test_the_vf_that_is_nobodys_has_no_driver(lab: Machine) -> None:
    device = "/sys/bus/pci/devices/0000:01:00.0/virtfn0/driver"
    assert lab.run(["test", "-e", device]).returncode == 1


def test_frames_from_the_wire_reach_the_vf_with_that_mac(lab: Machine) -> None:
    done = lab.run([*STREAM, "--from", "wire:w0", "--to", "vm3:eth0", "--to", "vm2:eth0", "--seconds", "1"]).check()
    third, second = json.loads(done.stdout)["receivers"]
    assert (third["received"], third["lost"], third["duplicated"]) == (100, 0, 0)
    assert second["received"] == 0


def test_the_program_under_test_is_the_one_being_edited(lab: Machine) -> None:
    code = "import virtfn; print(virtfn.__file__); print(open(virtfn.__file__).read(), end='')"
    path, _, source = lab.run(["python3", "-c", code]).check().text.partition("\n")
    assert path == "/lab/code/src/virtfn/__init__.py"
    assert source == (ROOT / "src/virtfn/__init__.py").read_text()


def test_the_guests_python_and_packages_are_the_hosts(lab: Machine) -> None:
    code = (
        "import sys, importlib.metadata as m; "
        "print(sys.version.split()[0], *(m.version(n) for n in ('click', 'pydantic', 'pytest')))"
    )
    here = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert lab.run(["sh", "-c", f'python3 -c "{code}"']).check().text == here


def test_the_guests_clock_is_the_hosts(lab: Machine) -> None:
    assert abs(float(lab.run(["date", "+%s"]).check().text) - time.time()) < 5


def test_two_labs_from_one_snapshot_draw_other_random_numbers(start_lab: "StartLab") -> None:
    draw = ["python3", "-c", "import os, random; print(os.urandom(16).hex(), random.random())"]
    with start_lab() as first:
        one = first.run(draw).check().text
    with start_lab() as second:
        assert second.run(draw).check().text != one


def test_files_go_in_and_come_out(lab: Machine, tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/data").write_bytes(os.urandom(100_000))
    lab.put(tmp_path / "in", "/root/taken")
    lab.get("/root/taken", tmp_path / "out")
    assert (tmp_path / "out/taken/deep/data").read_bytes() == (tmp_path / "in/deep/data").read_bytes()


def test_a_stream_runs_while_others_work(lab: Machine) -> None:
    argv = [*STREAM, "--from", "wire:w0", "--to", "vm1:eth0", "--seconds", "60", "--stop-on-eof"]
    with lab.start(argv) as job:
        deadline = time.monotonic() + 30
        said = b""
        while b"flowing" not in said and time.monotonic() < deadline:
            said += b"".join(data for _, data in job.events(1))
        for _ in range(3):
            lab.run(["ip", "link", "show", "p2p1"]).check()
        report = json.loads(job.communicate(timeout_s=30).stdout)
    assert report["sent"] > 0
    assert report["lost"] == 0


def test_what_a_killed_client_ran_is_ended(lab: Machine) -> None:
    code = (
        "from pathlib import Path\n"
        "from virtfn.lab.machine import record\n"
        "from virtfn.lab.machine.machine import Machine\n"
        f"run = Path({str(lab.folder)!r})\n"
        f"with Machine(run, record.read(run)).start(['sh', '-c', 'echo up; exec sleep 7654']) as job:\n"
        f"    while True:\n"
        f"        for _, data in job.events(60): print(data.decode(), flush=True)\n"
    )
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert client.stdout
    assert client.stdout.readline() == "up\n"
    client.kill()
    client.wait()
    client.stdout.close()
    deadline = time.monotonic() + 10
    find = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q 'sleep 765[4]'"]
    while lab.run(find).returncode == 0 and time.monotonic() < deadline:
        pass
    assert lab.run(find).returncode == 1


def test_seven_vfs_on_two_pfs(start_lab: "StartLab") -> None:
    with start_lab(shape=Shape(pfs=2, vfs=7)) as machine:
        assert [vf["address"] for vf in vfs(machine, "p3p1")] == [f"fa:16:3e:00:01:{vf:02x}" for vf in range(7)]
        (link,) = json.loads(machine.run(["ip", "-n", "vm13", "-j", "link", "show", "eth0"]).check().stdout)
        assert link["address"] == "fa:16:3e:00:01:06"


def test_the_wire_can_be_on_this_host(start_lab: "StartLab") -> None:
    with start_lab(shape=Shape(wire=Wire.HOST)) as machine, machine.wire() as wire:
        frame = bytes.fromhex(A.replace(":", "") + "525400000001" + "88b5") + b"from the host".ljust(46, b"\0")
        listen = (
            "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5));"
            "s.bind(('eth0', 0x88b5)); s.settimeout(20); print('listening', flush=True);"
            "d = s.recv(2000); print(d[14:27]); s.send(d[6:12] + d[:6] + d[12:])"
        )
        with machine.start(["ip", "netns", "exec", "vm3", "python3", "-c", listen]) as job:
            said, deadline = b"", time.monotonic() + 30
            while b"listening" not in said and time.monotonic() < deadline:
                said += b"".join(data for _, data in job.events(1))
            wire.drain(quiet_s=0.1)
            wire.send(frame)
            done = job.communicate(timeout_s=20)
        assert done.stdout == b"b'from the host'\n"
        assert any(b"from the host" in got for got in wire.drain(quiet_s=1))


def test_a_lab_boots_cold_too(start_lab: "StartLab") -> None:
    with start_lab(cold=True) as machine:
        assert not machine.record.restored
        machine.run(["ip", "-n", "vm1", "link", "show", "eth0"]).check()


def test_a_guest_that_panics_shows_its_last_words(fresh_lab: Machine) -> None:
    with pytest.raises(LabError, match=r"(?s)the guest died; its console ends with.*sysrq.*"):
        fresh_lab.run(["sh", "-c", "echo c > /proc/sysrq-trigger; sleep 20"], timeout_s=30)


def test_a_throw_away_lab_ends_with_its_owner() -> None:
    command = [*VIRTFN, "lab", "run", "--name", "nobody", "--", "sh", "-c", "echo up; sleep 60"]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "up\n"
    machines = [pid for pid in processes() if f"once-{owner.pid}-" in pid[1]]
    assert len(machines) == 1
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{machines[0][0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{machines[0][0]}").exists()


def processes() -> list[tuple[int, str]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"qemu-system-x86_64"):
            found.append((int(path.parent.name), b" ".join(words).decode(errors="replace")))
    return found


def test_up_run_and_down_from_the_command_line() -> None:
    name = f"cli-{os.getpid()}"

    def virtfn(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [*VIRTFN, "lab", words[0], "--name", name, *words[1:]]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)

    try:
        up = virtfn("up", "-o", "json")
        assert json.loads(up.stdout)["name"] == name, up.stderr
        assert "is up" in virtfn("up").stderr
        done = virtfn("run", "--", "sh", "-c", "cat; echo err >&2; exit 9", stdin="in")
        assert (done.returncode, done.stdout, done.stderr) == (9, "in", "err\n")
    finally:
        assert virtfn("down").returncode == 0
    assert virtfn("status").returncode == 69
