"""Writes `caffe_pb2.py`, `caffe_pb2.pyi` and `tables.py` from `proto/caffe.proto`.

For developers of caffegen: `python -m caffegen.schema.generate`. With `--check` it writes nothing
and ends with exit code 1 if one of them is out of date.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from caffegen.atomic import atomic_write
from caffegen.errors import CaffegenError, MissingExtra
from caffegen.schema.emit import pb2_text, stub_text, tables_text

__all__ = ["compile_schema", "generated", "main"]

FOLDER = os.path.dirname(os.path.abspath(__file__))
PROTO = os.path.join(os.path.dirname(os.path.dirname(FOLDER)), "proto", "caffe.proto")


def compile_schema(path: str = PROTO) -> FileDescriptorProto:
    """The schema as protoc reads it, without comments and JSON names."""
    try:
        from grpc_tools import protoc
    except ImportError:
        raise MissingExtra("generating the schema", "dev") from None
    folder, name = os.path.split(path)
    with tempfile.TemporaryDirectory() as made:
        out = os.path.join(made, "schema.pb")
        if protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={out}", name]) != 0:
            raise CaffegenError(f"`{path}` does not compile; protoc's words stand above")
        with open(out, "rb") as file:
            schema = FileDescriptorSet.FromString(file.read()).file[0]
    for message in schema.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return schema


def generated(schema: FileDescriptorProto) -> dict[str, str]:
    """The text of each generated file by its name."""
    return {
        "caffe_pb2.py": pb2_text(schema),
        "caffe_pb2.pyi": stub_text(schema),
        "tables.py": tables_text(schema),
    }


def _is_current(name: str, text: str) -> bool:
    try:
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            return file.read() == text
    except FileNotFoundError:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files that differ, or name them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m caffegen.schema.generate")
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    options = parser.parse_args(arguments)
    texts = generated(compile_schema())
    stale = [name for name, text in texts.items() if not _is_current(name, text)]
    for name in stale:
        if options.check:
            sys.stderr.write(f"`caffegen/schema/{name}` is not what `proto/caffe.proto` makes\n")
        else:
            with atomic_write(os.path.join(FOLDER, name)) as file:
                file.write(texts[name])
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CaffegenError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
