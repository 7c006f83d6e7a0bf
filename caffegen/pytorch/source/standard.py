"""How the modules of torch.nn are written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .forms import Written, literal, square, writes

__all__: list[str] = []


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.state_dict(keep_vars=True))


@writes("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
def convolution(module: Any, _training: bool) -> Written:
    """A convolution; a window that is the same on all axes is one number."""
    args = {
        "in_channels": module.in_channels,
        "out_channels": module.out_channels,
        "kernel_size": square(module.kernel_size),
        "stride": square(module.stride),
        "padding": square(module.padding),
        "dilation": square(module.dilation),
        "groups": module.groups,
        "bias": module.bias is not None,
    }
    return Written(f"nn.{type(module).__name__}", args, _tensors(module))


@writes("Linear")
def linear(module: nn.Linear, _training: bool) -> Written:
    """A fully connected layer."""
    args = {
        "in_features": module.in_features,
        "out_features": module.out_features,
        "bias": module.bias is not None,
    }
    return Written("nn.Linear", args, _tensors(module))


@writes("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
def batch_norm(module: Any, training: bool) -> Written | str:
    """torch.nn's BatchNorm of the same statistics; in TRAIN a small class that updates Caffe's.

    In TEST it may use the batch's own statistics; in TRAIN frozen ones have no class in torch.nn.
    """
    of_batch = module.global_stats is False
    if module.global_stats is True and training:
        return "in TRAIN torch.nn has no BatchNorm of frozen statistics"
    if training:
        return _updated_batch_norm(module, of_batch=of_batch)
    args = {
        "num_features": module.num_features,
        "eps": literal(module.eps),
        "momentum": 0.1,
        "affine": module.weight is not None,
        "track_running_stats": not of_batch,
    }
    tensors: dict[str, Tensor] = {}
    if module.weight is not None:
        bias = torch.zeros_like(module.weight) if module.bias is None else module.bias
        tensors |= {"weight": module.weight, "bias": bias}
    if not of_batch:
        tensors["running_mean"] = module.running_mean
        tensors["running_var"] = module.running_var
        tensors["num_batches_tracked"] = torch.tensor(0)
    return Written(f"nn.{type(module).__name__}", args, tensors)


def _updated_batch_norm(module: Any, *, of_batch: bool) -> Written:
    """A BatchNorm with Caffe's factor: torch.nn's have no weight for the first batches."""
    affine = module.weight is not None
    args = {
        "num_features": module.num_features,
        "eps": literal(module.eps),
        "fraction": literal(module.fraction),
        "affine": affine,
        "bias": module.bias is not None or not affine,
        "of_batch": of_batch,
    }
    return Written("BatchNorm", args, _tensors(module))


@writes("MaxPool2d", "AvgPool2d")
def pool(module: Any, _training: bool) -> Written:
    """Pooling over windows that lie as Caffe's do."""
    stride = square(module.stride)
    kernel = square(module.kernel_size)
    args = {
        "kernel_size": kernel,
        "stride": None if stride == kernel else stride,
        "padding": square(module.padding),
        "ceil_mode": module.ceil_mode,
    }
    return Written(f"nn.{type(module).__name__}", args, {})


@writes("AdaptiveMaxPool2d", "AdaptiveAvgPool2d")
def adaptive_pool(module: Any, _training: bool) -> Written:
    """Pooling over the whole picture."""
    args = {"output_size": square(module.output_size)}
    return Written(f"nn.{type(module).__name__}", args, {})


@writes(
    "ReLU", "Sigmoid", "Tanh", "SiLU", "Softplus", "ReLU6", "SELU", "Mish", "Hardswish",
    "Hardsigmoid",
)  # fmt: skip
def activation(module: nn.Module, _training: bool) -> Written:
    """An activation without numbers."""
    args = {"inplace": module.inplace} if isinstance(module, nn.ReLU) else {}
    return Written(f"nn.{type(module).__name__}", args, {})


@writes("LeakyReLU")
def leaky_relu(module: nn.LeakyReLU, _training: bool) -> Written:
    """A ReLU with a slope below 0."""
    args = {"negative_slope": literal(module.negative_slope), "inplace": module.inplace}
    return Written("nn.LeakyReLU", args, {})


@writes("PReLU")
def prelu(module: nn.PReLU, _training: bool) -> Written:
    """A slope for each channel."""
    return Written("nn.PReLU", {"num_parameters": module.num_parameters}, _tensors(module))


@writes("PReLUShared")
def prelu_shared(module: Any, _training: bool) -> Written:
    """One slope; torch.nn's has one axis."""
    weight = module.weight.detach().reshape(1)
    return Written("nn.PReLU", {"num_parameters": 1}, {"weight": weight})


@writes("ELU")
def elu(module: nn.ELU, _training: bool) -> Written:
    """An ELU."""
    return Written("nn.ELU", {"alpha": literal(module.alpha)}, {})


@writes("Dropout", "Dropout1d", "Dropout2d")
def dropout(module: nn.Dropout | nn.Dropout1d | nn.Dropout2d, _training: bool) -> Written:
    """Dropout, of values or of channels."""
    return Written(f"nn.{type(module).__name__}", {"p": literal(module.p)}, {})


@writes("ChannelShuffle")
def channel_shuffle(module: nn.ChannelShuffle, _training: bool) -> Written:
    """Channels dealt out anew."""
    return Written("nn.ChannelShuffle", {"groups": module.groups}, {})


@writes("ZeroPad2d", "ConstantPad2d")
def pad(module: nn.ConstantPad2d, _training: bool) -> Written:
    """A margin around pictures."""
    args: dict[str, Any] = {"padding": square(module.padding)}
    if not isinstance(module, nn.ZeroPad2d):
        args["value"] = literal(module.value)
    return Written(f"nn.{type(module).__name__}", args, {})


@writes("Softmax")
def softmax(module: nn.Softmax, _training: bool) -> Written:
    """Softmax."""
    return Written("nn.Softmax", {"dim": module.dim}, {})


@writes("Flatten")
def flatten(module: nn.Flatten, _training: bool) -> Written:
    """Flatten."""
    return Written("nn.Flatten", {"start_dim": module.start_dim, "end_dim": module.end_dim}, {})


@writes("LocalResponseNorm", "LRNAcrossChannels")
def local_response_norm(module: Any, _training: bool) -> Written:
    """LRN across channels."""
    args = {
        "size": module.size,
        "alpha": literal(module.alpha),
        "beta": literal(module.beta),
        "k": literal(module.k),
    }
    return Written("nn.LocalResponseNorm", args, {})
