"""The definitions: what each Caffe layer is. One family per file; this is the registry.

A family's module is imported when the first of its layer types is asked for.
"""

from __future__ import annotations

from importlib import import_module

from .base import BlobSpec, Cost, Count, Definition, Refused, Shape, Window, count

__all__ = [
    "FAMILIES",
    "BlobSpec",
    "Cost",
    "Count",
    "Definition",
    "Refused",
    "Shape",
    "Window",
    "count",
    "definition_class",
    "known_types",
]

# family file -> the layer types it defines
FAMILIES: dict[str, tuple[str, ...]] = {
    "activation": (
        "AbsVal", "BNLL", "Clip", "Dropout", "ELU", "Exp", "Log", "PReLU", "Power", "ReLU",
        "Sigmoid", "Swish", "TanH", "Threshold",
    ),
    "convolution": ("Convolution", "Deconvolution", "Im2col"),
    "data": (
        "Data", "DummyData", "HDF5Data", "HDF5Output", "ImageData", "Input", "MemoryData",
        "WindowData",
    ),
    "elementwise": ("Bias", "Eltwise", "Scale"),
    "inner_product": ("Embed", "InnerProduct"),
    "loss": (
        "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
        "SigmoidCrossEntropyLoss", "SoftmaxWithLoss",
    ),
    "metric": ("Accuracy", "ArgMax"),
    "normalization": ("BatchNorm", "LRN", "MVN"),
    "pooling": ("Pooling", "SPP"),
    "python": ("Parameter", "Python"),
    "recurrent": ("LSTM", "LSTMUnit", "RNN"),
    "reduction": ("Reduction", "Softmax"),
    "reshaping": (
        "BatchReindex", "Concat", "Crop", "Filter", "Flatten", "Reshape", "Silence", "Slice",
        "Split", "Tile",
    ),
}  # fmt: skip

_FAMILY_OF = {type_name: family for family, names in FAMILIES.items() for type_name in names}
_CLASSES: dict[str, type[Definition]] = {}


def definition_class(type_name: str) -> type[Definition] | None:
    """The definition of a layer type; None when there is none of that name."""
    found = _CLASSES.get(type_name)
    if found is None:
        family = _FAMILY_OF.get(type_name)
        if family is None:
            return None
        module = import_module(f"{__name__}.{family}")
        found = _CLASSES[type_name] = getattr(module, type_name)
    return found


def known_types() -> list[str]:
    """All layer types that have a definition, sorted."""
    return sorted(_FAMILY_OF)
