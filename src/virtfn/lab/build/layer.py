"""A layer that is laid over the lab's root: packages of the distribution, fetched and unpacked, never installed."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from virtfn.lab.build.execution import execute

_MERGED = ("bin", "sbin", "lib", "lib64")
_UNPACK = (
    "sh", "-c",
    'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --skip-old-files -C "$2"', "sh",
)  # fmt: skip
"""``dpkg-deb -x`` would put folders in the place of the links from bin to usr/bin, and iproute2's link from sbin/ip to
bin/ip in the place of the program."""
_UNPACK_S = 120
_SQUASH_S = 600
_UNUSED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/bug", "usr/share/lintian", "usr/share/zsh",
    "usr/share/bash-completion", "usr/lib/x86_64-linux-gnu/gconv", "usr/share/perl5", "var/lib/dpkg",
)  # fmt: skip


def unpack(debs: Sequence[Path], stage: Path, leave_out: Sequence[str]) -> None:
    """Unpack packages into the new folder ``stage``, without the paths in ``leave_out``. Raises LabError."""
    for name in _MERGED:
        (stage / "usr" / name).mkdir(parents=True)
        (stage / name).symlink_to(f"usr/{name}")
    (stage / "usr/sbin").rmdir()
    (stage / "usr/sbin").symlink_to("bin")  # as in the lab's root
    for deb in debs:
        execute([*_UNPACK, str(deb), str(stage)], timeout_s=_UNPACK_S)
    for pattern in (*_UNUSED, *leave_out):
        for path in stage.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def squash(folder: Path, target: Path) -> None:
    """Write the content of ``folder``, owned by root, as a squashfs. Raises LabError."""
    options = ["-noappend", "-all-root", "-no-progress", "-quiet", "-comp", "lz4", "-no-xattrs"]
    execute(["mksquashfs", str(folder), str(target), *options], timeout_s=_SQUASH_S)
