"""systemd and udev for a guest that boots as a compute host does: a squashfs that is laid over the lab's root.

Made of the distribution's packages, fetched and unpacked, never installed. Nothing else of a distribution is in it:
what needs D-Bus, users, a terminal or a program that the root does not have is masked.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from virtfn.lab.build.layer import squash, unpack
from virtfn.lab.build.packages import Packages
from virtfn.lab.build.store import Store, key_of

KIND = "systemd"
_PACKAGES = ("systemd", "udev", "kmod")
_RECIPE = 2
"""Raise when the layer's content changes in a way that its key would not show."""
_NEED_MB = 300
_LEAVE_OUT = ("usr/lib/udev/hwdb.d", "usr/lib/systemd/catalog", "usr/sbin/init")
_MASKED = (
    "systemd-logind.service", "systemd-timesyncd.service", "systemd-update-utmp.service",
    "systemd-user-sessions.service", "systemd-update-utmp-runlevel.service", "systemd-random-seed.service",
    "systemd-journal-flush.service", "systemd-machine-id-commit.service", "systemd-firstboot.service",
    "systemd-pcrphase.service", "systemd-pstore.service", "systemd-pcrphase-sysinit.service", "getty.target",
    "getty@tty1.service", "serial-getty@ttyS0.service", "console-getty.service", "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path", "dev-hugepages.mount", "dev-mqueue.mount",
    "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
    "proc-sys-fs-binfmt_misc.automount", "systemd-tmpfiles-clean.timer", "systemd-networkd.service",
    "systemd-sysusers.service", "systemd-sysctl.service", "ldconfig.service", "modprobe@dm_mod.service",
    "modprobe@loop.service",
)  # fmt: skip
_MACHINE_ID = "76697274666e206c6162206d61636869\n"
"""Any fixed one: without it systemd takes the boot for the machine's first and enables every unit that there is."""
_AGENT = """\
[Unit]
Description=The lab's agent
After=multi-user.target

[Service]
Environment=PATH=/lab/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
Environment=PYTHONSAFEPATH=1 PYTHONPATH=/lab/agent
WorkingDirectory=/lab/agent
ExecStart=/usr/bin/python3 -m guest.agent
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
"""


def make_layer(store: Store, packages: Packages, say: Callable[[str], None]) -> Path:
    """The squashfs, made if it is not in the cache (18 MB are fetched). Raises LabError."""

    def build(work: Path) -> None:
        packages.update()
        with tempfile.TemporaryDirectory(dir=work) as room:
            stage, debs = Path(room, "stage"), packages.fetch_whole(_PACKAGES, Path(room, "debs"))
            unpack(debs, stage, _LEAVE_OUT)
            _set_up(stage)
            squash(stage, work / "layer.sqfs")

    return store.make(KIND, _key(packages), build, need_mb=_NEED_MB) / "layer.sqfs"


def present(store: Store, packages: Packages) -> bool:
    """True where it is in the cache."""
    return store.find(KIND, _key(packages)) is not None


def _key(packages: Packages) -> str:
    return key_of(_RECIPE, packages.distribution, _PACKAGES, _LEAVE_OUT, _MASKED, _AGENT)


def _set_up(stage: Path) -> None:
    units = stage / "etc/systemd/system"
    wanted = units / "multi-user.target.wants"
    shutil.rmtree(units, ignore_errors=True)
    wanted.mkdir(parents=True)
    for name in _MASKED:
        (units / name).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (units / "virtfn-lab-agent.service").write_text(_AGENT)
    (wanted / "virtfn-lab-agent.service").symlink_to("/etc/systemd/system/virtfn-lab-agent.service")
    (stage / "etc/machine-id").write_text(_MACHINE_ID)
