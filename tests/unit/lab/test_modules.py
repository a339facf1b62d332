"""Modules are read by their own words."""

import lzma
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build.modules import ModuleTree, alias_file, dependency_file, module_name, parse_module


def module(**words: str) -> bytes:
    return b"\x7fELF...\0" + b"\0".join(f"{key}={value}".encode() for key, value in words.items()) + b"\0\xff"


@pytest.fixture
def tree(tmp_path: Path) -> ModuleTree:
    net = tmp_path / "kernel/drivers/net"
    net.mkdir(parents=True)
    (net / "igb.ko.xz").write_bytes(lzma.compress(module(depends="i2c-algo-bit,dca", alias="pci:v00008086*")))
    (net / "i2c-algo-bit.ko").write_bytes(module(depends=""))
    (net / "dca.ko").write_bytes(module(depends="", softdep="pre: crc32c absent"))
    (net / "crc32c.ko").write_bytes(module(depends="virtio"))
    (net / "broken.ko").write_bytes(module(depends="nowhere"))
    (tmp_path / "modules.builtin").write_text("kernel/drivers/virtio/virtio.ko\n")
    return ModuleTree(tmp_path)


@pytest.mark.parametrize("path", ["kernel/a/i2c-algo-bit.ko.xz", "i2c_algo_bit.ko", "x/i2c-algo-bit.ko.zst"])
def test_a_module_has_one_name_however_it_is_stored(path: str) -> None:
    assert module_name(path) == "i2c_algo_bit"


def test_what_is_needed_comes_first_and_builtin_ones_do_not_come(tree: ModuleTree) -> None:
    assert [one.name for one in tree.load(("igb",))] == ["i2c_algo_bit", "crc32c", "dca", "igb"]


def test_a_module_wanted_twice_is_loaded_once(tree: ModuleTree) -> None:
    assert [one.name for one in tree.load(("dca", "igb"))].count("dca") == 1


def test_an_optional_module_may_be_absent(tree: ModuleTree) -> None:
    assert tree.load((), ("netdevsim",)) == []
    assert not tree.has("netdevsim")


@pytest.mark.parametrize("wanted", ["netdevsim", "broken"])
def test_a_wanted_module_that_is_absent_is_an_error(tree: ModuleTree, wanted: str) -> None:
    with pytest.raises(LabError, match="no module"):
        tree.load((wanted,))


def test_a_module_built_for_the_kernel_counts_as_its_own(tmp_path: Path) -> None:
    built = tmp_path / "netdevsim.ko"
    built.write_bytes(module(depends=""))
    assert ModuleTree(tmp_path / "none", (built,)).has("netdevsim")


def test_modprobe_is_told_the_whole_chain(tree: ModuleTree) -> None:
    lines = dependency_file(tree.load(("igb",))).splitlines()
    assert "kernel/igb.ko: kernel/i2c_algo_bit.ko kernel/dca.ko kernel/crc32c.ko" in lines


def test_the_kernel_can_ask_by_alias(tree: ModuleTree) -> None:
    assert alias_file(tree.load(("igb",))) == "alias pci:v00008086* igb\n"


def test_soft_dependencies_after_it_are_not_before_it() -> None:
    assert parse_module("a", module(depends="b", softdep="pre: c post: d")).prefers == ("c",)
