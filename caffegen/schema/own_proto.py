"""A user's own caffe.proto, laid over the schema by name.

A field that caffegen knows keeps its form and takes the default that the file gives it, so that the
definitions can still read it; what it does not know is added. protoc comes with grpcio-tools.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError, FileError, MissingExtra, unreadable
from caffegen.schema import _messages, message_type
from caffegen.schema.additions import add_words, is_message, new_field, own_schemas
from caffegen.text import Message
from caffegen.text.types import FieldType, MessageType

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FieldDescriptorProto,
        FileDescriptorSet,
    )

__all__ = ["add_proto", "compile_proto", "read_binary"]

# descriptor.proto, FieldDescriptorProto.Type
_KINDS = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "uint64", 7: "uint32",
    8: "bool", 9: "string", 11: "message", 12: "bytes", 13: "uint32", 14: "enum", 15: "int32",
    16: "int64", 17: "int32", 18: "int64",
}  # fmt: skip
_REPEATED = 3  # FieldDescriptorProto.Label
_INTEGERS = frozenset({"int32", "int64", "uint32", "uint64"})
_COMPLAINT = re.compile(r"(.*):(\d+):(\d+): (.*?)\.?")


def add_proto(path: str | os.PathLike[str]) -> None:
    """Add all messages, fields and words of a caffe.proto.

    FileError for a file that can't be read, CaffegenError with the place for one that protoc
    refuses, MissingExtra where grpcio-tools is not installed.
    """
    path = os.fspath(path)
    for file in compile_proto(path).file:
        prefix = f".{file.package}." if file.package else "."
        for enum in file.enum_type:
            _overlay_enum(enum.name, enum)
        for message in file.message_type:
            _declare(message.name, message)
        for message in file.message_type:
            _overlay(message.name, message, prefix)
    own_schemas.append(path)


def compile_proto(path: str) -> FileDescriptorSet:
    """A schema and all that it imports, as protoc reads them."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from None
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.TemporaryDirectory() as made:
        out = os.path.join(made, "schema.pb")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports",
             f"--descriptor_set_out={out}", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            if "No module named" in done.stderr and "grpc_tools" in done.stderr:
                raise MissingExtra("reading a .proto file", "proto")
            raise CaffegenError(_protoc_sentence(path, name, done.stderr))
        with open(out, "rb") as file:
            return FileDescriptorSet.FromString(file.read())


def _protoc_sentence(path: str, name: str, said: str) -> str:
    """The first of protoc's complaints, with the path that the user gave."""
    lines = [line for line in said.splitlines() if line and "warning:" not in line]
    first = lines[0] if lines else "protoc refuses it"
    for found in filter(None, map(_COMPLAINT.fullmatch, lines)):
        if os.path.basename(found[1]) == name:
            return f"{path}:{found[2]}:{found[3]}: {found[4]}"
    return f"`{path}` does not compile: {first.strip().rstrip('.')}"


def _declare(name: str, message: DescriptorProto) -> None:
    """Make the messages and enums that are not there, so that fields may be of their types."""
    if not is_message(name):
        _messages[name] = MessageType(name, {})
    for enum in message.enum_type:
        _overlay_enum(f"{name}.{enum.name}", enum)
    for inner in message.nested_type:
        _declare(f"{name}.{inner.name}", inner)


def _overlay_enum(name: str, enum: EnumDescriptorProto) -> None:
    add_words(name, *(value.name for value in enum.value))


def _overlay(name: str, message: DescriptorProto, prefix: str) -> None:
    owner = message_type(name)
    for field in message.field:
        owner.put(_overlaid(owner, field, prefix))
    for inner in message.nested_type:
        _overlay(f"{name}.{inner.name}", inner, prefix)


def _overlaid(owner: MessageType, field: FieldDescriptorProto, prefix: str) -> FieldType:
    """The field as ours, where there is one, with the default of theirs; else as theirs."""
    kind = _KINDS.get(field.type)
    if kind is None:
        raise CaffegenError(f"`{owner.name}.{field.name}` is a group; caffegen reads none")
    type_name = field.type_name.removeprefix(prefix) if kind in ("message", "enum") else kind
    repeated = field.label == _REPEATED
    default = _default(kind, field.default_value) if field.HasField("default_value") else None
    ours = owner.fields.get(field.name)
    if ours is None:
        return new_field(owner, field.name, type_name, default, repeated=repeated)
    made = FieldType(
        ours.name, ours.number, ours.kind, repeated=ours.repeated, default=ours.default,
        type_name=ours.type_name, resolve=ours._resolve,
    )  # fmt: skip
    alike = kind == ours.kind or {kind, ours.kind} <= _INTEGERS
    if alike and not repeated and not ours.repeated and kind != "message":
        theirs = new_field(owner, field.name, type_name, default, repeated=False)
        made.default = theirs.default
    return made


def _default(kind: str, text: str) -> Any:
    if kind == "bool":
        return text == "true"
    if kind in _INTEGERS:
        return int(text)
    if kind in ("float", "double"):
        from caffegen.text.message import round_float

        return round_float(float(text)) if kind == "float" else float(text)
    return text.encode() if kind == "bytes" else text


def read_binary(path: str, proto: str, name: str = "NetParameter") -> Message:
    """A message of a binary file by a user's own schema: every number means what that file says.

    CaffegenError for a file that is no such message.
    """
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    from caffegen.schema.protobuf import from_protobuf

    files = compile_proto(proto).file
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    package = files[-1].package
    try:
        descriptor = pool.FindMessageTypeByName(f"{package}.{name}" if package else name)
    except KeyError:
        raise CaffegenError(f"`{proto}` has no message {name}") from None
    try:
        with open(path, "rb") as stored:
            made = GetMessageClass(descriptor).FromString(stored.read())
    except OSError as error:
        raise unreadable(path, error) from None
    except DecodeError:
        raise FileError(path, f"it is no {name} by `{proto}`") from None
    return from_protobuf(made)
