"""A netlink request and its answer over a plain socket: the wire format only.

Own code rather than a library because reading VFs is this program's core: no import cost (pyroute2 takes about 200 ms),
the raw message for the decoder in ``vfinfo`` (which must see past the kernel's 16-bit attribute length), the
kernel's own error text (extack) and no dependence on one library version's calls.
Wire format: include/uapi/linux/netlink.h.
"""

import errno as codes
import socket
import struct
from collections.abc import Iterator
from types import TracebackType

from virtfn.errors import BackendUnreachable
from virtfn.host.kernel_errors import KernelCall

NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x2, 0x4, 0x10, 0x300
_NLMSG_NOOP, _NLMSG_ERROR, _NLMSG_DONE = 1, 2, 3
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200
_NLMSGERR_ATTR_MSG = 1
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DUMP_TRIES = 3


def align(length: int) -> int:
    """``length`` rounded up to netlink's 4-octet boundary."""
    return (length + 3) & ~3


def attribute(kind: int, *parts: bytes) -> bytes:
    """One attribute, padded; a nest where the parts are attributes. Raises ValueError beyond 65535 octets."""
    payload = b"".join(parts)
    length = _ATTRIBUTE.size + len(payload)
    if length > 0xFFFF:
        raise ValueError(f"a netlink attribute has a 16-bit length: {length} octets do not fit")
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(align(length) - length)


def text_attribute(kind: int, text: str) -> bytes:
    """One NUL-terminated text attribute."""
    return attribute(kind, text.encode(errors="surrogateescape") + b"\0")


def u32_attribute(kind: int, number: int) -> bytes:
    """One unsigned 32-bit attribute in host byte order."""
    return attribute(kind, struct.pack("=I", number))


def attribute_head(buffer: bytes, offset: int) -> tuple[int, int]:
    """``(type without its flag bits, length field)`` of the attribute header at ``offset``."""
    length, kind = _ATTRIBUTE.unpack_from(buffer, offset)
    return kind & _TYPE_MASK, length


def attributes(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """``(type, first payload octet, end of payload)`` of each attribute in ``buffer[start:end]``.

    Stops at the first one that does not fit; what came before is whole.
    """
    while start + _ATTRIBUTE.size <= end:
        kind, length = attribute_head(buffer, start)
        if length < _ATTRIBUTE.size or start + length > end:
            return
        yield kind, start + _ATTRIBUTE.size, start + length
        start += align(length)


def first_of_each(buffer: bytes, start: int, end: int) -> dict[int, bytes]:
    """Type -> payload of the first attribute of that type in ``buffer[start:end]``; ends where ``attributes`` does.

    One plain loop: this is run for every VF at every reading.
    """
    found: dict[int, bytes] = {}
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(buffer, start)
        if length < 4 or start + length > end:
            break
        kind &= _TYPE_MASK
        if kind not in found:
            found[kind] = buffer[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def text(buffer: bytes) -> str:
    """The text of a NUL-terminated attribute; octets that are no UTF-8 are kept as Python keeps file names."""
    return buffer.split(b"\0", 1)[0].decode(errors="surrogateescape")


class NetlinkSocket:
    """One request at a time to one part of the kernel, in the network namespace in which it was made.

    A message can be larger than any fixed buffer (512 VFs: over 100 KiB), so each is measured before it is taken.
    Raises BackendUnreachable where the kernel lacks netlink or does not answer within ``timeout_s``.
    """

    def __init__(self, protocol: int, *, timeout_s: float = 15.0) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            raise BackendUnreachable(f"no netlink socket (protocol {protocol}): {error.strerror}") from error
        self._sequence = 0
        self._socket.settimeout(timeout_s)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            self._allow(option)
        self._socket.bind((0, 0))
        self._port: int = self._socket.getsockname()[0]

    def _allow(self, option: int) -> None:
        try:
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError:  # kernels before 4.12 have no extack: answers are the same without its text
            return

    def __enter__(self) -> "NetlinkSocket":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back; closing twice is allowed."""
        self._socket.close()

    def ask(self, message_type: int, payload: bytes, attempt: KernelCall) -> bytes:
        """The payload of the one message that answers. Raises what ``Attempt.refused`` says, BackendUnreachable."""
        sequence = self._send(message_type, NLM_F_REQUEST, payload, attempt)
        for kind, _, answer in self._answers(sequence, attempt):
            if kind != _NLMSG_ERROR:
                return answer
        raise BackendUnreachable(f"{attempt.call} got no answer", where=attempt.where)

    def tell(self, message_type: int, payload: bytes, attempt: KernelCall) -> None:
        """Return once the kernel has acknowledged. Raises what ``Attempt.refused`` says, BackendUnreachable."""
        sequence = self._send(message_type, NLM_F_REQUEST | NLM_F_ACK, payload, attempt)
        for kind, _, _ in self._answers(sequence, attempt):
            if kind == _NLMSG_ERROR:
                return

    def dump(self, message_type: int, payload: bytes, attempt: KernelCall) -> list[bytes]:
        """All payloads of a listing, taken again where it changed meanwhile (NLM_F_DUMP_INTR), at most three times.

        Raises what ``Attempt.refused`` says, BackendUnreachable.
        """
        found: list[bytes] = []
        for _ in range(_DUMP_TRIES):
            found, interrupted = self._dump_once(message_type, payload, attempt)
            if not interrupted:
                return found
        return found

    def _dump_once(self, message_type: int, payload: bytes, attempt: KernelCall) -> tuple[list[bytes], bool]:
        sequence = self._send(message_type, NLM_F_REQUEST | NLM_F_DUMP, payload, attempt)
        found: list[bytes] = []
        interrupted = False
        for kind, flags, answer in self._answers(sequence, attempt):
            interrupted |= bool(flags & NLM_F_DUMP_INTR)
            if kind == _NLMSG_DONE:
                break
            found.append(answer)
        return found, interrupted

    def _send(self, message_type: int, flags: int, payload: bytes, attempt: KernelCall) -> int:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(payload), message_type, flags, self._sequence, self._port)
        try:
            self._socket.sendto(header + payload, (0, 0))
        except TimeoutError as error:
            raise BackendUnreachable(f"{attempt.call} could not be sent in time", where=attempt.where) from error
        except OSError as error:
            raise attempt.refused(error.errno or codes.EIO) from error
        return self._sequence

    def _answers(self, sequence: int, attempt: KernelCall) -> Iterator[tuple[int, int, bytes]]:
        """``(type, flags, payload)`` of the messages that answer ``sequence``; errors are raised, acks passed on."""
        while True:
            datagram = self._receive(attempt)
            offset = 0
            while offset + _HEADER.size <= len(datagram):
                length, kind, flags, answered, _ = _HEADER.unpack_from(datagram, offset)
                if length < _HEADER.size or offset + length > len(datagram):
                    raise BackendUnreachable(f"{attempt.call}: the answer is cut off", where=attempt.where)
                payload = datagram[offset + _HEADER.size : offset + length]
                offset += align(length)
                if answered != sequence or kind == _NLMSG_NOOP:
                    continue
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    _raise_refusal(kind, flags, payload, attempt)
                yield kind, flags, payload

    def _receive(self, attempt: KernelCall) -> bytes:
        try:
            while True:
                size = self._socket.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC)
                datagram, sender = self._socket.recvfrom(max(size, 1))
                if sender[0] == 0:  # only the kernel is port 0: no other process can answer
                    return datagram
        except TimeoutError as error:
            raise BackendUnreachable(f"{attempt.call} was not answered in time", where=attempt.where) from error
        except OSError as error:
            raise attempt.refused(error.errno or codes.EIO) from error


def _raise_refusal(kind: int, flags: int, payload: bytes, attempt: KernelCall) -> None:
    """Raise the error that an NLMSG_ERROR or NLMSG_DONE carries; return on success."""
    if len(payload) < 4:
        return
    number = -struct.unpack_from("=i", payload)[0]
    if number <= 0:
        return
    raise attempt.refused(number, _kernel_text(kind, flags, payload))


def _kernel_text(kind: int, flags: int, payload: bytes) -> str:
    """The extack text of an error message, "" where the kernel gave none."""
    if not flags & _NLM_F_ACK_TLVS:
        return ""
    start = 4
    if kind == _NLMSG_ERROR:
        if len(payload) < 4 + _HEADER.size:
            return ""
        echoed = _HEADER.size if flags & _NLM_F_CAPPED else struct.unpack_from("=I", payload, 4)[0]
        start = 4 + align(echoed)
    for found, first, end in attributes(payload, start, len(payload)):
        if found == _NLMSGERR_ATTR_MSG:
            return text(payload[first:end])
    return ""
