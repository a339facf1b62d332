"""nova-compute whose hypervisor is nova's own fake one, with the VFs of ``vfs.PFS``. Runs in OpenStack's environment.

Real: the resource tracker, PCI claims, the calls to Neutron, Glance and Placement. Fake: the virtual machine.
"""

import sys
from collections.abc import Iterable
from typing import Any

import nova.cmd.compute  # type: ignore[import-not-found]  # first: it decides about monkey patching
import nova.conf  # type: ignore[import-not-found]
from nova import exception
from nova.virt import fake  # type: ignore[import-not-found]
from oslo_serialization import jsonutils  # type: ignore[import-not-found]
from tests.cloud.control_plane.vfs import (
    NO_MAC,
    PF_PRODUCT_ID,
    PFS,
    VENDOR_ID,
    VF_PRODUCT_ID,
    VFS_A_PF,
    WHOLE_PF,
    WHOLE_PF_MAC,
    FakeSysfs,
)

CONF = nova.conf.CONF


class VfDriver(fake.FakeDriverWithPciResources):  # type: ignore[misc]
    """Reports PFs and VFs; a server that gets a VF gives it its MAC, as libvirt does."""

    vcpus, memory_mb, local_gb = 64, 262144, 4096

    def get_available_resource(self, nodename: str) -> Any:
        resources = super().get_available_resource(nodename)
        resources["pci_passthrough_devices"] = jsonutils.dumps(list(_pci_devices()))
        return resources

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        super().spawn(context, instance, *args, **kwargs)
        self._plug(instance, kwargs.get("network_info", args[4] if len(args) > 4 else None))

    def destroy(self, context: Any, instance: Any, network_info: Any, *args: Any, **kwargs: Any) -> None:
        super().destroy(context, instance, network_info, *args, **kwargs)
        _take_macs(network_info)

    def _plug(self, instance: Any, network_info: Any) -> None:
        """Give the VFs their MACs. With a ``vif_plugging_timeout``, wait for Neutron to say that their ports are up.

        libvirt's driver does so.
        """
        timeout = CONF.vif_plugging_timeout
        down = [vif for vif in network_info or [] if timeout and not vif.get("active", True)]
        events = [("network-vif-plugged", vif["id"]) for vif in down]
        try:
            with self.virtapi.wait_for_instance_event(instance, events, timeout):  # nova 32 calls it deadline
                _give_macs(network_info)
        except exception.InstanceEventTimeout as late:
            raise exception.VirtualInterfaceCreateException() from late

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        super().attach_interface(context, instance, image_meta, vif)
        _give_macs([vif])

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        super().detach_interface(context, instance, vif)
        _take_macs([vif])


def _pci_devices() -> Iterable[dict[str, object]]:
    common = {"vendor_id": VENDOR_ID, "status": "available", "numa_node": 0}
    product = {"product_id": PF_PRODUCT_ID, "label": f"label_{VENDOR_ID}_{PF_PRODUCT_ID}"}
    whole = {**common, **product, "dev_type": "type-PF", "parent_addr": None}
    yield {**whole, "address": WHOLE_PF.address, "mac_address": WHOLE_PF_MAC}
    for pf in PFS:
        yield {**whole, "address": pf.address}
        vf = {"product_id": VF_PRODUCT_ID, "label": f"label_{VENDOR_ID}_{VF_PRODUCT_ID}", "dev_type": "type-VF"}
        place = {"parent_addr": pf.address, "parent_ifname": pf.name}
        for index in range(VFS_A_PF):
            yield {**common, **vf, **place, "address": pf.vf_address(index)}


def _give_macs(network_info: Any) -> None:
    for vif in network_info or []:
        FakeSysfs.of_this_process().set_mac((vif.get("profile") or {}).get("pci_slot", ""), vif["address"])


def _take_macs(network_info: Any) -> None:
    for vif in network_info or []:
        FakeSysfs.of_this_process().set_mac((vif.get("profile") or {}).get("pci_slot", ""), NO_MAC)


if __name__ == "__main__":
    # nova takes drivers from nova.virt only: there this module is called virtfn_fake (nova.conf, compute_driver).
    sys.modules["nova.virt.virtfn_fake"] = sys.modules[__name__]
    sys.argv[0] = "nova-compute"
    nova.cmd.compute.main()
