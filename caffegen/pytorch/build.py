"""A loaded net to a CaffeModule."""

from __future__ import annotations

from collections.abc import Mapping
from keyword import kwlist
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from caffegen.errors import CaffegenError
from caffegen.layer_types import FED
from caffegen.layer_types.python import Python
from caffegen.net import Graph, Node, Value

from .device import find_device
from .fold import fold
from .in_place import work_in_place
from .inputs import InputSpec, fixed_channels, takes_integers
from .module import CaffeModule, Facts, Step
from .names import module_name
from .normalization import batch_norm_with_scale, scale_behind
from .registry import Lowered, Refusal, lowering_of, refuse
from .unit import Unit
from .weights import Holder, give_weights

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["build"]

# what real Caffe calls a top that it adds by itself
AUTOMATIC = "(automatic)"


def build(
    net: Net,
    *,
    seed: int = 0,
    fuse: bool = False,
    device: str | torch.device | None = None,
    allow_python: Mapping[str, Any] | None = None,
) -> CaffeModule:
    """The net as a torch.nn.Module, in training mode when its phase is TRAIN.

    Layers without weights are filled by the net's own fillers, from `seed`. `fuse` folds BatchNorm
    and Scale into the Convolution or InnerProduct before them, for inference. `allow_python` holds
    the classes of Python layers by `module` or `module.Layer`; code that a file names is never
    imported. Raises Refusal for a layer that PyTorch can't compute as Caffe does, CaffegenError for
    NaN weights or a device that is not there.
    """
    if fuse and net.phase == "TRAIN":
        raise CaffegenError("`fuse` is for inference; load the net with the phase TEST")
    place = None if device is None else find_device(device)
    module = _Builder(net, seed, allow_python or {}, fuse=fuse).build()
    return module if place is None else module.to(place)


class _Builder:
    def __init__(self, net: Net, seed: int, python: Mapping[str, Any], *, fuse: bool) -> None:
        self.net = net
        self.graph: Graph = net.graph
        self.seed = seed
        self.python = python
        self.fuse = fuse
        self.slots = {id(value): index for index, value in enumerate(self.graph.values)}
        # slots of the tops that Caffe adds by itself, and the weights of those that are losses
        self.automatic: dict[str, int] = {}
        self.automatic_losses: dict[str, float] = {}
        self.names: set[str] = set()

    def build(self) -> CaffeModule:
        self.refuse_unknown()
        units = self.units()
        rates = give_weights(self.net, [h for unit in units for h in unit.holders], self.seed)
        for unit in units:
            unit.settle()
        folded: dict[str, str] | None = None
        if self.fuse:
            units, folded = fold(units, self.graph)
        work_in_place(units)
        modules = {unit.name: unit.module for unit in units}
        homes = {
            holder.node.name: holder.home(unit.name)
            for unit in units
            for holder in unit.holders
            if holder.attributes
        }
        steps = self.steps(units)
        slots = {name: self.slots[id(value)] for name, value in self.graph.final.items()}
        outputs = {name: self.slots[id(v)] for name, v in self.graph.named_outputs.items()}
        names: dict[int, str] = {}
        for name, module in modules.items():
            for path, parameter in module.named_parameters():
                names.setdefault(id(parameter), f"{name}.{path}")
        facts = Facts(
            {names[key]: rate for key, rate in rates.items() if key in names},
            self.net.loss_weights | self.automatic_losses,
            self.phases(units),
            folded,
            {value.name: name for name, value in self.graph.split_losses.items()},
        )
        module = CaffeModule(
            modules, steps, self.inputs(), outputs | self.automatic,
            slots | outputs | self.automatic, homes, facts,
        )  # fmt: skip
        return module.train(self.net.phase == "TRAIN")

    def refuse_unknown(self) -> None:
        """Refuse what caffegen does not know in the net, and so can't compute."""
        if self.net.obstacle:
            raise Refusal(f"the net has no PyTorch form: {self.net.obstacle}")
        for node in self.graph.nodes:
            if node.definition is not None and node.definition.obstacle and node.type not in FED:
                raise refuse(node.definition, node.definition.obstacle)

    def units(self) -> list[Unit]:
        """Every layer that computes as a unit; a BatchNorm and the Scale behind it as one."""
        taken: set[int] = set()
        found = []
        for node in self.graph.nodes:
            if node.type in FED or node.index in taken:
                continue
            scale = scale_behind(node, self.graph)
            if scale is None:
                lowered = self.lower(node)
                kept = hasattr(type(lowered.module), "from_caffe")
                holders = [Holder(node, lowered.module, lowered.blobs, kept=kept)]
                found.append(
                    Unit([node], self.name(node), lowered.module, holders, lowered.flatten)
                )
                continue
            taken.add(scale.index)
            with torch.device("meta"):
                module, own, affine = batch_norm_with_scale(node.definition, scale.definition)
            holders = [
                Holder(node, module, own, kept=True), Holder(scale, module, affine, kept=False)
            ]  # fmt: skip
            name = self.name(node)
            found.append(Unit([node, scale], name, module, holders, inner=node.outputs[0]))
        return found

    def lower(self, node: Node) -> Lowered:
        definition = node.definition
        lowering = None if definition is None else lowering_of(definition.type)
        if lowering is None or definition is None:
            raise Refusal(f"layer `{node.name}` ({node.type}) has no PyTorch form in caffegen")
        if isinstance(definition, Python) and self.python:
            from .python import python_layer

            return python_layer(definition, self.python)
        with torch.device("meta"):
            try:
                lowered: Lowered = lowering(definition)
            except (AttributeError, IndexError):
                # facts that follow from shapes are not there without them
                unknown = [v.name for v in node.inputs if v is not None and v.shape is None]
                if not unknown:
                    raise
                raise Refusal(
                    f"layer `{node.name}` ({node.type}) can't be built: the shape of "
                    f"`{unknown[0]}` is not known; give it by `inputs` when you load the net"
                ) from None
        return lowered

    def name(self, node: Node) -> str:
        """A name that nn.Module takes: none of its own attributes, no keyword, each once."""
        name = module_name(node.name) or "layer"
        while name in self.names or name in _RESERVED or hasattr(CaffeModule, name):
            name += "_"
        self.names.add(name)
        return name

    def steps(self, units: list[Unit]) -> list[Step]:
        last: dict[int, int] = {}
        for position, unit in enumerate(units):
            for value in (*unit.inputs, *unit.outputs):
                last[self.slots[id(value)]] = position
        keep = {self.slots[id(value)] for value in self.graph.named_outputs.values()}
        release: dict[int, list[int]] = {}
        for slot, position in last.items():
            if slot not in keep:
                release.setdefault(position, []).append(slot)
        return [
            self.step(unit, tuple(release.get(position, ()))) for position, unit in enumerate(units)
        ]

    def step(self, unit: Unit, release: tuple[int, ...]) -> Step:
        node = unit.nodes[0]
        outputs = [self.slots[id(value)] for value in unit.outputs]
        outputs += self.automatic_tops(unit.nodes[-1])
        return Step(
            unit.name,
            tuple(n.name for n in unit.nodes),
            tuple((value.name, value.shape) for value in unit.inputs),
            tuple(self.slots[id(value)] for value in unit.inputs),
            tuple(outputs),
            release,
            unit.flatten,
            self.cut(node),
            None if unit.inner is None else self.slots[id(unit.inner)],
        )

    def cut(self, node: Node) -> tuple[int, ...]:
        """The bottoms that get no gradient; `force_backward` gives one to all (net.cpp, Init)."""
        if self.net.message.force_backward:
            return ()
        return tuple(i for i, wanted in enumerate(node.message.propagate_down) if not wanted)

    def automatic_tops(self, node: Node) -> list[int]:
        """Slots for the tops that Caffe adds by itself (net.cpp, Init: AutoTopBlobs)."""
        definition = node.definition
        if definition is None or not definition.auto_top:
            return []
        missing = max(0, definition.tops.least - len(node.top))
        first = len(self.slots) + len(self.automatic)
        given = node.message.loss_weight
        for index in range(len(node.top), len(node.top) + missing):
            name = AUTOMATIC if not self.automatic else f"{AUTOMATIC} {node.name} {index}"
            self.automatic[name] = len(self.slots) + len(self.automatic)
            weight = given[index] if index < len(given) else float(definition.loss and not index)
            if weight:
                self.automatic_losses[name] = weight
        return list(range(first, first + missing))

    def inputs(self) -> list[InputSpec]:
        return [
            self.input(value, optional=node.type not in FED)
            for node in self.graph.nodes
            if node.type in FED or node.type == "DummyData"
            for value in node.outputs
        ]

    def input(self, value: Value, *, optional: bool) -> InputSpec:
        return InputSpec(
            value.name,
            self.slots[id(value)],
            value.shape,
            fixed_channels(value),
            takes_integers(value),
            optional,
        )

    def phases(self, units: list[Unit]) -> dict[str, bool]:
        return {
            unit.name: node.message.phase == "TRAIN"
            for unit in units
            for node in unit.nodes[:1]
            if node.message.has("phase") and node.message.phase != self.net.phase
        }


_RESERVED = frozenset(nn.Module().__dict__) | frozenset(kwlist) | {
    "_facts", "_homes", "_inputs", "_outputs", "_slot_count", "_slots", "_steps",
}  # fmt: skip
