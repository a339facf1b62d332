"""RabbitMQ, and the Erlang name server that it needs, with folders, cookie and ports of their own."""

from collections.abc import Mapping

from tests.cloud.control_plane.places import LOOPBACK, PORTS, Places
from tests.cloud.control_plane.processes import Processes
from tests.cloud.control_plane.programs import RABBITMQ

_START_S = 120
_STOP_S = 15
_ONE_SCHEDULER = "+S 1:1 +sbwt none"


class Messaging:
    """The message bus on loopback, for its account ``guest``."""

    names = ("rabbitmq", "epmd")

    def __init__(self, places: Places, processes: Processes, env: Mapping[str, str]) -> None:
        self._places = places
        self._processes = processes
        self._env = env

    def start(self) -> None:
        """Returns at once; ``wait`` waits."""
        home = self._places.data / "rabbitmq"
        home.mkdir(parents=True, exist_ok=True)
        env = {
            **self._env,
            "HOME": str(home),  # Erlang's cookie is made there
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(PORTS["epmd"]),
        }
        self._processes.start("epmd", ("epmd", "-address", LOOPBACK, "-port", str(PORTS["epmd"])), env)
        self._processes.wait_port("epmd", PORTS["epmd"], _START_S)
        on_loopback = f"-kernel inet_dist_use_interface {{{LOOPBACK.replace('.', ',')}}} {_ONE_SCHEDULER}"
        env |= {
            "RABBITMQ_NODENAME": "virtfn@localhost",
            "RABBITMQ_DIST_PORT": str(PORTS["rabbitmq-distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": on_loopback,
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._places.log),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._places.etc / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._places.etc / "rabbitmq-plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }
        self._processes.start("rabbitmq", (str(RABBITMQ),), env)

    def wait(self) -> None:
        """Raises ControlPlaneError."""
        self._processes.wait_port("rabbitmq", PORTS["rabbitmq"], _START_S)

    def stop(self) -> None:
        self._processes.stop(self.names, _STOP_S)
