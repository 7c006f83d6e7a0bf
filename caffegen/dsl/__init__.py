"""Nets described in Python, in pycaffe's spelling: `NetSpec`, `layers as L`, `params as P`."""

from __future__ import annotations

from .errors import DslError, NotATop, UnknownName
from .namespaces import layers, params
from .net_spec import Function, NetSpec, Top, to_message, to_proto

# pycaffe's caffe.TRAIN and caffe.TEST, as include=dict(phase=...) takes them
TRAIN = 0
TEST = 1

__all__ = [
    "TEST",
    "TRAIN",
    "DslError",
    "Function",
    "NetSpec",
    "NotATop",
    "Top",
    "UnknownName",
    "layers",
    "params",
    "to_message",
    "to_proto",
]
