"""What a prototxt holds: a net, a solver, a label map, or what Caffe has no message for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from caffegen.plugins import discover
from caffegen.schema import make_field, message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Fault, FieldType, Message, MessageType, Source, parse

__all__ = ["Kind", "read_kind"]

# one of them is enough, whatever else stands there
_SOLVERS_OWN = frozenset({"base_lr", "lr_policy", "net", "solver_mode", "test_net", "train_net"})
# of SSD's caffe.proto; `label_id` of MobileNet-YOLO's
_LABELS = MessageType(
    "LabelMapItem",
    {
        row[0]: make_field(*row)
        for row in (
            ("name", 1, "optional", "string", ""),
            ("label", 2, "optional", "int32", 0),
            ("display_name", 3, "optional", "string", ""),
            ("label_id", 4, "optional", "int32", 0),
        )
    },
)
_LABEL_MAP = MessageType(
    "LabelMap",
    {"item": FieldType("item", 1, "message", repeated=True, type_name="LabelMapItem",
                       resolve=lambda _: _LABELS)},
)  # fmt: skip


class Kind(NamedTuple):
    """A text as the message that it is meant to be."""

    word: Literal["net", "solver", "labels", "other"]
    message: Message
    faults: list[Fault]


def read_kind(source: Source) -> Kind:
    """Parse a text as a net; as a solver where it has fields of a solver and no layers.

    It is a label map, the class names that SSD's Caffe keeps in a prototxt, where it reads as one.
    It is neither when most of its fields are unknown to all three.
    """
    net = message_type("NetParameter")
    message, faults = parse(source, net, nearest)
    if message.odd and discover():
        message, faults = parse(source, net, nearest)
    unknown = {field.name for field in message.unknown if field.name not in net.fields}
    if not unknown or any(message.has(name) for name in ("layer", "layers", "input")):
        return Kind("net", message, faults)
    solver = message_type("SolverParameter")
    of_solvers = unknown & solver.fields.keys()
    strange = unknown - of_solvers
    if of_solvers & _SOLVERS_OWN or len(of_solvers) >= max(1, len(strange)):
        return Kind("solver", *parse(source, solver, nearest))
    if unknown == {"item"}:
        labels = parse(source, _LABEL_MAP, nearest)
        if not any(fault.name == "unknown-field" for fault in labels.faults):
            return Kind("labels", *labels)
    known = sum(1 for _ in message.set_fields())
    if known < len(strange) and all(fault.name == "unknown-field" for fault in faults):
        return Kind("other", message, faults)
    return Kind("net", message, faults)
