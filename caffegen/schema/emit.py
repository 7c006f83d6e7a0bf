"""The texts of the generated modules, from the compiled schema; only `generate.py` calls this."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.text_encoding import CUnescape

from caffegen.errors import CaffegenError

__all__ = ["pb2_text", "stub_text", "tables_text"]

_HEADER = (
    "# Generated from proto/caffe.proto by `python -m caffegen.schema.generate`; don't edit.\n"
)
_WIDTH = 100
# of a field's kind; the others are integers
_PYTHON_TYPES = {
    "float": "float",
    "double": "float",
    "bool": "bool",
    "string": "str",
    "bytes": "bytes",
}

Scalar = str | bytes | float | None


def messages(file: FileDescriptorProto) -> dict[str, DescriptorProto]:
    """All message types by name. Enums are nested in messages here, messages are not."""
    nesting = [message.name for message in file.message_type if message.nested_type]
    if nesting:
        raise CaffegenError(f"`{nesting[0]}` holds a message type; the tables have no room for one")
    return {message.name: message for message in file.message_type}


def enums(file: FileDescriptorProto) -> dict[str, dict[str, int]]:
    """All enums by dotted name, each as its words and numbers in the order of the schema."""
    found = {enum.name: _words(enum) for enum in file.enum_type}
    for name, message in messages(file).items():
        found |= {f"{name}.{enum.name}": _words(enum) for enum in message.enum_type}
    return found


def _words(enum: EnumDescriptorProto) -> dict[str, int]:
    return {value.name: value.number for value in enum.value}


def kind_of(field: FieldDescriptorProto) -> str:
    """The field's kind as the schema spells it: `int32`, `string` ..., `enum`, `message`."""
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def type_of(field: FieldDescriptorProto, package: str) -> str:
    """The scalar kind, or the dotted name of the message or enum without the package."""
    return field.type_name.removeprefix(f".{package}.") or kind_of(field)


def label_of(field: FieldDescriptorProto) -> str:
    """`optional`, `required`, `repeated`, or `packed` for what is repeated and packed."""
    if field.options.packed:
        return "packed"
    return FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()


def default_of(field: FieldDescriptorProto, words: dict[str, int] | None) -> Scalar:
    """What the field reads as when it is unset; a float as the single-precision value it is."""
    kind = kind_of(field)
    if kind == "message" or field.label == FieldDescriptorProto.LABEL_REPEATED:
        return None
    text = field.default_value
    if words is not None:
        return text or next(iter(words))
    if kind == "bool":
        return text == "true"
    if kind == "float":
        rounded: float = struct.unpack("<f", struct.pack("<f", float(text or 0)))[0]
        return rounded
    if kind == "double":
        return float(text or 0)
    if kind == "string":
        return text
    if kind == "bytes":
        return CUnescape(text)
    return int(text or 0)


# --- tables.py -------------------------------------------------------------------------------


_TABLES_DOC = '''"""Caffe's schema as plain literals: every enum, and every field of every message.

A field is its name, number, label, type and default. The label `packed` is `repeated`, packed on
the wire. The type is a scalar's name, or the dotted name of a message or an enum. The default is
what an unset field reads as: for an enum its word, for messages and repeated fields None.
"""
'''


def tables_text(file: FileDescriptorProto) -> str:
    """The module of plain literals."""
    lines = [
        _TABLES_DOC,
        _HEADER,
        "from __future__ import annotations",
        "",
        '__all__ = ["ENUMS", "MESSAGES"]',
        "",
        "ENUMS: dict[str, dict[str, int]] = {",
    ]
    all_enums = enums(file)
    for name, words in all_enums.items():
        lines += _wrapped(f"{_quoted(name)}: {{", [f"{_quoted(w)}: {n}" for w, n in words.items()])
    lines += [
        "}",
        "",
        "MESSAGES: dict[",
        "    str, tuple[tuple[str, int, str, str, str | bytes | float | None], ...]",
        "] = {",
    ]
    for name, message in messages(file).items():
        lines.append(f"    {_quoted(name)}: (")
        for field in message.field:
            type_name = type_of(field, file.package)
            default = default_of(field, all_enums.get(type_name))
            row = (field.name, field.number, label_of(field), type_name, default)
            lines.append(f"        ({', '.join(map(_quoted, row))}),")
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def _quoted(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _wrapped(head: str, items: list[str]) -> Iterator[str]:
    line = f"    {head}{', '.join(items)}}},"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"    {head}"
    yield from (f"        {item}," for item in items)
    yield "    },"


# --- caffe_pb2.py ----------------------------------------------------------------------------

_PB2 = '''"""Caffe's messages as protobuf classes: `caffe_pb2.NetParameter()`, `caffe_pb2.TRAIN` ...

They live in a descriptor pool of their own, so that pycaffe's `caffe_pb2` can be loaded in the same
process, and are built from the bytes below by whichever protobuf is installed.
"""

{header}
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

_POOL = DescriptorPool()
_POOL.AddSerializedFile(
{data}
)
DESCRIPTOR = _POOL.FindFileByName({name})

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    _class = GetMessageClass(_descriptor)
    _class.__module__ = __name__  # else a message can't be pickled
    globals()[_name] = _class

for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = EnumTypeWrapper(_descriptor)
    globals().update((_value.name, _value.number) for _value in _descriptor.values)

del _class, _descriptor, _name
'''


def pb2_text(file: FileDescriptorProto) -> str:
    """The module of protobuf classes."""
    data = file.SerializeToString(deterministic=True)
    chunks = [f"    {data[at : at + 64]!r}" for at in range(0, len(data), 64)]
    return _PB2.format(header=_HEADER, data="\n".join(chunks), name=_quoted(file.name))


# --- caffe_pb2.pyi ---------------------------------------------------------------------------


def stub_text(file: FileDescriptorProto) -> str:
    """The types of `caffe_pb2`. An enum's values are numbers, as they are when one reads them."""
    lines = [
        _HEADER,
        "from collections.abc import Iterable, Mapping",
        "from typing import Any, ClassVar",
        "",
        "from google.protobuf.descriptor import FileDescriptor",
        "from google.protobuf.internal.containers import (",
        "    RepeatedCompositeFieldContainer,",
        "    RepeatedScalarFieldContainer,",
        ")",
        "from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper",
        "from google.protobuf.message import Message",
        "",
        "DESCRIPTOR: FileDescriptor",
    ]
    for enum in file.enum_type:
        lines += ["", f"{enum.name}: EnumTypeWrapper"]
        lines += [f"{value.name}: int" for value in enum.value]
    for message in messages(file).values():
        lines += ["", *_stub_of(message, file.package)]
    return "\n".join([*lines, ""])


def _stub_of(message: DescriptorProto, package: str) -> Iterator[str]:
    yield f"class {message.name}(Message):"
    for enum in message.enum_type:
        yield f"    {enum.name}: ClassVar[EnumTypeWrapper]"
        yield from (f"    {value.name}: ClassVar[int]" for value in enum.value)
    for field in message.field:
        yield f"    {field.name.upper()}_FIELD_NUMBER: ClassVar[int]"
    for field in message.field:
        yield from _stub_attribute(field, package)
    yield "    def __init__("
    yield "        self,"
    yield "        *,"
    for field in message.field:
        yield f"        {field.name}: {_stub_argument(field, package)} = ...,"
    yield "    ) -> None: ..."


def _python_type(field: FieldDescriptorProto, package: str) -> str:
    kind = kind_of(field)
    return type_of(field, package) if kind == "message" else _PYTHON_TYPES.get(kind, "int")


def _stub_attribute(field: FieldDescriptorProto, package: str) -> Iterator[str]:
    held = _python_type(field, package)
    is_message = kind_of(field) == "message"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        container = "Composite" if is_message else "Scalar"
        held = f"Repeated{container}FieldContainer[{held}]"
        is_message = True  # as little to be assigned
    if is_message:
        yield "    @property"
        yield f"    def {field.name}(self) -> {held}: ..."
    else:
        yield f"    {field.name}: {held}"


def _stub_argument(field: FieldDescriptorProto, package: str) -> str:
    given = _python_type(field, package)
    kind = kind_of(field)
    if kind == "message":
        given += " | Mapping[str, Any]"
    elif kind == "enum":
        given += " | str"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        given = f"Iterable[{given}]"
    return f"{given} | None"
