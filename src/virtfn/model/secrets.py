"""Hides secrets: user data in plans; passwords, tokens and private keys in messages of services.

The journal keeps what a rollback or a resume needs (its files are 0600). Every view shows ``redacted`` values instead.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from virtfn.model.plan import Plan, Step, Target, Value

T = TypeVar("T")
SECRET_FIELDS = frozenset({"user_data"})
"""Fields of steps, and keys of their values, that may hold secrets."""

_HIDDEN = re.compile(r"\(\d+ letters, hidden\)")
_IN_TEXTS = (
    (re.compile(r"(?<=://)([^\s/@:]*):[^\s/@]+(?=@)"), r"\1:***"),
    (
        re.compile(
            r"(?i)((?:x-(?:auth|subject|service)-token|authorization)['\"]?\s*[:=]\s*['\"]?(?:bearer )?)[^\s'\",;]+"
        ),
        r"\1***",
    ),
    (re.compile(r"\bgAAAA[\w-]{20,}={0,2}"), "***"),
    (re.compile(r"(?i)(['\"]?\b(?:admin_?pass|password|secret)['\"]?\s*[:=]\s*['\"]?)[^\s'\",;}]+"), r"\1***"),
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|$)", re.DOTALL), r"(\1, hidden)"),
)
"""Passwords in addresses, tokens in headers, Keystone's fernet tokens, passwords by their key, private keys in PEM."""


def hidden(value: Value) -> Value:
    """The text in place of a secret: its length. None stays None: there is no secret."""
    text = str(value)
    return value if value is None or _HIDDEN.fullmatch(text) else f"({len(text)} letters, hidden)"


def redacted(value: T) -> T:
    """A plan, or a value with plans (a transaction, a receipt, a mapping), without secrets, also in commands.

    It is only for display: it cannot be carried out.
    """
    if isinstance(value, Plan):
        return cast(T, _plan(value))
    if isinstance(value, Mapping):
        return cast(T, {key: redacted(item) for key, item in value.items()})
    held = getattr(value, "plan", None)
    return cast(T, replace(cast(Any, value), plan=_plan(held))) if isinstance(held, Plan) else value


def without_secret_keys(plain: Value) -> Value:
    """A plain value without the secret fields of its mappings, at any depth."""
    if isinstance(plain, Mapping):
        return {
            key: hidden(item) if key in SECRET_FIELDS and isinstance(item, str) else without_secret_keys(item)
            for key, item in plain.items()
        }
    return [without_secret_keys(item) for item in plain] if isinstance(plain, list) else plain


def without_secrets(text: str, known: Sequence[str] = ()) -> str:
    """The text of an error without passwords, tokens, private keys, and without these ``known`` secrets."""
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, "***")
    for pattern, instead in _IN_TEXTS:
        text = pattern.sub(instead, text)
    return text


def _plan(plan: Plan) -> Plan:
    secrets: dict[Target, list[str]] = {}
    for step in plan.steps:
        if step.field in SECRET_FIELDS:
            secrets.setdefault(step.target, []).extend(str(one) for one in (step.before, step.after) if one is not None)
    if not secrets:  # most plans have no secrets
        return plan
    return replace(plan, steps=tuple(_step(step, secrets.get(step.target, ())) for step in plan.steps))


def _step(step: Step, secrets: Sequence[str]) -> Step:
    return replace(
        step,
        before=_value(step.field, step.before),
        after=_value(step.field, step.after),
        command=_command(step.command, secrets),
        undo_command=_command(step.undo_command, secrets),
    )


def _value(field: str, value: Value) -> Value:
    if field in SECRET_FIELDS:
        return hidden(value)
    return {key: _value(key, item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _command(command: str, secrets: Sequence[str]) -> str:
    """The whole argument only: a short secret may be part of any word."""
    for secret in secrets:
        quoted = shlex.quote(secret)
        if command.startswith(f"printf %s {quoted} "):
            command = 'printf %s "$USER_DATA" ' + command.removeprefix(f"printf %s {quoted} ")
    return command
