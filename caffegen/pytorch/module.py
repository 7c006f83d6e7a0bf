"""The module that a net becomes: its layers as submodules, run in the order of the net."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from caffegen.errors import CaffegenError

from .inputs import InputSpec, bind_inputs
from .recurrent import Recurrent
from .registry import BlobKeeper

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BlobHomes", "CaffeModule", "Facts", "Step"]

Shape = tuple[int, ...]


class Step(NamedTuple):
    """One module call: slots read, slots written, and slots that nobody reads afterwards.

    `flatten` is the axis from which the first bottom is flattened; `cut` holds the bottoms that get
    no gradient; `inner` is the slot of the value between the two layers that one module stands for.
    """

    module: str
    layers: tuple[str, ...]
    bottoms: tuple[tuple[str, Shape | None], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    release: tuple[int, ...]
    flatten: int | None = None
    cut: tuple[int, ...] = ()
    inner: int | None = None


class BlobHomes(NamedTuple):
    """Where the weight blobs of a layer live: a submodule, and its attributes in Caffe's order.

    `kept` says that the submodule, a BlobKeeper, makes Caffe's blobs of them.
    """

    module: str
    attributes: tuple[str, ...]
    kept: bool


class Facts(NamedTuple):
    """What Caffe's solver and phases want to know of a net.

    `multipliers` maps parameter names to (lr_mult, decay_mult); `loss_weights` blobs to weights;
    `phases` submodules to a phase of their own (True: TRAIN); `folded` blobs that are not computed
    any more to the layer that took them in; `copies` blobs with a loss weight that are read on to
    the output that Caffe makes of their copy.
    """

    multipliers: Mapping[str, tuple[float, float]]
    loss_weights: Mapping[str, float]
    phases: Mapping[str, bool]
    folded: Mapping[str, str] | None = None
    copies: Mapping[str, str] | None = None


class CaffeModule(nn.Module):
    """A Caffe net as a plain nn.Module: `module(x)` or `module(data=x)` gives `{blob: tensor}`.

    `state_dict` keys begin with Caffe's layer names (what torch can't have in the name of a module,
    such as a `.`, becomes `_`); a BatchNorm and the Scale behind it are one module under the
    BatchNorm's name.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        steps: Sequence[Step],
        inputs: Sequence[InputSpec],
        outputs: Mapping[str, int],
        slots: Mapping[str, int],
        homes: Mapping[str, BlobHomes],
        facts: Facts,
    ) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self._steps = tuple(steps)
        self._inputs = tuple(inputs)
        self._outputs = dict(outputs)
        self._slots = dict(slots)
        self._homes = dict(homes)
        self._facts = facts
        used = [*(spec.slot for spec in inputs), *self._slots.values(), *self._outputs.values()]
        for step in steps:
            used.extend((*step.inputs, *step.outputs))
        self._slot_count = max(used, default=-1) + 1

    @property
    def input_names(self) -> tuple[str, ...]:
        """The blobs that a call must give, in order."""
        return tuple(spec.name for spec in self._inputs if not spec.optional)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The blobs that a call returns."""
        return tuple(self._outputs)

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of each blob that counts in the loss."""
        return dict(self._facts.loss_weights)

    def forward(
        self, x: Tensor | None = None, /, *more: Tensor, **blobs: Tensor
    ) -> dict[str, Tensor]:
        """The output blobs by name; inputs in the net's order, or by blob name."""
        env = self._bind((*(() if x is None else (x,)), *more), blobs)
        for step in self._steps:
            self._run_step(step, env)
            for slot in step.release:
                env[slot] = None
        return {name: env[slot] for name, slot in self._outputs.items()}

    def run(
        self, inputs: Mapping[str, Tensor] | Tensor, blobs: Iterable[str] | None = None
    ) -> dict[str, Tensor]:
        """Blobs by name, inner ones too, in their final version; all of them without `blobs`.

        What `fuse` has folded away is left out, and refused when it is asked for.
        """
        env = self._bind((inputs,), {}) if isinstance(inputs, Tensor) else self._bind((), inputs)
        folded = self._facts.folded or {}
        wanted = [n for n in self._slots if n not in folded] if blobs is None else list(blobs)
        for name in wanted:
            if name in folded:
                raise CaffegenError(
                    f"the blob `{name}` is folded into layer `{folded[name]}`; build without `fuse`"
                )
            if name not in self._slots:
                raise CaffegenError(f"the net has no blob `{name}`")
        keep = {self._slots[name] for name in wanted}
        for step in self._steps:
            self._run_step(step, env, whole=step.inner in keep)
            for slot in step.release:
                if slot not in keep:
                    env[slot] = None
        return {name: env[self._slots[name]] for name in wanted}

    def caffe_blobs(self, layer: str) -> list[Tensor]:
        """The layer's blobs in Caffe's order and shapes: parameters (with .grad) and buffers."""
        try:
            home = self._homes[layer]
        except KeyError:
            raise CaffegenError(f"the net has no layer `{layer}` with weights of its own") from None
        module = self.get_submodule(home.module)
        tensors = [_attribute(module, path) for path in home.attributes]
        return cast(BlobKeeper, module).to_caffe(tensors) if home.kept else tensors

    def total_loss(self, blobs: Mapping[str, Tensor]) -> Tensor:
        """The net's loss from the blobs of a call: each loss blob times its weight, summed."""
        if not self._facts.loss_weights:
            raise CaffegenError("the net has no loss layer")
        total = None
        copies = self._facts.copies or {}
        for name, weight in self._facts.loss_weights.items():
            found = name if name in blobs else copies.get(name, name)
            if found not in blobs:
                raise CaffegenError(
                    f"the loss needs the blob `{name}`; get it by `run(inputs, blobs=[...])`"
                )
            part = blobs[found].sum() * weight
            total = part if total is None else total + part
        assert total is not None
        return total

    def reset(self) -> None:
        """Let all recurrent layers forget the state that the last pass has left."""
        for module in self.children():
            if isinstance(module, Recurrent):
                module.reset()

    def parameter_groups(self, base_lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        """Parameter groups for a torch.optim optimizer, by Caffe's lr_mult and decay_mult.

        Frozen parameters (lr_mult 0) are in no group, not even where `force_backward` gives them a
        gradient.
        """
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            key = self._facts.multipliers.get(name, (1.0, 1.0))
            if parameter.requires_grad and key[0]:
                groups.setdefault(key, []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": base_lr * lr_mult,
                "weight_decay": weight_decay * decay_mult,
                "lr_mult": lr_mult,
                "decay_mult": decay_mult,
            }
            for (lr_mult, decay_mult), parameters in groups.items()
        ]

    def train(self, mode: bool = True) -> Self:
        """TRAIN or TEST for all layers, but for those whose `phase` field says otherwise."""
        if mode and self._facts.folded is not None:
            raise CaffegenError("a net built with `fuse` is for inference alone")
        super().train(mode)
        for name, own in self._facts.phases.items():
            self.get_submodule(name).train(own)
        return self

    def _bind(self, args: Sequence[Tensor], blobs: Mapping[str, Tensor]) -> list[Any]:
        env: list[Any] = [None] * self._slot_count
        for slot, tensor in bind_inputs(self._inputs, args, blobs).items():
            env[slot] = tensor
        return env

    def _run_step(self, step: Step, env: list[Any], *, whole: bool = False) -> None:
        module = self._modules[step.module]
        assert module is not None
        arguments = [env[slot] for slot in step.inputs]
        if not arguments and all(env[slot] is not None for slot in step.outputs):
            return
        for index in step.cut:
            arguments[index] = arguments[index].detach()
        if step.flatten is not None:
            arguments[0] = arguments[0].flatten(step.flatten)
        if whole:
            assert step.inner is not None
            env[step.inner], result = module.stages(*arguments)  # type: ignore[operator]
        elif torch.compiler.is_compiling():
            result = module(*arguments)
        else:
            try:
                result = module(*arguments)
            except (CaffegenError, torch.OutOfMemoryError):
                raise
            except (RuntimeError, IndexError, ValueError) as error:
                if "DefaultCPUAllocator" in str(error):
                    # as a GPU's; a CPU's has no exception of its own
                    raise torch.OutOfMemoryError(_first_line(error)) from None
                raise CaffegenError(self._complaint(step, env, error)) from error
        if isinstance(result, Tensor):
            env[step.outputs[0]] = result
            return
        for slot, tensor in zip(step.outputs, result or (), strict=False):
            if env[slot] is None or arguments:
                env[slot] = tensor

    def _complaint(self, step: Step, env: list[Any], error: Exception) -> str:
        """One sentence on why a layer could not run, with the blobs it read."""
        reads = []
        devices = {p.device for p in self.parameters()} | {b.device for b in self.buffers()}
        types = {p.dtype for p in self.parameters()}
        for (name, shape), slot in zip(step.bottoms, step.inputs, strict=True):
            tensor = env[slot]
            if devices and tensor.device not in devices:
                return (
                    f"the blob `{name}` is on {tensor.device}, the net's weights are on "
                    f"{', '.join(sorted(map(str, devices)))}"
                )
            if types and tensor.is_floating_point() and tensor.dtype not in types:
                return (
                    f"the blob `{name}` holds {str(tensor.dtype)[6:]} values, the net's weights "
                    f"are {', '.join(sorted(str(t)[6:] for t in types))}: {_first_line(error)}"
                )
            built = "" if shape is None else f" (in the file {list(shape)})"
            reads.append(f"`{name}` of shape {list(tensor.shape)}{built}")
        return f"layer `{step.layers[0]}` can't run on {', '.join(reads)}: {_first_line(error)}"


def _attribute(module: nn.Module, path: str) -> Tensor:
    *parents, name = path.split(".")
    for parent in parents:
        module = getattr(module, parent)
    tensor = getattr(module, name)
    assert isinstance(tensor, Tensor)
    return tensor


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
