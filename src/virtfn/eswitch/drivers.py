"""What each NIC driver does with its VFs, one row a driver, each fact with where it is known from.

A quirk of a NIC lives here and nowhere else. ``Rung`` says how it is known: a fact read from source code is not a
measurement, and a measurement on the emulated NIC says nothing about another one.
"""

from virtfn.eswitch.facts import AdminMacEffect, DriverFacts, Evidence, ModeChange, Rung, SameMacDelivery

__all__ = [
    "TABLE",
    "AdminMacEffect",
    "DriverFacts",
    "Evidence",
    "ModeChange",
    "Rung",
    "SameMacDelivery",
    "facts_of",
]

_LINUX = "Linux 6.12 drivers/net/ethernet/"

TABLE: tuple[DriverFacts, ...] = (
    DriverFacts(
        driver="igb",
        admin_mac=AdminMacEffect.FILTER_AT_ONCE,
        same_mac=SameMacDelivery.BOTH,
        rung=Rung.EMULATED,
        trust_resets_vf=False,
        pf_down_cuts_vfs=True,
        max_vfs=7,
        evidence=(
            Evidence(
                "the admin MAC is written into the VF's receive address register at once; no VF reload is needed",
                Rung.EMULATED,
                "20 of 20 frames at both VFs right after `vf 2 mac`, QEMU 10.0 igb, Linux 6.12; "
                + _LINUX
                + "intel/igb/igb_main.c:igb_set_vf_mac_addr",
            ),
            Evidence(
                "a frame goes to every VF whose register matches, then the VLAN filter decides",
                Rung.EMULATED,
                "QEMU 10.0 hw/net/igb_core.c:igb_receive_assign; equal registers on a real 82576 are not measured",
            ),
            Evidence(
                "PF down and up mutes all VFs: 425 of 800 frames lost at 100 a second in one trial",
                Rung.EMULATED,
                _LINUX + "intel/igb/igb_main.c:igb_reset, igb_flush_mac_table",
            ),
            Evidence(
                "with trust on, a reset of the VF's driver writes the VF's own MAC back into its register",
                Rung.EMULATED,
                "mirror frames 20 of 20 before the guest's ifdown/ifup, 0 of 20 after",
            ),
            Evidence(
                'the VF\'s netdev keeps its old MAC until its driver is reset: "Reload the VF driver"',
                Rung.EMULATED,
                "QEMU 10.0 igb, Linux 6.12; " + _LINUX + "intel/igb/igb_main.c:igb_ndo_set_vf_mac",
            ),
            Evidence(
                "a fresh VF has its spoof check on", Rung.SOURCE, _LINUX + "intel/igb/igb_main.c:igb_vf_configure"
            ),
        ),
        vf_driver="igbvf",
        mode_change=ModeChange.UNSUPPORTED,
        mac_needs_reload=True,
        spoofchk_at_first=True,
    ),
    DriverFacts(
        driver="ixgbe",
        admin_mac=AdminMacEffect.FILTER_AT_ONCE,
        same_mac=SameMacDelivery.NOT_KNOWN,
        rung=Rung.SOURCE,
        trust_resets_vf=True,
        pf_down_cuts_vfs=True,
        max_vfs=63,
        evidence=(
            Evidence(
                "the old filter is deleted and the new one added at once",
                Rung.SOURCE,
                _LINUX + "intel/ixgbe/ixgbe_sriov.c:ixgbe_set_vf_mac_addr",
            ),
            Evidence(
                'no message to the VF: "Reload the VF driver"',
                Rung.SOURCE,
                _LINUX + "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_mac",
            ),
            Evidence(
                "a change of trust makes the VF initialise anew",
                Rung.SOURCE,
                _LINUX + "intel/ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_trust",
            ),
            Evidence(
                "a fresh VF has its spoof check on",
                Rung.SOURCE,
                _LINUX + "intel/ixgbe/ixgbe_sriov.c:__ixgbe_enable_sriov",
            ),
        ),
        vf_driver="ixgbevf",
        mode_change=ModeChange.UNSUPPORTED,
        mac_needs_reload=True,
        spoofchk_at_first=True,
    ),
    DriverFacts(
        driver="i40e",
        admin_mac=AdminMacEffect.RESETS_VF,
        same_mac=SameMacDelivery.NOT_KNOWN,
        rung=Rung.SOURCE,
        trust_resets_vf=True,
        pf_down_cuts_vfs=None,
        max_vfs=None,
        evidence=(
            Evidence(
                "all filters of the VF are deleted and the VF is reset",
                Rung.SOURCE,
                _LINUX + "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_mac",
            ),
            Evidence(
                "a change of trust resets the VF",
                Rung.SOURCE,
                _LINUX + "intel/i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_trust",
            ),
            Evidence(
                "a fresh VF has its spoof check on",
                Rung.SOURCE,
                _LINUX + "intel/i40e/i40e_virtchnl_pf.c:i40e_alloc_vfs",
            ),
        ),
        vf_driver="iavf",
        mode_change=ModeChange.UNSUPPORTED,
        mac_needs_reload=False,
        spoofchk_at_first=True,
    ),
    DriverFacts(
        driver="ice",
        admin_mac=AdminMacEffect.RESETS_VF,
        same_mac=SameMacDelivery.BOTH,
        rung=Rung.SOURCE,
        trust_resets_vf=True,
        pf_down_cuts_vfs=None,
        max_vfs=None,
        evidence=(
            Evidence(
                "the VF is reset and the rule added on rebuild",
                Rung.SOURCE,
                _LINUX + "intel/ice/ice_sriov.c:__ice_set_vf_mac",
            ),
            Evidence(
                "a second rule for one MAC becomes a list of VFs",
                Rung.SOURCE,
                _LINUX + "intel/ice/ice_switch.c:ice_add_update_vsi_list",
            ),
            Evidence(
                "a change of trust resets the VF",
                Rung.SOURCE,
                _LINUX + "intel/ice/ice_sriov.c:ice_set_vf_trust",
            ),
            Evidence(
                '"Changing eswitch mode is allowed only if there is no VFs created" (EOPNOTSUPP)',
                Rung.SOURCE,
                _LINUX + "intel/ice/ice_eswitch.c:ice_eswitch_mode_set",
            ),
            Evidence(
                "a fresh VF has its spoof check on",
                Rung.SOURCE,
                _LINUX + "intel/ice/ice_vf_lib.c:ice_initialize_vf_entry",
            ),
        ),
        vf_driver="iavf",
        mode_change=ModeChange.NO_VFS,
        mac_needs_reload=False,
        spoofchk_at_first=True,
    ),
    DriverFacts(
        driver="mlx5_core",
        admin_mac=AdminMacEffect.ADDRESS_ONLY,
        same_mac=SameMacDelivery.BOTH,
        rung=Rung.SOURCE,
        trust_resets_vf=None,
        pf_down_cuts_vfs=None,
        max_vfs=None,
        evidence=(
            Evidence(
                "the admin MAC sets the VF's permanent address and the spoof check, not the forwarding table",
                Rung.SOURCE,
                _LINUX + "mellanox/mlx5/core/eswitch.c:mlx5_esw_set_vport_mac_locked",
            ),
            Evidence(
                "which kernels change the mode under bound VFs is not known; unbinding them first is the careful way",
                Rung.NOT_KNOWN,
                "https://github.com/k8snetworkplumbingwg/sriov-network-operator/pull/1019",
            ),
            Evidence("a fresh VF has its spoof check off", Rung.SOURCE, _LINUX + "mellanox/mlx5/core/eswitch.c"),
        ),
        vf_driver="mlx5_core",
        mode_change=ModeChange.VFS_UNBOUND,
        mac_needs_reload=True,
        spoofchk_at_first=False,
    ),
    DriverFacts(
        driver="bnxt_en",
        admin_mac=AdminMacEffect.ADDRESS_ONLY,
        same_mac=SameMacDelivery.NOT_KNOWN,
        rung=Rung.SOURCE,
        trust_resets_vf=False,
        pf_down_cuts_vfs=False,
        max_vfs=None,
        evidence=(
            Evidence(
                "the firmware's default MAC of the function is set; the VF's own filters stay",
                Rung.SOURCE,
                _LINUX + "broadcom/bnxt/bnxt_sriov.c:bnxt_set_vf_mac",
            ),
            Evidence(
                "representors are made for the VFs that there are",
                Rung.SOURCE,
                _LINUX + "broadcom/bnxt/bnxt_vfr.c:bnxt_dl_eswitch_mode_set",
            ),
        ),
        vf_driver="bnxt_en",
        mode_change=ModeChange.VFS_MAY_STAY,
        mac_needs_reload=True,
    ),
    DriverFacts(
        driver="netdevsim",
        admin_mac=AdminMacEffect.ADDRESS_ONLY,
        same_mac=SameMacDelivery.NOT_KNOWN,
        rung=Rung.SOURCE,
        trust_resets_vf=False,
        pf_down_cuts_vfs=False,
        max_vfs=None,
        evidence=(
            Evidence(
                "values are stored and nothing else: the simulator forwards no frames",
                Rung.SOURCE,
                "Linux 6.12 drivers/net/netdevsim/netdev.c:nsim_set_vf_mac",
            ),
            Evidence(
                "representors are made for the VFs that there are",
                Rung.SOURCE,
                "Linux 6.12 drivers/net/netdevsim/dev.c:nsim_esw_switchdev_enable",
            ),
        ),
        mode_change=ModeChange.VFS_MAY_STAY,
        mac_needs_reload=False,
        spoofchk_at_first=False,
    ),
)


def facts_of(driver: str) -> DriverFacts | None:
    """The row of a PF driver, or None where nothing is known about it."""
    return next((row for row in TABLE if row.driver == driver), None)
