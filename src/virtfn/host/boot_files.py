"""systemd's unit files and virtfn's folder of specs, below ``/`` or below the root of an image."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from virtfn.errors import BackendUnreachable, PermissionDenied
from virtfn.host.process import has_systemd, systemctl

_UNITS = Path("/etc/systemd/system")
_HOST = Path("/")


class BootFiles:
    """Those of the host or image with this root. systemd is notified of changes for ``/`` only."""

    def __init__(self, root: Path = _HOST) -> None:
        self._root = root
        self._is_image = root != _HOST

    def check(self) -> None:
        """Raises BackendUnreachable where this host's init is not systemd."""
        if not self._is_image and not has_systemd():
            raise BackendUnreachable(
                "this host does not run systemd", hint="install into an image, or apply the spec at boot by other means"
            )

    def write_spec(self, path: Path, data: bytes) -> None:
        """Write a spec. Raises PermissionDenied."""
        with _permission():
            self._below(path.parent).mkdir(parents=True, exist_ok=True)
            self._below(path).write_bytes(data)

    def specs(self, folder: Path) -> tuple[str, ...]:
        """The names of the specs in this folder, in order."""
        return tuple(sorted(path.name for path in self._below(folder).glob("*.yaml")))

    def install(self, unit: str, text: str) -> None:
        """Write and enable. Equivalent: ``systemctl enable UNIT``. Raises PermissionDenied, BackendUnreachable."""
        path = self.where(unit)
        with _permission():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if self._is_image:
                link = self._wanted_by(unit)
                link.parent.mkdir(exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(_UNITS / unit)
                return
        systemctl("daemon-reload")
        systemctl("enable", unit)

    def remove(self, unit: str) -> None:
        """Disable and delete. Raises PermissionDenied, BackendUnreachable."""
        if not self._is_image:
            systemctl("disable", "--now", unit)  # it has nothing to stop: systemd only forgets that it ran
        with _permission():
            self._wanted_by(unit).unlink(missing_ok=True)
            self.where(unit).unlink()
        if not self._is_image:
            systemctl("daemon-reload")

    def where(self, unit: str) -> Path:
        """The unit's file."""
        return self._below(_UNITS) / unit

    def is_installed(self, unit: str) -> bool:
        """Whether the unit's file exists."""
        return self.where(unit).exists()

    def _wanted_by(self, unit: str) -> Path:
        """The link that makes a booting systemd start the unit: what ``systemctl enable`` makes of [Install]."""
        return self.where(unit).parent / "multi-user.target.wants" / unit

    def _below(self, path: Path) -> Path:
        return self._root / path.relative_to("/")


@contextmanager
def _permission() -> Iterator[None]:
    try:
        yield
    except PermissionError as fault:
        raise PermissionDenied(
            fault.strerror or "no permission", where=str(fault.filename), hint="run as root"
        ) from fault
