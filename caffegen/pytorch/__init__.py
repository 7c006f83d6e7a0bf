"""Nets in PyTorch: `build(net)` gives an nn.Module that computes what Caffe computes."""

from importlib.util import find_spec

from caffegen.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra("PyTorch", "torch")

from .build import build
from .datasets import dataset_of
from .device import find_device
from .module import CaffeModule
from .registry import Lowered, Refusal, lowers, refuse

__all__ = [
    "CaffeModule",
    "Lowered",
    "Refusal",
    "build",
    "dataset_of",
    "find_device",
    "lowers",
    "refuse",
]
