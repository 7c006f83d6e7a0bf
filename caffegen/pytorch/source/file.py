"""A net as a Python file, checked against the net before it is handed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from caffegen.pytorch.build import build
from caffegen.pytorch.module import CaffeModule
from caffegen.templating import render_template

from .check import check
from .classes import make_classes
from .code import class_code, libraries, net_code
from .describe import describe
from .extract import Extract, extract
from .forms import FORMS
from .items import Block, Item, Key, Leaf, Signatures, walk
from .layout import MODULE_NAMES
from .names import Names, class_name, identifier, prose
from .regions import find_regions
from .sharing import Weights, freeze, tie
from .text import WIDTH
from .titles import name_classes

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["Source", "write_source"]


class Source(NamedTuple):
    """A file's text, and its weights by state_dict key."""

    text: str
    tensors: dict[str, Tensor]


def write_source(
    net: Net, *, name: str = "model.py", options: str = "", seed: int = 0, fuse: bool = False
) -> Source:
    """The net as PyTorch source, and the weights that it loads.

    `name` is the file's own, `options` what else the command line said. Raises Refusal for layers
    that have no readable form.
    """
    module = build(net, seed=seed, fuse=fuse)
    signatures = Signatures()
    types = {node.name: node.type for node in net.graph.nodes}
    training = net.phase == "TRAIN"
    weights = Weights(module, training=training)
    found = extract(module, signatures, types, weights, training=training)
    regions = find_regions(found.items, found.outputs.values(), signatures)
    items, definitions = make_classes(regions, set(found.outputs.values()), signatures)
    names = Names(_FILE_NAMES)
    name_classes(definitions, names)
    title = class_name(net.name, "Net")
    title = names.take(title if names.free(title) else f"{title}Net")
    classes = [class_code(definition) for definition in definitions]
    shapes = {slot: value.shape for slot, value in enumerate(net.graph.values)}
    summary = f"{prose(net.name) or 'A net'}, converted from Caffe."
    code, paths = net_code(title, summary, items, _input_names(found), found.outputs, shapes)
    tensors: dict[str, Tensor] = {}
    _collect(items, paths, "", tensors)
    init = [*code.init, *tie(tensors, weights), *freeze(tensors, weights)]
    classes.append(code._replace(init=init))
    snippets = [_library(kind) for kind in libraries(items)]
    lines = [line for c in classes for line in (*c.init, *c.forward)]
    text = render_template(
        "pytorch_model.py.j2",
        doc=describe(net, module, name, options, stored=bool(tensors)),
        body="\n".join([*snippets, *lines]),
        libraries=snippets,
        classes=classes,
        net=title,
        stored=bool(tensors),
        main=_main(net, module),
    )
    stored = {key: tensor.detach().contiguous() for key, tensor in tensors.items()}
    check(text, title, stored, module)
    return Source(text, stored)


def _input_names(found: Extract) -> dict[int, str]:
    if len(found.inputs) == 1:
        return {found.inputs[0][1]: "x"}
    names = Names(_FILE_NAMES)
    return {value: names.take(identifier(name, "x")) for name, value in found.inputs}


def _collect(
    body: Sequence[Item], paths: Mapping[Key, str], before: str, tensors: dict[str, Tensor]
) -> None:
    """The tensors of all leaves by their state_dict keys."""
    for key, item in walk(body):
        if key not in paths:
            continue
        path = before + paths[key]
        if isinstance(item, Leaf):
            for name, tensor in item.tensors.items():
                tensors[f"{path}.{name}"] = tensor
        elif isinstance(item, Block) and item.class_def is not None:
            _collect(item.body, item.class_def.paths, f"{path}.", tensors)


def _library(name: str) -> str:
    return render_template(f"pytorch_layers/{name}.py.j2").rstrip()


def _main(net: Net, module: CaffeModule) -> list[str]:
    """What the file does when it is run: one pass over zeros."""
    shapes = [spec.shape for spec in module._inputs if not spec.optional]
    if None in shapes or (not shapes and not module.output_names):
        return ["print(load())"]
    zeros = [f"torch.zeros({', '.join(map(str, shape))})" for shape in shapes if shape is not None]
    call = f"load()({', '.join(zeros)})"
    if len(net.outputs) == 1 and len(module.output_names) == 1:
        lines = [f"print({call}.shape)"]
    else:
        lines = [f"for name, y in {call}.items():", "    print(name, y.shape)"]
    if max(map(len, lines)) <= WIDTH - 4:
        return lines
    variables = [f"x{index}" for index in range(1, len(zeros) + 1)]
    made = [f"{variable} = {zero}" for variable, zero in zip(variables, zeros, strict=True)]
    return [*made, *(line.replace(call, f"load()({', '.join(variables)})") for line in lines)]


_FILE_NAMES = (
    MODULE_NAMES
    | {"F", "os", "load", "load_file", "annotations"}
    # what stands in the templates that others need
    | {"Recurrent", "divisor", "floored", "round_away"}
    | frozenset(form for form in FORMS if "." not in form)
)
