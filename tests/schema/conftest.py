import json
import struct

import pytest

from caffegen.schema.tables import ENUMS


@pytest.fixture(scope="session")
def caffe_schema(golden):
    """BVLC Caffe's own schema as data: enums and messages by dotted name."""
    return json.loads((golden / "caffe_schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def read_default():
    """What a field of `caffe_schema` reads as when it is unset; an enum as its word."""

    def read(field):
        kind, text = field["type"], field.get("default", "")
        if field["label"] == "repeated":
            return None
        if kind in ENUMS:
            return text or next(iter(ENUMS[kind]))
        if kind in {"int32", "int64", "uint32"}:
            return int(text or 0)
        if kind == "float":
            return struct.unpack("<f", struct.pack("<f", float(text or 0)))[0]
        return {"bool": text == "true", "string": text, "bytes": text.encode()}.get(kind)

    return read
