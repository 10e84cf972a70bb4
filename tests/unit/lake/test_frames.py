"""BaoStock's frames: what is sent and taken in, and every byte that may be wrong."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfactor.lake._baostock.frames import END, BadFrame, answer, is_whole, question

PARTS = ["0", "成功", "query_x", "anonymous", "", '{"record": [["浦发 银行"]]}', "code"]


def frame(kind: str = "46", *, length: int | None = None, crc: int | None = 0, packed: bool = False) -> bytes:
    body = "\x01".join(PARTS).encode()
    body = zlib.compress(body) if packed else body
    head = f"00.9.40\x01{kind}\x01{len(body) if length is None else length:010d}".encode()
    tail = b"" if crc is None else f"\x01{crc or zlib.crc32(head + body)}".encode()
    return head + body + tail + END


def test_a_question_is_as_the_vendors_own_package_sends_it():
    text = "00.9.40\x0100\x010000000024login\x01anonymous\x01123456\x010"
    assert question("00", ["login", "anonymous", "123456", "0"]) == f"{text}\x01{zlib.crc32(text.encode())}\n".encode()


@pytest.mark.parametrize("crc", [0, None], ids=["with a checksum", "without"])
@pytest.mark.parametrize(("kind", "packed"), [("46", False), ("96", True), ("99", True), ("9D", True)])
def test_an_answer_is_read(kind, packed, crc):
    got = answer(frame(kind, packed=packed, crc=crc))
    assert got.kind == kind
    assert list(got.parts) == PARTS


def test_a_length_in_characters_is_one_too():
    assert list(answer(frame(length=len("\x01".join(PARTS)))).parts) == PARTS


def test_a_checksum_of_what_was_packed_is_one_too():
    body = "\x01".join(PARTS).encode()
    data = frame("96", packed=True, crc=None)
    crc = zlib.crc32(data[:21] + body)
    assert list(answer(data[: -len(END)] + f"\x01{crc}".encode() + END).parts) == PARTS


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_part_of_a_frame_is_not_whole(cut):
    data = frame("96", packed=True)
    assert is_whole(data)
    assert not is_whole(data[: max(21, len(data) - 1 - cut)])


def test_an_end_within_a_body_is_no_end():
    data = frame()
    assert not is_whole(data[:21] + END)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frame(crc=1), "checksum"),
        (frame(length=3), "length"),
        (frame("96", packed=False), "unpacked"),
        (frame("96", packed=True)[:40] + frame("96", packed=True)[41:], "length|unpacked|whole"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + END, "head"),
        (frame().replace("成".encode(), b"\xff\xfe\xfd"), "checksum|UTF-8|length"),
    ],
    ids=range(6),
)
def test_what_is_no_frame(data, said):
    with pytest.raises(BadFrame, match=said):
        answer(data)


@pytest.mark.slow
def test_a_bomb_is_no_frame():
    packed = zlib.compress(bytes(1 << 27))
    head = f"00.9.40\x0196\x01{len(packed):010d}".encode()
    with pytest.raises(BadFrame, match="not whole"):
        answer(head + packed + END)


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_is_never_taken_for_something_else(at, bit):
    """In a frame with a checksum a flip is seen, or leaves the parts as they are (as in the version of the head)."""
    data = bytearray(frame("96", packed=True))
    data[at % (len(data) - len(END))] ^= 1 << bit
    try:
        got = answer(bytes(data))
    except BadFrame:
        return
    assert list(got.parts) == PARTS
