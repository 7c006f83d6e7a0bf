"""Protobuf's wire format, read in place: where each field of a message lies, without a copy."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from caffegen.errors import CaffegenError

__all__ = [
    "FIXED32",
    "FIXED64",
    "GROUP",
    "LEN",
    "VARINT",
    "Buffer",
    "Field",
    "Fields",
    "WireError",
    "int32",
    "int64",
    "int64s",
    "text",
    "varint",
]

Buffer = bytes | mmap.mmap

#: number, wire type, start, stop; of a VARINT, `start` is the value itself.
Field = tuple[int, int, int, int]

VARINT, FIXED64, LEN, GROUP, _END_GROUP, FIXED32 = range(6)

_LAST_TAG = (1 << 32) - 1
_DEEPEST_GROUP = 100  # protobuf's own limit on nesting
_LONGEST_TEXT = 1 << 16  # no layer has such a name; a damaged length has


class WireError(CaffegenError):
    """Bytes that are no protobuf message; `offset` is where, counted from the buffer's start."""

    def __init__(self, offset: int, sentence: str, *, cut: bool = False) -> None:
        self.offset = offset
        self.sentence = sentence
        self.cut = cut
        super().__init__(f"byte {offset}: {sentence}")


class Fields:
    """The fields of the message that lies in `buffer[at:end]`, one after the other.

    Yields (number, wire type, start, stop), where `buffer[start:stop]` is the field's content; of
    a VARINT, `start` is the value. Content is skipped, not looked at. A reader that knows where
    the next field begins may move `at` there.
    """

    __slots__ = ("at", "buffer", "end")

    def __init__(self, buffer: Buffer, at: int = 0, end: int | None = None) -> None:
        self.buffer = buffer
        self.at = at
        self.end = len(buffer) if end is None else end

    def __iter__(self) -> Iterator[Field]:
        buffer, end = self.buffer, self.end
        while self.at < end:
            at = self.at
            # Most fields have a length, and it fits: what is below the block holds for all.
            tag, body = buffer[at], at + 1
            if tag > 0x7F:
                tag, body = varint(buffer, at, end)
            if tag & 7 == LEN and 7 < tag < _LAST_TAG and body < end:
                length, start = buffer[body], body + 1
                if length > 0x7F:
                    length, start = varint(buffer, body, end)
                stop = start + length
                if stop <= end:
                    self.at = stop
                    yield tag >> 3, LEN, start, stop
                    continue
            number, wire, body = self._tag(at)
            if wire == _END_GROUP:
                raise WireError(at, f"group {number} ends here and began nowhere")
            if wire == GROUP:
                start, stop = self._group(number, body)
            else:
                start, stop = self._content(wire, at, body)
            self.at = stop
            yield number, wire, start, stop

    def _tag(self, at: int) -> tuple[int, int, int]:
        tag = self.buffer[at]
        if tag < 0x80:
            body = at + 1
        else:
            tag, body = varint(self.buffer, at, self.end)
        number = tag >> 3
        if not 7 < tag <= _LAST_TAG:
            raise WireError(at, f"no field has the number {number}")
        return number, tag & 7, body

    def _content(self, wire: int, at: int, body: int) -> tuple[int, int]:
        if wire == VARINT:
            return varint(self.buffer, body, self.end)
        if wire == LEN:
            length, start = varint(self.buffer, body, self.end)
        elif wire == FIXED32:
            length, start = 4, body
        elif wire == FIXED64:
            length, start = 8, body
        else:
            raise WireError(at, f"no field has the wire type {wire}")
        stop = start + length
        if stop > self.end:
            raise WireError(
                at, f"a field of {length} bytes runs {stop - self.end} past the end", cut=True
            )
        return start, stop

    def _group(self, number: int, body: int) -> tuple[int, int]:
        """The place of a group's content and end tag; groups are protobuf's oldest way to nest."""
        begun = [number]
        at = body
        while begun:
            if at >= self.end:
                raise WireError(body, f"group {begun[-1]} has no end", cut=True)
            number, wire, after = self._tag(at)
            if wire == GROUP:
                begun.append(number)
                if len(begun) > _DEEPEST_GROUP:
                    raise WireError(at, f"groups lie more than {_DEEPEST_GROUP} deep")
            elif wire == _END_GROUP:
                if begun.pop() != number:
                    raise WireError(at, f"group {number} ends here, another is open")
            else:
                after = self._content(wire, at, after)[1]
            at = after
        return body, at


def varint(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """The unsigned number that begins at `at`, cut to 64 bits, and where it ends."""
    value = shift = 0
    for byte in buffer[at : at + 10]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            stop = at + shift // 7
            if stop > end:
                break
            return value if shift < 64 else value & 0xFFFF_FFFF_FFFF_FFFF, stop
    if end - at >= 10:
        raise WireError(at, "a number takes more than ten bytes")
    raise WireError(at, "the data end inside a number", cut=True)


def int64s(buffer: Buffer, at: int, end: int, most: int) -> list[int]:
    """The int64 numbers that lie side by side in `buffer[at:end]`, of which `most` are read."""
    found: list[int] = []
    while at < end and len(found) < most:
        number = buffer[at]
        at += 1
        if number > 0x7F:
            if at < end and buffer[at] < 0x80:
                number, at = number & 0x7F | buffer[at] << 7, at + 1
            else:
                number, at = varint(buffer, at - 1, end)
                number = int64(number)
        found.append(number)
    return found


def int64(value: int) -> int:
    """A varint read as protobuf's int64: two's complement."""
    return value - (1 << 64) if value >> 63 else value


def int32(value: int) -> int:
    """A varint read as protobuf's int32: the low 32 bits, two's complement."""
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def text(buffer: Buffer, start: int, stop: int) -> str:
    """A string field; bytes that are no UTF-8 become surrogate escapes, as in prototxt."""
    if stop - start > _LONGEST_TEXT:
        raise WireError(start, f"a name of {stop - start} bytes is longer than any layer has")
    return buffer[start:stop].decode("utf-8", "surrogateescape")
