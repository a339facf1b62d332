"""Package sources are derived from the machine's own, whatever their form."""

from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build.sources import (
    Distribution,
    Source,
    dependency_names,
    own_sources,
    parse_control,
    parse_deb822,
    parse_one_line,
    parse_os_release,
    read_sources,
)

BOOKWORM = Distribution("debian", "12", "bookworm")
NOBLE = Distribution("ubuntu", "24.04", "noble")
DEB822 = """\
Types: deb deb-src
# a mirror
URIs: mirror://packages.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: mirror://packages.example/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: mirror://packages.example/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: mirror://packages.example/off
Suites: bookworm
Components: main
"""


def test_deb822_gives_the_binary_sources_that_are_enabled() -> None:
    first, security = parse_deb822(DEB822)
    assert first.suites == ("bookworm", "bookworm-updates")
    assert first.components == ("main", "contrib")
    assert first.options == (("Signed-By", "/usr/share/keyrings/archive.gpg"),)
    assert "abc" in security.options[0][1]


def test_an_embedded_key_survives_being_rendered() -> None:
    security = parse_deb822(DEB822)[1]
    assert parse_deb822(security.render()) == [security]


def test_one_line_sources_keep_their_options() -> None:
    text = (
        "# no\ndeb [arch=amd64,i386 signed-by=/k.gpg] mirror://x/ubuntu noble main universe # y\ndeb-src mirror://x y\n"
    )
    (found,) = parse_one_line(text)
    assert found == Source(
        ("mirror://x/ubuntu",), ("noble",), ("main", "universe"),
        (("Architectures", "amd64 i386"), ("Signed-By", "/k.gpg")),
    )  # fmt: skip


def test_debian_12_gets_backports_from_the_source_that_has_the_release() -> None:
    own = own_sources(parse_deb822(DEB822), BOOKWORM)
    assert [source.suites for source in own] == [
        ("bookworm", "bookworm-updates"), ("bookworm-security",), ("bookworm-backports",),
    ]  # fmt: skip
    assert own[2].uris == own[0].uris
    assert own[2].options == own[0].options


@pytest.mark.parametrize("distribution", [NOBLE, Distribution("debian", "13", "trixie")])
def test_newer_distributions_need_no_backports(distribution: Distribution) -> None:
    own = own_sources([Source(("mirror://x",), (distribution.codename,), ("main",))], distribution)
    assert len(own) == 1


def test_the_sources_of_others_are_left_out() -> None:
    others = [Source(("mirror://else",), ("stable",), ("main",)), Source(("mirror://node",), ("nodistro",), ("main",))]
    assert own_sources([*others, *parse_deb822(DEB822)], BOOKWORM) == own_sources(parse_deb822(DEB822), BOOKWORM)


def test_a_machine_without_its_own_source_is_an_error() -> None:
    with pytest.raises(LabError, match="no package source for bookworm"):
        own_sources([], BOOKWORM)


def test_both_forms_are_read_from_etc(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb mirror://a noble main\n")
    (tmp_path / "sources.list.d/b.list").write_text("deb mirror://b noble main\n")
    (tmp_path / "sources.list.d/c.sources").write_text(
        "Types: deb\nURIs: mirror://c\nSuites: noble\nComponents: main\n"
    )
    assert [source.uris[0] for source in read_sources(tmp_path)] == ["mirror://a", "mirror://b", "mirror://c"]


def test_os_release_with_and_without_quotes() -> None:
    assert parse_os_release('ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n') == NOBLE


def test_each_distribution_has_its_kernel_package() -> None:
    assert (BOOKWORM.kernel_package, NOBLE.kernel_package) == ("linux-image-amd64", "linux-image-generic")


def test_an_unknown_distribution_is_told_what_would_do() -> None:
    with pytest.raises(LabError) as failed:
        _ = Distribution("fedora", "42", "").kernel_package
    assert "Debian 12" in failed.value.hint


def test_the_first_package_that_apt_shows_counts() -> None:
    text = "Package: a\nVersion: 2\nDepends: b (= 1), c:any | d, e\nDescription: x\n more\n\nPackage: a\nVersion: 1\n"
    found = parse_control(text)
    assert found["version"] == "2"
    assert dependency_names(found["depends"]) == ["b", "c", "e"]
