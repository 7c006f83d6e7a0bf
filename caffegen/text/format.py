"""The formatter: one layout for every prototxt, with every comment kept.

It works on the text alone, without a schema: fields of any fork pass through, and so does what a
template leaves where a value belongs. Values stay as they were written; what changes is white
space, `<>` to `{}`, separators, and quotes where that is safe.
"""

from __future__ import annotations

from collections.abc import Iterator

from .source import Source
from .tokens import SyntaxFault, Token, next_token, placeholder_end

__all__ = ["format_text"]

_WIDTH = 100
_DEEPEST = 200


class _Entry:
    """A field: comments and blank lines before it, its value, and the comment behind it."""

    __slots__ = ("before", "behind", "children", "end_before", "inline", "listed", "name", "value")

    def __init__(self, name: str, before: list[str]) -> None:
        self.name = name
        self.before = before
        self.behind = ""
        self.value = ""
        # messages: their fields, the comments before the closing brace, whether one line held it all
        self.children: list[_Entry] | None = None
        self.end_before: list[str] = []
        self.inline = False
        self.listed: list[_Entry] | None = None


def format_text(source: Source) -> str:
    """The text in its layout; SyntaxFault where the text is not well-formed."""
    reader = _Reader(source.text)
    entries, rest = reader.fields("")
    lines = [*_lines(entries, ""), *_comments(rest, "")]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.loose: list[str] = []  # comments inside a field, which will stand before it

    def next(self) -> Token:
        token = next_token(self.text, self.at)
        self.loose += [line for line in self.gap(self.at, token.start) if line]
        self.at = token.end
        return token

    def drain(self) -> list[str]:
        """The comments met inside the field at hand."""
        found, self.loose = self.loose, []
        return found

    def peek(self) -> Token:
        return next_token(self.text, self.at)

    def gap(self, start: int, end: int) -> list[str]:
        """Comments and blank lines between two offsets; a blank line is an empty string, once."""
        found: list[str] = []
        for number, raw in enumerate(self.text[start:end].split("\n")):
            line = raw.strip()
            if line.startswith("#"):
                found.append(line)
            elif not line and number and found[-1:] != [""]:
                found.append("")
        # the last piece is the margin of what follows, not a line
        if found[-1:] == [""] and not self._blank_line_at_end(start, end):
            found.pop()
        return found

    def _blank_line_at_end(self, start: int, end: int) -> bool:
        pieces = self.text[start:end].split("\n")
        return len(pieces) > 2 and not pieces[-2].strip()

    def behind(self, end: int) -> str:
        """The comment on the same line, if only white space and separators come before it."""
        line_end = self.text.find("\n", end)
        rest = self.text[end : len(self.text) if line_end < 0 else line_end]
        stripped = rest.lstrip(" \t\r\v\f,;")
        if not stripped.startswith("#"):
            return ""
        self.at = end + len(rest)
        return stripped.rstrip()

    def fields(self, closer: str) -> tuple[list[_Entry], list[str]]:
        """The fields up to the closing character, and the comments before it."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise SyntaxFault(
                "nested-too-deep", "messages are nested too deep", self.at, self.at + 1
            )
        entries: list[_Entry] = []
        while True:
            start = self.at
            token = self.next()
            before = self.gap(start, token.start)
            self.loose = []
            if token.kind == "end" or (token.kind == "symbol" and token.text in "}>"):
                if token.text != closer:
                    found = token.shown
                    raise SyntaxFault(
                        "unmatched-brace", f"expected `{closer}`, found {found}" if closer
                        else f"{found} closes nothing", token.start, token.end,
                    )  # fmt: skip
                self.depth -= 1
                return entries, before
            if token.kind != "identifier" and token.text != "[":
                raise SyntaxFault(
                    "unexpected-token", f"a field name was expected, found {token.shown}",
                    token.start, token.end,
                )  # fmt: skip
            name = token.text if token.kind == "identifier" else self.extension(token)
            entries.append(self.field(name, before))

    def extension(self, bracket: Token) -> str:
        end = self.text.find("]", bracket.end)
        if end < 0 or "\n" in self.text[bracket.start : end]:
            raise SyntaxFault("unexpected-token", "`[` is never closed", bracket.start, bracket.end)
        self.at = end + 1
        return "".join(self.text[bracket.start : end + 1].split())

    def field(self, name: str, before: list[str]) -> _Entry:
        entry = _Entry(name, before)
        token = self.next()
        colon = token.text == ":" and token.kind == "symbol"
        if colon:
            token = self.next()
        if colon and self.placeholder(token):
            entry.value = self.text[token.start : self.at]
        elif token.kind == "symbol" and token.text in "{<":
            self.message(entry, token)
        elif not colon and not (token.text == "[" and self.peek().text in ("{", "<", "]")):
            raise SyntaxFault(
                "missing-colon", f"`{name}` is followed by {token.shown}, not by a colon",
                token.start, max(token.end, token.start),
            )  # fmt: skip
        elif token.kind == "symbol" and token.text == "[":
            self.value_list(entry)
        else:
            entry.value = self.scalar(token)
        entry.behind = self.behind(self.at)
        separator = self.peek()
        if separator.kind == "symbol" and separator.text in ",;":
            self.next()
            entry.behind = entry.behind or self.behind(self.at)
        entry.before += self.drain()
        return entry

    def message(self, entry: _Entry, brace: Token) -> None:
        entry.before += self.drain()
        opening = self.behind(brace.end)
        entry.children, entry.end_before = self.fields("}" if brace.text == "{" else ">")
        if opening:
            entry.before.append(opening)
        entry.inline = "\n" not in self.text[brace.start : self.at]

    def value_list(self, entry: _Entry) -> None:
        entry.listed = []
        token = self.next()
        if token.text == "]":
            return
        while True:
            item = _Entry("", [])
            if token.kind == "symbol" and token.text in "{<":
                self.message(item, token)
                entry.before += item.before
                item.before = []
            else:
                item.value = self.scalar(token)
            entry.listed.append(item)
            token = self.next()
            if token.text == "]":
                return
            if token.text != ",":
                raise SyntaxFault(
                    "unexpected-token",
                    f"the list of `{entry.name}` goes on with {token.shown}, not with `,` or `]`",
                    token.start, token.end,
                )  # fmt: skip
            token = self.next()

    def placeholder(self, token: Token) -> bool:
        """Read on past the placeholder of a template, where one begins with this token."""
        end = placeholder_end(self.text, token.start) if token.kind == "symbol" else 0
        self.at = end or self.at
        return bool(end)

    def scalar(self, token: Token) -> str:
        sign = ""
        if token.text == "-":
            sign, token = "-", self.next()
        if self.placeholder(token):
            return sign + self.text[token.start : self.at]
        if token.kind in ("symbol", "end"):
            raise SyntaxFault(
                "unexpected-token", f"a value was expected, found {token.shown}",
                token.start, max(token.end, token.start),
            )  # fmt: skip
        if token.kind != "string":
            return sign + token.text
        parts = [_quoted(token.text)]
        while self.peek().kind == "string":
            parts.append(_quoted(self.next().text))
        return sign + " ".join(parts)


def _quoted(literal: str) -> str:
    """Double quotes where the content has neither quotes nor escapes."""
    body = literal[1:-1]
    return literal if literal[0] == '"' or '"' in body or "\\" in body else f'"{body}"'


def _lines(entries: list[_Entry], margin: str) -> Iterator[str]:
    for entry in entries:
        yield from _comments(entry.before, margin)
        behind = f"  {entry.behind}" if entry.behind else ""
        line = _one_line(entry)
        if line is not None and (entry.children is None or len(margin) + len(line) <= _WIDTH):
            yield f"{margin}{line}{behind}"
        elif entry.children is not None:
            yield f"{margin}{entry.name} {{"
            yield from _inner(entry, margin + "  ")
            yield f"{margin}}}{behind}"
        elif entry.listed is not None:
            yield f"{margin}{entry.name}: ["
            last = len(entry.listed) - 1
            for index, item in enumerate(entry.listed):
                comma = "," if index < last else ""
                if item.children is None:
                    yield f"{margin}  {item.value}{comma}"
                else:
                    yield f"{margin}  {{"
                    yield from _inner(item, margin + "    ")
                    yield f"{margin}  }}{comma}"
            yield f"{margin}]{behind}"


def _inner(entry: _Entry, margin: str) -> Iterator[str]:
    lines = [*_lines(entry.children or [], margin), *_comments(entry.end_before, margin)]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        lines.pop()
    yield from lines


def _comments(lines: list[str], margin: str) -> Iterator[str]:
    for line in lines:
        yield margin + line if line else ""


def _one_line(entry: _Entry) -> str | None:
    """The field on one line, or None where it must not be."""
    if entry.children is not None:
        inner = _inline_children(entry)
        if inner is None:
            return None
        return f"{entry.name} {{{inner}}}"
    if entry.listed is None:
        return f"{entry.name}: {entry.value}"
    items = []
    for item in entry.listed:
        if item.children is None:
            items.append(item.value)
            continue
        inner = _inline_children(item)
        if inner is None:
            return None
        items.append(f"{{{inner}}}")
    return f"{entry.name}: [{', '.join(items)}]"


def _inline_children(entry: _Entry) -> str | None:
    assert entry.children is not None
    if not entry.inline or any(entry.end_before):
        return None
    parts = []
    for child in entry.children:
        line = _one_line(child)
        if line is None or child.behind or any(child.before):
            return None
        parts.append(line)
    return f" {' '.join(parts)} " if parts else ""
