"""What each NIC driver does with its VFs: one row per driver, or per chip where chips differ, each fact with evidence.

A quirk of a NIC is written here and nowhere else. ``Rung`` says how well it is known: a fact read in source code is not
a measurement, and a measurement on the emulated NIC says nothing about another one.
"""

from virtfn.eswitch.facts import (
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
from virtfn.eswitch.intel import I40E, ICE, IGB_82576, IGB_I350, IXGBE

_MLX5 = DriverFacts(
    driver="mlx5_core",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    same_mac=SameMacDelivery.BOTH,
    rung=Rung.SOURCE,
    vf_driver="mlx5_core",
    mode_change=ModeChange.VFS_UNBOUND,
    mac_needs_reload=True,
    spoofchk_at_first=False,
    guest_mac=GuestMac.ANY,
    meters=(MeterFacts(MeterName.VF_STATISTICS), MeterFacts(MeterName.REPRESENTOR, lag_s=1.0)),
    evidence=(
        read_in_linux(
            Topic.METER,
            "per-VF statistics are the vport's counters, asked of the firmware each time",
            "mellanox/mlx5/core/eswitch.c:mlx5_eswitch_get_vport_stats",
        ),
        read_in_linux(
            Topic.METER,
            "a representor's packets are the vport's counters, the other way round; each reading starts an update for "
            "the next one",
            "mellanox/mlx5/core/en_rep.c:mlx5e_rep_get_stats, mlx5e_rep_update_hw_counters",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            "the admin MAC sets the VF's permanent address and the spoof check, not the forwarding table",
            "mellanox/mlx5/core/eswitch.c:mlx5_esw_set_vport_mac_locked",
        ),
        read_in_linux(
            Topic.GUEST_MAC,
            "the forwarding table follows the guest's own list of unicast MACs, trusted or not",
            "mellanox/mlx5/core/eswitch.c:esw_update_vport_addr_list, esw_add_uc_addr",
        ),
        read_in_linux(
            Topic.UNICAST,
            "one flow rule per MAC, to the VF's vport",
            "mellanox/mlx5/core/eswitch.c:__esw_fdb_set_vport_rule",
        ),
        read_in_linux(
            Topic.SAME_MAC,
            "a second rule for one MAC adds a destination to the same flow entry",
            "mellanox/mlx5/core/eswitch.c:__esw_fdb_set_vport_rule; fs_core.c:add_rule_fg",
        ),
        read_in_linux(
            Topic.BROADCAST,
            "broadcast is in the guest's own list of multicast MACs",
            "mellanox/mlx5/core/eswitch.c:esw_add_mc_addr",
        ),
        read_in_linux(
            Topic.SPOOF_CHECK,
            "an ingress ACL drops frames whose source is not the admin MAC",
            "mellanox/mlx5/core/esw/acl/ingress_lgcy.c:esw_acl_ingress_lgcy_setup",
        ),
        read_in_linux(
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
        read_in_linux(Topic.FRESH_VF, "a fresh VF has its spoof check off", "mellanox/mlx5/core/eswitch.c"),
    ),
)

_BNXT = DriverFacts(
    driver="bnxt_en",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    rung=Rung.SOURCE,
    trust_resets_vf=False,
    pf_down_cuts_vfs=False,
    vf_driver="bnxt_en",
    mode_change=ModeChange.VFS_MAY_STAY,
    mac_needs_reload=True,
    guest_mac=GuestMac.TRUSTED,
    evidence=(
        read_in_linux(
            Topic.METER,
            "per-VF statistics are always 0: the driver has no ndo_get_vf_stats; representors count in software only",
            "broadcom/bnxt/bnxt.c:bnxt_netdev_ops, bnxt_vfr.c:bnxt_vf_rep_get_stats64",
        ),
        read_in_linux(
            Topic.ADMIN_MAC,
            "the firmware's default MAC of the function is set; the VF's own filters stay",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_set_vf_mac",
        ),
        read_in_linux(
            Topic.UNICAST,
            "one L2 filter per function, in the firmware",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_vf_validate_set_mac",
        ),
        read_in_linux(
            Topic.SPOOF_CHECK,
            "the firmware drops frames with another source MAC",
            "broadcom/bnxt/bnxt_sriov.c:bnxt_set_vf_spoofchk",
        ),
        read_in_linux(
            Topic.PF_DOWN,
            "the link stays up while VFs exist",
            "broadcom/bnxt/bnxt.c:bnxt_hwrm_shutdown_link",
        ),
        read_in_linux(
            Topic.MODE,
            "representors are created for the VFs that exist",
            "broadcom/bnxt/bnxt_vfr.c:bnxt_dl_eswitch_mode_set",
        ),
    ),
)

_NETDEVSIM = DriverFacts(
    driver="netdevsim",
    admin_mac=AdminMacEffect.ADDRESS_ONLY,
    rung=Rung.SOURCE,
    trust_resets_vf=False,
    pf_down_cuts_vfs=False,
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

TABLE: tuple[DriverFacts, ...] = (IGB_82576, IGB_I350, IXGBE, I40E, ICE, _MLX5, _BNXT, _NETDEVSIM)


def facts_of(driver: str, device_id: str | None = None) -> DriverFacts | None:
    """The row of a PF driver, or None where nothing is known about it.

    ``device_id``: the PF's PCI ``vendor:device``, for a driver of several chips; without it, the first row.
    """
    rows = [row for row in TABLE if row.driver == driver]
    return next((row for row in rows if device_id in row.device_ids), rows[0] if rows else None)
