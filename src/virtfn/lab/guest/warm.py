"""Imports in the agent: a job is a fork of the agent, so what is imported here costs the job no time.

The packages first, in a thread beside the serving; then, whenever the guest has nothing to do, the project's own code.
That may change at any time: as soon as its hash is another, what was imported of it is forgotten.
"""

import contextlib
import gc
import importlib
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

PACKAGES = (
    "argparse", "asyncio", "concurrent.futures", "csv", "ctypes", "dataclasses", "difflib", "email", "enum", "hashlib",
    "http.client", "importlib.metadata", "ipaddress", "logging", "pathlib", "platform", "shutil", "socket", "ssl",
    "subprocess", "tarfile", "tempfile", "textwrap", "typing", "unittest.mock", "urllib.request", "uuid", "zoneinfo",
    "click", "ruamel.yaml", "pydantic", "pytest", "_pytest.config",
)  # fmt: skip
_PROJECT = "virtfn"
_LEFT_OUT = ("virtfn.lab", "virtfn.web", "virtfn.neutron", "virtfn.cloud")
_IDLE_S = 0.2


class Warmth:
    """The agent's imports. ``packaged`` is set once the packages are in; before, a fork might wait for one forever."""

    def __init__(self, code: Path) -> None:
        self.packaged = threading.Event()
        self._code = code
        self._imported = ""
        self._busy_at = time.monotonic()

    @classmethod
    def complete(cls) -> "Warmth":
        """With nothing to import."""
        warmth = cls(Path("/nonexistent"))
        warmth.packaged.set()
        return warmth

    def start(self, packages: Iterable[str] = PACKAGES) -> None:
        """Begin importing the packages, on the guest's other processor."""
        threading.Thread(target=self._import_packages, args=[packages], daemon=True).start()

    def _import_packages(self, packages: Iterable[str]) -> None:
        for name in packages:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()
        self.packaged.set()

    def code_hash(self) -> str:
        """The hash of the code that the guest has, or ""."""
        try:
            return (self._code / ".hash").read_text()
        except FileNotFoundError:  # none yet, or it is being replaced at this moment
            return ""

    @property
    def complete_for_now(self) -> bool:
        """True when there is nothing more to import; while code is being replaced it has no hash, and is left alone."""
        return self.packaged.is_set() and self.code_hash() in ("", self._imported)

    def forget_stale_code(self) -> None:
        """Called before every fork, so that no job runs code that was replaced."""
        self._busy_at = time.monotonic()
        if self._imported != self.code_hash():
            self._forget()

    def _forget(self) -> None:
        for name in list(sys.modules):  # a copy: the packages may be arriving in their thread at this moment
            if name == _PROJECT or name.startswith(f"{_PROJECT}."):
                sys.modules.pop(name, None)
        self._imported = ""

    def patience(self) -> float | None:
        """How long to wait for events, in seconds: not for ever while there is code to import."""
        return None if self.complete_for_now or not self.packaged.is_set() else _IDLE_S / 2

    def import_code_when_idle(self) -> None:
        """Import the project's modules if no job was started for a moment. One that fails is left for a job to show."""
        if self.complete_for_now or not self.packaged.is_set() or time.monotonic() < self._busy_at + _IDLE_S:
            return
        self._forget()
        wanted = self.code_hash()
        source = self._code / "src"
        for path in sorted(source.glob(f"{_PROJECT}/**/*.py")):
            name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
            if not name.startswith(_LEFT_OUT) and not name.endswith("__main__"):
                with contextlib.suppress(Exception, SystemExit):
                    importlib.import_module(name)
        gc.collect()
        gc.freeze()
        if self.code_hash() == wanted:
            self._imported = wanted
        else:
            self._forget()
