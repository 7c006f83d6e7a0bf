"""How the layers that take several bottoms, and have no weights, are written as expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .text import Bracketed, Text

__all__ = ["binds_tightly", "is_operator", "join_text", "value_text"]


def value_text(value: Any) -> str:
    """A number, a truth value, or a tuple of them; text is quoted whatever it holds."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, tuple):
        inner = ", ".join(value_text(part) for part in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _quoted(text: str) -> str:
    """As `repr`, in the quotes that need fewer backslashes; double ones if it makes no odds."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    plain = "".join(c if c in "'\"" else repr(c)[1:-1] for c in text)
    return quote + plain.replace(quote, f"\\{quote}") + quote


def is_operator(form: str) -> bool:
    """Whether an expression needs brackets as a part of another."""
    return form in ("sum", "product", "scale", "shift", "axpy", "matmul")


def binds_tightly(form: str) -> bool:
    """Whether an expression needs brackets around operands that are operators."""
    return is_operator(form) or form in (
        "clip", "detach", "filter", "flip", "permute", "reindex", "trailing",
    )  # fmt: skip


def join_text(form: str, facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    """The expression of a join."""
    return _JOINS[form](facts, operands)


def _sum(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    text = ""
    for coeff, operand in zip(facts or (1.0,) * len(operands), operands, strict=True):
        joint = (" - " if coeff == -1 else " + ") if text else ("-" if coeff == -1 else "")
        factor = "" if abs(coeff) == 1 else f"{value_text(coeff)} * "
        text += f"{joint}{factor}{operand}"
    return Text(text)


def _product(_facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(" * ".join(operands))


def _maximum(_facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    text = operands[0]
    for operand in operands[1:]:
        text = f"torch.maximum({text}, {operand})"
    return Text(text)


def _concat(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    parts = Bracketed("[", [Text(operand) for operand in operands], "]")
    return Bracketed("torch.cat(", [parts, Text(f"dim={facts[0]}")])


def _aligned(facts: tuple[Any, ...], operand: str) -> str:
    return f"{operand}[...{', None' * facts[0]}]" if facts[0] else operand


def _scale(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]} * {_aligned(facts, operands[1])}")


def _shift(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]} + {_aligned(facts, operands[1])}")


def _split(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    cut, dim = facts
    return Text(f"torch.tensor_split({operands[0]}, {value_text(cut)}, dim={dim})")


def _narrow(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    axis, start, stop = facts
    window = f"{start or ''}:{'' if stop is None else stop}"
    return Text(f"{operands[0]}[{':, ' * axis}{window}]")


def _constant(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    if facts[0] == 0:
        return Text(f"torch.zeros_like({operands[0]})")
    return Text(f"torch.full_like({operands[0]}, {value_text(facts[0])})")


def _detach(_facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]}.detach()")


def _permute(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]}.permute({', '.join(map(str, facts))})")


def _flip(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]}.flip({', '.join(map(str, facts))})")


def _axpy(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    factors, x, y = operands
    return Text(f"{_aligned(facts, factors)} * {x} + {y}")


def _reindex(_facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(f"{operands[0]}[{operands[1]}.long()]")


def _filter(_facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    *filtered, selector = operands
    return Text(", ".join(f"{operand}[{selector}.flatten() != 0]" for operand in filtered))


def _clip(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    low, high = facts
    # where they are out of order the lower bound wins
    return Text(f"{operands[0]}.clamp(max={value_text(high)}).clamp(min={value_text(low)})")


def _trailing(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    return Text(_aligned(facts, operands[0]))


def _matmul(facts: tuple[Any, ...], operands: Sequence[str]) -> Text:
    parts = [
        f"{operand}.mT" if transposed else operand
        for operand, transposed in zip(operands, facts, strict=True)
    ]
    return Text(" @ ".join(parts))


_JOINS: dict[str, Callable[[tuple[Any, ...], Sequence[str]], Text]] = {
    "sum": _sum,
    "product": _product,
    "maximum": _maximum,
    "concat": _concat,
    "scale": _scale,
    "shift": _shift,
    "split": _split,
    "narrow": _narrow,
    "constant": _constant,
    "detach": _detach,
    "reindex": _reindex,
    "permute": _permute,
    "flip": _flip,
    "axpy": _axpy,
    "filter": _filter,
    "clip": _clip,
    "trailing": _trailing,
    "matmul": _matmul,
}
