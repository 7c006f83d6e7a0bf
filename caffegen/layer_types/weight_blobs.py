"""What Caffe checks of weight blobs: that their fillers can fill them, that stored values fit.

Fillers run when a layer is set up (filler.hpp), so a filler that can't is a fault of the net.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from caffegen.diagnostics import Severity
from caffegen.text import Message

from .base import Definition, Shape
from .blob_shape import to_int

__all__ = [
    "FILLERS", "check_filler", "check_filler_alone", "check_weights", "constant_filler",
    "stored_shape",
]  # fmt: skip

FILLERS = ("constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear")
_LEGACY_SIZES = ("num", "channels", "height", "width")


def constant_filler(param: Message, field: str, value: float) -> Message:
    """The filler of a field; where it is unset, a constant of the layer's own."""
    if param.has(field):
        filler: Message = param.get(field)
        return filler
    return Message(param.field(field).type, type="constant", value=value)


def check_weights(definition: Definition, *, stored_exact: bool = False) -> None:
    """Report blobs that their fillers can't fill, or whose values in the text don't fit.

    With values in the text (`blobs { ... }`) no filler runs. `stored_exact` is for layers that
    compare the shapes; the others take what there is, and read past its end where it is too short.
    """
    if definition.layer.has("blobs"):
        _check_stored(definition, stored_exact)
        return
    for spec in definition.blobs:
        if spec.filler is not None:
            check_filler(definition, spec.filler, spec.shape, f"the blob `{spec.name}`")


def check_filler_alone(
    definition: Definition, filler: Message, severity: Severity = "error"
) -> bool:
    """Report what is wrong with a filler whatever it is to fill; whether it has a type at all."""
    if filler.type not in FILLERS:
        _report_unknown(definition, filler)
        return False
    if filler.misread() or filler.unknown:
        return False  # said by the text layer; what else there is may follow from it
    for name, field, message in _flaws_alone(filler):
        _report(definition, severity, name, message, filler, field)
    return True


def check_filler(
    definition: Definition,
    filler: Message,
    shape: Shape,
    what: str,
    *,
    severity: Severity = "error",
    empty: str = "empty-weight-blob",
) -> None:
    """Report a filler that can't fill `what`, a blob of this shape (filler.hpp).

    `empty` names the flaw of a blob without values.
    """
    if not check_filler_alone(definition, filler, severity):
        return
    if prod(shape) == 0:
        message = f"{what} is {list(shape)}: Caffe can't fill it without values"
        _report(definition, severity, empty, message, filler)
        return
    flaw = _flaw(filler, shape, what) if filler._values else None
    if flaw is not None:
        name, field, message = flaw
        _report(definition, severity, name, message, filler, field)


def _flaws_alone(filler: Message) -> Iterator[tuple[str, str, str]]:
    """What no shape mends: each flaw's name, the guilty field and the sentence."""
    kind: str = filler.type
    sparse: int = filler.sparse
    if kind == "gaussian":
        if not filler.std > 0:
            yield "std-not-positive", "std", f"`std` is {filler.std:g}; it must be above 0"
        if sparse < -1:
            yield (
                "sparse-below-minus-one", "sparse",
                f"`sparse` is {sparse}; it counts inputs, or is -1 for all",
            )  # fmt: skip
    elif sparse != -1:
        yield (
            "sparse-without-gaussian", "sparse",
            f"`sparse` is set, but the filler `{kind}` can't leave values out; `gaussian` can",
        )  # fmt: skip
    if kind == "uniform" and not filler.min <= filler.max:
        yield (
            "filler-range-reversed", "min",
            f"`min` ({filler.min:g}) is above `max` ({filler.max:g})",
        )  # fmt: skip


def _flaw(filler: Message, shape: Shape, what: str) -> tuple[str, str, str] | None:
    """Why a filler that is sound in itself can't fill this shape, as `_flaws_alone` says it."""
    kind: str = filler.type
    sparse: int = filler.sparse if kind == "gaussian" else -1
    if sparse >= 0 and shape and sparse > shape[0]:
        return (
            "sparse-exceeds-outputs", "sparse",
            f"`sparse` ({sparse}) is above the {shape[0]} outputs of {what}",
        )  # fmt: skip
    if not shape and (kind in ("xavier", "msra", "positive_unitball") or sparse >= 0):
        return (
            "filler-needs-axes", "type",
            f"the filler `{kind}` counts along axis 0, which {what} does not have",
        )  # fmt: skip
    if kind == "bilinear":
        if len(shape) != 4:
            return (
                "bilinear-needs-four-axes", "type",
                f"the filler `bilinear` fills blobs of 4 axes; {what} is {list(shape)}",
            )  # fmt: skip
        if shape[2] != shape[3]:
            return (
                "bilinear-not-square", "type",
                f"the filler `bilinear` fills square kernels; {what} is {list(shape)}",
            )  # fmt: skip
    return None


def _report_unknown(definition: Definition, filler: Message) -> None:
    from caffegen.schema.suggest import nearest

    near = nearest(filler.type, FILLERS)
    hint = f"; did you mean `{near}`?" if near else ""
    _report(
        definition, "error", "unknown-filler", f"no filler `{filler.type}`{hint}", filler, "type",
        help=f'write `type: "{near}"`' if near else f"the fillers are {', '.join(FILLERS)}",
    )  # fmt: skip


def _report(
    definition: Definition,
    severity: Severity,
    name: str,
    message: str,
    filler: Message,
    field: str = "",
    *,
    help: str = "",
) -> None:
    span = (filler.span(field) if field else None) or filler.span()
    definition.tell(severity, name, message, span or definition.at(), help=help)


def stored_shape(blob: Message) -> Shape:
    """The shape of a BlobProto: four old sizes, or `shape` (blob.cpp, FromProto)."""
    if any(blob.has(size) for size in _LEGACY_SIZES):
        return tuple(blob.get(size) for size in _LEGACY_SIZES)
    return tuple(to_int(dim) for dim in blob.shape.dim)


def _check_stored(definition: Definition, exact: bool) -> None:
    blobs = definition.layer.blobs
    for index, blob in enumerate(blobs):
        shape = stored_shape(blob)
        number = len(blob.double_data) or len(blob.data)
        if number != prod(shape) or not number:
            definition.fault(
                "stored-values-differ",
                f"blob {index} in the text is {list(shape)}, but {number} values stand there",
                "layer.blobs",
                index=index,
            )
    report = definition.fault if exact else definition.warn
    if len(blobs) != len(definition.blobs):
        report(
            "stored-blobs-differ",
            f"{len(blobs)} blobs stand in the text; {definition.type} has "
            f"{len(definition.blobs)} here",
            "layer.blobs",
            index=min(len(blobs), len(definition.blobs) + 1) - 1,
        )
        return
    for index, (blob, spec) in enumerate(zip(blobs, definition.blobs, strict=True)):
        shape = stored_shape(blob)
        fits = shape == spec.shape if exact else prod(shape) == prod(spec.shape)
        if not fits:
            report(
                "stored-blobs-differ",
                f"blob {index} in the text is {list(shape)}, but `{spec.name}` is "
                f"{list(spec.shape)}",
                "layer.blobs",
                index=index,
            )
