"""What a file really is that was taken for weights."""

from __future__ import annotations

import re
from itertools import islice

from caffegen.weights.wire import LEN, VARINT, Buffer, Fields, WireError

__all__ = ["HDF5_MAGIC", "by_content", "by_magic", "refusal"]

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_HEAD = 1024

_MAGIC = (
    (HDF5_MAGIC, "an HDF5 file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x93NUMPY", "a numpy array (.npy)"),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", "a PyTorch checkpoint"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\0\0\0\0\0\0\0\0", "a file that begins with zeros (an unfinished download)"),
)

_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|\?xml|script)", re.IGNORECASE)
_PROTOTXT = re.compile(r"(?m)^\s*(?:layers?\s*\{|(?:name|input|input_dim|net|base_lr)\s*:)")


def refusal(kind: str, expected: str) -> str:
    """The sentence for a file that is `kind` where `expected` was wanted."""
    if kind == "a Git LFS pointer":
        return "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
    return f"it is {kind}, not {expected}"


def by_magic(buffer: Buffer) -> str:
    """What the first bytes say beyond doubt, with its article; empty where they say nothing."""
    head = bytes(buffer[:_HEAD])
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        if first.endswith(b"/data.pkl"):
            return "a PyTorch checkpoint"
        return "a numpy archive (.npz)" if first.endswith(b".npy") else "a zip archive"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[8:9] == b"{" and not any(head[4:8]):
        return "a safetensors file"
    if _WEB_PAGE.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "a web page (some sites send one in place of a download)"
    return ""


def by_content(buffer: Buffer) -> str:
    """What a file seems to be whose bytes are text, or protobuf of another kind; may be empty."""
    return _text_kind(bytes(buffer[:_HEAD]), len(buffer)) or _message_kind(buffer)


def _text_kind(head: bytes, size: int) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text in UTF-16"
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return ""
    try:
        words = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if size <= len(head) or error.start < len(head) - 3:
            return ""
        words = head[: error.start].decode("utf-8")
    return "a prototxt, the net in words" if _PROTOTXT.search(words) else "text"


def _message_kind(buffer: Buffer) -> str:
    """Tell protobuf messages apart by the numbers and wire types of their first fields."""
    seen: dict[tuple[int, int], int] = {}
    try:
        for number, wire, _start, _stop in islice(Fields(buffer), 200):
            seen[number, wire] = seen.get((number, wire), 0) + 1
    except WireError:
        pass
    first = next(iter(seen), (0, 0))
    if (100, LEN) in seen or (first == (1, LEN) and (2, LEN) in seen):
        return "a .caffemodel"
    if first == (1, VARINT) and (2, VARINT) in seen and (3, VARINT) in seen:
        return "a .binaryproto (one blob, such as a mean image)"
    if first == (1, VARINT) and ((7, LEN) in seen or (8, LEN) in seen):
        return "an ONNX model"
    if first == (1, VARINT) and (3, LEN) in seen:
        return "a .solverstate (the solver's memory, kept beside a .caffemodel)"
    if first in ((5, LEN), (7, LEN)) and seen.keys() <= {(5, LEN), (6, LEN), (7, LEN), (8, LEN)}:
        return "a .binaryproto (one blob, such as a mean image)"
    if first == (1, LEN) and seen[first] > 1:
        return "a TensorFlow graph"
    return ""
