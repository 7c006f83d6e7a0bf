"""How each module of a built net is written: its class, its arguments, and its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

__all__ = [
    "FORMS", "FUNCTIONS", "NEEDS", "Form", "Result", "Shapes", "Written", "is_batch_norm",
    "library_of", "literal", "write_module",
]  # fmt: skip

Shapes: TypeAlias = Sequence["tuple[int, ...] | None"]


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


#: a module written: as one thing, as a row of several, or not at all, with the reason
Result: TypeAlias = "Written | list[Written] | str"

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
    "nn.ReLU6": Form(),
    "nn.ELU": Form((), {"alpha": 1.0}),
    "nn.SELU": Form(),
    "nn.Mish": Form(),
    "nn.Hardswish": Form(),
    "nn.Hardsigmoid": Form(),
    "nn.Sigmoid": Form(),
    "nn.Tanh": Form(),
    "nn.SiLU": Form(),
    "nn.Softplus": Form(),
    "nn.Upsample": Form((), {"size": None, "scale_factor": None, "mode": "nearest",
                             "align_corners": None}),
    "nn.Unflatten": Form(("dim", "unflattened_size")),
    "nn.Softmax": Form(("dim",), shape=("dim",)),
    "nn.Hardtanh": Form(("min_val", "max_val")),
    "nn.Dropout": Form(("p",)),
    "nn.Dropout1d": Form(("p",)),
    "nn.Dropout2d": Form(("p",)),
    "nn.ConstantPad1d": Form(("padding", "value")),
    "nn.ConstantPad3d": Form(("padding", "value")),
    "nn.ChannelShuffle": Form(("groups",)),
    "nn.ZeroPad2d": Form(("padding",)),
    "nn.ConstantPad2d": Form(("padding", "value")),
    "nn.Flatten": Form((), {"start_dim": 1, "end_dim": -1}),
    "nn.LocalResponseNorm": Form(("size",), {"alpha": 1e-4, "beta": 0.75, "k": 1.0}),
    "Abs": Form(file="abs"),
    "Affine": Form((), {"scale": 1.0, "shift": 0.0}, "affine"),
    "Accuracy": Form((), {"axis": 1, "top_k": 1, "ignore_label": None, "per_class": False},
                     "accuracy"),
    "AlwaysDropout2d": Form(("p",), file="always_dropout"),
    "ArgMax": Form((), {"axis": None, "top_k": 1, "values": False}, "arg_max"),
    "AverageWindows": Form(("kernel_size",), {"stride": (1, 1), "padding": (0, 0),
                                              "ceil_mode": True}, "average_windows"),
    "BatchStatistics": Form(("shape",), {"eps": 1e-5, "tops": 1}, "batch_statistics"),
    "BN": Form(("num_features",), {"eps": 1e-5, "momentum": 0.1}, "bn"),
    "BatchNorm": Form(("num_features",), {"eps": 1e-5, "fraction": 0.999, "affine": True,
                                          "bias": True, "of_batch": False}, "batch_norm"),
    "Bias": Form(("shape",), {"axis": 1}, "bias"),
    "CReLU": Form((), {"axis": 1, "negative_slope": 0.0}, "crelu"),
    "Clip": Form(("low", "high"), file="clip"),
    "ContrastiveLoss": Form((), {"margin": 1.0, "legacy": False}, "contrastive_loss"),
    "Crop": Form(("axis", "offsets"), file="crop"),
    "Embedding": Form(("rows", "columns"), {"bias": True}, "embedding"),
    "EuclideanLoss": Form(file="euclidean_loss"),
    "Exp": Form((), {"inner": 1.0, "outer": 1.0}, "exp"),
    "HingeLoss": Form((), {"squared": False}, "hinge_loss"),
    "InfogainLoss": Form((), {"classes": 0, "axis": 1, "ignore_label": None, "per": "kept",
                              "with_prob": False}, "infogain_loss"),
    "InsertAxis": Form(("axis",), file="insert_axis"),
    "Interp": Form((), {"size": None, "zoom": 1, "shrink": 1, "begin": 0, "end": 0}, "interp"),
    "L1Loss": Form(file="l1_loss"),
    "L2Norm": Form((), {"length": 1.0, "across_spatial": True}, "l2_norm"),
    "LSTM": Form(("inputs", "size"), {"static": 0, "expose": False}, "lstm"),
    "LSTMUnit": Form(file="lstm_unit"),
    "Learned": Form(("shape",), file="learned"),
    "LocalNorm2d": Form(("size", "alpha", "beta"), file="local_norm"),
    "Log": Form((), {"scale": 1.0, "shift": 0.0, "factor": 1.0}, "log"),
    "LogLoss": Form(file="log_loss"),
    "MaxWindows": Form(("kernel_size",), {"stride": (1, 1), "padding": (0, 0), "ceil_mode": True,
                                          "return_indices": False}, "max_windows"),
    "MaxUnpool": Form(("height", "width"), file="max_unpool"),
    "MeanVarianceNorm": Form(("axes",), {"eps": 1e-9, "variance": True}, "mean_variance_norm"),
    "Normal": Form(("shape", "mean", "std"), {"kept": 1.0}, "normal"),
    "Normalize": Form(("shape",), {"across_spatial": True, "eps": 1e-10, "power": 2,
                                   "norm": False}, "normalize"),
    "PositionPool": Form(("channels", "size", "scale"), file="position_pool"),
    "Power": Form(("power",), {"scale": 1.0, "shift": 0.0}, "power"),
    "PriorBox": Form((), {"step": None, "offset": 0.5, "image": None, "clip": False}, "prior_box"),
    "RNN": Form(("inputs", "size"), {"static": 0, "expose": False}, "rnn"),
    "Reduce": Form(("operation", "axis"), {"coeff": 1.0}, "reduce", ("operation",)),
    "Reorg": Form(("stride",), {"reverse": False}, "reorg"),
    "Reshape": Form(("dims",), {"start": 0, "end": None}, "reshape"),
    "Resize": Form((), {"size": None, "scale": (1.0, 1.0)}, "resize"),
    "RoIPool": Form(("size", "scale"), file="roi_pool"),
    "Scale": Form(("shape",), {"axis": 1, "bias": True}, "scale"),
    "SegAccuracy": Form((), {"ignore_labels": ()}, "seg_accuracy"),
    "SigmoidLoss": Form((), {"ignore_label": None, "per": "item"}, "sigmoid_loss"),
    "SmoothL1Loss": Form((), {"sigma2": 1.0, "turn": 1.0, "per_item": True}, "smooth_l1_loss"),
    "SoftmaxLoss": Form((), {"axis": 1, "ignore_label": None, "per": "kept", "with_prob": False},
                        "softmax_loss"),
    "StochasticPool": Form(("kernel_size", "stride"), {"ceil_mode": True}, "stochastic_pool"),
    "StochasticPyramid": Form(("height",), file="stochastic_pyramid"),
    "Stored": Form(("shape",), file="stored"),
    "SpatialPyramid": Form(("height",), {"method": "MAX"}, "spatial_pyramid", ("method",)),
    "Swish": Form(("beta",), file="swish"),
    "Threshold": Form(("value",), file="threshold"),
    "Tile": Form(("axis", "tiles"), file="tile"),
    "TransposedLinear": Form(("in_features", "out_features"), {"bias": True}, "transposed_linear"),
    "TripletLoss": Form(("margin",), file="triplet_loss"),
    "Uniform": Form(("shape", "low", "high"), file="uniform"),
    "Windows": Form(("kernel_size", "stride", "padding", "dilation"), {"axis": 1}, "windows"),
}  # fmt: skip

#: a template -> those that what it defines uses, which stand before it
NEEDS: dict[str, tuple[str, ...]] = {
    "infogain_loss": ("divisor", "floored"),
    "lstm": ("recurrent",),
    "position_pool": ("round_away",),
    "rnn": ("recurrent",),
    "roi_pool": ("round_away",),
    "sigmoid_loss": ("divisor",),
    "softmax_loss": ("divisor", "floored"),
    "spatial_pyramid": ("average_windows", "max_windows"),
    "stochastic_pyramid": ("stochastic_pool",),
}

#: A module without weights, alone, as an expression of its bottom.
FUNCTIONS: dict[str, str] = {
    "nn.ReLU": "F.relu({0})",
    "nn.Sigmoid": "torch.sigmoid({0})",
    "nn.Tanh": "torch.tanh({0})",
    "nn.SiLU": "F.silu({0})",
    "nn.ReLU6": "F.relu6({0})",
    "nn.Mish": "F.mish({0})",
    "nn.Hardswish": "F.hardswish({0})",
    "Abs": "{0}.abs()",
}


def library_of(kind: str) -> str:
    """The template of a class that torch.nn does not have; empty where it has it."""
    return FORMS[kind].file if kind in FORMS else ""


def is_batch_norm(kind: str) -> bool:
    """Whether a class is a batch normalisation, torch.nn's or a small one."""
    return kind == "BN" or kind.removeprefix("nn.").startswith("BatchNorm")


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


_Writer = Callable[[Any, bool], "Result | None"]
_ShapedWriter = Callable[[Any, Shapes], "Result | None"]
_WRITERS: dict[str, _Writer] = {}
_SHAPED: dict[str, _ShapedWriter] = {}


def writes(*names: str) -> Callable[[_Writer], _Writer]:
    """Register how modules of these classes are written, from the module and the phase."""

    def register(function: _Writer) -> _Writer:
        for name in names:
            _WRITERS[name] = function
        return function

    return register


def writes_shaped(*names: str) -> Callable[[_ShapedWriter], _ShapedWriter]:
    """Register how they are written from the module and the shapes of its bottoms.

    Such a writer comes before one that knows no shapes, and leaves it to that by None.
    """

    def register(function: _ShapedWriter) -> _ShapedWriter:
        for name in names:
            _SHAPED[name] = function
        return function

    return register


def write_module(module: nn.Module, shapes: Shapes, *, training: bool) -> list[Written] | str:
    """How a module is written, as a row of modules and expressions; or why it can't be."""
    from . import convolutions, forks, losses, made, own, recurrent, resizing, standard  # noqa: F401

    kind = type(module).__name__
    result: Result | None = None
    if kind in _SHAPED:
        result = _SHAPED[kind](module, shapes)
    if result is None and kind in _WRITERS:
        result = _WRITERS[kind](module, training)
    if isinstance(result, Written):
        return [result]
    return "caffegen knows no plain form of it" if result is None else result
