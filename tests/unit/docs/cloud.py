"""The cloud on which the console blocks of the documents are run: one compute host with eight VFs, in memory."""

from dataclasses import dataclass, field

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Cancelled
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.model.addresses import PciAddress
from virtfn.model.cloud.mirror import MirrorPort, NameMatches, PortNetwork, PortOwner, Project
from virtfn.model.cloud.observed import NicAgent, O, ObservedNetwork, ObservedPort, ObservedServer
from virtfn.model.cloud.survey import ComputeHost
from virtfn.model.inventory import Known, Unknown
from virtfn.model.proposal import WaitPolicy
from virtfn.services.cloud_mirrors import CloudMirrors
from virtfn.services.cloud_state import CloudService
from virtfn.testing import FakeCloud, FakeRules, MemoryJournal

HOST, PROJECT = "sriov-host1", Project("0a" * 16, "admin")
WEB_AND_PROBE = """
virtfn: cloud/1
name: servers
networks:
  - {name: flat, physical_network: physnet1, subnets: [{name: flat-v4, cidr: 192.0.2.0/24}]}
servers:
  - {name: web, image: cirros, flavor: m1.tiny, ports: [{network: flat}]}
  - {name: probe, image: cirros, flavor: m1.tiny, ports: [{network: flat}]}
"""


def _rules() -> FakeRules:
    pfs = {"physnet1": ("ens1f0",), "physnet2": ("ens1f1",)}
    return FakeRules(
        hosts=(ComputeHost(HOST, "nova"),),
        agents=(NicAgent(HOST, True, tuple(pfs), pfs),),
        vfs=[(HOST, "physnet1", f"0000:3b:02.{number}") for number in reversed(range(8))],
    )


@dataclass
class DocumentsCloud:
    """What stands in the place of ``App.clouds`` and ``App.cloud_mirrors``."""

    cloud: FakeCloud = field(default_factory=lambda: FakeCloud(_rules(), name="virtfn-test", patience=1))
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def clouds(self, sink: EventSink, cancelled: Cancelled) -> CloudService:
        """The service on this cloud, which waits for servers without a pause."""
        engine = Transactions(self.cloud, self.journal, sink=sink, cancelled=cancelled, settle=Settle(0.0, 0.0))
        patience = WaitPolicy(60.0, 0.0)
        return CloudService(self.cloud, self.journal, engine, sink=sink, cancelled=cancelled, patience=patience)

    def mirrors(self) -> CloudMirrors:
        """The same for mirrors between its ports."""
        return CloudMirrors(_Ports(self.cloud))


class _Ports:
    """The ports of a fake cloud, as they are looked up for mirrors."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    def named(self, word: str) -> NameMatches:
        """The ports and servers of this name."""
        ports = [self._port(one) for one in self._all(ObservedPort)]
        owners = [_owner(one) for one in self._all(ObservedServer) if one.name == word]
        return NameMatches(
            tuple(one for one in ports if one.name == word),
            tuple((owner, tuple(one for one in ports if one.owner == owner)) for owner in owners),
        )

    def nic_agents(self) -> Known[tuple[NicAgent, ...]]:
        """Those of the rules."""
        return self._cloud.rules.agents

    def _all(self, kind: type[O]) -> list[O]:
        return [one for one in self._cloud.everything() if isinstance(one, kind)]

    def _port(self, one: ObservedPort) -> MirrorPort:
        network = next(found for found in self._all(ObservedNetwork) if one.network in (found.name, found.id))
        owner = next((_owner(found) for found in self._all(ObservedServer) if found.id == one.device_id), None)
        slot = one.pci_slot
        return MirrorPort(
            id=one.id,
            name=one.name,
            project=PROJECT,
            network=PortNetwork(network.id, network.name, PROJECT, network.physical_network, network.type),
            vnic_type=one.vnic_type,
            mac=one.mac,
            status=one.status,
            port_security=network.port_security,
            trusted=False,
            vif_type=one.vif_type,
            host=one.host,
            pci_slot=slot if isinstance(slot, Unknown) else PciAddress.parse(slot) if slot else None,
            physical_network=network.physical_network,
            owner=owner,
            device=one.device_id,
        )


def _owner(server: ObservedServer) -> PortOwner:
    return PortOwner(server.id, server.name, PROJECT, server.status)
