"""The text of ``virtfn --help``, without click, whose import would take most of the time."""

from virtfn.errors import ExitCode

SUMMARIES = {
    "show": "Show Physical and Virtual Functions.",
    "plan": "Show what `apply` would change, and which guards block it.",
    "apply": "Apply the spec; roll back on failure.",
    "verify": "Compare this host with the spec.",
    "rollback": "Put back what a transaction changed.",
    "resume": "Resume an interrupted transaction.",
    "confirm": "Keep what `apply --confirm-within` did.",
    "journal": "What virtfn has changed on this host, or in a cloud.",
    "persist": "Apply the spec at every boot.",
    "mirror": "Copy one VF's traffic to another VF, and prove it.",
    "cloud": "Flat SR-IOV networks, ports and servers on OpenStack.",
    "lab": "An emulated SR-IOV host, with the real kernel drivers.",
}
"""Each command that is shown, in this order, with its line."""

OPTIONS = {
    "--version": "Show the version and exit.",
    "--lab": "Run this virtfn command inside the lab.",
    "-h, --help": "Show this message and exit.",
}


def overview() -> str:
    """The help text, in click's layout; its lines fit 80 columns."""
    codes = "\n".join(f"    {code.value:<4} {code.meaning}" for code in ExitCode)
    return f"""\
Usage: virtfn [OPTIONS] COMMAND [ARGS]...

  See, shape, mirror and prove SR-IOV virtual functions.

Options:
{_listed(OPTIONS)}

Commands:
{_listed(SUMMARIES)}

  Exit codes:
{codes}
"""


def _listed(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {line}" for name, line in rows.items())
