"""How each module of a built net is written: its class, its arguments, and its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["FORMS", "FUNCTIONS", "Form", "Written", "library_of", "literal", "write_module"]


class Form(NamedTuple):
    """How a class is called: its arguments without a name, and the defaults of the others.

    `file` is the template that defines a class which torch.nn does not have; `shape` holds the
    arguments that are part of a block's structure.
    """

    positional: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    file: str = ""
    shape: tuple[str, ...] = ()


class Written(NamedTuple):
    """A module as a call of a class, or (with `join`) as an expression; its tensors by key."""

    kind: str
    args: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    join: bool = False


_CONV = Form(
    ("in_channels", "out_channels", "kernel_size"),
    {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    shape=("kernel_size",),
)
_CONV_T = Form(
    ("in_channels", "out_channels", "kernel_size"),
    {"stride": 1, "padding": 0, "groups": 1, "bias": True, "dilation": 1},
    shape=("kernel_size",),
)
_NORM = Form(
    ("num_features",), {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
)
_MAX_POOL = Form(("kernel_size",), {"stride": None, "padding": 0, "ceil_mode": False})

FORMS: dict[str, Form] = {
    **{f"nn.Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"nn.ConvTranspose{n}d": _CONV_T for n in (1, 2, 3)},
    **{f"nn.BatchNorm{n}d": _NORM for n in (1, 2, 3)},
    "nn.Linear": Form(("in_features", "out_features"), {"bias": True}),
    "nn.MaxPool2d": _MAX_POOL,
    "nn.AvgPool2d": _MAX_POOL,
    "nn.AdaptiveMaxPool2d": Form(("output_size",)),
    "nn.AdaptiveAvgPool2d": Form(("output_size",)),
    "nn.ReLU": Form((), {"inplace": False}),
    "nn.LeakyReLU": Form(("negative_slope",), {"inplace": False}),
    "nn.PReLU": Form((), {"num_parameters": 1}),
    "nn.ELU": Form((), {"alpha": 1.0}),
    "nn.Sigmoid": Form(),
    "nn.Tanh": Form(),
    "nn.SiLU": Form(),
    "nn.Softplus": Form(),
    "nn.Softmax": Form(("dim",), shape=("dim",)),
    "nn.Hardtanh": Form(("min_val", "max_val")),
    "nn.Dropout": Form(("p",)),
    "nn.Flatten": Form((), {"start_dim": 1, "end_dim": -1}),
    "nn.LocalResponseNorm": Form(("size",), {"alpha": 1e-4, "beta": 0.75, "k": 1.0}),
    "Abs": Form(file="abs"),
    "Affine": Form((), {"scale": 1.0, "shift": 0.0}, "affine"),
    "ArgMax": Form(("axis",), {"top_k": 1, "values": False}, "arg_max"),
    "AverageWindows": Form(("kernel_size",), {"stride": 1, "padding": 0, "ceil_mode": True},
                           "average_windows"),
    "Bias": Form(("shape",), {"axis": 1}, "bias"),
    "Crop": Form(("axis", "offsets"), file="crop"),
    "Embedding": Form(("rows", "columns"), {"bias": True}, "embedding"),
    "Exp": Form((), {"inner": 1.0, "outer": 1.0}, "exp"),
    "InsertAxis": Form(("axis",), file="insert_axis"),
    "LocalNorm2d": Form(("size", "alpha", "beta"), file="local_norm"),
    "Log": Form((), {"scale": 1.0, "shift": 0.0, "factor": 1.0}, "log"),
    "MaxWindows": Form(("kernel_size",), {"stride": 1, "padding": 0, "ceil_mode": True},
                       "max_windows"),
    "MeanVarianceNorm": Form(("axes",), {"eps": 1e-9, "variance": True}, "mean_variance_norm"),
    "Power": Form(("power",), {"scale": 1.0, "shift": 0.0}, "power"),
    "Reduce": Form(("operation", "axis"), {"coeff": 1.0}, "reduce", ("operation",)),
    "Reshape": Form(("dims",), {"start": 0, "end": None}, "reshape"),
    "Scale": Form(("shape",), {"axis": 1, "bias": True}, "scale"),
    "SpatialPyramid": Form(("height",), {"method": "MAX"}, "spatial_pyramid", ("method",)),
    "Swish": Form(("beta",), file="swish"),
    "Threshold": Form(("value",), file="threshold"),
    "Tile": Form(("axis", "tiles"), file="tile"),
}  # fmt: skip

#: A module without weights, alone, as an expression of its bottom.
FUNCTIONS: dict[str, str] = {
    "nn.ReLU": "F.relu({0})",
    "nn.Sigmoid": "torch.sigmoid({0})",
    "nn.Tanh": "torch.tanh({0})",
    "nn.SiLU": "F.silu({0})",
    "Abs": "{0}.abs()",
}


def library_of(kind: str) -> str:
    """The template of a class that torch.nn does not have; empty where it has it."""
    return FORMS[kind].file if kind in FORMS else ""


def literal(value: Any) -> Any:
    """A number as a person would write it: the shortest decimal of a float32, 3 for (3, 3)."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return _short(value)
    return tuple(literal(part) for part in value)


def _short(value: float) -> float:
    if not math.isfinite(value):
        return value
    exact = torch.tensor(value, dtype=torch.float32).item()
    if exact != value and abs(exact - value) > 1e-7 * abs(value):
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if torch.tensor(short, dtype=torch.float32).item() == exact:
            return short
    return value


def square(value: Any) -> Any:
    """One number for a window that is the same on all axes."""
    if isinstance(value, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return value


_Writer = Callable[[Any, bool], "Written | None"]
_WRITERS: dict[str, _Writer] = {}


def writes(*names: str) -> Callable[[_Writer], _Writer]:
    """Register how modules of these classes are written."""

    def register(function: _Writer) -> _Writer:
        for name in names:
            _WRITERS[name] = function
        return function

    return register


def write_module(module: nn.Module, *, training: bool) -> Written | None:
    """How a module is written; None where there is no readable form."""
    from . import own, standard  # noqa: F401

    writer = _WRITERS.get(type(module).__name__)
    return None if writer is None else writer(module, training)
