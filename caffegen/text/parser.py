"""Prototxt text to messages, with the place of every field and every fault in one run.

One regular expression takes a usual field in one step; what is written unusually goes through the
tokenizer, which holds the whole grammar of protobuf's C++ parser (text_format.cc). A fault never
ends the reading: a bad value is passed over, broken structure is left at the next line or layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .field_pattern import CLOSE, FIELD, FLOAT, INT, OPEN, OPEN_BARE, STRING, WORD
from .message import INT_RANGE, FieldError, Message, Place, UnknownField, coerce, round_float
from .source import Fault, Source
from .tokens import SKIP, SyntaxFault, Token, next_token, placeholder_end, unescape
from .types import FieldType, MessageType
from .values import BOOLS, convert, expected

__all__ = ["Parsed", "parse"]

_LAYER_AT_LINE = r"^[ \t]*layers?[ \t]*:?[ \t]*[{<]"
_NESTING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*|[{}<>\[\]]")
# what stands for a string that was not put in quotes, a path too
_BARE = r"[^\s{}<>\[\],;#\"']+"
# so many strange words are held against the known ones: each takes a millisecond
_LOOKED_UP = 100


class Parsed(NamedTuple):
    """What a text came to: the message, and what was wrong with it, in the order of the text."""

    message: Message
    faults: list[Fault]


class _Open(NamedTuple):
    """A message that is being read: its field in the parent, its start and its closing character."""

    message: Message
    field: FieldType
    start: int
    brace: int
    closer: str


def parse(
    source: Source,
    message_type: MessageType,
    suggest: Callable[[str, Iterable[str]], str | None] | None = None,
) -> Parsed:
    """Read a text as a message of a type; never raises for what stands in the text.

    `suggest` names the nearest of the known words for a misspelt one.
    """
    parser = _Parser(source, message_type, suggest)
    parser.run()
    if "\0" in source.text:
        parser.find_zeros()
    parser.faults.sort(key=lambda fault: fault.start)
    return Parsed(parser.root, parser.faults)


class _Parser:
    def __init__(
        self,
        source: Source,
        message_type: MessageType,
        suggest: Callable[[str, Iterable[str]], str | None] | None,
    ) -> None:
        self.source = source
        self.text = source.text
        self.suggest = suggest
        self.faults: list[Fault] = []
        self.root = self.message = Message(message_type)
        self.root._source = source
        self.root._place = (0, 0, len(self.text))
        self.root._foreign = False
        self.stack: list[_Open] = []
        self.closed_at = 0
        self.looked_up: dict[tuple[str, int], tuple[str, str | None]] = {}
        self.shaky = False  # structure was lost: later braces may not match, and that is no news

    # The hot loop. Everything that is looked up per field is a local.
    def run(self) -> None:
        text = self.text
        match = FIELD.match
        message = self.message
        fields, values, places = message._type.fields, message._values, message._places
        at = 0
        while True:
            if self.message is not message:
                message = self.message
                fields, values, places = message._type.fields, message._values, message._places
            found = match(text, at)
            if found is None:
                at = self.unusual(at)
                if at < 0:
                    return
                continue
            index = found.lastindex
            if index == CLOSE:
                if not self.stack or self.stack[-1].closer != "}":
                    at = self.unusual(at)
                else:
                    at = found.end()
                    self.close(found.end(CLOSE))
                continue
            name = found[1]
            field = fields.get(name)
            if field is None:
                at = self.unusual(at)
                continue
            if field.forks is not None:
                self.root._foreign = True
            kind = field.kind
            if index in (OPEN_BARE, OPEN):
                if kind != "message":
                    at = self.unusual(at)
                    continue
                brace = found.start(index)
                self.open(field, found.start(1), brace, "}")
                at = brace + 1
                continue
            value: Any
            if index == STRING and kind == "string":
                value = found[2]
            elif index == INT and kind in INT_RANGE:
                value = int(found[4])
                if value <= 0 and kind[0] == "u" and found[4][0] == "-":
                    at = self.unusual(at)
                    continue
                if not -0x80000000 <= value <= 0x7FFFFFFF:
                    low, high = INT_RANGE[kind]
                    if not low <= value <= high:
                        at = self.unusual(at)
                        continue
            elif index == WORD and kind == "enum" and found[3] in field.type.numbers:
                value = found[3]
                if value in field.type.forks:
                    self.root._foreign = True
            elif index == WORD and kind == "bool" and found[3] in BOOLS:
                value = BOOLS[found[3]]
            elif index in (INT, FLOAT) and kind == "float":
                value = round_float(float(found[index]))
            else:
                at = self.unusual(at)
                continue
            at = found.end()
            begin, end = found.span(index)
            if index == STRING:
                begin, end = begin - 1, end + 1
            place = (found.start(1), begin, end)
            if field.repeated:
                if name in values:
                    values[name].append(value)
                    places[name].append(place)
                else:
                    values[name] = [value]
                    places[name] = [place]
            else:
                if name in values:
                    self.set_twice(field, place)
                values[name] = value
                places[name] = place

    def open(self, field: FieldType, start: int, brace: int, closer: str) -> None:
        parent = self.message
        if not field.repeated and field.name in parent._values:
            self.set_twice(field, (start, brace, brace + 1))
        child = Message(field.type)
        child._source = self.source
        if field.repeated:
            parent._values.setdefault(field.name, []).append(child)
        else:
            parent._values[field.name] = child
        self.stack.append(_Open(child, field, start, brace, closer))
        self.message = child

    def close(self, end: int) -> None:
        opened = self.stack.pop()
        self.closed_at = end
        self.message = self.stack[-1].message if self.stack else self.root
        place = (opened.start, opened.brace, end)
        opened.message._place = place
        if opened.field.repeated:
            self.message._places.setdefault(opened.field.name, []).append(place)
        else:
            self.message._places[opened.field.name] = place
        if not self.stack:
            self.shaky = False

    def fault(
        self,
        name: str,
        message: str,
        start: int,
        end: int,
        help: str = "",
        other: tuple[int, int] | None = None,
        fix: str | None = None,
    ) -> None:
        self.faults.append(Fault(name, message, start, end, help, other, fix))

    def find_zeros(self) -> None:
        """Report the zero bytes in strings and comments, where Caffe's tokenizer ends, too."""
        told = {fault.start for fault in self.faults}
        for found in re.finditer("\0", self.text):
            if found.start() not in told:
                self.fault(
                    "stray-character", "the control character 0x00 stands in a string or a comment",
                    *found.span(),
                )  # fmt: skip

    def set_twice(self, field: FieldType, place: Place) -> None:
        earlier = self.message._places.get(field.name)
        self.fault(
            "field-set-twice",
            f"`{field.name}` is set twice in {self.message._type.name}; it takes one value",
            place[0], place[2], "keep one of the two",
            (earlier[0], earlier[2]) if earlier else None,
        )  # fmt: skip

    def near(self, word: str, candidates: Iterable[str]) -> tuple[str, str | None]:
        """`; did you mean ...?` or nothing, and the word itself where only its spelling differs."""
        key = (word, id(candidates))
        if key not in self.looked_up:
            if self.suggest is None or len(self.looked_up) == _LOOKED_UP:
                return "", None
            found = self.suggest(word, candidates)
            same = found is not None and _folded(found) == _folded(word)
            hint = f"; did you mean `{found}`?" if found else ""
            self.looked_up[key] = hint, found if same else None
        return self.looked_up[key]

    # From here on: what the regular expression does not take.
    def unusual(self, at: int) -> int:
        """Read one field by the whole grammar; returns where to go on, or -1 at the end."""
        try:
            return self.element(at)
        except SyntaxFault as broken:
            fix = "" if broken.name == "byte-order-mark" else None
            self.fault(
                broken.name, broken.message, broken.start, broken.end, broken.help, None, fix
            )
            if fix is not None:
                return broken.end
            if broken.name == "merge-conflict":
                return broken.end
            for opened in self.stack:
                opened.message._broken = True
            return self.recover(broken.start, broken.end)

    def element(self, at: int) -> int:
        token = next_token(self.text, at)
        if token.kind == "end":
            return self.finish(token.start)
        if token.text in ("}", ">") and token.kind == "symbol":
            return self.unusual_close(token)
        if token.text in (",", ";") and at and self.text[at - 1] not in "{<,;\n":
            return token.end  # what is read ended here, some lines before
        if token.text == "[":
            raise SyntaxFault(
                "unexpected-token", "`[` opens an extension name, which Caffe's messages do not have",
                token.start, token.end,
            )  # fmt: skip
        if token.kind != "identifier":
            raise SyntaxFault(
                "unexpected-token", f"a field name was expected, found {token.shown}",
                token.start, token.end,
            )  # fmt: skip
        field = self.message._type.fields.get(token.text)
        if field is None:
            return self.unknown(token.text, token.start)
        depth = len(self.stack)
        end = self.field(field, token)
        return end if len(self.stack) > depth else self.separator(end)

    def field(self, field: FieldType, name: Token) -> int:
        text = self.text
        token = next_token(text, name.end)
        after = name.end
        if field.forks is not None or field.kind == "enum":
            self.root._foreign = True  # a word may be a fork's, too
        if token.text == ":":
            after = token.end
            token = next_token(text, after)
        elif field.kind != "message" or token.text == "=":
            token = self.without_colon(field, name, token)
        if token.text == "[" and token.kind == "symbol" and field.repeated:
            return self.value_list(field, name, token)
        if field.kind == "message":
            return self.message_value(field, name.start, token)
        return self.scalar(field, name.start, token)

    def without_colon(self, field: FieldType, name: Token, token: Token) -> Token:
        """Report a missing colon and read on where a value follows all the same, if behind `=`."""
        message = f"`{field.name}` is followed by {token.shown}, not by a colon"
        value = next_token(self.text, token.end) if token.text == "=" else token
        help = f"write `{field.name}: value`"
        if field.kind == "message":
            help = f"write `{field.name} {{ ... }}`"
            is_value = value.text in ("{", "<")
        elif value.kind == "identifier":
            # the next field may begin here
            is_value = next_token(self.text, value.end).text not in (":", "{", "<", "=")
        else:
            is_value = value.kind in ("string", "integer", "float")
        if not is_value:
            raise SyntaxFault("missing-colon", message, name.start, name.end, help)
        end = token.end if token.text == "=" else name.end
        fix = self.text[name.start : name.end] + ":"
        self.fault("missing-colon", message, name.start, end, help, None, fix)
        return value

    def value_list(self, field: FieldType, name: Token, bracket: Token) -> int:
        token = next_token(self.text, bracket.end)
        if token.text == "]":
            return token.end
        while True:
            if field.kind == "message":
                depth = len(self.stack)
                at = self.message_value(field, token.start, token)
                at = self.nested(at, depth)
            else:
                at = self.scalar(field, token.start, token)
            token = next_token(self.text, at)
            if token.text == "]":
                return token.end
            if token.text != ",":
                raise SyntaxFault(
                    "unexpected-token",
                    f"the list of `{name.text}` goes on with {token.shown}, not with `,` or `]`",
                    token.start, token.end,
                )  # fmt: skip
            token = next_token(self.text, token.end)

    def nested(self, at: int, depth: int) -> int:
        """Read on until the message that a list element opened is closed."""
        while len(self.stack) > depth:
            token = next_token(self.text, at)
            if token.kind == "end":
                return token.start
            at = self.element(at)
        return self.closed_at

    def message_value(self, field: FieldType, start: int, token: Token) -> int:
        if token.kind != "symbol" or token.text not in ("{", "<"):
            raise SyntaxFault(
                "not-a-message",
                f"`{field.name}` is a message and takes `{{ ... }}`, found {token.shown}",
                token.start, token.end,
            )  # fmt: skip
        self.open(field, start, token.start, "}" if token.text == "{" else ">")
        return token.end

    def scalar(self, field: FieldType, start: int, token: Token) -> int:
        """Read one value; a value of the wrong kind is a fault, and the reading goes on past it."""
        negative = False
        first = token
        if token.text == "-" and token.kind == "symbol":
            negative = True
            token = next_token(self.text, token.end)
        placeholder = placeholder_end(self.text, token.start)
        if placeholder:
            shown = self.text[token.start : placeholder]
            self.keep_as_text(field.name, (start, start, start), f"{field.name}: {shown}")
            self.holds_placeholder(field.name, shown, first.start, placeholder)
            return placeholder
        if token.kind in ("symbol", "end"):
            raise SyntaxFault(
                "unexpected-token", f"`{field.name}` needs {expected(field)}, found {token.shown}",
                token.start, max(token.end, token.start),
            )  # fmt: skip
        # of the elements of a list none has a name
        named = start < first.start
        if named and token.kind == "identifier" and next_token(self.text, token.end).text == ":":
            self.fault("missing-value", f"`{field.name}` has no value", start, first.start)
            return token.start
        end = token.end
        if token.kind == "string":
            value: Any = unescape(token.text, token.start)
            following = next_token(self.text, end)
            while following.kind == "string":
                value += unescape(following.text, following.start)
                end = following.end
                following = next_token(self.text, end)
            if negative or field.kind not in ("string", "bytes"):
                self.wrong(field, self.text[first.start : end], first.start, end)
                return end
            value = coerce(field, value, self.message._type)
        else:
            try:
                value = convert(field, token, self.message._type, negative=negative)
                self.check_glued(token)
            except FieldError as error:
                if field.kind == "string":
                    end = re.compile(_BARE).match(self.text, first.start).end()  # type: ignore[union-attr]
                shown = self.text[first.start : end]
                self.wrong(field, shown, first.start, end, error.kind)
                return end
        place = (start, first.start, end)
        if not field.repeated and field.name in self.message._values:
            self.set_twice(field, place)
        self.message._append(field, value, place)
        return end

    def check_glued(self, token: Token) -> None:
        """Report a word that begins where a number ends (tokenizer.cc, ConsumeNumber)."""
        behind = self.text[token.end : token.end + 1]
        if token.kind in ("integer", "float") and re.match("[A-Za-z_]", behind):
            self.fault(
                "bad-number", "a number and the word behind it need a space between them",
                token.start, token.end, fix=f"{token.text} ",
            )  # fmt: skip

    def holds_placeholder(self, name: str, shown: str, start: int, end: int) -> None:
        self.fault(
            "template-placeholder", f"`{name}` holds the placeholder `{shown}`", start, end,
            "fill in the template before it is read",
        )  # fmt: skip

    def wrong(
        self, field: FieldType, shown: str, start: int, end: int, kind: str = "wrong-type"
    ) -> None:
        self.keep_as_text(field.name, (start, start, end), f"{field.name}: {self.text[start:end]}")
        shown = " ".join(shown.split())
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        if kind == "unknown-enum-word":
            near, fix = self.near(shown, field.type.numbers)
            known = ", ".join(w for w in field.type.numbers if w not in field.type.forks)
            self.fault(
                kind, f"`{field.name}` knows no word `{shown}`{near}", start, end,
                f"it takes one of {known}", None, fix,
            )  # fmt: skip
        elif kind == "out-of-range":
            low, high = INT_RANGE[field.kind]
            self.fault(kind, f"`{field.name}` takes {low} to {high}, found `{shown}`", start, end)
        else:
            bare = field.kind == "string" and self.text[start:end].isprintable()
            fix = f'"{self.text[start:end]}"' if bare and "\\" not in shown else None
            self.fault(
                kind, f"`{field.name}` takes {expected(field)}, found `{shown}`", start, end,
                "", None, fix,
            )  # fmt: skip

    def separator(self, at: int) -> int:
        skipped = SKIP.match(self.text, at).end()  # type: ignore[union-attr]
        return skipped + 1 if self.text[skipped : skipped + 1] in (",", ";") else at

    def unusual_close(self, token: Token) -> int:
        if not self.stack:
            if not self.shaky:
                self.fault(
                    "unmatched-brace", f"`{token.text}` closes nothing", token.start, token.end
                )
            return token.end
        closer = self.stack[-1].closer
        if token.text != closer:
            opened = self.stack[-1]
            self.fault(
                "unmatched-brace",
                f"`{opened.field.name}` is closed by `{token.text}`, expected `{closer}`",
                token.start, token.end, "", (opened.start, opened.brace + 1),
            )  # fmt: skip
        self.close(token.end)
        return self.separator(token.end)

    def finish(self, end: int) -> int:
        if self.stack and not self.shaky:
            opened = self.stack[-1]
            self.fault(
                "unclosed-message",
                f"the text ends before `{opened.field.name}` is closed",
                opened.start, opened.brace + 1, f"close it with `{opened.closer}`",
            )  # fmt: skip
        while self.stack:
            self.close(end)
        return -1

    def unknown(self, name: str, start: int) -> int:
        """A field that the type does not have: kept as text, reported, and passed over."""
        message_type = self.message._type
        token = next_token(self.text, start + len(name))
        begins_layer = name in ("layer", "layers") and token.text in ("{", ":", "<")
        if begins_layer and self.stack and name in self.root._type.fields:
            return self.left_open(start)
        near, fix = self.near(name, message_type.fields)
        self.fault(
            "unknown-field", f"{message_type.name} has no field `{name}`{near}",
            start, start + len(name), "", None, fix,
        )  # fmt: skip
        after = next_token(self.text, token.end) if token.text == ":" else token
        placeholder = placeholder_end(self.text, after.start) if token.text == ":" else 0
        if token.kind == "identifier" and "\n" not in self.text[start : token.end]:
            behind = next_token(self.text, token.end)  # a name with a blank in it?
            after = behind if behind.text in ("{", "<") else after
        if placeholder:
            end = placeholder
            self.holds_placeholder(name, self.text[after.start : end], after.start, end)
        elif after.kind == "symbol" and after.text in ("{", "<", "["):
            end = self.balanced(after.start)
        elif token.text == ":":
            end = self.loose_value(after)
        else:
            for opened in self.stack:
                opened.message._broken = True
            return self.recover(start, start + len(name))
        self.keep_as_text(name, (start, after.start, end), self.text[start:end])
        return self.separator(end)

    def keep_as_text(self, name: str, place: Place, text: str) -> None:
        self.root._odd = True
        for opened in self.stack:
            opened.message._odd = True
        if self.message._unknown is None:
            self.message._unknown = []
        self.message._unknown.append(UnknownField(name, text, place))

    def loose_value(self, token: Token) -> int:
        """The end of a scalar whose kind is not known."""
        if token.text == "-":
            token = next_token(self.text, token.end)
        if token.kind in ("symbol", "end"):
            raise SyntaxFault(
                "unexpected-token", f"a value was expected, found {token.shown}",
                token.start, token.end,
            )  # fmt: skip
        end = token.end
        while token.kind == "string":
            end = token.end
            token = next_token(self.text, end)
        return end

    def balanced(self, at: int) -> int:
        """The offset past the bracket that closes the one at `at`; without one, the text's end."""
        depth = 0
        for found in _NESTING.finditer(self.text, at):
            mark = found.group()
            if mark in "{<[":
                depth += 1
            elif mark in "}>]":
                depth -= 1
                if depth == 0:
                    return found.end()
        self.fault(
            "unclosed-message", f"`{self.text[at]}` is never closed", at, at + 1,
        )  # fmt: skip
        return len(self.text)

    def left_open(self, start: int) -> int:
        """A layer begins inside another: the one before was never closed."""
        if not self.shaky:
            opened = self.stack[0]
            self.fault(
                "unclosed-message",
                f"`{opened.field.name}` is not closed before the next layer begins",
                opened.start, opened.brace + 1, f"close it with `{opened.closer}`",
            )  # fmt: skip
        while self.stack:
            self.close(start)
        return start

    def recover(self, start: int, end: int) -> int:
        """Where to go on after broken structure: the next line, in the message that its braces say."""
        line_end = self.text.find("\n", end)
        line_end = len(self.text) if line_end < 0 else line_end
        layer = re.compile(_LAYER_AT_LINE, re.MULTILINE).search(self.text, end, line_end)
        if layer:
            line_end = layer.start()
        depth = 0
        for found in _NESTING.finditer(self.text, start, line_end):
            mark = found.group()
            if mark in "{<":
                depth += 1
            elif mark in "}>":
                depth -= 1
                if depth < 0 and self.stack:
                    self.close(found.end())
                    depth = 0
        self.shaky = bool(self.stack) or depth > 0
        return line_end


def _folded(word: str) -> str:
    return word.replace("_", "").lower()
