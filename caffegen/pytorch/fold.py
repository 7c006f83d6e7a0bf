"""BatchNorm and Scale folded into the Convolution or InnerProduct before them, for inference."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from caffegen.net import Graph

from .batch_norm import BatchNorm
from .bn import BN
from .elementwise import Bias, Scale
from .inner_product import LinearTransposed
from .unit import Unit
from .weights import Holder

__all__ = ["fold"]


def fold(units: Sequence[Unit], graph: Graph) -> tuple[list[Unit], dict[str, str]]:
    """The units that are left, and the blobs that are not computed any more, by what took them in.

    Given: Convolution a -> BatchNorm b -> Scale c; b and c read by nobody else, statistics stored.
    Result: Convolution a with weight * f and bias * f + s, where f and s are the factor and shift
    of each channel that BatchNorm and Scale come to.
    """
    kept: list[Unit] = []
    folded: dict[str, str] = {}
    makers: dict[int, Unit] = {}
    final = {id(value): name for name, value in graph.final.items()}
    asked = {id(value) for value in graph.split_losses.values()}
    for unit in units:
        maker = makers.get(id(unit.inputs[0])) if len(unit.inputs) == 1 else None
        if maker is not None and id(unit.inputs[0]) not in asked and _can_fold(maker, unit):
            affine = _affine(unit.module)
            if affine is not None:
                _scale_outputs(maker, *affine)
                for value in (maker.outputs[0], unit.inner):
                    if value is not None and id(value) in final:
                        folded[final[id(value)]] = maker.name
                _take_in(maker, unit)
                makers[id(maker.outputs[0])] = maker
                continue
        kept.append(unit)
        makers.update((id(value), unit) for value in unit.outputs)
    return kept, folded


def _can_fold(maker: Unit, unit: Unit) -> bool:
    if not isinstance(maker.module, (_ConvNd, nn.Linear, LinearTransposed)):
        return False
    (value,) = maker.outputs
    if len(value.readers) != 1:
        return False
    # a BatchNorm that is to be in TRAIN whatever the net's phase uses the batch's statistics
    if any(node.message.has("phase") and node.message.phase == "TRAIN" for node in unit.nodes):
        return False
    # a linear layer's channels must be axis 1, which BatchNorm and Scale work on
    axis = 1 if isinstance(maker.module, _ConvNd) else len(value.shape or ()) - 1
    if isinstance(unit.module, (Scale, Bias)) and unit.module.axis != axis:
        return False
    return axis == 1


def _affine(module: nn.Module) -> tuple[Tensor | None, Tensor | None] | None:
    """Factor and shift for each channel in double precision; None where the module is none."""
    if isinstance(module, (BatchNorm, BN)):
        if module.global_stats is False:
            return None
        factor = (module.running_var.double() + module.eps).rsqrt()
        if module.weight is not None:
            factor = factor * module.weight.detach().double()
        shift = -module.running_mean.double() * factor
        if module.bias is not None:
            shift = shift + module.bias.detach().double()
        return factor, shift
    if isinstance(module, Scale) and module.weight is not None and module.weight.dim() == 1:
        if module.bias is not None and module.bias.shape != module.weight.shape:
            return None
        shift_ = None if module.bias is None else module.bias.detach().double()
        return module.weight.detach().double(), shift_
    if isinstance(module, Bias) and module.bias is not None and module.bias.dim() == 1:
        return None, module.bias.detach().double()
    return None


def _scale_outputs(maker: Unit, factor: Tensor | None, shift: Tensor | None) -> None:
    """Give the maker's module new weights of its own, scaled and shifted by output channel."""
    module = maker.module
    assert isinstance(module, (_ConvNd, nn.Linear, LinearTransposed))
    weight = module.weight.detach().double()
    bias = None if module.bias is None else module.bias.detach().double()
    if factor is not None:
        weight = weight * _along_outputs(module, factor)
        bias = None if bias is None else bias * factor
    if shift is not None:
        bias = shift if bias is None else bias + shift
    grad = module.weight.requires_grad
    module.weight = nn.Parameter(weight.float(), grad)
    if bias is not None:
        module.bias = nn.Parameter(bias.float(), grad)


def _along_outputs(module: nn.Module, factor: Tensor) -> Tensor:
    """The factors in the shape in which the weights take them."""
    if isinstance(module, LinearTransposed):
        return factor
    if isinstance(module, _ConvTransposeNd):
        rows = module.in_channels // module.groups
        by_group = factor.reshape(module.groups, 1, -1).expand(-1, rows, -1)
        return by_group.reshape(module.in_channels, -1, *(1,) * len(module.kernel_size))
    assert isinstance(module, (_ConvNd, nn.Linear))
    return factor.reshape(-1, *(1,) * (module.weight.dim() - 1))


def _take_in(maker: Unit, unit: Unit) -> None:
    maker.nodes = [*maker.nodes, *unit.nodes]
    holder = maker.holders[0]
    attributes = ("weight", "bias") if maker.module.bias is not None else ("weight",)
    maker.holders = [Holder(holder.node, maker.module, attributes, kept=False)]
