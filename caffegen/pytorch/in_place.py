"""Which modules may work in place, as Caffe's layers do: where autograd and the caller allow it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from .elementwise import Sum
from .unit import Unit

__all__ = ["work_in_place"]

# modules whose result is a new tensor that their backward pass does not read
_FRESH = (_ConvNd, _BatchNorm, nn.Linear, Sum)
_ABLE = (nn.ReLU, nn.LeakyReLU, nn.Dropout)


def work_in_place(units: Sequence[Unit]) -> None:
    """Let activations overwrite a bottom as the net does, if it is new and nobody else reads it.

    The caller's own tensors are never overwritten, nor views of them.
    """
    makers = {id(value): unit for unit in units for value in unit.outputs}
    for unit in units:
        if not unit.nodes[0].in_place(0) or not isinstance(unit.module, _ABLE):
            continue
        if isinstance(unit.module, nn.LeakyReLU) and unit.module.negative_slope < 0:
            continue
        (value,) = unit.inputs
        maker = makers.get(id(value))
        if maker is not None and len(value.readers) == 1 and isinstance(maker.module, _FRESH):
            unit.module.inplace = True
