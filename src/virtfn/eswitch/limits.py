"""Values that a driver refuses: one row per refusal, each with its evidence. Pure.

A value is in the plain form of plans: ``{"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 500}``, ``"enable"``, ``True``.
A driver without a row is not known to refuse anything; the kernel decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from virtfn.eswitch.drivers import TABLE
from virtfn.eswitch.facts import Evidence, ModeChange, Rung
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import EswitchMode, VfLinkState, VlanProtocol
from virtfn.model.plan import Value

Test = Callable[[Value], bool]


@dataclass(frozen=True)
class Limit:
    """What ``driver`` ("" for all) refuses in ``field``, in ``mode`` only where that is named.

    ``silent``: it reports success and changes nothing. ``absolute``: every version of every driver refuses it.
    """

    driver: str
    field: str
    refuses: Test
    evidence: Evidence
    mode: EswitchMode | None = None
    silent: bool = False
    absolute: bool = False


def limits_on(driver: str | None, field: str, value: Value, *, mode: EswitchMode | None = None) -> tuple[Limit, ...]:
    """The rows by which a PF with this driver, in this mode, refuses the value; empty where no refusal is known."""
    return tuple(
        row
        for row in _LIMITS_OF.get(field, ())
        if row.driver in ("", driver) and (row.mode is None or row.mode is mode) and row.refuses(value)
    )


def _anything(value: Value) -> bool:
    return True


def _is(wanted: Value) -> Test:
    return lambda value: value == wanted


def _part(value: Value, name: str) -> Value:
    return value.get(name) if isinstance(value, Mapping) else None


def _s_tag(value: Value) -> bool:
    return _part(value, "protocol") == VlanProtocol.S_TAG and _part(value, "id") != 0


def _tagged(value: Value) -> bool:
    return _part(value, "id") != 0


def _floor(value: Value) -> bool:
    return bool(_part(value, "min_tx_rate_mbps"))


def _floor_above_ceiling(value: Value) -> bool:
    low, high = _part(value, "min_tx_rate_mbps"), _part(value, "max_tx_rate_mbps")
    return isinstance(low, int) and isinstance(high, int) and 0 < high < low


def _group_address(value: Value) -> bool:
    return isinstance(value, str) and MacAddress.parse(value).is_multicast


def _source(fact: str, source: str) -> Evidence:
    return Evidence(fact, Rung.SOURCE, f"Linux 6.12 {source}")


_INTEL = "drivers/net/ethernet/intel/"
_MLX5 = "drivers/net/ethernet/mellanox/mlx5/core/"
_NETDEVSIM = "drivers/net/netdevsim/netdev.c:"

_EVERYWHERE: tuple[Limit, ...] = (
    Limit(
        "",
        "mac",
        _group_address,
        _source("a group address is never the address of one VF (EINVAL)", "every ndo_set_vf_mac"),
        absolute=True,
    ),
    Limit(
        "",
        "rate",
        _floor_above_ceiling,
        _source("a minimum above the maximum is refused (EINVAL)", "net/core/rtnetlink.c:rtnl_set_vf_rate"),
        absolute=True,
    ),
)

_FIELDS: tuple[Limit, ...] = (
    Limit(
        "igb",
        "link_state",
        _anything,
        _source("igb has no ndo_set_vf_link_state (EOPNOTSUPP)", _INTEL + "igb/igb_main.c:igb_netdev_ops"),
    ),
    Limit(
        "igb",
        "rss_query",
        _anything,
        _source("igb has no ndo_set_vf_rss_query_en (EOPNOTSUPP)", _INTEL + "igb/igb_main.c:igb_netdev_ops"),
    ),
    Limit(
        "igb",
        "rate",
        _floor,
        _source("igb has no minimum rate (EINVAL)", _INTEL + "igb/igb_main.c:igb_ndo_set_vf_bw"),
    ),
    Limit(
        "igb",
        "vlan",
        _s_tag,
        _source("igb sets 802.1Q only (EPROTONOSUPPORT)", _INTEL + "igb/igb_main.c:igb_ndo_set_vf_vlan"),
    ),
    Limit(
        "ixgbe",
        "link_state",
        _is(VfLinkState.ENABLE),
        _source(
            'ixgbe logs "not supported", answers success and changes nothing',
            _INTEL + "ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_link_state",
        ),
        silent=True,
    ),
    Limit(
        "ixgbe",
        "rate",
        _floor,
        _source("ixgbe has no minimum rate (EINVAL)", _INTEL + "ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_bw"),
    ),
    Limit(
        "ixgbe",
        "vlan",
        _s_tag,
        _source("ixgbe sets 802.1Q only (EPROTONOSUPPORT)", _INTEL + "ixgbe/ixgbe_sriov.c:ixgbe_ndo_set_vf_vlan"),
    ),
    Limit(
        "i40e",
        "rss_query",
        _anything,
        _source("i40e has no ndo_set_vf_rss_query_en (EOPNOTSUPP)", _INTEL + "i40e/i40e_main.c:i40e_netdev_ops"),
    ),
    Limit(
        "i40e",
        "rate",
        _floor,
        _source("i40e has no minimum rate (EINVAL)", _INTEL + "i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_bw"),
    ),
    Limit(
        "i40e",
        "vlan",
        _s_tag,
        _source(
            "i40e sets 802.1Q only (EPROTONOSUPPORT)", _INTEL + "i40e/i40e_virtchnl_pf.c:i40e_ndo_set_vf_port_vlan"
        ),
    ),
    Limit(
        "ice",
        "rss_query",
        _anything,
        _source("ice has no ndo_set_vf_rss_query_en (EOPNOTSUPP)", _INTEL + "ice/ice_main.c:ice_netdev_ops"),
    ),
    Limit(
        "ice",
        "trust",
        _anything,
        _source("a trusted VF is forbidden in switchdev (EOPNOTSUPP)", _INTEL + "ice/ice_sriov.c:ice_set_vf_trust"),
        mode=EswitchMode.SWITCHDEV,
    ),
    Limit(
        "mlx5_core",
        "rss_query",
        _anything,
        _source("mlx5 has no ndo_set_vf_rss_query_en (EOPNOTSUPP)", _MLX5 + "en_main.c:mlx5e_netdev_ops"),
    ),
    Limit(
        "mlx5_core",
        "vlan",
        _s_tag,
        _source("mlx5 sets 802.1Q only (EPROTONOSUPPORT)", _MLX5 + "en_main.c:mlx5e_set_vf_vlan"),
    ),
    Limit(
        "mlx5_core",
        "vlan",
        _tagged,
        _source("in switchdev a VF's VLAN is set by flow rules (EOPNOTSUPP)", _MLX5 + "esw/legacy.c"),
        mode=EswitchMode.SWITCHDEV,
    ),
    Limit(
        "mlx5_core",
        "spoofchk",
        _anything,
        _source("legacy mode only (EOPNOTSUPP)", _MLX5 + "esw/legacy.c:mlx5_eswitch_set_vport_spoofchk"),
        mode=EswitchMode.SWITCHDEV,
    ),
    Limit(
        "mlx5_core",
        "trust",
        _anything,
        _source("legacy mode only (EOPNOTSUPP)", _MLX5 + "esw/legacy.c:mlx5_eswitch_set_vport_trust"),
        mode=EswitchMode.SWITCHDEV,
    ),
    Limit(
        "netdevsim",
        "rate",
        _anything,
        _source("in switchdev rates are set with devlink (EOPNOTSUPP)", _NETDEVSIM + "nsim_set_vf_rate"),
        mode=EswitchMode.SWITCHDEV,
    ),
    Limit(
        "netdevsim",
        "driver",
        _anything,
        _source("a simulated VF is no device that a driver could have", "drivers/net/netdevsim/bus.c"),
        absolute=True,
    ),
)

_MODES: tuple[Limit, ...] = tuple(
    Limit(
        driver,
        "eswitch_mode",
        _is(EswitchMode.SWITCHDEV),
        _source(
            f"{driver} has no switchdev: legacy mode only (EOPNOTSUPP)",
            f"{driver}: no eswitch_mode_set among its devlink operations",
        ),
    )
    for driver in dict.fromkeys(row.driver for row in TABLE if row.mode_change is ModeChange.UNSUPPORTED)
)

_INFINIBAND = ("mlx5_core",)
_GUIDS: tuple[Limit, ...] = tuple(
    Limit(
        row.driver,
        field,
        _anything,
        _source(f"{row.driver} has no InfiniBand devices (EOPNOTSUPP)", "net/core/rtnetlink.c:handle_infiniband_guid"),
    )
    for row in TABLE
    if row.driver not in _INFINIBAND
    for field in ("node_guid", "port_guid")
)

LIMITS: tuple[Limit, ...] = (*_EVERYWHERE, *_FIELDS, *_MODES, *_GUIDS)
_LIMITS_OF: Mapping[str, tuple[Limit, ...]] = {
    field: tuple(row for row in LIMITS if row.field == field) for field in dict.fromkeys(row.field for row in LIMITS)
}
