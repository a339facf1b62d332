import shlex

import pytest

from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.plan import DEFINITION, Plan, Step
from virtfn.model.secrets import hidden, redacted, without_secret_keys, without_secrets
from virtfn.model.subject import CloudAction, CloudSubject
from virtfn.planning.cloud.commands import create_command

NOTE = CloudSubject(CloudAction.UP, "note")
TOKEN = "gAAAAABmZm9vYmFyYmF6cXV4" + "x" * 40
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://admin:hunter2@h:5000/v3: refused", "http://admin:***@h:5000/v3: refused"),
        ("http://h:5000/v3: refused", "http://h:5000/v3: refused"),
        ("X-Auth-Token: abc123, and so on", "X-Auth-Token: ***, and so on"),
        ("{'X-Subject-Token': 'abc123'}", "{'X-Subject-Token': '***'}"),
        (f"token {TOKEN} is not valid", "token *** is not valid"),
        ('{"adminPass": "hunter2", "id": 1}', '{"adminPass": "***", "id": 1}'),
        (f"key {PEM} is there", "key (RSA PRIVATE KEY, hidden) is there"),
        ("port a: no more ports", "port a: no more ports"),
    ],
)
def test_texts_of_others_lose_their_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_a_known_secret_is_taken_out_of_a_text() -> None:
    assert without_secrets("Invalid input. Value: aHVudGVyMg==.", ["aHVudGVyMg=="]) == "Invalid input. Value: ***."


def test_a_plan_is_shown_without_user_data_also_in_its_commands() -> None:
    target, secret = cloud_target("note", Kind.SERVER, "vm"), "it's hunter2"
    fields = {"image": "i", "flavor": "f", "ports": ["p"], "user_data": secret}
    made = Step(target, DEFINITION, None, {"image": "i"}, "", command=create_command("note", Kind.SERVER, "vm", fields))
    told = Step(target, "user_data", None, secret, "")
    assert shlex.quote(secret) in made.command
    shown = redacted(Plan(NOTE, "note", (made, told)))
    assert "hunter2" not in repr(shown)
    assert shown.steps[0].command.startswith('printf %s "$USER_DATA" | openstack server create ')
    assert shown.steps[1].after == "(12 letters, hidden)"
    assert redacted(shown) == shown


def test_a_short_secret_does_not_spoil_a_command() -> None:
    target = cloud_target("note", Kind.SERVER, "vm")
    fields = {"image": "i", "flavor": "f", "ports": ["p"], "user_data": "e"}
    made = Step(target, DEFINITION, None, {"image": "i"}, "", command=create_command("note", Kind.SERVER, "vm", fields))
    shown = redacted(Plan(NOTE, "note", (made, Step(target, "user_data", None, "e", ""))))
    assert "openstack server create --image i --flavor f" in shown.steps[0].command


def test_no_secret_is_no_secret() -> None:
    assert hidden(None) is None


def test_a_document_is_without_secrets_wherever_they_are_in_it() -> None:
    shown = without_secret_keys({"request": {"servers": [{"name": "vm", "user_data": "hunter2"}]}, "user_data": None})
    assert shown == {"request": {"servers": [{"name": "vm", "user_data": "(7 letters, hidden)"}]}, "user_data": None}
