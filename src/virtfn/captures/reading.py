"""One way in: text that ``ip link show`` printed on some host becomes an ``Inventory``."""

import re

from virtfn.captures.json_reader import is_document, read_document
from virtfn.captures.printout import Fault, Lines
from virtfn.captures.text_reader import read_words
from virtfn.captures.to_inventory import judge, refusal
from virtfn.model.inventory import Inventory

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colour and cursor (CSI)
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # window title (OSC)
    r"|\x1b[()][0-9A-Za-z]"  # character set
)
_QUOTE = re.compile(r"^(?:> ?)+", re.MULTILINE)
_INVISIBLE = re.compile("[\ufeff\u200b\u200c\u200d\u2060]")
_SPACE = re.compile(r"[^\S\n]")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_HINT = "save what 'ip -d link show' prints on the host in a file, and give that file"


def parse(text: str, *, where: str = "capture") -> Inventory:
    """Read what ``ip link show`` printed, in whatever generation of its wording, or ``ip -j link show``.

    The form is found out by itself. Prompts, colours, ``-o``, ``-d``, ``-s`` and joined lines are coped with. An
    interface without VFs is not a PF and is left out. What the text does not say is ``NOT_CAPTURED``; what it says
    and virtfn does not understand is in ``PfState.problems``. ``PfState.device`` is the PCI address where ``-d``
    printed one (iproute2 5.13 and later), else the interface's name. ``where`` names the capture in errors and in
    ``Inventory.source``.

    Raises SpecError with every fault found (``where`` is ``file:line``), and nothing else.
    Source: iproute2 ``ip/ipaddress.c``.
    """
    clean = cleaned(text, where)
    printout = read_document(clean) if is_document(clean) else read_words(clean)
    return judge(printout, where)


def cleaned(text: str, where: str) -> str:
    """The text without colours, odd spaces and the ``>`` of a quoted mail; its lines keep their numbers.

    Raises SpecError for an empty text and for binary data.
    """
    clean = _INVISIBLE.sub("", _ESCAPE.sub("", text))
    if not clean.strip():
        raise refusal((Fault(1, "the capture is empty", _HINT),), where)
    binary = _BINARY.search(clean)
    if binary:
        fault = Fault(Lines(clean).at(binary.start()), f"not text: it holds the byte {ord(binary[0]):#04x}", _HINT)
        raise refusal((fault,), where)
    if all(line.startswith(">") for line in clean.splitlines() if line.strip()):
        clean = _QUOTE.sub("", clean)
    return _SPACE.sub(" ", clean)
