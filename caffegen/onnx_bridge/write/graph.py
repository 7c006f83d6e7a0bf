"""The ONNX graph in the making: names, nodes, constants, and weights that stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from caffegen.analysis import ParamOwner, param_owners
from caffegen.errors import CaffegenError
from caffegen.net import Node
from caffegen.text import printable

from .initialiser import Array, Initialiser
from .names import Names

if TYPE_CHECKING:
    from caffegen.analysis.weights import Blob
    from caffegen.loader import Net

    from .writer import LayerWriter

__all__ = ["GraphWriter", "names_read"]

Shape = tuple[int, ...]

# of attributes of these types `repr` tells equal ones
_PLAIN = {int, float, str, list, tuple, type(None)}


class GraphWriter:
    """Collects what the layers write. Nodes go into `model`; weights are noted, not read."""

    def __init__(self, net: Net, opset: int, names: Names) -> None:
        self.net = net
        self.opset = opset
        self.names = names
        self.model = ModelProto()
        self.nodes = self.model.graph.node
        self.constants: list[TensorProto] = []
        self.initialisers: dict[str, Initialiser] = {}
        self._blobs: Mapping[str, Sequence[Blob]] = net.weights.blobs if net.weights else {}
        self._owners = param_owners(net.graph)
        self._sharers: dict[ParamOwner, list[ParamOwner]] = {}
        for borrower, owner in self._owners.items():
            self._sharers.setdefault(owner, [owner]).append(borrower)
        self._known_constants: dict[tuple[str, Shape, bytes], str] = {}
        self._known_weights: dict[ParamOwner, str] = {}
        self._layer_names: dict[int, str] = {}
        self._node_names = Names()
        self._attributes: dict[str, Sequence[AttributeProto]] = {}

    def layer_name(self, node: Node) -> str:
        """The name of the node that stands for a layer: the layer's own."""
        name = self._layer_names.get(node.index)
        if name is None:
            wanted = printable(node.name) or f"layer{node.index}"
            name = self._layer_names[node.index] = self._node_names.own(wanted)
        return name

    def add_node(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        attributes: Mapping[str, Any],
    ) -> None:
        """Add a node; attributes that are None are left out, and `doc_string` is the node's."""
        node = self.nodes.add(op_type=op, input=inputs, output=outputs, name=name)
        if not attributes:
            return
        if attributes.get("doc_string") is not None:
            node.doc_string = attributes["doc_string"]
        node.attribute.extend(self._attributes_of(attributes))

    def _attributes_of(self, given: Mapping[str, Any]) -> Sequence[AttributeProto]:
        """Attributes by name; a net has few different ones, and making one takes longer than a copy."""
        key = repr(given) if _PLAIN.issuperset(map(type, given.values())) else ""
        found = self._attributes.get(key)
        if found is None:
            found = [
                helper.make_attribute(name, value)
                for name, value in sorted(given.items(), key=itemgetter(0))
                if value is not None and name != "doc_string"
            ]
            if key:
                self._attributes[key] = found
        return found

    def constant(self, array: Array) -> str:
        """A constant kept in the graph itself, once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        name = self._known_constants.get(key)
        if name is None:
            name = self._known_constants[key] = self.names.own(_describe(array))
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, layer: LayerWriter, index: int, shape: Shape | None) -> str:
        """The initialiser of a blob; layers that share the blob share it."""
        here = ParamOwner(layer.node.index, index)
        owner = self._owners.get(here, here)
        assert layer.node.definition is not None
        own_shape = layer.node.definition.blobs[index].shape
        shape = own_shape if shape is None else shape
        name = self._known_weights.get(owner)
        if name is None:
            blob = self._blob(owner, layer.node)
            holder = self.net.graph.nodes[owner.layer]
            assert holder.definition is not None
            word = holder.definition.blobs[owner.blob].name.replace(" ", "_")
            name = self.names.own(f"{self.layer_name(holder)}.{word}")
            self._known_weights[owner] = name
            self.initialisers[name] = Initialiser(name, shape, (blob,))
        if self.initialisers[name].shape != shape:
            assert prod(self.initialisers[name].shape) == prod(shape)
            return layer.emit("Reshape", [name, layer.ints(*shape)])
        return name

    def derived(
        self,
        layer: LayerWriter,
        word: str,
        shape: Shape,
        make: Callable[..., Array],
        indexes: Sequence[int],
    ) -> str:
        """An initialiser that is computed when the file is written."""
        blobs = []
        for index in indexes:
            here = ParamOwner(layer.node.index, index)
            blobs.append(self._blob(self._owners.get(here, here), layer.node))
        name = self.names.own(f"{self.layer_name(layer.node)}.{word}")
        self.initialisers[name] = Initialiser(name, shape, blobs, make)
        return name

    def _blob(self, owner: ParamOwner, node: Node) -> Blob:
        """The values behind a parameter: of the layers that share it, the last that has any.

        Caffe copies layer by layer into one memory (net.cpp, CopyTrainedLayersFrom).
        """
        for sharer in sorted(self._sharers.get(owner, (owner,)), reverse=True):
            found = self._blobs.get(self.net.graph.nodes[sharer.layer].name) or ()
            if len(found) > sharer.blob and not getattr(found[sharer.blob], "absent", False):
                return found[sharer.blob]
        if self.net.weights is None:
            raise CaffegenError(
                f"layer `{node.name}` has weights, and the net was loaded without any"
            )
        raise CaffegenError(f"the weights hold nothing for layer `{node.name}`")


def names_read(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """The names that nodes read, those of the graphs inside them too."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from names_read(attribute.g.node)
                yield from (output.name for output in attribute.g.output)


def _describe(array: Array) -> str:
    """A name that says what a constant is, as far as that is short."""
    values = array.reshape(-1)
    if array.dtype == np.int64 and values.size <= 6:
        return "ints_" + "_".join(str(value) for value in values.tolist())
    if values.size == 1:
        return f"number_{values[0]:g}"
    return "constant"
