"""The driver table's rows of Intel's NICs: igb by chip, ixgbe, i40e, ice."""

from dataclasses import replace

from virtfn.eswitch.facts import (
    LINUX,
    AdminMacEffect,
    DriverFacts,
    Evidence,
    GuestMac,
    MeterFacts,
    MeterName,
    ModeChange,
    Rung,
    SameMacDelivery,
    Topic,
    read_in_linux,
)

_QEMU = "QEMU 10.0 igb, Linux 6.12"
_QEMU_RECEIVE = "QEMU 10.0 hw/net/igb_core.c:igb_receive_assign"


def _measured(topic: Topic, fact: str, source: str = _QEMU) -> Evidence:
    return Evidence(fact, Rung.EMULATED, source, topic)


IGB_82576 = DriverFacts(
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
    meters=(MeterFacts(MeterName.RINGS),),
    evidence=(
        _measured(
            Topic.METER,
            "VF n owns queue n, and the PF's register dump has the ring of each queue: a frame that the VF receives "
            "moves its head by one",
            f"20 of 20 and 10 of 10 frames, equal to the guests' own counters, {_QEMU}; "
            + LINUX
            + "intel/igb/igb_ethtool.c:igb_get_regs",
        ),
        _measured(
            Topic.METER,
            "per-VF statistics are always 0: the driver has no ndo_get_vf_stats",
            f"0 after 20 frames, {_QEMU}; " + LINUX + "intel/igb/igb_main.c:igb_netdev_ops",
        ),
        _measured(
            Topic.ADMIN_MAC,
            "the admin MAC is written into the VF's receive address register at once; no VF reload is needed",
            f"20 of 20 frames at both VFs right after `vf 2 mac`, {_QEMU}; "
            + LINUX
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
            f"{_QEMU_RECEIVE}; " + LINUX + "intel/igb/igb_main.c:igb_set_rx_mode",
        ),
        _measured(Topic.BROADCAST, "broadcast goes to the PF and to all VFs of the VLAN", _QEMU_RECEIVE),
        _measured(
            Topic.MULTICAST,
            "a group that any VF has joined goes to the PF and all VFs, any other to none",
            f"20 of 20 frames and 0 of 20, {_QEMU}",
        ),
        _measured(Topic.VLAN, "a VF gets a frame only in its own VLAN", _QEMU_RECEIVE),
        _measured(
            Topic.VLAN_MISS,
            "a frame from the wire that the VLAN filter takes from every VF with its MAC goes to the PF, "
            "unless no port "
            "of the NIC is in its VLAN",
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
        read_in_linux(
            Topic.SPOOF_CHECK,
            "the driver sets the anti-spoof bits of the VF: the NIC drops frames with another source MAC",
            "intel/igb/igb_main.c:igb_ndo_set_vf_spoofchk",
        ),
        _measured(
            Topic.PF_DOWN,
            "PF down and up mutes all VFs, then their drivers reset: 425 of 800 frames lost in one trial",
            LINUX + "intel/igb/igb_main.c:igb_reset, igb_flush_mac_table",
        ),
        _measured(
            Topic.VF_RESET,
            "with trust on, a reset of the VF's driver writes the VF's own MAC back into its register; with trust off "
            "the netdev takes the admin MAC",
            "mirror frames 20 of 20 before the guest's ifdown/ifup, 0 of 20 after; "
            + LINUX
            + "intel/igbvf/netdev.c:igbvf_reset",
        ),
        _measured(
            Topic.GUEST_MAC,
            "with an admin MAC set, a MAC set in an untrusted guest is refused (EADDRNOTAVAIL), and the PF logs it",
            f"{_QEMU}; " + LINUX + "intel/igb/igb_main.c:igb_set_vf_mac_addr, igbvf/netdev.c:igbvf_set_mac",
        ),
        _measured(
            Topic.PF_MTU,
            "a new MTU of the PF restarts it: the PF and its VFs lose their carrier",
            f"{_QEMU}; " + LINUX + "intel/igb/igb_main.c:igb_change_mtu",
        ),
        _measured(
            Topic.ADMIN_MAC,
            'the VF\'s netdev keeps its old MAC until its driver is reset: "Reload the VF driver"',
            f"{_QEMU}; " + LINUX + "intel/igb/igb_main.c:igb_ndo_set_vf_mac",
        ),
        read_in_linux(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/igb/igb_main.c:igb_vf_configure"),
    ),
)

IGB_I350 = replace(
    IGB_82576,
    chip="I350",
    device_ids=frozenset(f"8086:{device}" for device in ("1521", "1522", "1523", "1524")),
    same_mac=SameMacDelivery.NOT_KNOWN,
    rung=Rung.SOURCE,
    meters=(MeterFacts(MeterName.RINGS, vfs=4),),
    evidence=(
        read_in_linux(
            Topic.METER,
            "the register dump has the ring positions of queues 0 to 3 only: those of later queues are dumped for the "
            "82576 alone",
            "intel/igb/igb_ethtool.c:igb_get_regs",
        ),
        read_in_linux(
            Topic.ADMIN_MAC, "the same driver code as for the 82576", "intel/igb/igb_main.c:igb_set_vf_mac_addr"
        ),
        read_in_linux(
            Topic.UNICAST,
            "one receive address register per VF, with the VF's pool bit",
            "intel/igb/igb_main.c:igb_rar_set_index",
        ),
        read_in_linux(
            Topic.UNMATCHED,
            "a unicast frame that no register matches goes from the wire to the PF (the default pool), "
            "from inside to the wire",
            "intel/igb/igb_main.c:igb_set_rx_mode, igb_vmm_control",
        ),
        read_in_linux(Topic.BROADCAST, "every VF accepts broadcast", "intel/igb/igb_main.c:igb_set_vmolr"),
        read_in_linux(
            Topic.VLAN, "the VLAN filter has a pool mask per VLAN", "intel/igb/igb_main.c:igb_set_vf_vlan_filter"
        ),
        read_in_linux(
            Topic.SPOOF_CHECK, "the driver sets the anti-spoof bits", "intel/igb/igb_main.c:igb_ndo_set_vf_spoofchk"
        ),
        read_in_linux(Topic.PF_DOWN, "receive and transmit of all VFs end", "intel/igb/igb_main.c:igb_reset"),
        read_in_linux(
            Topic.VF_RESET,
            "igbvf takes the admin MAC when it resets; a trusted VF writes its own back",
            "intel/igbvf/netdev.c:igbvf_reset",
        ),
        read_in_linux(Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/igb/igb_main.c:igb_vf_configure"),
    ),
)

IXGBE = DriverFacts(
    driver="ixgbe",
    admin_mac=AdminMacEffect.FILTER_AT_ONCE,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    pf_down_cuts_vfs=True,
    max_vfs=63,
    vf_driver="ixgbevf",
    mode_change=ModeChange.UNSUPPORTED,
    mac_needs_reload=True,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    meters=(MeterFacts(MeterName.VF_STATISTICS, lag_s=2.0),),
    evidence=(
        read_in_linux(
            Topic.METER,
            "per-VF statistics are the NIC's counters of the VF, as of the last run of the service task (every two "
            "seconds at the latest)",
            "intel/ixgbe/ixgbe_main.c:ixgbe_ndo_get_vf_stats, ixgbe_update_stats, ixgbe_service_timer",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            "the old filter is deleted and the new one added at once",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_set_vf_mac_addr",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            'no message to the VF: "Reload the VF driver"',
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_mac",
        ),
        read_in_linux(
            Topic.UNICAST, "one filter per VF MAC, with one pool", "intel/ixgbe/ixgbe_main.c:ixgbe_add_mac_filter"
        ),
        read_in_linux(
            Topic.UNMATCHED,
            "a unicast frame that no filter matches goes from the wire to the PF (the default pool), "
            "from inside to the wire",
            "intel/ixgbe/ixgbe_main.c:ixgbe_configure_virtualization",
        ),
        read_in_linux(Topic.BROADCAST, "every VF accepts broadcast", "intel/ixgbe/ixgbe_sriov.c:ixgbe_set_vmolr"),
        read_in_linux(
            Topic.VLAN, "the VLAN filter has a pool mask per VLAN", "intel/ixgbe/ixgbe_sriov.c:ixgbe_enable_port_vlan"
        ),
        read_in_linux(
            Topic.SPOOF_CHECK,
            "the driver sets the anti-spoof bits of the VF: the NIC drops frames with another source MAC",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_spoofchk",
        ),
        read_in_linux(
            Topic.PF_DOWN,
            "receive and transmit of all VFs end, and their filters are flushed",
            "intel/ixgbe/ixgbe_main.c:ixgbe_down, ixgbe_reset",
        ),
        read_in_linux(
            Topic.TRUST,
            "a change of trust makes the VF initialise again",
            "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_trust",
        ),
        read_in_linux(
            Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/ixgbe/ixgbe_sriov.c:__ixgbe_enable_sriov"
        ),
    ),
)

I40E = DriverFacts(
    driver="i40e",
    admin_mac=AdminMacEffect.RESETS_VF,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    vf_driver="iavf",
    mode_change=ModeChange.UNSUPPORTED,
    mac_needs_reload=False,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    meters=(MeterFacts(MeterName.VF_STATISTICS),),
    evidence=(
        read_in_linux(
            Topic.METER,
            "per-VF statistics are read from the VF's VSI when they are asked for; they read 0 while the VF resets",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_get_vf_stats",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            "all filters of the VF are deleted and the VF is reset",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_mac",
        ),
        read_in_linux(
            Topic.UNICAST,
            "one perfect-match filter per MAC and VSI",
            "intel/i40e/i40e_main.c:i40e_sync_vsi_filters (MACVLAN_ADD_PERFECT_MATCH)",
        ),
        read_in_linux(
            Topic.BROADCAST,
            "every VF has a broadcast filter",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_alloc_vsi_res",
        ),
        read_in_linux(
            Topic.VLAN,
            "a VF's filters carry its port VLAN",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_port_vlan",
        ),
        read_in_linux(
            Topic.SPOOF_CHECK,
            "the VSI's security flags: the NIC drops frames with another source MAC",
            "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_spoofchk",
        ),
        read_in_linux(
            Topic.TRUST, "a change of trust resets the VF", "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_trust"
        ),
        read_in_linux(
            Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/i40e/i40e_virtchnl_pf.c:i40e_alloc_vfs"
        ),
    ),
)

ICE = DriverFacts(
    driver="ice",
    admin_mac=AdminMacEffect.RESETS_VF,
    same_mac=SameMacDelivery.BOTH,
    rung=Rung.SOURCE,
    trust_resets_vf=True,
    vf_driver="iavf",
    mode_change=ModeChange.NO_VFS,
    mac_needs_reload=False,
    spoofchk_at_first=True,
    guest_mac=GuestMac.TRUSTED,
    meters=(MeterFacts(MeterName.VF_STATISTICS), MeterFacts(MeterName.REPRESENTOR)),
    evidence=(
        read_in_linux(
            Topic.METER,
            "per-VF statistics are read from the VF's VSI when they are asked for",
            "intel/ice/ice_sriov.c:ice_get_vf_stats",
        ),
        read_in_linux(
            Topic.METER,
            "a representor's packets are those of the VF's VSI, the other way round",
            "intel/ice/ice_repr.c:ice_repr_get_stats64",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            "the VF is reset and the rule added on rebuild",
            "intel/ice/ice_sriov.c:__ice_set_vf_mac",
        ),
        read_in_linux(Topic.UNICAST, "one rule per MAC, to a VSI", "intel/ice/ice_switch.c:ice_add_rule_internal"),
        read_in_linux(
            Topic.SAME_MAC,
            "a second rule for one MAC becomes a list of VFs",
            "intel/ice/ice_switch.c:ice_add_update_vsi_list",
        ),
        read_in_linux(
            Topic.BROADCAST,
            "every VF has a broadcast filter",
            "intel/ice/ice_vf_lib.c:ice_vf_rebuild_host_mac_cfg",
        ),
        read_in_linux(
            Topic.VLAN,
            "a VF's VSI is a member of its port VLAN only",
            "intel/ice/ice_vf_lib.c:ice_vf_rebuild_host_vlan_cfg",
        ),
        read_in_linux(
            Topic.SPOOF_CHECK,
            "the VSI's security flags: the NIC drops frames with another source MAC",
            "intel/ice/ice_sriov.c:ice_set_vf_spoofchk",
        ),
        read_in_linux(Topic.TRUST, "a change of trust resets the VF", "intel/ice/ice_sriov.c:ice_set_vf_trust"),
        read_in_linux(
            Topic.MODE,
            '"Changing eswitch mode is allowed only if there is no VFs created" (EOPNOTSUPP)',
            "intel/ice/ice_eswitch.c:ice_eswitch_mode_set",
        ),
        read_in_linux(
            Topic.FRESH_VF, "a fresh VF has its spoof check on", "intel/ice/ice_vf_lib.c:ice_initialize_vf_entry"
        ),
    ),
)
