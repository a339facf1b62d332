import os
from pathlib import Path

import pytest

from virtfn.errors import GuardRefused, UsageError, VerifyFailed
from virtfn.host.creation import set_num_vfs
from virtfn.host.sysfs import Sysfs


def set_number(root: Path, number: int, device: str = "0000:01:00.0") -> None:
    sysfs = Sysfs(root)
    set_num_vfs(sysfs, sysfs.pf(device), number, where="p2p1", command="echo", patience_s=0.1)


def test_the_number_that_is_there_already_is_not_written(host_root: Path) -> None:
    file = host_root / "sys/bus/pci/devices/0000:01:00.0/sriov_numvfs"
    os.utime(file, (1, 1))
    set_number(host_root, 4)
    assert file.stat().st_mtime == 1


def test_another_number_is_refused_because_zero_lies_between(host_root: Path) -> None:
    with pytest.raises(UsageError, match="cannot go from 4 to 6"):
        set_number(host_root, 6)


def test_vfs_are_not_destroyed_under_a_guest(host_root: Path) -> None:
    with pytest.raises(GuardRefused, match="open in web1"):
        set_number(host_root, 0)
    assert (host_root / "sys/bus/pci/devices/0000:01:00.0/sriov_numvfs").read_text() == "4\n"


def test_vfs_that_do_not_appear_are_an_error_at_the_deadline(host_root: Path) -> None:
    with pytest.raises(VerifyFailed, match=r"asked for 2 VFs, there are 2 with 0 virtfn links"):
        set_number(host_root, 2, "0000:c1:00.0")


def test_simulated_vfs_have_no_links_to_wait_for(host_root: Path) -> None:
    (host_root / "sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs").write_text("0")
    set_number(host_root, 3, "netdevsim1")
    assert (host_root / "sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs").read_text() == "3"
