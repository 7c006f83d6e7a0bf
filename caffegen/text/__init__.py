"""Prototxt text to messages and back; every field that was set knows its place."""

from .message import FieldError, Message, UnknownField
from .parser import Parsed, parse
from .printer import print_message
from .source import Fault, Source, Span, printable
from .types import EnumType, FieldType, MessageType

__all__ = [
    "EnumType",
    "Fault",
    "FieldError",
    "FieldType",
    "Message",
    "MessageType",
    "Parsed",
    "Source",
    "Span",
    "UnknownField",
    "parse",
    "print_message",
    "printable",
]
