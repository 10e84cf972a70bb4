r"""BaoStock's frames: a head of 21 bytes (version, type, length), a body, a checksum; parts stand between ``\x01``."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from deepfactor.lake._baostock.calls import COMPRESSED

VERSION, SPLIT, END = "00.9.40", "\x01", b"<![CDATA[]]>\n"
HEAD = 21
#: Bytes of a frame and of what it unpacks to, at most.
MOST = 1 << 26
_HEAD = re.compile(rb"([^\x01]{7})\x01([0-9A-Z]{2})\x01(\d{10})")
_TAIL = re.compile(rb"(?:\x01(\d{1,10}))?")


class BadFrame(ValueError):
    """Bytes that are no frame."""


@dataclass(frozen=True)
class Frame:
    """A message: its type and the parts of its body."""

    kind: str
    parts: tuple[str, ...]


def question(kind: str, parts: Sequence[str]) -> bytes:
    """A request as it is sent."""
    body = SPLIT.join(parts)
    text = f"{VERSION}{SPLIT}{kind}{SPLIT}{len(body):010d}{body}"
    return f"{text}{SPLIT}{zlib.crc32(text.encode())}\n".encode()


def is_whole(data: bytes | bytearray) -> bool:
    """Whether an answer that is coming in has its end."""
    if len(data) > MOST:
        raise BadFrame("it doesn't end")
    return len(data) >= HEAD and data.endswith(END) and len(data) >= HEAD + _head(data)[1]


def answer(data: bytes) -> Frame:
    """The message that a whole answer holds.

    Raises
    ------
    BadFrame
        head, length, compression, checksum or text are wrong.
    """
    kind, length = _head(data)
    rest = data[HEAD : -len(END)]
    for body in (rest[:length], _characters(rest, length)):
        tail = None if body is None else _TAIL.fullmatch(rest[len(body) :])
        if body is not None and tail is not None:
            plain = _unpacked(body) if kind in COMPRESSED else body
            _require_checksum(tail[1], data[:HEAD], body, plain)
            try:
                return Frame(kind, tuple(plain.decode("utf-8").split(SPLIT)))
            except UnicodeDecodeError:
                raise BadFrame("its text is no UTF-8") from None
    raise BadFrame("its length is not what its head says")


def _head(data: bytes | bytearray) -> tuple[str, int]:
    matched = _HEAD.match(data)
    if matched is None:
        raise BadFrame("its head is none")
    return matched[2].decode(), int(matched[3])


def _characters(rest: bytes, length: int) -> bytes | None:
    """The first `length` characters, if the length was meant so."""
    try:
        return rest.decode("utf-8")[:length].encode()
    except UnicodeDecodeError:
        return None


def _unpacked(body: bytes) -> bytes:
    unpack = zlib.decompressobj()
    try:
        plain = unpack.decompress(body, MOST)
    except zlib.error:
        raise BadFrame("its body can't be unpacked") from None
    if not unpack.eof or unpack.unused_data:
        raise BadFrame("its body is packed, and not whole")
    return plain


def _require_checksum(given: bytes | None, head: bytes, body: bytes, plain: bytes) -> None:
    """Of head and body, as requests have it; whether packed or not is not documented."""
    if given is not None and int(given) not in (zlib.crc32(head + body), zlib.crc32(head + plain)):
        raise BadFrame("its checksum is wrong")
