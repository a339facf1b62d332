"""Answers to RTM_GETLINK as real drivers gave them on Linux 6.12 (tests/golden/netlink/<case>/message.gz), decoded.

igb is the lab's PF; netdevsim has as many VFs as are asked for, each with a MAC that tells its number.
"""

import gzip
import json
import struct
from pathlib import Path

import pytest

from virtfn.host.vfinfo import decode_link, decode_vf_received
from virtfn.model.serialization import encode

GOLDEN = Path(__file__).parents[2] / "golden/netlink"


def recorded(case: str) -> bytes:
    return gzip.decompress((GOLDEN / case / "message.gz").read_bytes())


@pytest.mark.parametrize("case", ["igb-4-vfs", "igb-4-vfs-with-statistics"])
def test_the_answer_of_igb_is_read_as_it_was(case: str) -> None:
    unknown: dict[str, str] = {}
    link = encode(decode_link(recorded(case)), unknown=unknown)
    reasons = {path: why for path, why in unknown.items() if why != "not in the captured text"}
    assert {"link": link, "unknown": reasons} == json.loads((GOLDEN / case / "link.json").read_text())


@pytest.mark.parametrize(("case", "count"), [("igb-4-vfs", 4), ("netdevsim-335-vfs-wrapped", 335)])
def test_entry_by_entry_the_same_is_read_as_of_the_list_at_once(case: str, count: int) -> None:
    message = recorded(case)
    number = struct.pack("=HHI", 8, 21, count)
    assert message.count(number) == 1
    without_number = message.replace(number, struct.pack("=HHI", 8, 0x3FF, count))
    assert decode_link(without_number).num_vfs is None, "so the list is not read at once"
    assert decode_link(without_number).vfs == decode_link(message).vfs


@pytest.mark.parametrize(
    ("case", "count", "octets"),
    [
        ("netdevsim-335-vfs-wrapped", 335, 196),
        ("netdevsim-256-vfs-with-statistics-wrapped", 256, 296),
    ],
)
def test_all_vfs_are_read_though_the_kernel_itself_wrapped_the_length(case: str, count: int, octets: int) -> None:
    message = recorded(case)
    wrapped = (4 + count * octets) & 0xFFFF
    assert struct.pack("=HH", wrapped, 22) in message
    found = decode_link(message)
    assert [str(vf.mac) for vf in found.vfs] == [f"fa:16:3e:00:{n >> 8:02x}:{n & 255:02x}" for n in range(count)]
    assert (found.num_vfs, found.problems, found.bus) == (count, (), "netdevsim")


def test_the_statistics_of_igb_are_0_for_every_vf() -> None:
    assert decode_vf_received(recorded("igb-4-vfs-with-statistics")) == dict.fromkeys(range(4), 0)
