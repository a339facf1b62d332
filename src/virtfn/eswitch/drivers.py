"""What each NIC driver does with its VFs: one row per driver, or per chip where chips differ, each fact with evidence.

A quirk of a NIC is written here and nowhere else. ``Rung`` says how well it is known: a fact read in source code is not
a measurement, and a measurement on the emulated NIC says nothing about another one.
"""

from dataclasses import replace

from virtfn.eswitch.facts import (
    AdminMacEffect,
    DriverFacts,
    Evidence,
    GuestMac,
    ModeChange,
    Rung,
    SameMacDelivery,
    Topic,
)

__all__ = [
    "TABLE",
    "AdminMacEffect",
    "DriverFacts",
    "Evidence",
    "GuestMac",
    "ModeChange",
    "Rung",
    "SameMacDelivery",
    "Topic",
    "facts_of",
]

_LINUX = "Linux 6.12 drivers/net/ethernet/"
_QEMU = "QEMU 10.0 igb, Linux 6.12"
_QEMU_RECEIVE = "QEMU 10.0 hw/net/igb_core.c:igb_receive_assign"


def _read(topic: Topic, fact: str, source: str) -> Evidence:
    return Evidence(fact, Rung.SOURCE, _LINUX + source, topic)


def _measured(topic: Topic, fact: str, source: str = _QEMU) -> Evidence:
    return Evidence(fact, Rung.EMULATED, source, topic)


_82576 = DriverFacts(
    driver="igb",
    chip="82576",
    device_ids=frozenset(
        f"8086:{device}" for device in ("10c9", "10e6", "10e7", "10e8", "150a", "150d", "1518", "1526")
    ),
    admin_mac=AdminMacEffect.FILTER_AT_ONCE,
    same_mac=SameMacDelivery.BOTH,
    rung=Rung.EMULATED,
    trust_resets_vf=False,
    pf_down_cuts_vfs=True,
    max_vfs=7,
    vf_driver="igbvf",
    mode_change=ModeChange.UNSUPPORTED,
    mac_needs_reload=True,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        _measured(
            Topic.ADMIN_MAC,
            "the admin MAC is written into the VF's receive address register at once; no VF reload is needed",
            f"20 of 20 frames at both VFs right after `vf 2 mac`, {_QEMU}; "
            + _LINUX
            + "intel/igb/igb_main.c:igb_set_vf_mac_addr",
        ),
        _measured(
            Topic.UNICAST,
            "a frame goes to every VF whose register matches, then the VLAN filter decides",
            f"{_QEMU_RECEIVE}; frames from the wire, the PF and a sibling VF",
        ),
        _measured(
            Topic.SAME_MAC,
            "one MAC in the registers of two VFs: both get the frame",
            f"{_QEMU_RECEIVE}; equal registers on a real 82576 are not measured",
        ),
        _measured(
            Topic.UNMATCHED,
            "a unicast frame that no register matches goes from the wire to the PF, from inside to the wire",
            f"{_QEMU_RECEIVE}; " + _LINUX + "intel/igb/igb_main.c:igb_set_rx_mode",
        ),
        _measured(Topic.BROADCAST, "broadcast goes to the PF and to all VFs of the VLAN", _QEMU_RECEIVE),
        _measured(
            Topic.MULTICAST,
            "a group that any VF has joined goes to the PF and all VFs, any other to nobody",
            f"20 of 20 frames and 0 of 20, {_QEMU}",
        ),
        _measured(Topic.VLAN, "a VF gets a frame only in its own VLAN", _QEMU_RECEIVE),
        _measured(
            Topic.VLAN_MISS,
            "a frame from the wire that the VLAN filter takes from every VF with its MAC goes to the PF, unless nobody "
            "at the NIC is in its VLAN",
            f"{_QEMU_RECEIVE}; untagged frames to a VF in VLAN 100: 20 of 20 at the PF",
        ),
        _measured(Topic.VF_DOWN, "a VF whose netdev is down gets nothing", f"0 of 20 frames; {_QEMU}"),
        _measured(
            Topic.PF_PROMISCUOUS,
            "QEMU only: with the PF promiscuous, a unicast frame that no register matches also reaches every VF",
            f"20 of 20 frames from a VF to the wire at every VF; {_QEMU_RECEIVE} (UTA and VMOLR.ROMPE)",
        ),
        _measured(
            Topic.VF_PROMISCUOUS,
            "a promiscuous VF gets nothing more, trusted or not",
            f"0 of 20 frames for another VF; {_QEMU}",
        ),
        _measured(
            Topic.SPOOF_CHECK,
            "QEMU only: the emulated NIC has no anti-spoofing; the flag is stored and every frame is sent",
            f"20 of 20 frames with another VF's MAC as source, spoof check on and off; {_QEMU}",
        ),
        _read(
            Topic.SPOOF_CHECK,
            "the driver sets the anti-spoof bits of the VF: the NIC drops frames with another source MAC",
            "intel/igb/igb_main.c:igb_ndo_set_vf_spoofchk",
        ),
        _measured(
            Topic.PF_DOWN,
            "PF down and up mutes all VFs, then their drivers reset: 425 of 800 frames lost in one trial",
            _LINUX + "intel/igb/igb_main.c:igb_reset, igb_flush_mac_table",
        ),
        _measured(
            Topic.VF_RESET,
            "with trust on, a reset of the VF's driver writes the VF's own MAC back into its register; with trust off "
            "the netdev takes the admin MAC",
            "mirror frames 20 of 20 before the guest's ifdown/ifup, 0 of 20 after; "
            + _LINUX
            + "intel/igbvf/netdev.c:igbvf_reset",
        ),
        _measured(
            Topic.GUEST_MAC,
            "with an admin MAC set, a MAC set in an untrusted guest is refused (EADDRNOTAVAIL), and the PF logs it",
            f"{_QEMU}; " + _LINUX + "intel/igb/igb_main.c:igb_set_vf_mac_addr, igbvf/netdev.c:igbvf_set_mac",
        ),
        _measured(
            Topic.PF_MTU,
            "a new MTU of the PF restarts it: the PF and its VFs lose their carrier",
            f"{_QEMU}; " + _LINUX + "intel/igb/igb_main.c:igb_change_mtu",
        ),
        _measured(
            Topic.ADMIN_MAC,
            'the VF\'s netdev keeps its old MAC until its driver is reset: "Reload the VF driver"',
            f"{_QEMU}; " + _LINUX + "intel/igb/igb_main.c:igb_ndo_set_vf_mac",
        ),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/igb/igb_main.c:igb_vf_configure"),
    ),
)

_I350 = replace(
    _82576,
    chip="I350",
    device_ids=frozenset(f"8086:{device}" for device in ("1521", "1522", "1523", "1524")),
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    evidence=(
        _read(Topic.ADMIN_MAC, "the same driver code as for the 82576", "intel/igb/igb_main.c:igb_set_vf_mac_addr"),
        _read(
            Topic.UNICAST,
            "one receive address register per VF, with the VF's pool bit",
            "intel/igb/igb_main.c:igb_rar_set_index",
        ),
        _read(
            Topic.UNMATCHED,
            "a unicast frame that no register matches goes from the wire to the PF (the default pool), "
            "from inside to the wire",
            "intel/igb/igb_main.c:igb_set_rx_mode, igb_vmm_control",
        ),
        _read(Topic.BROADCAST, "every VF accepts broadcast", "intel/igb/igb_main.c:igb_set_vmolr"),
        _read(Topic.VLAN, "the VLAN filter has a pool mask per VLAN", "intel/igb/igb_main.c:igb_set_vf_vlan_filter"),
        _read(Topic.SPOOF_CHECK, "the driver sets the anti-spoof bits", "intel/igb/igb_main.c:igb_ndo_set_vf_spoofchk"),
        _read(Topic.PF_DOWN, "receive and transmit of all VFs end", "intel/igb/igb_main.c:igb_reset"),
        _read(
            Topic.VF_RESET,
            "igbvf takes the admin MAC when it resets; a trusted VF writes its own back",
            "intel/igbvf/netdev.c:igbvf_reset",
        ),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/igb/igb_main.c:igb_vf_configure"),
    ),
)

_IXGBE = DriverFacts(
    driver="ixgbe",
    admin_mac=AdminMacEffect.FILTER_AT_ONCE,
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    pf_down_cuts_vfs=True,
    max_vfs=63,
    vf_driver="ixgbevf",
    mode_change=ModeChange.UNSUPPORTED,
    mac_needs_reload=True,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        _read(
            Topic.ADMIN_MAC,
            "the old filter is deleted and the new one added at once",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_set_vf_mac_addr",
        ),
        _read(
            Topic.ADMIN_MAC,
            'no message to the VF: "Reload the VF driver"',
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_mac",
        ),
        _read(Topic.UNICAST, "one filter per VF MAC, with one pool", "intel/ixgbe/ixgbe_main.c:ixgbe_add_mac_filter"),
        _read(
            Topic.UNMATCHED,
            "a unicast frame that no filter matches goes from the wire to the PF (the default pool), "
            "from inside to the wire",
            "intel/ixgbe/ixgbe_main.c:ixgbe_configure_virtualization",
        ),
        _read(Topic.BROADCAST, "every VF accepts broadcast", "intel/ixgbe/ixgbe_sriov.c:ixgbe_set_vmolr"),
        _read(
            Topic.VLAN, "the VLAN filter has a pool mask per VLAN", "intel/ixgbe/ixgbe_sriov.c:ixgbe_enable_port_vlan"
        ),
        _read(
            Topic.SPOOF_CHECK,
            "the driver sets the anti-spoof bits of the VF: the NIC drops frames with another source MAC",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_spoofchk",
        ),
        _read(
            Topic.PF_DOWN,
            "receive and transmit of all VFs end, and their filters are flushed",
            "intel/ixgbe/ixgbe_main.c:ixgbe_down, ixgbe_reset",
        ),
        _read(
            Topic.TRUST,
            "a change of trust makes the VF initialise again",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_trust",
        ),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/ixgbe/ixgbe_sriov.c:__ixgbe_enable_sriov"),
    ),
)

_I40E = DriverFacts(
    driver="i40e",
    admin_mac=AdminMacEffect.RESETS_VF,
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    pf_down_cuts_vfs=None,
    max_vfs=None,
    vf_driver="iavf",
    mode_change=ModeChange.UNSUPPORTED,
    mac_needs_reload=False,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        _read(
            Topic.ADMIN_MAC,
            "all filters of the VF are deleted and the VF is reset",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_mac",
        ),
        _read(
            Topic.UNICAST,
            "one perfect-match filter per MAC and VSI",
            "intel/i40e/i40e_main.c:i40e_sync_vsi_filters (MACVLAN_ADD_PERFECT_MATCH)",
        ),
        _read(
            Topic.BROADCAST,
            "every VF has a broadcast filter",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_alloc_vsi_res",
        ),
        _read(
            Topic.VLAN,
            "a VF's filters carry its port VLAN",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_port_vlan",
        ),
        _read(
            Topic.SPOOF_CHECK,
            "the VSI's security flags: the NIC drops frames with another source MAC",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_spoofchk",
        ),
        _read(Topic.TRUST, "a change of trust resets the VF", "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_trust"),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/i40e/i40e_virtchnl_pf.c:i40e_alloc_vfs"),
    ),
)

_ICE = DriverFacts(
    driver="ice",
    admin_mac=AdminMacEffect.RESETS_VF,
    same_mac=SameMacDelivery.BOTH,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    pf_down_cuts_vfs=None,
    max_vfs=None,
    vf_driver="iavf",
    mode_change=ModeChange.NO_VFS,
    mac_needs_reload=False,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        _read(
            Topic.ADMIN_MAC,
            "the VF is reset and the rule added on rebuild",
            "intel/ice/ice_sriov.c:__ice_set_vf_mac",
        ),
        _read(Topic.UNICAST, "one rule per MAC, to a VSI", "intel/ice/ice_switch.c:ice_add_rule_internal"),
        _read(
            Topic.SAME_MAC,
            "a second rule for one MAC becomes a list of VFs",
            "intel/ice/ice_switch.c:ice_add_update_vsi_list",
        ),
        _read(
            Topic.BROADCAST,
            "every VF has a broadcast filter",
            "intel/ice/ice_vf_lib.c:ice_vf_rebuild_host_mac_cfg",
        ),
        _read(
            Topic.VLAN,
            "a VF's VSI is a member of its port VLAN only",
            "intel/ice/ice_vf_lib.c:ice_vf_rebuild_host_vlan_cfg",
        ),
        _read(
            Topic.SPOOF_CHECK,
            "the VSI's security flags: the NIC drops frames with another source MAC",
            "intel/ice/ice_sriov.c:ice_set_vf_spoofchk",
        ),
        _read(Topic.TRUST, "a change of trust resets the VF", "intel/ice/ice_sriov.c:ice_set_vf_trust"),
        _read(
            Topic.MODE,
            '"Changing eswitch mode is allowed only if there is no VFs created" (EOPNOTSUPP)',
            "intel/ice/ice_eswitch.c:ice_eswitch_mode_set",
        ),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/ice/ice_vf_lib.c:ice_initialize_vf_entry"),
    ),
)

_MLX5 = DriverFacts(
    driver="mlx5_core",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    same_mac=SameMacDelivery.BOTH,
    rung=Rung.SOURCE,
    trust_resets_vf=None,
    pf_down_cuts_vfs=None,
    max_vfs=None,
    vf_driver="mlx5_core",
    mode_change=ModeChange.VFS_UNBOUND,
    mac_needs_reload=True,
    spoofchk_at_first=False,
    guest_mac=GuestMac.ANY,
    evidence=(
        _read(
            Topic.ADMIN_MAC,
            "the admin MAC sets the VF's permanent address and the spoof check, not the forwarding table",
            "mellanox/mlx5/core/eswitch.c:mlx5_esw_set_vport_mac_locked",
        ),
        _read(
            Topic.GUEST_MAC,
            "the forwarding table follows the guest's own list of unicast MACs, trusted or not",
            "mellanox/mlx5/core/eswitch.c:esw_update_vport_addr_list, esw_add_uc_addr",
        ),
        _read(
            Topic.UNICAST,
            "one flow rule per MAC, to the VF's vport",
            "mellanox/mlx5/core/eswitch.c:__esw_fdb_set_vport_rule",
        ),
        _read(
            Topic.SAME_MAC,
            "a second rule for one MAC adds a destination to the same flow entry",
            "mellanox/mlx5/core/eswitch.c:__esw_fdb_set_vport_rule; fs_core.c:add_rule_fg",
        ),
        _read(
            Topic.BROADCAST,
            "broadcast is in the guest's own list of multicast MACs",
            "mellanox/mlx5/core/eswitch.c:esw_add_mc_addr",
        ),
        _read(
            Topic.SPOOF_CHECK,
            "an ingress ACL drops frames whose source is not the admin MAC",
            "mellanox/mlx5/core/esw/acl/ingress_lgcy.c:esw_acl_ingress_lgcy_setup",
        ),
        _read(
            Topic.FLOW_RULES,
            "in switchdev a frame that no flow rule matches goes to the manager vport, and so to the representor",
            "mellanox/mlx5/core/eswitch_offloads.c:esw_add_fdb_miss_rule",
        ),
        Evidence(
            "which kernels change the mode under bound VFs is not known; unbinding them first is the safe way",
            Rung.NOT_KNOWN,
            "https://github.com/k8snetworkplumbingwg/sriov-network-operator/pull/1019",
            Topic.MODE,
        ),
        _read(Topic.FRESH_VF, "a fresh VF has its spoof check off", "mellanox/mlx5/core/eswitch.c"),
    ),
)

_BNXT = DriverFacts(
    driver="bnxt_en",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    trust_resets_vf=False,
    pf_down_cuts_vfs=False,
    max_vfs=None,
    vf_driver="bnxt_en",
    mode_change=ModeChange.VFS_MAY_STAY,
    mac_needs_reload=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        _read(
            Topic.ADMIN_MAC,
            "the firmware's default MAC of the function is set; the VF's own filters stay",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_set_vf_mac",
        ),
        _read(
            Topic.UNICAST,
            "one L2 filter per function, in the firmware",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_vf_validate_set_mac",
        ),
        _read(
            Topic.SPOOF_CHECK,
            "the firmware drops frames with another source MAC",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_set_vf_spoofchk",
        ),
        _read(
            Topic.PF_DOWN,
            "the link stays up while VFs exist",
            "broadcom/bnxt/bnxt.c:bnxt_hwrm_shutdown_link",
        ),
        _read(
            Topic.MODE,
            "representors are created for the VFs that exist",
            "broadcom/bnxt/bnxt_vfr.c:bnxt_dl_eswitch_mode_set",
        ),
    ),
)

_NETDEVSIM = DriverFacts(
    driver="netdevsim",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    trust_resets_vf=False,
    pf_down_cuts_vfs=False,
    max_vfs=None,
    mode_change=ModeChange.VFS_MAY_STAY,
    mac_needs_reload=False,
    spoofchk_at_first=False,
    evidence=(
        Evidence(
            "values are stored and nothing else: the simulator forwards no frames",
            Rung.SOURCE,
            "Linux 6.12 drivers/net/netdevsim/netdev.c:nsim_set_vf_mac",
            Topic.UNICAST,
        ),
        Evidence(
            "representors are created for the VFs that exist",
            Rung.SOURCE,
            "Linux 6.12 drivers/net/netdevsim/dev.c:nsim_esw_switchdev_enable",
            Topic.MODE,
        ),
    ),
)

TABLE: tuple[DriverFacts, ...] = (_82576, _I350, _IXGBE, _I40E, _ICE, _MLX5, _BNXT, _NETDEVSIM)


def facts_of(driver: str, device_id: str | None = None) -> DriverFacts | None:
    """The row of a PF driver, or None where nothing is known about it.

    ``device_id``: the PF's PCI ``vendor:device``, for a driver of several chips; without it, the first row.
    """
    rows = [row for row in TABLE if row.driver == driver]
    return next((row for row in rows if device_id in row.device_ids), rows[0] if rows else None)
