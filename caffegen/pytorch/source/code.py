"""The lines of a class: its constructor and its forward method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .classes import ClassDef, Param
from .forms import FORMS, NEEDS, library_of
from .forward import write_forward
from .items import Block, Item, Key, Leaf
from .joins import value_text
from .layout import Segment, lay_out
from .names import Names, comment
from .parameters import MISSING, annotation, same
from .runs import compress
from .text import Bracketed, Text, render

__all__ = ["ClassCode", "class_code", "libraries", "net_code"]

Bound = Mapping[tuple[Key, str], Param]


class ClassCode(NamedTuple):
    """A class as text: lines for the template."""

    name: str
    doc: str
    signature: list[str]
    init: list[str]
    forward_signature: list[str]
    forward: list[str]


def class_code(definition: ClassDef) -> ClassCode:
    """A class of blocks; fills in the paths of its items."""
    body = definition.model.body
    bare = [
        (i,) for i, item in enumerate(body)
        if isinstance(item, Block) and item.optional and not item.body
    ]  # fmt: skip
    aliases = {body[key[0]].outputs[0]: body[key[0]].inputs[0] for key in bare}
    outputs = definition.model.outputs
    segments = lay_out(body, outputs, whole=False, bare=bare)
    segments = [segment for segment in segments if segment.items[0][0] not in bare]
    init: list[str] = []
    for segment in segments:
        if segment.attribute:
            init += _attribute(segment, definition)
    parts = [Text("self"), *(Text(_parameter(param)) for param in definition.params)]
    forward = write_forward(
        segments, {definition.model.inputs[0]: "x"}, {"": outputs[0]}, aliases, single=True
    )
    return ClassCode(
        definition.name,
        definition.doc,
        render("def __init__", Bracketed("(", parts), " -> None:", indent=4),
        init,
        _forward_signature(["x"], "torch.Tensor"),
        forward,
    )


def _parameter(param: Param) -> str:
    text = f"{param.name}: {annotation(param)}"
    return text if param.default is MISSING else f"{text} = {value_text(param.default)}"


def _attribute(segment: Segment, definition: ClassDef) -> list[str]:
    key, item = segment.items[0]
    target = f"self.{segment.attribute} = "
    if not (isinstance(item, Block) and item.optional):
        _note_paths(segment, definition.paths)
        return render(target, _module(segment.items, definition.bound))
    inner = [((key[0], index), part) for index, part in enumerate(item.body)]
    _note_paths(Segment(list(inner), segment.attribute), definition.paths)
    module = _module(inner, definition.bound)
    condition = definition.conditions.get(key)
    if condition is None:
        return render(target, module)
    return [
        f"        if {condition}:",
        *render(target, module, indent=12),
        "        else:",
        f"            {target}nn.Identity()",
    ]


def _note_paths(segment: Segment, paths: dict[Key, str]) -> None:
    if len(segment.items) == 1:
        paths[segment.items[0][0]] = segment.attribute
        return
    for index, (key, _) in enumerate(segment.items):
        paths[key] = f"{segment.attribute}.{index}"


def _module(items: Sequence[tuple[Key, Item]], bound: Bound, *, comments: bool = False) -> Text:
    """One module, or a Sequential of several."""
    if len(items) == 1:
        return item_text(*items[0], bound)
    if all(isinstance(item, Block) for _, item in items) and not bound:
        parts = compress([item for _, item in items if isinstance(item, Block)], call_text)
    else:
        parts = [item_text(key, item, bound, comments=comments) for key, item in items]
    return Bracketed("nn.Sequential(", parts, tall=len(parts) > 1)


def item_text(key: Key, item: Item, bound: Bound, *, comments: bool = False) -> Text:
    """The call that makes an item's module."""
    if isinstance(item, Block):
        assert item.class_def is not None
        args = {name: _value(bound, key, name, value) for name, value in item.args.items()}
        return call_text(item.class_def, args)
    assert isinstance(item, Leaf)
    form = FORMS[item.call.kind]
    parts = []
    for name, value in item.call.args.items():
        text = _value(bound, key, name, value)
        if name in form.positional:
            parts.append(Text(text))
        elif (key, name) in bound or not same(value, form.defaults.get(name, MISSING)):
            parts.append(Text(f"{name}={text}"))
    note = comment(item.layer) if comments else ""
    return Bracketed(f"{item.call.kind}(", parts, comment=note)


def call_text(definition: ClassDef, args: Mapping[str, str]) -> Text:
    """The call of a class of the file; arguments that are the default are left out."""
    parts = []
    for param in definition.params:
        text = args[param.name]
        if param.default is MISSING:
            parts.append(Text(text))
        elif text != value_text(param.default):
            parts.append(Text(f"{param.name}={text}"))
    return Bracketed(f"{definition.name}(", parts)


def _value(bound: Bound, key: Key, name: str, value: Any) -> str:
    param = bound.get((key, name))
    return value_text(value) if param is None else param.name


def net_code(
    name: str,
    doc: str,
    body: Sequence[Item],
    inputs: Mapping[int, str],
    outputs: Mapping[str, int],
    shapes: Mapping[int, tuple[int, ...] | None],
) -> tuple[ClassCode, dict[Key, str]]:
    """The class of the net, and the paths of its items."""
    segments = lay_out(body, set(outputs.values()), whole=True)
    segments = _named_stages([p for segment in segments for p in _stages(segment, shapes)])
    paths: dict[Key, str] = {}
    init: list[str] = []
    for segment in segments:
        if segment.attribute:
            _note_paths(segment, paths)
            module = _module(segment.items, {}, comments=True)
            init += render(f"self.{segment.attribute} = ", module)
    single = len(outputs) == 1
    forward = write_forward(segments, inputs, outputs, {}, single=single)
    returns = "torch.Tensor" if single else "dict[str, torch.Tensor]"
    signature = _forward_signature(list(inputs.values()), returns)
    code = ClassCode(name, doc, ["    def __init__(self) -> None:"], init, signature, forward)
    return code, paths


def _forward_signature(inputs: Sequence[str], returns: str) -> list[str]:
    parts = [Text("self"), *(Text(f"{name}: torch.Tensor") for name in inputs)]
    return render("def forward", Bracketed("(", parts), f" -> {returns}:", indent=4)


def _stages(segment: Segment, shapes: Mapping[int, tuple[int, ...] | None]) -> list[Segment]:
    """A row of blocks cut where the picture gets smaller or larger."""
    if len(segment.items) == 1 or not isinstance(segment.items[0][1], Block):
        return [segment]
    parts: list[list[tuple[Key, Item]]] = []
    for key, item in segment.items:
        before, after = shapes.get(item.inputs[0]), shapes.get(item.outputs[0])
        resized = before is not None and after is not None and before[2:] != after[2:]
        if resized or not parts:
            parts.append([])
        parts[-1].append((key, item))
    if len(parts) == 1 or len(parts) > len(segment.items) // 2 + 1:
        return [segment]
    return [Segment(part, segment.attribute) for part in parts]


def _named_stages(segments: list[Segment]) -> list[Segment]:
    """Rows of blocks, numbered where there are several."""
    stages = [s for s in segments if s.attribute and isinstance(s.items[0][1], Block)]
    taken = Names(frozenset(s.attribute for s in segments if s not in stages))
    for number, stage in enumerate(stages, 1):
        stage.attribute = taken.take(f"stage{number}" if len(stages) > 1 else "blocks")
    return segments


def libraries(items: Sequence[Item]) -> list[str]:
    """The templates of classes that torch.nn does not have, each once and behind what it needs."""
    found: list[str] = []
    for name in sorted(set(_own(items))):
        found += [needed for needed in NEEDS.get(name, ()) if needed not in found]
        if name not in found:
            found.append(name)
    return found


def _own(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Leaf) and library_of(item.call.kind):
            yield library_of(item.call.kind)
        elif isinstance(item, Block):
            yield from _own(item.body)
