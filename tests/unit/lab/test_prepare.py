"""Which packages the kernel and netdevsim are made of, on each distribution; and what a dry run says."""

from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build import netdevsim
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.packages import Package, Packages
from virtfn.lab.build.parts import Chosen, chosen_kernel
from virtfn.lab.build.prepare import Aims, LabPreparation, kernel_packages
from virtfn.lab.build.sources import Distribution
from virtfn.lab.build.store import Store
from virtfn.lab.machine.folders import Folders
from virtfn.model.finding import Action, UseCase


class FewPackages(Packages):
    """A package archive of these packages only."""

    def __init__(self, distribution: Distribution, *packages: Package) -> None:
        super().__init__(Path("/nonexistent"), distribution, lambda text: None)
        self._have = {package.name: package for package in packages}

    def find(self, name: str) -> Package:
        if name not in self._have:
            raise LabError(f"the package {name} is not in {self.distribution.codename}")
        return self._have[name]

    def exists(self, name: str) -> bool:
        return name in self._have


def package(name: str, *depends: str, version: str = "6.12.95-1") -> Package:
    return Package(name, version, 1.0, depends)


DEBIAN = FewPackages(
    Distribution("debian", "12", "bookworm"),
    package("linux-image-amd64", "linux-image-6.12.95+deb12-amd64"),
    package("linux-image-6.12.95+deb12-amd64", "kmod", "linux-base"),
    package("linux-headers-6.12.95+deb12-amd64", "linux-headers-6.12.95+deb12-common", "linux-kbuild-6.12", "gcc-12"),
    package("linux-headers-6.12.95+deb12-common"),
    package("linux-kbuild-6.12"),
    package("linux-source-6.12"),
)
UBUNTU = FewPackages(
    Distribution("ubuntu", "24.04", "noble"),
    package("linux-image-generic", "linux-image-6.8.0-45-generic", "linux-modules-extra-6.8.0-45-generic", "microcode"),
    package("linux-image-6.8.0-45-generic", "linux-modules-6.8.0-45-generic"),
    package("linux-modules-6.8.0-45-generic"),
    package("linux-modules-extra-6.8.0-45-generic"),
)
KERNEL = Kernel("6.12.95+deb12-amd64", ("linux-image 6.12.95-1",), Path("/nonexistent"))


def test_debian_has_its_kernel_in_one_package() -> None:
    assert [one.name for one in kernel_packages(DEBIAN)] == ["linux-image-6.12.95+deb12-amd64"]


def test_ubuntu_has_modules_beside_it() -> None:
    assert [one.name for one in kernel_packages(UBUNTU)] == [
        "linux-image-6.8.0-45-generic", "linux-modules-6.8.0-45-generic", "linux-modules-extra-6.8.0-45-generic",
    ]  # fmt: skip


def test_a_kernel_package_that_names_no_kernel_is_an_error() -> None:
    empty = FewPackages(Distribution("debian", "13", "trixie"), package("linux-image-amd64", "initramfs-tools"))
    with pytest.raises(LabError, match="names no kernel"):
        kernel_packages(empty)


def test_no_kernel_package_is_an_error() -> None:
    with pytest.raises(LabError, match="linux-image-amd64 is not in trixie"):
        kernel_packages(FewPackages(Distribution("debian", "13", "trixie")))


def test_netdevsim_is_built_from_headers_tools_and_source() -> None:
    assert [one.name for one in netdevsim.build_packages(KERNEL, DEBIAN)] == [
        "linux-headers-6.12.95+deb12-amd64", "linux-headers-6.12.95+deb12-common", "linux-kbuild-6.12",
        "linux-source-6.12",
    ]  # fmt: skip


def test_a_source_of_another_version_is_refused() -> None:
    newer = FewPackages(
        DEBIAN.distribution,
        *(one for one in DEBIAN._have.values() if one.name != "linux-source-6.12"),
        package("linux-source-6.12", version="6.12.99-1"),
    )
    with pytest.raises(LabError, match=r"the source is 6\.12\.99-1, the kernel 6\.12\.95-1"):
        netdevsim.build_packages(KERNEL, newer)


def test_a_dry_run_on_a_bare_machine_names_what_would_be_fetched(tmp_path: Path) -> None:
    preparation = LabPreparation(Folders(tmp_path, tmp_path), lambda text: None)
    preparation.packages = DEBIAN
    lines = [f"{line.part} {line.what} {line.how}".strip() for line in preparation.forecast(Aims())]
    assert "kernel linux-image-amd64 from bookworm-backports would be fetched" in lines
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_systemd_where_it_is_asked_for(tmp_path: Path) -> None:
    preparation = LabPreparation(Folders(tmp_path / "cache", tmp_path / "run"), lambda text: None)
    assert "systemd" not in {line.part for line in preparation.forecast(Aims())}
    assert ("systemd", "would be fetched") in {
        (line.part, line.how) for line in preparation.forecast(Aims(systemd=True))
    }


def test_a_lab_that_was_never_prepared_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no kernel yet") as failed:
        chosen_kernel(Store(tmp_path))
    assert failed.value.actions == (Action(UseCase.LAB_PREPARE),)


def test_what_was_chosen_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "kernel/k"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"release": "6.12", "packages": ["linux-image 6.12"]}')
    built = tmp_path / "netdevsim.ko"
    built.touch()
    Chosen(folder, (built,)).write(Store(tmp_path))
    assert chosen_kernel(Store(tmp_path)) == Kernel("6.12", ("linux-image 6.12",), folder, (built,))


def test_a_kernel_that_was_deleted_from_the_cache_is_not_found(tmp_path: Path) -> None:
    Chosen(tmp_path / "gone").write(Store(tmp_path))
    assert Chosen.read(Store(tmp_path)) is None
