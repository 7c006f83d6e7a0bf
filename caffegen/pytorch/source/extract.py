"""A built net as items: what runs, in order, and the values between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn
from torch.nn import Parameter

from caffegen.pytorch.module import CaffeModule, Step
from caffegen.pytorch.registry import Refusal

from .forms import FORMS, Written, write_module
from .items import Call, Item, Join, Leaf, Signatures
from .sharing import Weights, memory_of, view_of

__all__ = ["Extract", "extract"]

Shape = tuple[int, ...]

# layers that a refusal names
_MOST_TOLD = 5
# forms that are others in TRAIN than in TEST, beside dropout
_BY_MODE = frozenset({
    "BN", "BatchNorm", "StochasticPool", "StochasticPyramid",
    *(f"nn.BatchNorm{axes}d" for axes in (1, 2, 3)),
})  # fmt: skip


class Extract(NamedTuple):
    """Items in order; inputs and outputs as (Caffe's name, value)."""

    items: list[Item]
    inputs: list[tuple[str, int]]
    outputs: dict[str, int]


def extract(
    module: CaffeModule,
    signatures: Signatures,
    types: Mapping[str, str],
    weights: Weights,
    *,
    training: bool,
) -> Extract:
    """The items of a net; Refusal names the layers that have no readable form.

    `types` holds the type of each layer, `weights` what must stay one through all forms.
    """
    return _Extractor(module, signatures, types, weights, training=training).run()


class _Extractor:
    def __init__(
        self,
        module: CaffeModule,
        signatures: Signatures,
        types: Mapping[str, str],
        weights: Weights,
        *,
        training: bool,
    ) -> None:
        self.module = module
        self.types = types
        self.signatures = signatures
        self.weights = weights
        self.training = training
        self.next_value = module._slot_count
        self.same: dict[int, int] = {}
        self.items: list[Item] = []
        # (layer, type, reason)
        self.refused: list[tuple[str, str, str]] = []
        self.read = {value for step in module._steps for value in self.needed(step)}
        self.read |= set(module._outputs.values())

    def needed(self, step: Step) -> tuple[int, ...]:
        silent = type(self.module._modules[step.module]).__name__ == "Silence"
        return () if silent else step.inputs

    def run(self) -> Extract:
        for step in self.module._steps:
            self.step(step)
        self.agree()
        if self.refused:
            raise Refusal(_refusal(self.refused))
        inputs = [(spec.name, spec.slot) for spec in self.module._inputs if not spec.optional]
        outputs = {name: self.real(value) for name, value in self.module._outputs.items()}
        return Extract(self.items, inputs, outputs)

    def real(self, value: int) -> int:
        while value in self.same:
            value = self.same[value]
        return value

    def step(self, step: Step) -> None:
        module = self.module._modules[step.module]
        assert module is not None
        inputs = [self.real(value) for value in step.inputs]
        kind = type(module).__name__
        if kind in ("Split", "Identity") or (kind == "Dropout" and not getattr(module, "p", 1)):
            self.same |= dict.fromkeys(step.outputs, inputs[0])
            return
        if kind == "Several":
            self.same |= dict(zip(step.outputs, inputs, strict=True))
            return
        if kind == "Silence":
            return
        for index in step.cut:
            inputs[index] = self.add(Join("detach", (), [inputs[index]], [self.fresh()]))
        if step.flatten is not None:
            args = {"start_dim": step.flatten, "end_dim": -1}
            call = Call("nn.Flatten", args)
            inputs[0] = self.add(Leaf(call, [inputs[0]], [self.fresh()], {}, ""))
        items = self.written(module, step, inputs)
        if isinstance(items, str):
            self.refuse(step.layers[0], items)
            return
        tensors = [t for item in items if isinstance(item, Leaf) for t in item.tensors.values()]
        lost = self.weights.lost(module, step.layers[0], tensors)
        if lost:
            self.refuse(step.layers[0], lost)
            return
        for item in items:
            self.add(item)

    def refuse(self, layer: str, reason: str) -> None:
        self.refused.append((layer, self.types.get(layer, ""), reason))

    def agree(self) -> None:
        """Let layers that share weights see them alike; refuse them where they can't."""
        uses: dict[int, list[tuple[Leaf, str]]] = {}
        for item in self.items:
            if isinstance(item, Leaf):
                for name, tensor in item.tensors.items():
                    uses.setdefault(memory_of(tensor), []).append((item, name))
        for memory in self.weights.shared:
            row = uses.get(memory, [])
            if _alike(row):
                continue
            for leaf, name in row:
                if leaf.call.kind == "nn.Linear" and not isinstance(leaf.tensors[name], Parameter):
                    leaf.call = Call("TransposedLinear", leaf.call.args)
                    leaf.tensors[name] = self.weights.parameters[memory]
                    leaf.signature = self.signature(leaf)
            if not _alike(row):
                layer = row[0][0].layer
                others = self.weights.others(memory, layer)
                self.refuse(layer, f"it sees the weights that it shares with {others} otherwise")

    def fresh(self) -> int:
        self.next_value += 1
        return self.next_value - 1

    def written(self, module: nn.Module, step: Step, inputs: list[int]) -> list[Item] | str:
        """The items of a layer, or why there are none."""
        kind = type(module).__name__
        if kind in ("Scale", "Bias") and len(inputs) == 2:
            return self.from_bottom(module, step, inputs)
        if kind == "Slice":
            narrow = self.narrow(module, step, inputs)
            if narrow is not None:
                return [narrow]
        shapes = [shape for _, shape in step.bottoms]
        training = self.module._facts.phases.get(step.module, self.training)
        row = write_module(module, shapes, training=training)
        if isinstance(row, str):
            return row
        if training is not self.training:
            row = [written for written in row if training or not _is_dropout(written.kind)]
            if any(written.kind in _BY_MODE or _is_dropout(written.kind) for written in row):
                own, whole = ("TRAIN", "TEST") if training else ("TEST", "TRAIN")
                return f"its `phase` is {own} in a net of {whole}, and a model has one mode for all"
        if not inputs:
            return [
                self.item(written, [], [top], step)
                for written, top in zip(row, step.outputs, strict=True)
            ]
        items: list[Item] = []
        for written in row:
            last = len(items) == len(row) - 1
            tops = step.outputs if last else [self.fresh()]
            items.append(self.item(written, inputs, tops, step))
            inputs = list(tops)
        if not row:
            self.same |= dict.fromkeys(step.outputs, inputs[0])
        return items

    def item(
        self, written: Written, inputs: Sequence[int], tops: Sequence[int], step: Step
    ) -> Item:
        if written.join:
            return Join(written.kind, tuple(written.args.values()), inputs, tops)
        return Leaf(Call(written.kind, written.args), inputs, tops, written.tensors, step.layers[0])

    def narrow(self, module: Any, step: Step, inputs: list[int]) -> Item | None:
        """A Slice of which one part alone is read."""
        wanted = [value for value in step.outputs if value in self.read]
        if len(wanted) != 1 or not module.points:
            return None
        index = step.outputs.index(wanted[0])
        edges = [0, *module.points, None]
        start, stop = edges[index], edges[index + 1]
        shape = step.bottoms[0][1]
        if stop is not None and shape is not None and stop == shape[module.axis] - 1:
            stop = -1
        return Join("narrow", (module.axis, start, stop), inputs, wanted)

    def from_bottom(self, module: Any, step: Step, inputs: list[int]) -> list[Item] | str:
        """A Scale or Bias whose second bottom holds the values."""
        shapes = [shape for _, shape in step.bottoms]
        bottom, values = shapes
        if bottom is None or values is None:
            return "the shapes of its bottoms are not known"
        behind = len(bottom) - module.axis - len(values)
        if type(module).__name__ == "Bias":
            return [Join("shift", (behind,), inputs, step.outputs)]
        if module.bias is None:
            return [Join("scale", (behind,), inputs, step.outputs)]
        scaled = self.fresh()
        args = {"shape": tuple(module.bias.shape), "axis": module.axis}
        bias = Written("Bias", args, {"bias": module.bias})
        return [
            Join("scale", (behind,), inputs, [scaled]),
            self.item(bias, [scaled], step.outputs, step),
        ]

    def add(self, item: Item) -> int:
        item.signature = self.signature(item)
        self.items.append(item)
        return item.outputs[0] if item.outputs else -1

    def signature(self, item: Item) -> int:
        if isinstance(item, Join):
            return self.signatures.of_join(item)
        assert isinstance(item, Leaf)
        args = item.call.args
        shape = [(name, args[name]) for name in FORMS[item.call.kind].shape]
        spread = args.get("groups", 1)
        depthwise = spread > 1 and (spread == args.get("in_channels") or "groups")
        return self.signatures.number((item.call.kind, tuple(args), tuple(shape), depthwise))


def _alike(uses: Sequence[tuple[Leaf, str]]) -> bool:
    """Whether all leaves have one view of what they share."""
    return len({view_of(leaf.tensors[name]) for leaf, name in uses}) <= 1


def _is_dropout(kind: str) -> bool:
    return kind.startswith("nn.Dropout")


def _refusal(refused: Sequence[tuple[str, str, str]]) -> str:
    """The first layers that are refused, each type with its reason once."""
    told: list[str] = []
    reasons: set[tuple[str, str]] = set()
    for name, kind, reason in refused[:_MOST_TOLD]:
        known = (kind, reason) in reasons
        reasons.add((kind, reason))
        told.append(f"`{name}` ({kind})" if known else f"`{name}` ({kind}: {reason})")
    more = len(refused) - _MOST_TOLD
    return (
        f"no readable source for {', '.join(told)}{f' and {more} more' if more > 0 else ''}; "
        "`-o model.pt2` writes what torch.export takes"
    )
