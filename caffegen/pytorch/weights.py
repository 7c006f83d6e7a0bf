"""The weights of a net into the modules that its layers became."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from caffegen.analysis import ParamOwner, param_owners
from caffegen.errors import CaffegenError
from caffegen.net import Graph, Node

from .module import BlobHomes
from .registry import BlobKeeper, Refusal
from .shared import Reshared

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["Holder", "give_weights", "multipliers", "place"]


class Holder:
    """One layer's part in a module: the attributes that hold its blobs.

    `kept` says that the module, a BlobKeeper, translates them.
    """

    __slots__ = ("attributes", "kept", "module", "node")

    def __init__(
        self, node: Node, module: nn.Module, attributes: tuple[str, ...], *, kept: bool
    ) -> None:
        self.node = node
        self.module = module
        self.attributes = attributes
        self.kept = kept

    def home(self, module_name: str) -> BlobHomes:
        """Where `caffe_blobs` finds the blobs."""
        return BlobHomes(module_name, self.attributes, self.kept)


def give_weights(net: Net, holders: Iterable[Holder], seed: int) -> dict[int, tuple[float, float]]:
    """Put parameters and statistics into the modules, shared ones as one tensor.

    Layers without weights are filled by the net's fillers. A holder's module is wrapped in Reshared
    where it sees a shared parameter in another shape. Returns (lr_mult, decay_mult) by the id of
    each parameter; one whose lr_mult is 0 is frozen, but with `force_backward` has a gradient, as in
    Caffe (net.cpp, Init and AppendParam).
    """
    forced = bool(net.message.force_backward)
    owners = param_owners(net.graph)
    blobs = _blobs(net, owners, seed)
    rates = multipliers(net.graph, owners)
    held: dict[ParamOwner, Tensor] = {}
    by_id: dict[int, tuple[float, float]] = {}
    for holder in holders:
        node, definition = holder.node, holder.node.definition
        assert definition is not None
        keys = [ParamOwner(node.index, index) for index in range(len(definition.blobs))]
        keys = [owners.get(key, key) for key in keys]
        tensors = _shared_wholly(node, keys, held)
        if tensors is None:
            stored = [torch.from_numpy(blobs[key]) for key in keys]
            if holder.kept:
                stored = cast(BlobKeeper, holder.module).from_caffe(stored)
            tensors = []
            for key, tensor, spec in zip(keys, stored, definition.blobs, strict=True):
                if key not in held:
                    rate = rates.get(key, (1.0, 1.0))
                    if spec.learned:
                        held[key] = nn.Parameter(tensor, requires_grad=forced or rate[0] != 0)
                        by_id[id(held[key])] = rate
                    else:
                        held[key] = tensor
                tensors.append(held[key])
        _place_all(holder, tensors)
    return by_id


def multipliers(
    graph: Graph, owners: dict[ParamOwner, ParamOwner] | None = None
) -> dict[ParamOwner, tuple[float, float]]:
    """(lr_mult, decay_mult) of every blob with a `param` block; the owner's where it is shared."""
    owners = param_owners(graph) if owners is None else owners
    found: dict[ParamOwner, tuple[float, float]] = {}
    said: set[tuple[ParamOwner, str]] = set()
    for node in graph.nodes:
        for index, spec in enumerate(node.message.param):
            key = ParamOwner(node.index, index)
            key = owners.get(key, key)
            lr_mult, decay_mult = found.get(key, (1.0, 1.0))
            if spec.has("lr_mult") and (key, "lr") not in said:
                lr_mult = spec.lr_mult
                said.add((key, "lr"))
            if spec.has("decay_mult") and (key, "decay") not in said:
                decay_mult = spec.decay_mult
                said.add((key, "decay"))
            found[key] = (lr_mult, decay_mult)
    return found


def place(module: nn.Module, path: str, tensor: Tensor) -> None:
    """Put a tensor where a meta parameter or buffer was declared."""
    parent, _, attribute = path.rpartition(".")
    owner = module.get_submodule(parent)
    if attribute in owner._parameters:
        if not isinstance(tensor, nn.Parameter):
            tensor = nn.Parameter(tensor)
        owner._parameters[attribute] = tensor
    else:
        owner._buffers[attribute] = tensor


def _place_all(holder: Holder, tensors: list[Tensor]) -> None:
    inner = holder.module
    declared = [_shape_at(inner, path) for path in holder.attributes]
    if declared == [tuple(tensor.shape) for tensor in tensors]:
        for path, tensor in zip(holder.attributes, tensors, strict=True):
            place(inner, path, tensor)
        return
    assert holder.node.definition is not None
    wrapper = Reshared(inner, [spec.shape for spec in holder.node.definition.blobs])
    attributes = []
    for path, shape, tensor in zip(holder.attributes, declared, tensors, strict=True):
        if shape == tuple(tensor.shape):
            place(inner, path, tensor)
            attributes.append(f"inner.{path}")
        else:
            assert isinstance(tensor, nn.Parameter)
            attributes.append(wrapper.share(path, shape, tensor))
    holder.module = wrapper
    holder.kept = True
    holder.attributes = tuple(attributes)


def _shape_at(module: nn.Module, path: str) -> tuple[int, ...]:
    parent, _, attribute = path.rpartition(".")
    return tuple(getattr(module.get_submodule(parent), attribute).shape)


def _shared_wholly(
    node: Node, keys: list[ParamOwner], held: dict[ParamOwner, Tensor]
) -> list[Tensor] | None:
    """The tensors of a layer all of whose blobs another layer holds; None where it has its own."""
    assert node.definition is not None
    there = [key in held for key in keys]
    if keys and all(there):
        return [held[key] for key in keys]
    if any(there) and not all(spec.learned for spec in node.definition.blobs):
        raise Refusal(
            f"layer `{node.name}` ({node.type}) has no PyTorch form: it shares some of its "
            f"statistics and not others"
        )
    return None


def _blobs(net: Net, owners: dict[ParamOwner, ParamOwner], seed: int) -> dict[ParamOwner, Any]:
    """Every owned blob as a float32 array of its own.

    Of shared blobs the last layer that has weights counts: Caffe copies layer by layer into one
    memory (net.cpp, CopyTrainedLayersFrom).
    """
    import numpy as np

    from caffegen.analysis.fill import fill_params

    given = net.params
    nodes = [n for n in net.graph.nodes if n.definition is not None and n.definition.blobs]
    missing = [node for node in nodes if node.name not in given]
    filled = fill_params(net.graph, seed, only=missing) if missing else {}
    if missing and net.weights is not None and net.weights.sources:
        _warn_of_filled(missing, owners, seed)
    found: dict[ParamOwner, Any] = {}
    for source in (filled, given):
        for node in nodes:
            if node.name not in source or (source is filled and node.name in given):
                continue
            assert node.definition is not None
            for index, array in enumerate(source[node.name]):
                here = ParamOwner(node.index, index)
                owner = owners.get(here, here)
                if owner != here and source is filled:
                    continue
                copy = np.array(array, dtype=np.float32)
                shape = _shape_of(net.graph, owner)
                found[owner] = copy.reshape(shape)
                if source is given:
                    _check_values(node, index, found[owner])
    return found


def _warn_of_filled(missing: list[Node], owners: dict[ParamOwner, ParamOwner], seed: int) -> None:
    """Warn of layers that a file of weights leaves out, but for those that borrow all they have."""
    names = [
        f"`{node.name}`"
        for node in missing
        if node.definition is not None
        and any(ParamOwner(node.index, i) not in owners for i in range(len(node.definition.blobs)))
    ]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        warnings.warn(
            f"the weights hold nothing for {', '.join(names[:3])}{more}; they are filled by the "
            f"net's fillers, seed {seed}",
            stacklevel=6,
        )


def _shape_of(graph: Graph, owner: ParamOwner) -> tuple[int, ...]:
    definition = graph.nodes[owner.layer].definition
    assert definition is not None
    return definition.blobs[owner.blob].shape


def _check_values(node: Node, index: int, array: Any) -> None:
    import numpy as np

    # a sum that is a number holds no NaN; only otherwise is a second look needed
    with np.errstate(invalid="ignore", over="ignore"):
        if not np.isnan(array.sum()):
            return
    count = int(np.isnan(array).sum())
    if count:
        assert node.definition is not None
        blob = node.definition.blobs[index].name
        raise CaffegenError(
            f"the {blob} blob of layer `{node.name}` holds {count} NaN among its "
            f"{array.size} values"
        )
