"""The initramfs is a cpio that others can read; the kernel is found inside its bzImage."""

import lzma
import shutil
import stat
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build import initramfs
from virtfn.lab.build.vmlinuz import decompress, has_pvh_entry, payload, unpacked


@pytest.fixture
def busybox() -> str:
    """A cpio program that is not ours. `make setup` installs busybox, which the lab needs too."""
    path = shutil.which("busybox")
    assert path, "busybox is not installed; run: make setup"
    return path


def test_cpio_lists_what_was_written(busybox: str) -> None:
    entries = [
        initramfs.folder("bin"),
        initramfs.file("bin/tool", b"#!/bin/sh\n", executable=True),
        initramfs.ArchiveEntry("bin/alias", stat.S_IFLNK | 0o777, b"tool"),
        initramfs.file("empty", b""),
    ]
    command = [busybox, "cpio", "-tv"]
    listing = subprocess.run(command, input=initramfs.archive(entries), capture_output=True, check=True).stdout
    columns = [line.split() for line in listing.decode().splitlines()]
    assert [(words[0], " ".join(words[5:])) for words in columns] == [
        ("drwxr-xr-x", "bin"),
        ("-rwxr-xr-x", "bin/tool"),
        ("lrwxrwxrwx", "bin/alias -> tool"),
        ("-rw-r--r--", "empty"),
    ]


def test_cpio_extracts_the_data_that_was_written(busybox: str, tmp_path: Path) -> None:
    entries = [initramfs.folder("a"), initramfs.file("a/odd", b"12345"), initramfs.file("a/even", b"12345678")]
    subprocess.run([busybox, "cpio", "-i"], cwd=tmp_path, input=initramfs.archive(entries), check=True)
    assert ((tmp_path / "a/odd").read_bytes(), (tmp_path / "a/even").read_bytes()) == (b"12345", b"12345678")


def test_the_same_entries_give_the_same_bytes() -> None:
    assert initramfs.archive([initramfs.file("a", b"1")]) == initramfs.archive([initramfs.file("a", b"1")])


def elf(note_owner: bytes = b"Xen\0", note_type: int = 18) -> bytes:
    note = struct.pack("<III", len(note_owner), 8, note_type) + note_owner + bytes(8)
    header = b"\x7fELF\x02".ljust(32, b"\0") + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 1)
    program = struct.pack("<IIQQQQ", 4, 0, 120, 0, 0, len(note)).ljust(56, b"\0")
    return header.ljust(64, b"\0") + program + note


def bz_image(packed: bytes) -> bytes:
    image = bytearray(2048)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 16, len(packed))
    start = 2 * 512 + 16
    return bytes(image[:start]) + packed + b"rest"


def test_the_kernel_comes_out_of_its_image() -> None:
    size = struct.pack("<I", 7)
    assert decompress(payload(bz_image(lzma.compress(b"vmlinux") + size))) == b"vmlinux"
    assert decompress(zlib.compress(b"vmlinux", wbits=31)) == b"vmlinux"


def test_only_a_kernel_that_qemu_can_start_is_taken() -> None:
    size = bytes(4)
    assert unpacked(bz_image(lzma.compress(elf()) + size)) == elf()
    assert unpacked(bz_image(lzma.compress(elf(note_type=17)) + size)) is None
    assert not has_pvh_entry(elf(note_owner=b"GNU\0"))


def test_something_else_is_no_kernel() -> None:
    with pytest.raises(LabError, match="not a Linux bzImage"):
        payload(b"MZ" + bytes(2000))
    assert unpacked(b"MZ" + bytes(2000)) is None
    with pytest.raises(LabError, match="not known"):
        decompress(b"BZh9rest")
