"""The physical networks for which a host's configuration offers PFs and VFs, with file and line.

Two programs are configured: Neutron's SR-IOV agent by ``physical_device_mappings``, a netdev of a PF for each network,
and nova by ``device_spec``. A port of a network gets a VF that nova has for it, on a host whose agent serves it: if the
two differ, the port cannot bind, or gets a VF on another wire.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from virtfn.errors import UsageError
from virtfn.model.addresses import PciAddress
from virtfn.model.device_spec import DeviceSpec, PciFunction, first_fit
from virtfn.model.finding import FindingKind, Severity
from virtfn.model.inventory import Known, PfState, Unknown, VfState

TWO_PHYSNETS = FindingKind(
    "two-physnets",
    Severity.REFUSAL,
    "OpenStack's services on this host assign VFs of one PF, or source and copy of a mirror, to two physical networks.",
    "let the agent's physical_device_mappings and nova's device_spec name one physical network for the PF",
    overridable=True,
)


@dataclass(frozen=True)
class DeviceMapping:
    """The agent serves ``physical_network`` on the PF with this netdev; ``where`` is ``FILE:LINE``."""

    physical_network: str
    netdev: str
    where: str


@dataclass(frozen=True)
class Claim:
    """A setting that puts a PF or a VF into a physical network: the program, the object, and ``FILE:LINE``."""

    physical_network: str
    who: str
    of: str
    where: str

    def __str__(self) -> str:
        return f"{self.physical_network} ({self.who} for {self.of}, {self.where})"


@dataclass(frozen=True)
class PhysicalNetworks:
    """The configuration of this host, each part empty where nothing is configured.

    ``vf_products``: the product id that the VFs of a PF have, by the PF's address; missing where it is not known.
    """

    agent: Known[tuple[DeviceMapping, ...]] = ()
    nova: Known[tuple[DeviceSpec, ...]] = ()
    vf_products: Mapping[str, str] = field(default_factory=dict)

    def of_pf(self, pf: PfState) -> tuple[Claim, ...]:
        """The physical networks of a PF and its VFs, also of future VFs: one claim for each different network.

        Of nova's entries the first that matches counts. A later one that names exactly this function is reported, too:
        its author wants it to count. Nova ignores case in names of networks, and so does this comparison. Unknown facts
        are ignored.
        """
        found: dict[tuple[str, str], Claim] = {}
        for claim in self._claims(pf):
            found.setdefault((claim.who, claim.physical_network.lower()), claim)
        return tuple(found.values())

    def of_vf(self, pf: PfState, vf: VfState) -> Claim | None:
        """The physical network for which nova offers one VF; None: none, or not known."""
        return self._nova_claim(self._virtual(pf, vf), f"{pf.label}/{vf.index}")

    def _claims(self, pf: PfState) -> Iterator[Claim]:
        for mapping in () if isinstance(self.agent, Unknown) else self.agent:
            if mapping.netdev == pf.name:
                yield Claim(mapping.physical_network, "Neutron's agent", pf.label, mapping.where)
        for function, label in self._functions(pf) if self._nova_specs else ():
            if claim := self._nova_claim(function, label):
                yield claim
            for spec in self._nova_specs:
                if spec.physical_network and spec.names(function):
                    yield Claim(spec.physical_network, "nova", label, spec.where)

    @property
    def _nova_specs(self) -> tuple[DeviceSpec, ...]:
        return () if isinstance(self.nova, Unknown) else self.nova

    def _nova_claim(self, function: PciFunction, label: str) -> Claim | None:
        spec = first_fit(self._nova_specs, function)
        return Claim(spec.physical_network, "nova", label, spec.where) if spec and spec.physical_network else None

    def _functions(self, pf: PfState) -> Iterator[tuple[PciFunction, str]]:
        name = pf.name if isinstance(pf.name, str) else None
        vendor, _, product = pf.vendor_device.partition(":") if isinstance(pf.vendor_device, str) else ("", "", "")
        yield PciFunction(_address(pf), None, vendor or None, product or None, name), pf.label
        for vf in pf.vfs:
            yield self._virtual(pf, vf), f"{pf.label}/{vf.index}"
        if not pf.vfs:
            yield self._virtual(pf, VfState(0)), f"VFs of {pf.label}"

    def _virtual(self, pf: PfState, vf: VfState) -> PciFunction:
        """A VF has its PF's vendor (PCIe 5.0, 9.3.4.1.1) and a product id of its own."""
        vendor = pf.vendor_device.partition(":")[0] if isinstance(pf.vendor_device, str) else None
        netdev = vf.netdev.name if vf.netdev and not vf.netdev.netns else None
        return PciFunction(
            vf.pci if isinstance(vf.pci, PciAddress) else None,
            _address(pf),
            vendor,
            self.vf_products.get(pf.device),
            netdev,
            pf.name if isinstance(pf.name, str) else None,
        )


def differ(claims: tuple[Claim, ...]) -> bool:
    """Whether they name more than one physical network."""
    return len({claim.physical_network.lower() for claim in claims}) > 1


def _address(pf: PfState) -> PciAddress | None:
    """The PF's address; None for a simulated one."""
    try:
        return PciAddress.parse(pf.device)
    except UsageError:
        return None
