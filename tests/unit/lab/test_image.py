"""The guest's Python is described by itself; what virtfn needs must be there."""

import sys
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build.image import NEEDED, find_programs, libraries_of, parse_ldd, survey


def test_the_running_python_describes_itself() -> None:
    found = survey(Path(sys.executable))
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert (found.stdlib / "os.py").is_file()
    assert found.program.is_file()
    names = {name for name, _, _ in found.packages}
    assert set(NEEDED) <= names
    assert "virtfn" not in names
    assert "mypy" not in names


def test_requirements_of_requirements_come_along() -> None:
    assert "annotated-types" in {name for name, _, _ in survey(Path(sys.executable)).packages}


def test_every_file_of_a_package_is_there() -> None:
    for name, _, files in survey(Path(sys.executable)).packages:
        assert files, name
        assert all(not inside.startswith("..") for inside, _ in files)


def test_a_python_without_what_virtfn_needs_is_refused(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import json; print(json.dumps(dict("
        f'version="3.11.0", program="/p", stdlib="/s", platstdlib="/s", packages=[])))\'\n'
    )
    bare.chmod(0o755)
    with pytest.raises(LabError, match="lacks click, pydantic, ruamel-yaml"):
        survey(bare)


def test_something_that_is_no_python_is_refused(tmp_path: Path) -> None:
    liar = tmp_path / "python"
    liar.write_text("#!/bin/sh\necho hello\n")
    liar.chmod(0o755)
    with pytest.raises(LabError, match="did not describe itself"):
        survey(liar)


def test_the_loaders_words_are_read() -> None:
    text = (
        "/usr/bin/ip:\n\tlinux-vdso.so.1 (0x00007ffd)\n"
        "\tlibelf.so.1 => /lib/x86_64-linux-gnu/libelf.so.1 (0x00007f)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n\tlibgone.so => not found\n"
    )
    assert parse_ldd(text) == {Path("/lib/x86_64-linux-gnu/libelf.so.1"), Path("/lib64/ld-linux-x86-64.so.2")}


def test_a_program_brings_its_libraries() -> None:
    names = {path.name for path in libraries_of([find_programs()["ip"]])}
    assert {"libc.so.6", "ld-linux-x86-64.so.2"} <= names
