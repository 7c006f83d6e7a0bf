"""The lines of a forward method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .forms import FUNCTIONS
from .items import Item, Join, Leaf
from .joins import binds_tightly, is_operator, join_text, value_text
from .layout import Segment
from .names import Names, identifier
from .text import WIDTH, Bracketed, Text, render

__all__ = ["write_forward"]

# names that a local variable must not hide
_TAKEN = frozenset({"self", "torch", "nn", "F"})
# more parts of a blob are numbered, not named
_MOST_PARTS = 4


def write_forward(
    segments: Sequence[Segment],
    inputs: Mapping[int, str],
    outputs: Mapping[str, int],
    aliases: Mapping[int, int],
    *,
    single: bool,
) -> list[str]:
    """The statements, in order, and what is returned: the one output, or a dict of outputs.

    `aliases` are values that are another one by a second number.
    """
    writer = _Forward(segments, inputs, outputs, aliases)
    return writer.run(single=single)


class _Forward:
    def __init__(
        self,
        segments: Sequence[Segment],
        inputs: Mapping[int, str],
        outputs: Mapping[str, int],
        aliases: Mapping[int, int],
    ) -> None:
        self.segments = segments
        self.aliases = aliases
        self.outputs = {name: self.real(value) for name, value in outputs.items()}
        self.called = {
            value: identifier(name, "y") for name, value in self.outputs.items() if name
        }  # fmt: skip
        self.names = Names(_TAKEN | set(inputs.values()))
        self.variables = dict(inputs)
        # what is written where it is used, with the item that makes it and the variables in it
        self.pending: dict[int, tuple[str, Item, frozenset[str]]] = {}
        self.reads: dict[int, int] = {}
        self.readers: dict[int, Segment] = {}
        for segment in segments:
            for value in segment.inputs:
                self.reads[self.real(value)] = self.reads.get(self.real(value), 0) + 1
                self.readers[self.real(value)] = segment
        for value in self.outputs.values():
            self.reads[value] = self.reads.get(value, 0) + 1
        self.lines: list[str] = []
        # variables that hold several values, and how many
        self.rows: dict[str, int] = {}

    def real(self, value: int) -> int:
        while value in self.aliases:
            value = self.aliases[value]
        return value

    def run(self, *, single: bool) -> list[str]:
        for index, segment in enumerate(self.segments):
            last = single and index == len(self.segments) - 1
            self.statement(segment, last=last and len(segment.outputs) == 1)
        if single:
            if not self.lines or (not self.lines[-1].startswith("return") and not self.returned):
                (value,) = self.outputs.values()
                self.lines.append(" " * 8 + f"return {self.variables[value]}")
            return self.lines
        parts = [
            Text(f"{value_text(name)}: {self.variables[value]}")
            for name, value in self.outputs.items()
        ]
        self.lines += render("return ", Bracketed("{", parts, "}"))
        return self.lines

    returned = False

    def statement(self, segment: Segment, *, last: bool) -> None:
        values = [self.real(value) for value in segment.inputs]
        piece = self.expression(segment, values)
        if len(piece.flat) > WIDTH - 20 and any(value in self.pending for value in values):
            for value in values:
                if value in self.pending:
                    self.settle(value)
            piece = self.expression(segment, values)
        used = self.used(values)
        for value in values:
            self.pending.pop(value, None)
            self.reads[value] -= 1
        if last and self.real(segment.outputs[0]) in self.outputs.values():
            self.lines += render("return ", piece)
            self.returned = True
            return
        if self.waits(segment, piece):
            self.pending[segment.outputs[0]] = (piece.flat, segment.items[-1][1], used)
            return
        self.assign(segment, values, piece)

    def waits(self, segment: Segment, piece: Text) -> bool:
        """Whether the expression can stand where its value is used."""
        if len(segment.outputs) != 1 or piece.breaks or len(piece.flat) > WIDTH - 30:
            return False
        value = segment.outputs[0]
        reader = self.readers.get(value)
        return (
            self.reads.get(value) == 1
            and reader is not None
            and not reader.attribute
            and value not in self.outputs.values()
        )

    def assign(self, segment: Segment, values: Sequence[int], piece: Text) -> None:
        if (
            not any(self.reads.get(value) for value in segment.outputs)
            and len(segment.outputs) == 1
        ):
            # nobody reads it: a layer that was silenced
            self.lines += render("", piece)
            return
        names: list[str] = []
        item = segment.items[-1][1]
        if isinstance(item, Join) and len(segment.outputs) > _MOST_PARTS:
            name = self.names.take("parts")
            for index, value in enumerate(segment.outputs):
                self.variables[value] = f"{name}[{index}]"
            self.rows[name] = len(segment.outputs)
            self.lines += render(f"{name} = ", piece)
            return
        # tops of one module are other things than its bottoms
        apart = isinstance(item, Leaf) and (len(segment.outputs) > 1 or not values)
        for value in segment.outputs:
            name = "" if apart else self.free(values, names)
            if not name:
                wanted = self.wanted(segment)
                name = self.names.take(self.called.get(value, wanted) if apart else wanted)
            names.append(name)
            self.variables[value] = name
        self.lines += render(f"{', '.join(names)} = ", piece)

    def wanted(self, segment: Segment) -> str:
        if segment.attribute:
            return segment.attribute
        item = segment.items[-1][1]
        return "part" if len(segment.outputs) > 1 else "y" if isinstance(item, Join) else "out"

    def used(self, values: Sequence[int]) -> frozenset[str]:
        """The variables that stand where these values are written."""
        found: set[str] = set()
        for value in values:
            if value in self.pending:
                found |= self.pending[value][2]
            else:
                found.add(self.variables[value])
        return frozenset(found)

    def free(self, values: Sequence[int], taken: Sequence[str]) -> str:
        """The variable of a value that is not read again."""
        kept = {*taken, *(name for _, _, names in self.pending.values() for name in names)}
        for value in values:
            name = self.variables.get(value, "")
            others = [v for v, n in self.variables.items() if n == name and self.reads.get(v)]
            if name.isidentifier() and name not in kept and not others:
                return name
        return ""

    def settle(self, value: int) -> None:
        """Give a waiting expression a variable of its own."""
        text, _, _ = self.pending.pop(value)
        maker = next(s for s in self.segments if value in s.outputs)
        name = self.names.take(self.wanted(maker))
        self.variables[value] = name
        self.lines += render(f"{name} = ", Text(text))

    def operand(self, value: int, *, bracket: bool) -> str:
        if value not in self.pending:
            return self.variables[value]
        text, item, _ = self.pending[value]
        if bracket and isinstance(item, Join) and is_operator(item.form):
            return f"({text})"
        return text

    def expression(self, segment: Segment, values: Sequence[int]) -> Text:
        item = segment.items[0][1]
        if segment.attribute:
            return _call(segment, [self.plain(value) for value in values])
        if isinstance(item, Join):
            bracket = binds_tightly(item.form)
            operands = [self.operand(value, bracket=bracket) for value in values]
            if item.form == "concat":
                row = operands[0].partition("[")[0]
                if operands == [f"{row}[{index}]" for index in range(self.rows.get(row, 0))]:
                    return Text(f"torch.cat({row}, dim={item.facts[0]})")
            return join_text(item.form, item.facts, operands)
        assert isinstance(item, Leaf)
        form = FUNCTIONS[item.call.kind]
        return Text(form.format(self.operand(values[0], bracket=form.startswith("{0}"))))

    def plain(self, value: int) -> str:
        return self.operand(value, bracket=False)


def _call(segment: Segment, operands: Sequence[str]) -> Text:
    """A module called; of several bottoms and as many tops one of torch.nn, for each of them."""
    name, item = f"self.{segment.attribute}", segment.items[0][1]
    shared = isinstance(item, Leaf) and item.call.kind.startswith("nn.")
    if shared and len(operands) == len(item.outputs) > 1:
        return Text(", ".join(f"{name}({operand})" for operand in operands))
    return Bracketed(f"{name}(", [Text(operand) for operand in operands])
