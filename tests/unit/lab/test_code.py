"""Only what changed travels into the guest, with bytecode that its Python takes as it is."""

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import virtfn
from virtfn.lab.build.code import Code, bundle, bytecode, changes, manifest_hash


def names(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return tar.getnames()


def test_the_running_package_is_what_is_sent() -> None:
    code = Code.of_package()
    assert code.files["src/virtfn/__init__.py"] == Path(virtfn.__file__)
    assert "src/virtfn/lab/guest/topology.py" in code.files
    assert not [name for name in code.files if "__pycache__" in name]


def test_only_differences_are_sent() -> None:
    send, remove = changes({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0", "d": "4"})
    assert (send, remove) == (["b", "c"], ["d"])


def test_a_bundle_carries_the_change_the_file_and_its_bytecode(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 1\n")
    code = Code({"src/m.py": tmp_path / "m.py"})
    packed = bundle(code, code.manifest(), ["src/m.py"], [], importlib.util.MAGIC_NUMBER.hex())
    tag = sys.implementation.cache_tag
    assert names(packed) == ["change.json", "src/m.py", f"src/__pycache__/m.{tag}.pyc"]


def test_another_python_gets_no_bytecode(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 1\n")
    code = Code({"src/m.py": tmp_path / "m.py"})
    assert names(bundle(code, code.manifest(), ["src/m.py"], [], "00000000")) == ["change.json", "src/m.py"]


def test_the_change_says_what_the_guest_has_afterwards(tmp_path: Path) -> None:
    code = Code({})
    with tarfile.open(fileobj=io.BytesIO(bundle(code, {"a": "1"}, [], ["b"], ""))) as tar:
        content = tar.extractfile("change.json")
        assert content
        change = json.load(content)
    assert change == {"manifest": {"a": "1"}, "hash": manifest_hash({"a": "1"}), "remove": ["b"]}


def test_python_runs_the_bytecode_without_asking_the_source(tmp_path: Path) -> None:
    compiled = bytecode(b"print('compiled')\n", "/lab/code/m.py")
    assert compiled
    cached = Path(importlib.util.cache_from_source(str(tmp_path / "m.py"), optimization=""))
    cached.parent.mkdir()
    cached.write_bytes(compiled)
    (tmp_path / "m.py").write_text("print('source')\n")
    done = subprocess.run([sys.executable, "-c", "import m"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "compiled\n"


def test_a_file_that_does_not_compile_travels_alone() -> None:
    assert bytecode(b"def (", "x.py") is None


def test_more_files_can_be_added(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").touch()
    (tmp_path / "pyproject.toml").touch()
    code = Code({}).plus(tmp_path / "tests", "tests").plus(tmp_path / "pyproject.toml", "pyproject.toml")
    assert sorted(code.files) == ["pyproject.toml", "tests/test_a.py"]
