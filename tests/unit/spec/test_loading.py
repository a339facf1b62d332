"""What ``load`` promises beyond single files: bounds, bytes, several files, precedence."""

import time

import pytest
from tests.findings import found

from virtfn.errors import ExitCode, SpecError
from virtfn.model.desired import UNSET, DesiredVf
from virtfn.spec.document import MAX_BYTES, decoded
from virtfn.spec.loading import load

HEAD = "virtfn: host/1\npfs:\n"


def refused(*sources: tuple[str, str]) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(sources)
    return caught.value


def test_no_file_is_an_error() -> None:
    assert refused().exit_code is ExitCode.BAD_SPEC


def test_one_vf_goes_before_a_range_before_each() -> None:
    text = f"{HEAD}  - match: {{name: p2p1}}\n    each: {{trust: false, spoofchk: true, rss_query: true}}\n"
    text += '    vfs: {2: {trust: true}, "0-3": {trust: false, spoofchk: false}}\n'
    pf = load([("host.yaml", text)]).pfs[0]
    assert pf.vf(2) == DesiredVf(trust=True, spoofchk=False, rss_query=True)
    assert pf.vf(3) == DesiredVf(trust=False, spoofchk=False, rss_query=True)
    assert pf.vf(9) == pf.each
    assert pf.num_vfs is UNSET


def test_faults_of_all_files_come_in_the_order_of_the_files() -> None:
    entry = "  - match: {name: p2p1}\n"
    first, second = (
        ("b.yaml", f"{HEAD}{entry}    mtu: 1\n    num_vfs: 3\n"),
        ("a.yaml", f"{HEAD}{entry}    up: 1\n    mtu: 2\n"),
    )
    assert [problem.split(" ")[0] for problem in found(refused(first, second))] == [
        "b.yaml:4:",
        "a.yaml:3:",
        "a.yaml:4:",
        "a.yaml:5:",
    ]


def test_the_first_fault_speaks_and_counts_the_others() -> None:
    error = refused(("host.yaml", f"{HEAD}  - match: {{name: p2p1}}\n    mtu: 1\n    up: 1\n"))
    assert str(error) == "host.yaml:4: pfs[0].mtu: 1 is less than 68 (and 1 more)"
    assert error.hint == "write 68 or more"


def test_an_entry_knows_where_it_stands() -> None:
    text = f"# a comment\n{HEAD}\n  - match: {{name: p2p1}}\n"
    assert load([("/etc/virtfn/host.yaml", text)]).pfs[0].where == "/etc/virtfn/host.yaml:5"


@pytest.mark.parametrize(
    "text",
    [
        "#" * (MAX_BYTES + 1),
        "é" * (MAX_BYTES // 2 + 1),
        HEAD + "  - " + "[" * 100_000,
        "? " * 100_000,
        HEAD + "  - {" + "a: " * 100_000,
        HEAD + "  - [" + "1," * 201_000 + "]",
        HEAD
        + "".join(
            f"  - match: {{name: p{number}}}\n    vfs: {{'0-65534': {{trust: true}}}}\n" for number in range(3000)
        ),
    ],
    ids=["bytes", "utf8", "depth", "keys-in-keys", "flow", "values", "matches"],
)
def test_a_file_that_is_too_much_is_refused_in_good_time(text: str) -> None:
    started = time.monotonic()
    error = refused(("big.yaml", text))
    assert error.where.startswith("big.yaml:")
    assert time.monotonic() - started < 60


def test_many_ranges_are_bounded() -> None:
    vfs = ", ".join(f'"{first}-65534": {{trust: true}}' for first in range(3))
    error = refused(("host.yaml", f"{HEAD}  - match: {{name: p2p1}}\n    vfs: {{{vfs}}}\n"))
    assert "65536 VFs" in error.message


@pytest.mark.parametrize("text", ["\x00", "a\ud800", "\x1b[31m", "a: \x7f"])
def test_text_that_is_no_text_is_refused_with_its_place(text: str) -> None:
    assert "not text" in refused(("junk", text)).message


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(SpecError) as caught:
        decoded(b"virtfn: host/1\nname: \xff\xfe\n", file="host.yaml")
    assert caught.value.where == "host.yaml:2:7"


def test_bytes_that_are_too_many_are_refused_before_they_are_read() -> None:
    with pytest.raises(SpecError, match="too big"):
        decoded(b"\xff" * (MAX_BYTES + 1), file="host.yaml")


def test_a_byte_order_mark_is_taken_off() -> None:
    assert decoded(b"\xef\xbb\xbfpfs: []", file="host.yaml") == "pfs: []"
