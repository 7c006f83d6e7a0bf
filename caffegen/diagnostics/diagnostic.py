"""One finding, the report that collects them, and the error that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from caffegen.errors import CaffegenError
from caffegen.text import Fault, Source, Span

__all__ = ["UNKNOWN", "Diagnostic", "NetError", "Report", "Severity", "told_once"]

Severity = Literal["error", "warning"]


#: The findings about what caffegen does not know, or nobody does. A net that has them can be loaded,
#: to be looked at, compared and written; the layers that have unknown parts can't be computed.
UNKNOWN = frozenset(
    {"field-without-reader", "unknown-enum-word", "unknown-field", "unknown-layer-type"}
)
# told once for each name, however often it is written
_ONCE = UNKNOWN | {"fork-field-not-computed", "undefined-layer-type"}


class Diagnostic(NamedTuple):
    """A flaw by name, with a sentence, a place and the mend.

    `message` stands alone on one line; `help` says what to edit; `other` is a second place with a
    word on what stands there, for two fields that fight; `layer` names the guilty layer; `fix` is
    the text that may stand instead of the span's without a doubt; `again` has the other places of a
    finding that is told once.
    """

    name: str
    severity: Severity
    span: Span | None
    message: str
    help: str = ""
    other: tuple[Span, str] | None = None
    layer: str = ""
    fix: str | None = None
    again: tuple[Span, ...] = ()

    def __str__(self) -> str:
        place = f"{self.span.file}:{self.span.line}:{self.span.column}: " if self.span else ""
        text = f"{place}{self.severity}[{self.name}]: {self.message}"
        return f"{text} ({self.help})" if self.help else text


class Report:
    """What has been found so far, in the order of finding."""

    __slots__ = ("diagnostics",)

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def error(
        self,
        name: str,
        message: str,
        span: Span | None = None,
        *,
        help: str = "",
        other: tuple[Span | None, str] | None = None,
        layer: str = "",
        fix: str | None = None,
    ) -> None:
        """Add what Caffe refuses, or what can't mean what it says."""
        self._add(name, "error", message, span, help, other, layer, fix)

    def warning(
        self,
        name: str,
        message: str,
        span: Span | None = None,
        *,
        help: str = "",
        other: tuple[Span | None, str] | None = None,
        layer: str = "",
        fix: str | None = None,
    ) -> None:
        """Add what Caffe takes and what still hurts people."""
        self._add(name, "warning", message, span, help, other, layer, fix)

    def _add(
        self,
        name: str,
        severity: Severity,
        message: str,
        span: Span | None,
        help: str,
        other: tuple[Span | None, str] | None,
        layer: str,
        fix: str | None,
    ) -> None:
        second = (other[0], other[1]) if other is not None and other[0] is not None else None
        self.diagnostics.append(Diagnostic(name, severity, span, message, help, second, layer, fix))

    def faults(
        self, source: Source | None, faults: Iterable[Fault], severity: Severity = "error"
    ) -> None:
        """Add what the text layer or an upgrade found; without a source it has no place."""
        for fault in faults:
            other = span = None
            if source is not None:
                span = Span(source, fault.start, fault.end)
                other = (Span(source, *fault.other), "the other is here") if fault.other else None
            self._add(fault.name, severity, fault.message, span, fault.help, other, "", fault.fix)

    @property
    def errors(self) -> list[Diagnostic]:
        """The findings that keep a net from loading."""
        return [d for d in self.diagnostics if d.severity == "error"]

    def in_file_order(self) -> list[Diagnostic]:
        """All findings by place; those without one come last."""
        return sorted(
            self.diagnostics,
            key=lambda d: (
                d.span is None,
                d.span.file if d.span else "",
                d.span.start if d.span else 0,
            ),
        )

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)


def told_once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings, those about one unknown name as one with the number of its places.

    A layer type that was told of as a word of an old net's enum is not told of as a type again.
    """
    told: list[Diagnostic] = []
    again: dict[tuple[str, str], list[Span]] = {}
    words = set()
    for each in found:
        if each.name == "unknown-enum-word" and each.span is not None:
            words.add(each.span.start)
        if each.name == "unknown-layer-type" and each.span and each.span.start in words:
            continue
        key = (each.name, each.message)
        if each.name not in _ONCE or key not in again:
            again[key] = []
            told.append(each)
        elif each.span is not None:
            again[key].append(each.span)
    return [_with_times(each, again[each.name, each.message]) for each in told]


def _with_times(found: Diagnostic, again: Sequence[Span]) -> Diagnostic:
    if not again:
        return found
    return found._replace(message=f"{found.message} ({len(again) + 1} times)", again=tuple(again))


class NetError(CaffegenError):
    """A net that can't be loaded; `diagnostics` holds everything that was found in it."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        errors = [d for d in self.diagnostics if d.severity == "error"]
        shown = "\n".join(str(d) for d in errors[:20])
        more = f"\n... and {len(errors) - 20} more" if len(errors) > 20 else ""
        super().__init__(shown + more)
