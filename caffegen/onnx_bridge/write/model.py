"""A net to an ONNX model whose weights are still where they were."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import onnx
from onnx import ModelProto, TensorProto, TypeProto, helper

from caffegen import __version__
from caffegen.errors import CaffegenError
from caffegen.layer_types import FED
from caffegen.loader import Net
from caffegen.net import Graph, Node, Value
from caffegen.schema.suggest import nearest
from caffegen.text import printable

from .fold import fold_constants
from .free import Dims, free_dims
from .fusion import fused_scales, zero_pads
from .graph import GraphWriter, names_read
from .initialiser import Initialiser
from .names import Names, value_names
from .registry import Refusal, refuse, writer_of
from .writer import LayerWriter

__all__ = ["DEFAULT_OPSET", "NEWEST_OPSET", "OLDEST_OPSET", "Model", "write_model"]

# ONNX's operator sets: 17 runs nearly everywhere, 26 is the newest that onnxruntime 1.31 runs
OLDEST_OPSET, DEFAULT_OPSET, NEWEST_OPSET = 13, 17, 26


class Model(NamedTuple):
    """A model but for its weights, which `initialisers` tell where to find; good for one use.

    `values` has the name in ONNX of each blob's final version, for the blobs that are there;
    `sources` are the files that the net was read from.
    """

    proto: ModelProto
    initialisers: Sequence[Initialiser]
    values: Mapping[str, str]
    sources: Sequence[str] = ()


def write_model(
    net: Net,
    *,
    opset: int | None = None,
    dynamic_batch: bool = False,
    dynamic_size: bool = False,
    fold: bool = False,
    outputs: Iterable[str] | None = None,
) -> Model:
    """Write the layers that the outputs need; all outputs of the net unless blobs are named."""
    writer = _ModelWriter(net, _checked_opset(opset), None if outputs is None else list(outputs))
    writer.size(batch=dynamic_batch, size=dynamic_size)
    writer.write_layers()
    if fold:
        fold_constants(writer.graph, {writer.names[id(value)] for value in writer.wanted})
    return writer.finish()


class _ModelWriter:
    """Writes a net's layers one after the other, and what stands around them in a model."""

    def __init__(self, net: Net, opset: int, outputs: Sequence[str] | None) -> None:
        self.net = net
        self.automatic = _automatic_tops(net.graph)
        self.copies = _copies(net.graph)
        self.wanted = self.outputs(outputs)
        needed = self.needed()
        self.layers = [node for node in net.graph.nodes if node.index in needed]
        self.refuse_unknown()
        self.fed = {
            id(value): value
            for node in net.graph.nodes
            if node.type in FED and (outputs is None or node.index in needed)
            for value in node.outputs
        }
        taken = Names()
        self.names = value_names(net.graph, taken, self.fed)
        self.dims: dict[int, Dims | None] = {}
        self.kinds: dict[Dims | None, TypeProto] = {}
        self.padded: Mapping[int, Sequence[Node]] = {}
        self.graph = GraphWriter(net, opset, taken)

    def refuse_unknown(self) -> None:
        """Refuse what caffegen does not know in the layers to write, and so can't write."""
        if self.net.obstacle:
            raise Refusal(f"the net has no ONNX form: {self.net.obstacle}")
        for node in self.layers:
            if node.definition is not None and node.definition.obstacle and node.type not in FED:
                raise refuse(node.definition, node.definition.obstacle)

    def outputs(self, names: Sequence[str] | None) -> list[Value]:
        """The values to give: the net's outputs, or the final versions of the blobs named."""
        if names is not None:
            found = [self.blob(name) for name in dict.fromkeys(names)]
        else:
            found = [
                *(self.blob(name) for name in self.net.graph.named_outputs),
                *(v for tops in self.automatic.values() for v in tops),
            ]
        if not found:
            raise CaffegenError("the net has no output blob, and an ONNX model has at least one")
        return found

    def blob(self, name: str) -> Value:
        """The final version of a blob, or the copy that Caffe makes of one with a loss weight."""
        return self.copies[name] if name in self.copies else _blob(self.net.graph, name)

    def asked(self) -> list[Value]:
        """The values that must be there for the wanted ones: of a copy, its original."""
        originals = self.net.graph.split_losses
        return [
            originals[value.name] if value is self.copies.get(value.name) else value
            for value in self.wanted
        ]

    def tops(self, node: Node) -> list[Value]:
        """The values that a layer makes, those that Caffe adds by itself included."""
        return [*node.outputs, *self.automatic.get(node.index, ())]

    def needed(self) -> set[int]:
        """The layers (by index) on which the wanted values depend."""
        live = {id(value) for value in self.asked()}
        needed = set()
        for node in reversed(self.net.graph.nodes):
            if not live.isdisjoint(map(id, self.tops(node))):
                needed.add(node.index)
                live.update(map(id, node.inputs))  # that of a missing one, None, is no top's
        return needed

    def size(self, *, batch: bool, size: bool) -> None:
        """Find the shape of every value, with free sizes where they are asked for."""
        self.dims = free_dims(self.net, self.fed, self.layers, batch=batch, size=size)
        for value in self.fed.values():
            if value.shape is None:
                raise CaffegenError(
                    f"the shape of the input blob `{value.name}` can't be told from the file; give "
                    f"it, as in --input {value.name}=1,3,224,224"
                )
        for values in self.automatic.values():
            for value in values:
                self.dims[id(value)] = value.shape
                self.names[id(value)] = self.graph.names.own(value.name)
        for name, copy in self.copies.items():
            self.dims[id(copy)] = self.dims[id(self.net.graph.split_losses[name])]
            self.names[id(copy)] = self.graph.names.own(printable(name))

    def write_layers(self) -> None:
        """Call the writer of each layer; some become part of the layer before or behind them."""
        layers = [node for node in self.layers if node.type not in FED]
        scales = fused_scales(layers, self.asked())
        self.padded = zero_pads(layers, self.asked(), self.dims)
        taken = {node.index for node in scales.values()}
        taken |= {zero.index for zeros in self.padded.values() for zero in zeros}
        for node in layers:
            if node.index not in taken:
                self.write_layer(node, scales.get(node.index))
        for name, original in self.net.graph.split_losses.items():
            if any(value is self.copies[name] for value in self.wanted):
                read, made = self.names[id(original)], self.names[id(self.copies[name])]
                self.graph.add_node("Identity", [read], [made], made, {})

    def write_layer(self, node: Node, scale: Node | None) -> None:
        """Write one layer, with the Scale behind it if that is given."""
        tops = self.tops(scale or node)
        layer = self.layer_writer(node, tops)
        if scale is not None:
            layer.scale = self.layer_writer(scale, tops)
        layer.padded = node.index in self.padded
        definition = node.definition
        writer = None if definition is None else writer_of(definition.type)
        if writer is None or definition is None:
            raise Refusal(f"layer `{node.name}` ({node.type}) has no ONNX form in caffegen")
        writer(layer, definition)

    def layer_writer(self, node: Node, tops: Sequence[Value]) -> LayerWriter:
        """What the layer's function writes with."""
        bottoms = [id(value) for value in node.inputs if value is not None]
        made = [id(value) for value in tops]
        names, dims = self.names, self.dims
        return LayerWriter(
            self.graph, node,
            [names[key] for key in bottoms],
            [names[key] for key in made],
            # only behind a Python layer, which is refused, are shapes unknown
            [dims[key] or () for key in bottoms],
            [dims[key] or () for key in made],
        )  # fmt: skip

    def finish(self) -> Model:
        """The model, once all layers are written."""
        made = {name for node in self.graph.nodes for name in node.output}
        there = made | {self.names[key] for key in self.fed}
        values = {name: self.names[id(v)] for name, v in self.net.graph.final.items()}
        return Model(
            self.proto(made),
            list(self.graph.initialisers.values()),
            {name: value for name, value in values.items() if value in there},
            [
                *([self.net.source.path] if self.net.source is not None else []),
                *(self.net.weights.sources if self.net.weights is not None else []),
            ],
        )

    def proto(self, made: Collection[str]) -> ModelProto:
        """The ModelProto: nodes, constants, shapes of all blobs, and where it all came from."""
        inputs = list(self.fed.values())
        ends = {id(value) for value in (*inputs, *self.wanted)}
        between = [
            value
            for value in self.net.graph.values
            if id(value) not in ends
            and self.names[id(value)] in made
            and self.dims[id(value)] is not None
        ]
        # what BatchNorm was to do may have been left to the Scale behind it
        constants = self.graph.constants
        if constants:
            read = {*names_read(self.graph.nodes), *(self.names[id(v)] for v in self.wanted)}
            constants = [constant for constant in constants if constant.name in read]
        model = self.graph.model
        opset = model.opset_import.add(domain="", version=self.graph.opset)
        model.ir_version = helper.find_min_ir_version_for([opset])
        model.producer_name = "caffegen"
        model.producer_version = __version__
        model.graph.name = printable(self.net.name) or "net"
        model.graph.initializer.extend(constants)
        for infos, values in (
            (model.graph.input, inputs),
            (model.graph.output, self.wanted),
            (model.graph.value_info, between),
        ):
            for value in values:
                infos.add(name=self.names[id(value)], type=self.kind(self.dims[id(value)]))
        helper.set_model_props(model, _origin(self.net, self.names))
        return model

    def kind(self, dims: Dims | None) -> TypeProto:
        """The type of values of a shape, float32 as all blobs are; unnamed free sizes are left open."""
        kind = self.kinds.get(dims)
        if kind is None:
            kind = self.kinds[dims] = TypeProto()
            kind.tensor_type.elem_type = TensorProto.FLOAT
            if dims is not None:
                shape = kind.tensor_type.shape
                shape.SetInParent()
                for dim in dims:
                    size = shape.dim.add()
                    if isinstance(dim, int):
                        size.dim_value = dim
                    elif dim:
                        size.dim_param = dim
        return kind


def _automatic_tops(graph: Graph) -> dict[int, list[Value]]:
    """The tops that Caffe adds to losses without enough of them (net.cpp, Init: AutoTopBlobs)."""
    found: dict[int, list[Value]] = {}
    for node in graph.nodes:
        definition = node.definition
        if definition is None or not definition.auto_top:
            continue
        for index in range(len(node.top), definition.tops.least):
            value = Value("(automatic)", 0, node, index)
            # without the bottoms' shapes there are none of the tops
            value.shape = next(iter(definition.top_shapes[index:]), None)
            found.setdefault(node.index, []).append(value)
    return found


def _copies(graph: Graph) -> dict[str, Value]:
    """The copies of tops with a loss weight that are read on, which are outputs of the net."""
    found = {}
    for name, value in graph.split_losses.items():
        copy = found[name] = Value(name, 0, value.producer, value.output_index)
        copy.shape = value.shape
    return found


def _checked_opset(opset: int | None) -> int:
    if opset is None:
        return DEFAULT_OPSET
    newest = min(NEWEST_OPSET, onnx.defs.onnx_opset_version())
    if not OLDEST_OPSET <= opset <= newest:
        raise CaffegenError(f"the opset is {opset}; caffegen writes {OLDEST_OPSET} to {newest}")
    return opset


def _blob(graph: Graph, name: str) -> Value:
    value = graph.final.get(name)
    if value is None:
        near = nearest(name, graph.final)
        hint = f"; did you mean `{near}`?" if near else ""
        raise CaffegenError(f"the net has no blob `{name}`{hint}")
    return value


def _origin(net: Net, named: Mapping[int, str]) -> dict[str, str]:
    """Where the model says it came from; `caffegen.blobs` lists blobs under another name."""
    origin = {"caffegen.phase": net.phase}
    if net.source is not None:
        text = net.source.text.encode("utf-8", "surrogateescape")
        origin["caffegen.source"] = printable(os.path.basename(net.source.path))
        origin["caffegen.source_sha256"] = hashlib.sha256(text).hexdigest()
    if net.weights is not None and net.weights.sources:
        files = [printable(os.path.basename(path)) for path in net.weights.sources]
        origin["caffegen.weights"] = ",".join(files)
    renamed = {
        name: named[id(value)]
        for name, value in net.graph.final.items()
        if named[id(value)] != name
    }
    if renamed:
        blobs = {printable(name): value for name, value in renamed.items()}
        origin["caffegen.blobs"] = json.dumps(blobs)
    return origin
