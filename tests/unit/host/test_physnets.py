"""What OpenStack's services on a host are told about physical networks, read from their files."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.host.conftest import Plant

from virtfn.host.host_dependencies import host_dependencies
from virtfn.host.ini import NotIni, settings_of
from virtfn.host.physnets import physical_networks
from virtfn.model.addresses import PciAddress
from virtfn.model.device_spec import AddressPattern, DeviceSpec, PciFunction, first_fit
from virtfn.model.inventory import Unknown
from virtfn.model.physnets import DeviceMapping, PhysicalNetworks

AGENT = "etc/neutron/plugins/ml2/sriov_agent.ini"
NOVA = "etc/nova/nova.conf"
PF, VF = PciAddress.parse("0000:01:00.0"), PciAddress.parse("0000:01:10.3")
A_VF = PciFunction(VF, PF, "8086", "10ca", None, "p2p1")
A_PF = PciFunction(PF, None, "8086", "10c9", "p2p1")


def spec_of(plant: Plant, entry: str) -> DeviceSpec:
    found = physical_networks(plant({NOVA: f"[pci]\ndevice_spec = {entry}\n"})).nova
    assert not isinstance(found, Unknown), found.reason
    (spec,) = found
    return spec


def test_without_such_files_nothing_is_known(tmp_path: Path) -> None:
    assert physical_networks(tmp_path) == PhysicalNetworks((), (), {})


def test_the_surroundings_have_them(plant: Plant) -> None:
    root = plant({AGENT: "[sriov_nic]\nphysical_device_mappings = physnet1:p2p1\n"})
    assert host_dependencies(root).physnets.agent == (DeviceMapping("physnet1", "p2p1", f"/{AGENT}:2"),)


def test_of_the_agents_list_the_last_value_counts(plant: Plant) -> None:
    root = plant(
        {
            "etc/neutron/neutron.conf": "[sriov_nic]\nphysical_device_mappings = old:p9p1\n",
            AGENT: "[SRIOV_NIC]\nphysical_device_mappings = older:p8p1\nphysical_device_mappings: a:p1 , b:p2,\n",
            "etc/neutron/neutron.conf.d/x.conf": "[sriov_nic]\nphysical_device_mappings = oldest:p7p1\n",
        }
    )
    assert physical_networks(root).agent == (
        DeviceMapping("a", "p1", f"/{AGENT}:3"),
        DeviceMapping("b", "p2", f"/{AGENT}:3"),
    )


def test_of_novas_option_all_values_count_by_all_its_names_in_novas_order(plant: Plant) -> None:
    root = plant(
        {
            "etc/nova/nova.conf.d/10.conf": '[pci]\ndevice_spec = {"devname": "e"}\n',
            "etc/nova/nova.conf.d/not-read": "[",
            NOVA: '[pci]\ndevice_spec = {"devname": "c"}\ndevice_spec = {"devname": "d"}\n'
            'passthrough_whitelist = [{"devname": "b"}]\n'
            '[DEFAULT]\npci_passthrough_whitelist = {"devname": "a"}\n',
        }
    )
    found = physical_networks(root).nova
    assert not isinstance(found, Unknown)
    assert [spec.devname for spec in found] == ["a", "b", "c", "d", "e"]
    assert [spec.where for spec in found] == [
        f"/{NOVA}:6",
        f"/{NOVA}:4",
        f"/{NOVA}:2",
        f"/{NOVA}:3",
        "/etc/nova/nova.conf.d/10.conf:2",
    ]


def test_on_devstack_its_own_file_stands_for_nova_conf(plant: Plant) -> None:
    root = plant(
        {
            NOVA: '[pci]\ndevice_spec = {"devname": "a"}\n',
            "etc/nova/nova-cpu.conf": '[pci]\ndevice_spec = {"devname": "b"}\n',
        }
    )
    found = physical_networks(root).nova
    assert not isinstance(found, Unknown)
    assert [spec.devname for spec in found] == ["b"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (AGENT, "[sriov_nic]\nphysical_device_mappings = p2p1\n", f"/{AGENT}:2: 'p2p1' is not"),
        (AGENT, "[sriov_nic]\nphysical_device_mappings = a:b:c\n", f"/{AGENT}:2: 'a:b:c' is not"),
        (AGENT, "[sriov_nic\n", f"/{AGENT}:1: '[sriov_nic' is no section"),
        (AGENT, "  more\n", f"/{AGENT}:1: a continuation of nothing"),
        (AGENT, "key\n", f"/{AGENT}:1: no '='"),
        (AGENT, "= value\n", f"/{AGENT}:1: no key"),
        (NOVA, "[pci]\n\ndevice_spec = {'devname': 1}\n", f"/{NOVA}:3: device_spec is not understood"),
        (NOVA, '[pci]\ndevice_spec = "p2p1"\n', f"/{NOVA}:2: device_spec is not understood"),
        (NOVA, '[pci]\ndevice_spec = {"address": "1:2:3:4.5"}\n', f"/{NOVA}:2: device_spec is not understood"),
        (NOVA, '[pci]\ndevice_spec = {"address": {"bus": "["}}\n', f"/{NOVA}:2: device_spec is not understood"),
        (NOVA, '[pci]\ndevice_spec = {"vendor_id": "intel"}\n', f"/{NOVA}:2: device_spec is not understood"),
    ],
)
def test_what_cannot_be_understood_is_unknown_with_its_line(plant: Plant, name: str, text: str, reason: str) -> None:
    found = physical_networks(plant({name: text}))
    part, other = (found.agent, found.nova) if name == AGENT else (found.nova, found.agent)
    assert isinstance(part, Unknown)
    assert part.reason.startswith(reason)
    assert other == ()


def test_what_cannot_be_read_is_unknown_with_the_kernels_word(plant: Plant) -> None:
    root = plant({f"{NOVA}/not-a-file": ""})
    assert physical_networks(root).nova == Unknown(f"/{NOVA}: {os.strerror(21)}")


def test_folders_that_others_may_not_enter_are_unknown_not_empty() -> None:
    with TemporaryDirectory() as folder:  # its own, as those of tmp_path are below one that only root may enter
        root = Path(folder)
        for name in ("etc/nova", "etc/neutron/plugins/ml2"):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)
        (root / "etc").chmod(0o000)
        child = os.fork()
        if child == 0:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            found = physical_networks(root)
            os._exit(0 if isinstance(found.nova, Unknown) and isinstance(found.agent, Unknown) else 1)
        status = os.waitpid(child, 0)[1]
        (root / "etc").chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_product_of_vfs_is_the_pfs_word(plant: Plant) -> None:
    root = plant({"sys/bus/pci/devices/0000:01:00.0/sriov_vf_device": "ed\n"})
    assert physical_networks(root).vf_products == {"0000:01:00.0": "00ed"}


@pytest.mark.parametrize(
    ("entry", "means_vf", "means_pf"),
    [
        ("{}", True, True),
        ('{"devname": "p2p1"}', True, True),
        ('{"devname": "p2p2"}', False, False),
        ('{"address": "0000:01:00.0"}', True, True),
        ('{"address": "1:0.0"}', False, True),
        ('{"address": "*:01:00.*"}', False, True),
        ('{"address": ":10."}', True, False),
        ('{"address": "*:01:*.3"}', True, False),
        ('{"address": "*:*:10.4"}', False, False),
        ('{"address": {"bus": "01", "slot": "10", "function": "[2-4]"}}', True, False),
        ('{"address": {"bus": "0"}}', True, True),
        ('{"address": {"domain": "0", "bus": "01", "slot": "00", "function": "0"}}', False, True),
        ('{"address": {"domain": "0000", "bus": "01", "slot": "00", "function": "0"}}', True, True),
        ('{"vendor_id": "8086", "product_id": "10CA"}', True, False),
        ('{"vendor_id": "15b3"}', False, False),
        ('{"vendor_id": "*", "product_id": "10c9"}', False, True),
    ],
)
def test_an_entry_means_what_it_means_to_nova(plant: Plant, entry: str, means_vf: bool, means_pf: bool) -> None:
    spec = spec_of(plant, entry)
    assert (spec.fits(A_VF), spec.fits(A_PF)) == (means_vf, means_pf)


def test_a_netdev_of_a_vf_means_that_vf_alone(plant: Plant) -> None:
    spec = spec_of(plant, '{"devname": "p2p1v3", "physical_network": null}')
    assert spec.physical_network is None
    assert spec.fits(PciFunction(VF, PF, netdev="p2p1v3", parent_netdev="p2p1"))
    assert not spec.fits(A_PF)


def test_the_first_entry_that_fits_counts_and_doubt_counts_for_nothing() -> None:
    by_product = DeviceSpec("physnet1", "a", product="10ca")
    rest = DeviceSpec("physnet2", "b")
    unknown = PciFunction(VF, PF)
    assert first_fit((by_product, rest), A_VF) is by_product
    assert first_fit((by_product, rest), A_PF) is rest
    assert first_fit((by_product, rest), unknown) is None
    assert first_fit((rest, by_product), unknown) is rest


def test_a_whole_address_is_spelt_and_a_pattern_is_not() -> None:
    assert AddressPattern.of_glob("0:1:0.0").spells(PF)
    assert not AddressPattern.of_glob("0000:01:00.*").spells(PF)
    assert not AddressPattern.of_parts({"domain": "0", "bus": "01", "slot": "00", "function": "0"}).spells(PF)


def test_values_may_be_quoted_or_go_on_in_further_lines() -> None:
    text = "# comment\nfirst = 'a b'\n[Two]\n; comment\nkey: x = y\n  and\n\tmore\n\nlast =\n"
    assert [(one.section, one.key, one.value, one.line) for one in settings_of(text)] == [
        ("default", "first", "a b", 2),
        ("two", "key", "x = y\nand\nmore", 5),
        ("two", "last", "", 9),
    ]


def test_a_value_does_not_go_on_after_an_empty_line() -> None:
    with pytest.raises(NotIni, match="continuation"):
        settings_of("key = a\n\n  b\n")
