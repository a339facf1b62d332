import pytest

from virtfn.model.plan import Value
from virtfn.model.value_format import say


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "on"),
        (None, "nothing"),
        ({"id": 0, "qos": 0, "protocol": "802.1Q"}, "none"),
        ({"id": 100, "qos": 3, "protocol": "802.1ad"}, "100 qos 3 802.1ad"),
        ({"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 0}, "no limit"),
        ({"min_tx_rate_mbps": 10, "max_tx_rate_mbps": 100}, "min 10 Mbit/s, max 100 Mbit/s"),
    ],
)
def test_values_are_said_as_a_person_reads_them(value: Value, words: str) -> None:
    assert say(value) == words


def test_what_may_hold_a_secret_is_said_by_its_length_only() -> None:
    assert say("password: hunter2", "user_data") == "(17 letters, hidden)"
    assert "hunter2" not in say({"image": "cirros", "user_data": "password: hunter2"})
