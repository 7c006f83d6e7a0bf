"""The tokens of protobuf's text format, as its C++ tokenizer cuts them (io/tokenizer.cc).

The parser's fast path never comes here; this is the whole grammar, for what is written unusually.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

__all__ = ["SKIP", "SyntaxFault", "Token", "next_token", "placeholder_end", "unescape"]

# white space and comments; written so that no input makes it backtrack
SKIP = re.compile(r"[ \t\r\n\v\f]*(?:#[^\n]*(?:\n[ \t\r\n\v\f]*|\Z))*")


class _Lazy:
    """A pattern that is compiled when it is first needed: most files never need these."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def match(self, text: str, at: int) -> re.Match[str] | None:
        return self.compiled.match(text, at)


_IDENTIFIER = _Lazy(r"[A-Za-z_][A-Za-z0-9_]*")
_HEX = _Lazy(r"0[xX][0-9a-fA-F]+")
_OCTAL = _Lazy(r"0[0-7]+")
_DECIMAL = _Lazy(r"(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][-+]?[0-9]+)?([fF])?")
_STRING = _Lazy(r'"(?:[^"\\\n]|\\[^\n])*"|' + r"'(?:[^'\\\n]|\\[^\n])*'")
_ESCAPE = _Lazy(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"  # UTF-16's pairs
    r"|([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))"
)
# what templates leave where a value belongs: ${x}, $x, {{ x }}, %(x)d, <%= x %>, @x@
_PLACEHOLDER = _Lazy(
    r"\$\{[^}\n]*\}|\$[A-Za-z_]\w*|\{\{[^}\n]*\}\}|%\([^)\n]*\)[a-z]?|<%[^%\n]*%>|@\w+@"
)
_PLAIN = {
    "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11,
    "\\": 92, "?": 63, "'": 39, '"': 34,
}  # fmt: skip


class SyntaxFault(Exception):
    """Text that the grammar does not allow, with the place where that shows."""

    def __init__(self, name: str, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.name, self.message, self.start, self.end, self.help = name, message, start, end, help


class Token(NamedTuple):
    """`kind` is identifier, integer, float, string, symbol or end; `text` is as written."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """The token as a sentence quotes it."""
        if self.kind == "end":
            return "the end of the file"
        text = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return f"`{text}`"


def next_token(text: str, at: int) -> Token:
    """The token at or after an offset; white space and comments are passed over."""
    start = SKIP.match(text, at).end()  # type: ignore[union-attr]
    if start >= len(text):
        return Token("end", "", start, start)
    char = text[start]
    found = _IDENTIFIER.match(text, start)
    if found:
        return Token("identifier", found.group(), start, found.end())
    if char.isascii() and (
        char.isdigit() or (char == "." and text[start + 1 : start + 2].isdigit())
    ):
        return _number(text, start)
    if char in "\"'":
        found = _STRING.match(text, start)
        if not found:
            end = text.find("\n", start)
            raise SyntaxFault(
                "unterminated-string", "this string is never closed", start,
                len(text) if end < 0 else end, f"close it with {char}",
            )  # fmt: skip
        return Token("string", found.group(), start, found.end())
    if char in "<=>" and text.startswith(char * 7, start):
        end = text.find("\n", start)
        raise SyntaxFault(
            "merge-conflict", "a merge conflict was left in the text", start,
            len(text) if end < 0 else end, "settle it, and remove the three marker lines",
        )  # fmt: skip
    if char == "\ufeff":
        raise SyntaxFault(
            "byte-order-mark", "a byte order mark stands in the text; Caffe refuses the file",
            start, start + 1, "save the file as UTF-8 without a byte order mark",
        )  # fmt: skip
    if ord(char) < 32 or ord(char) == 127:
        raise SyntaxFault(
            "stray-character", f"the control character {ord(char):#04x} stands outside a string",
            start, start + 1,
        )  # fmt: skip
    if ord(char) > 127:
        shown = char if char.isprintable() else f"{ord(char):#x}"
        raise SyntaxFault(
            "stray-character", f"the character `{shown}` stands outside a string", start, start + 1
        )
    return Token("symbol", char, start, start + 1)


def _number(text: str, start: int) -> Token:
    found = _HEX.match(text, start)
    if found:
        return Token("integer", found.group(), start, found.end())
    if text[start : start + 2].lower() == "0x":
        raise SyntaxFault("bad-number", "`0x` is followed by no hex digit", start, start + 2)
    if text[start] == "0" and text[start + 1 : start + 2].isdigit():
        found = _OCTAL.match(text, start)
        end = found.end() if found else start + 1
        if text[end : end + 1].isdigit():
            raise SyntaxFault(
                "bad-number", "a number that starts with 0 is octal, and 8 and 9 are no octal digits",
                start, end + 1,
            )  # fmt: skip
        return Token("integer", text[start:end], start, end)
    found = _DECIMAL.match(text, start)
    assert found is not None
    is_float = any(group is not None for group in found.groups())
    end = found.end()
    if not found.group(3) and re.match(r"[eE]", text[end : end + 1]):
        raise SyntaxFault("bad-number", "the exponent has no digits", start, end + 1)
    if text[end : end + 1] == "." and is_float:
        raise SyntaxFault("bad-number", "the number has a second decimal point", start, end + 1)
    return Token("float" if is_float else "integer", found.group(), start, end)


def placeholder_end(text: str, at: int) -> int:
    """Where the placeholder of a template that begins here ends; 0 where none does."""
    found = _PLACEHOLDER.match(text, at)
    return found.end() if found else 0


def unescape(literal: str, start: int) -> str:
    """What a quoted literal stands for; bytes that are no UTF-8 become surrogate escapes."""
    body = literal[1:-1]
    if "\\" not in body:
        return body
    out = bytearray()
    at = 0
    for found in _ESCAPE.compiled.finditer(body):
        out += body[at : found.start()].encode("utf-8", "surrogateescape")
        at = found.end()
        high, low, octal, hexa, short, long, plain = found.groups()
        if high:
            code = 0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00
            out += chr(code).encode()
        elif octal:
            out.append(int(octal, 8) & 0xFF)
        elif hexa:
            out.append(int(hexa, 16))
        elif short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF:
                raise _bad_escape(found, start)
            out += chr(code).encode("utf-8", "surrogatepass")
        elif plain in _PLAIN:
            out.append(_PLAIN[plain])
        else:
            raise _bad_escape(found, start)
    out += body[at:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def _bad_escape(found: re.Match[str], start: int) -> SyntaxFault:
    at = start + 1 + found.start()
    return SyntaxFault(
        "bad-escape", f"`{found.group()}` is no escape sequence", at, at + len(found.group()),
        "write a backslash as \\\\",
    )  # fmt: skip
