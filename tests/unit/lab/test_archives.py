"""The initramfs is a cpio that others can read; the kernel is found inside its bzImage."""

import lzma
import struct
import subprocess
import zlib

import pytest

from virtfn.errors import LabError
from virtfn.lab.build import initramfs
from virtfn.lab.build.vmlinuz import decompress, has_pvh_entry, payload, unpacked


def test_cpio_reads_what_was_written() -> None:
    entries = [
        initramfs.folder("bin"),
        initramfs.file("bin/tool", b"#!/bin/sh\n", executable=True),
        initramfs.link("bin/alias", "tool"),
        initramfs.file("empty", b""),
    ]
    listing = subprocess.run(["cpio", "-tv"], input=initramfs.archive(entries), capture_output=True, check=True).stdout
    modes = [line.split()[0] for line in listing.decode().splitlines()]
    assert modes == ["drwxr-xr-x", "-rwxr-xr-x", "lrwxrwxrwx", "-rw-r--r--"]


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
