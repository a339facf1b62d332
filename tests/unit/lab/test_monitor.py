"""A connection to QEMU's monitor is made as soon as QEMU listens, and given up with QEMU."""

import socket
import threading
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine.monitor import connect


def greet_and_accept(server: socket.socket) -> None:
    """What QEMU does with a client: it greets, and takes the client's first command."""
    client, _ = server.accept()
    with client, client.makefile("rwb") as lines:
        lines.write(b'{"QMP": {}}\n')
        lines.flush()
        lines.readline()
        lines.write(b'{"return": {}}\n')
        lines.flush()


def test_a_monitor_whose_file_is_there_before_it_listens_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "qmp"))
        answering = threading.Thread(target=greet_and_accept, args=[server])

        def alive() -> bool:
            if not answering.is_alive():
                server.listen()
                answering.start()
            return True

        connect(tmp_path / "qmp", alive, within_s=10, timeout_s=10).close()
        answering.join(10)


def test_a_qemu_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="QEMU does not answer"):
        connect(tmp_path / "qmp", lambda: False, within_s=3600, timeout_s=10)
