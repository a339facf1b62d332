"""The control plane as one thing: start it, reach it, disturb it, stop it."""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cloud.control_plane.configs import AGENT_DOWN_TIME_S, CLOUD, write_configs
from tests.cloud.control_plane.database import Database
from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.furniture import furnish
from tests.cloud.control_plane.messaging import Messaging
from tests.cloud.control_plane.occupancy import take_vfs
from tests.cloud.control_plane.ownership import (
    claim_folder,
    empty_folder,
    is_orphan,
    is_to_stay,
    one_at_a_time,
    record_owner,
    turn_in_the_cache,
)
from tests.cloud.control_plane.places import PORTS, Places
from tests.cloud.control_plane.processes import Processes, port_answers, refuse_busy_ports, wait_until
from tests.cloud.control_plane.programs import install_programs
from tests.cloud.control_plane.release import Release, chosen_release, install, record_release, recorded_release
from tests.cloud.control_plane.rest import (
    Rest,
    forget_host,
    nic_agent_alive,
    nic_agent_started,
    register_services,
    what_is_missing,
    what_is_missing_on,
)
from tests.cloud.control_plane.schemas import Snapshot, make_schemas
from tests.cloud.control_plane.services import AGENT, Service, compute_host, environment, keystone, remaining
from tests.cloud.control_plane.vfs import HOST, SECOND_HOST, FakeSysfs

_API_S = 180
_READY_S = 300
_PATIENCE_S = 3  # nothing that they would still write is needed
_AGENT_START_S = 90


class ControlPlane:
    """One real OpenStack in one folder. Ports are fixed, so there is one at a time on a machine."""

    def __init__(
        self, folder: Path | None = None, say: Callable[[str], None] = print, release: Release | None = None
    ) -> None:
        """``release`` is what ``start`` starts, the chosen one if None; what runs already stays what it is."""
        self.places = Places(folder.resolve()) if folder else Places.usual()
        self._say = say
        self._wanted = release
        self._processes = Processes(self.places.run, self.places.log)
        self._rest = Rest()

    # Start and stop

    def start(self, *, owner: int | None = None) -> None:
        """Install what is missing, start everything, return when servers can be made.

        ``owner`` is the process with which this run ends: the next start takes away what a dead owner left. Raises
        ControlPlaneError or LabError; whatever was started is stopped then, the logs stay.
        """
        begun = time.monotonic()
        claim_folder(self.places)
        with one_at_a_time(self.places):
            self._refuse_or_clear_what_runs()
            refuse_busy_ports(PORTS)
            release = self._wanted or chosen_release()
            self.install(release)
            empty_folder(self.places)
            record_owner(self.places, owner)
            record_release(self.places, release)
            try:
                self._start_all(release)
            except BaseException:
                self._stop_all()
                raise
        self._say(f"OpenStack {release.name} is ready after {time.monotonic() - begun:.0f} s")

    def install(self, release: Release) -> None:
        """Install what is missing, and say so; quick when nothing is. Raises ControlPlaneError, LabError."""
        with turn_in_the_cache():
            install_programs(self._say)
            install(release, self._say)

    def stop(self) -> None:
        """Does nothing where nothing runs. Logs, configuration and databases stay until the next start."""
        if self.places.root.is_dir():
            with one_at_a_time(self.places):
                self._stop_all()

    def _refuse_or_clear_what_runs(self) -> None:
        if not self._processes.any_left():
            return
        if not is_orphan(self.places):
            raise ControlPlaneError(
                "a control plane is up in this folder",
                where=str(self.places.root),
                hint="use it (VIRTFN_TEST_CLOUD names its folder) or stop it: make cloud-down",
            )
        self._say("stopping what a test run that was killed has left")
        self._stop_all()

    def _start_all(self, release: Release) -> None:
        venv = release.environment
        env = environment(self.places, venv)
        write_configs(self.places, venv)
        FakeSysfs(self.places.sysfs).create()
        for name in ("glance", "glance-staging", "glance-tasks", "neutron", "nova", "locks"):
            (self.places.data / name).mkdir()
        messaging = Messaging(self.places, self._processes, env)
        database = Database(self.places, self._processes, env)
        messaging.start()
        with turn_in_the_cache():
            self._start_database_and_keystone(database, Snapshot.of(release), env)
        messaging.wait()
        self._say("starting OpenStack's services")
        for service in remaining(self.places):
            self._start_service(service)
        self._wait_until_ready()

    def _start_database_and_keystone(self, database: Database, snapshot: Snapshot, env: Mapping[str, str]) -> None:
        if snapshot.exists:
            snapshot.restore(self.places, database)
            database.start()
            self._start_service(keystone(self.places))
            return
        database.create()
        database.start()
        make_schemas(self.places, env, self._say)
        self._start_service(keystone(self.places))
        self._processes.wait_port("keystone", PORTS["keystone"], _API_S)
        self._rest.log_in()
        register_services(self._rest)
        snapshot.save(self.places, database)

    def _start_service(self, service: Service) -> None:
        env = environment(self.places, self.release.environment, service.host)
        self._processes.start(service.name, service.argv, env)

    def _wait_until_ready(self, missing: Callable[[Rest], list[str]] = what_is_missing) -> None:
        last = ""

        def ready() -> bool:
            nonlocal last
            self._processes.check(self._processes.names())
            try:
                last = ", ".join(missing(self._rest))
            except ControlPlaneError as not_yet:
                last = str(not_yet)
            return not last

        if not wait_until(ready, _READY_S):
            raise ControlPlaneError(
                f"not ready after {_READY_S} s; still missing: {last}", hint=f"see {self.places.log}"
            )

    def _stop_all(self) -> None:
        bottom = ("mariadb", *Messaging.names)
        self._processes.stop([name for name in self._processes.names() if name not in bottom], _PATIENCE_S)
        self._processes.stop([name for name in bottom if name in self._processes.names()], _PATIENCE_S)

    # Reach

    def clouds_yaml(self) -> Path:
        """For ``OS_CLIENT_CONFIG_FILE``; its one cloud is called ``virtfn-test``."""
        return self.places.clouds_yaml

    def environment(self) -> dict[str, str]:
        """What a client needs: ``OS_CLIENT_CONFIG_FILE`` and ``OS_CLOUD``."""
        return {"OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml()), "OS_CLOUD": CLOUD}

    def running(self) -> dict[str, bool]:
        """Each process by name: is it alive?"""
        return {name: self._processes.alive(name) for name in self._processes.names()}

    @property
    def stays_up(self) -> bool:
        """True where all of it runs and ends with nobody: what ``start`` without an owner has started."""
        running = self.running()
        return bool(running) and all(running.values()) and is_to_stay(self.places)

    def memory_mib(self) -> dict[str, int]:
        """Proportional set size of each process with its workers."""
        return self._processes.memory_mib()

    def log(self, name: str) -> Path:
        """A service's log; the services are those of ``running()``."""
        return self._processes.log_of(name)

    def furnish(self) -> None:
        """Make the image and the flavor that the examples name, where they are missing."""
        furnish(self._rest)

    @property
    def release(self) -> Release:
        """The one that was started last in this folder; before that, the one that would be."""
        return recorded_release(self.places) or self._wanted or chosen_release()

    @property
    def client(self) -> Path:
        """The release's own ``openstack`` command."""
        return self.release.environment / "bin" / "openstack"

    def vf_features(self, address: str) -> dict[str, object]:
        """What the agent has set on a VF of the first host: ``spoofchk``, ``link_state``, rates.

        Raises ControlPlaneError.
        """
        sysfs = FakeSysfs(self.places.sysfs)
        found = sysfs.find(address)
        if not found:
            raise ControlPlaneError("is no VF here", where=address)
        return sysfs.features(found[0].name, found[1])

    # Disturb

    def stop_agent(self, host: str = HOST) -> None:
        """Kill the SR-IOV agent; returns when Neutron believes it dead (``Alive XXX``), about 25 s later."""
        self._known(host)
        self._processes.kill([AGENT])
        self._wait_agent("dead", lambda: not nic_agent_alive(self._rest), AGENT_DOWN_TIME_S * 3)

    def start_agent(self, host: str = HOST) -> None:
        """Start it again; returns when Neutron believes it alive."""
        self._known(host)
        if not self._processes.alive(AGENT):
            self.start_service(AGENT)
        self._wait_agent("alive", lambda: nic_agent_alive(self._rest), _AGENT_START_S)

    def kill_service(self, name: str) -> None:
        """SIGKILL to a service and its workers. Raises ControlPlaneError for a name that does not run."""
        if not self._processes.alive(name):
            raise ControlPlaneError(f"does not run; these do: {', '.join(self._processes.names())}", where=name)
        self._end(name)

    def start_service(self, name: str) -> None:
        """Start a killed service of OpenStack again; an API answers when this returns. Raises ControlPlaneError."""
        every = {service.name: service for service in (keystone(self.places), *remaining(self.places))}
        if name not in every:
            raise ControlPlaneError(f"is not one of {', '.join(every)}", where=name)
        if self._processes.alive(name):
            raise ControlPlaneError("runs already", where=name)
        self._start_service(every[name])
        if every[name].port:
            self._processes.wait_port(name, every[name].port, _API_S)

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """While in the block a service hangs: it does not answer, and nobody is told. Raises ControlPlaneError."""
        if not self._processes.alive(name):
            raise ControlPlaneError("does not run", where=name)
        self._processes.suspend(name)
        try:
            yield
        finally:
            self._processes.resume(name)

    @contextmanager
    def vfs_kept_by_the_host(self, physnet: str) -> Iterator[None]:
        """While in the block the first host's own driver holds the free VFs of a physical network.

        Each then has a netdev.
        """
        sysfs = FakeSysfs(self.places.sysfs)
        for address in sysfs.free(physnet):
            sysfs.keep_by_the_host(address)
        try:
            yield
        finally:
            sysfs.let_go()

    @contextmanager
    def second_host(self, **options: str) -> Iterator[str]:
        """While in the block there is a second compute host with a NIC like the first one's; its name.

        ``options`` are of its own file, ``host.conf``. Its servers must be gone when the block ends. Raises
        ControlPlaneError.
        """
        services = compute_host(self.places, SECOND_HOST)
        sysfs = self.places.sysfs_of(SECOND_HOST)
        sysfs.mkdir(parents=True)
        self._rest.log_in()
        try:
            FakeSysfs(sysfs).create()
            with _changed(options, self.places.etc / f"{SECOND_HOST}.conf"):
                for service in services:
                    self._start_service(service)
                self._wait_until_ready(lambda rest: what_is_missing_on(rest, SECOND_HOST))
            yield SECOND_HOST
        finally:
            self._processes.kill([service.name for service in services])
            forget_host(self._rest, SECOND_HOST)
            shutil.rmtree(sysfs.parent)

    @contextmanager
    def use_up_vfs(self, network_id: str, *, but: int = 0) -> Iterator[list[str]]:
        """While in the block, a server of ours has the VFs of the network's physical network that were free.

        All ``but`` so many; which they are.
        """
        self._rest.log_in()
        holder = take_vfs(self._rest, FakeSysfs(self.places.sysfs), network_id, but)
        try:
            yield holder.vfs
        finally:
            holder.release()

    @contextmanager
    def neutron_with(self, **options: str) -> Iterator[None]:
        """While in the block Neutron's API has these options of its files, like ``type_drivers="vlan"``.

        Only the API makes networks, so nothing else is restarted: some 10 s each way.
        """
        neutron = self.places.etc / "neutron"
        try:
            with _changed(options, neutron / "ml2_conf.ini", neutron / "neutron.conf"):
                self._restart("neutron-api")
                yield
        finally:
            self._restart("neutron-api")

    @contextmanager
    def agent_with(self, **options: str) -> Iterator[None]:
        """While in the block the first host's agent has these options of ``sriov_agent.ini``; Neutron knows of it."""
        self._rest.log_in()
        try:
            with _changed(options, self.places.etc / "neutron/sriov_agent.ini"):
                self._restart_agent()
                yield
        finally:
            self._restart_agent()

    def _restart(self, name: str) -> None:
        self._end(name)
        self.start_service(name)

    def _end(self, name: str) -> None:
        """Returns when its port is free: threads of a killed process may hold it when its first thread is gone."""
        self._processes.kill([name])
        every = (keystone(self.places), *remaining(self.places))
        ports = [service.port for service in every if service.name == name and service.port]
        if not all(wait_until(lambda port=port: not port_answers(port), _API_S) for port in ports):  # type: ignore[misc]
            raise ControlPlaneError(f"still has its port {_API_S} s after it was killed", where=name)

    def _restart_agent(self) -> None:
        """Returns when Neutron has heard of it anew: until then it shows what the one before has told."""
        before = nic_agent_started(self._rest)
        self._restart(AGENT)
        self._wait_agent("back", lambda: nic_agent_started(self._rest) != before, _AGENT_START_S)

    def _known(self, host: str) -> None:
        if host != HOST:
            raise ControlPlaneError(f"no such host; there is {HOST}", where=host)

    def _wait_agent(self, wanted: str, reached: Callable[[], bool], timeout_s: float) -> None:
        self._rest.log_in()
        if not wait_until(reached, timeout_s):
            words = self._processes.last_words(AGENT)
            raise ControlPlaneError(f"is not {wanted} after {timeout_s:g} s; its log ends with:\n{words}", where=AGENT)


@contextmanager
def _changed(options: Mapping[str, str], *configs: Path) -> Iterator[None]:
    """While in the block these options have other values, in the files that have them. Raises ControlPlaneError."""
    usual = {config: config.read_text() for config in configs}
    changed = dict(usual)
    for name, value in options.items():
        line = re.compile(rf"(?m)^{re.escape(name)} =.*$")
        holder = next((config for config, text in usual.items() if line.search(text)), None)
        if holder is None:
            raise ControlPlaneError(f"no option {name}", where=", ".join(map(str, configs)))
        changed[holder] = line.sub(f"{name} = {value}", changed[holder])
    for config, text in changed.items():
        config.write_text(text)
    try:
        yield
    finally:
        for config, text in usual.items():
            config.write_text(text)
