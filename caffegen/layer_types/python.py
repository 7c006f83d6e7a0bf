"""Layers whose content the net's author gives: a learned blob, and code in Python."""

from __future__ import annotations

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .blob_shape import read_shape, warn_if_empty
from .weight_blobs import check_weights

__all__ = ["Parameter", "Python"]


class Parameter(Definition):
    """A learned blob as a layer of its own, for other layers to read.

    ## Shape
    No bottoms. Top: `shape`.

    ## Blobs
    value (`shape`), which starts as zeros, or with a fork's `blob_filler` as that says.

    ## Differs from PyTorch
    An `nn.Parameter`.
    """

    type = "Parameter"
    param = "parameter_param"
    bottoms = count(0)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        param = self.layer.get(self.param)
        # a fork's field: BVLC's has no filler
        return [("value", param.blob_filler if param.has("blob_filler") else None)]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        shape = read_shape(self, self.layer.get(self.param).shape, "shape")
        self.shape = shape
        ((name, filler),) = self.weight_fillers()
        self.blobs = (BlobSpec(name, shape, filler),)
        if self.layer.has("blobs"):
            check_weights(self)
        warn_if_empty(self, shape, "shape")
        return [shape]

    def cost(self) -> Cost:
        return Cost()


class Python(Definition):
    """A layer that its author wrote in Python, in a class that Caffe imports.

    The code is never imported here, so nothing is known of its shapes, its blobs and its cost.

    ## Shape
    Any bottoms and tops; the tops are known only to the code.

    ## Differs from PyTorch
    A module of one's own, to be given by whoever runs the net.
    """

    type = "Python"
    blobs_known = False
    param = "python_param"
    bottoms = count(0, None)
    tops = count(0, None)

    def bind(self, param: Message) -> None:
        self.module: str = param.module
        self.class_name: str = param.layer
        self.param_str: str = param.param_str
        for field, what in (("module", "the module to import"), ("layer", "the class in it")):
            if not param.get(field):
                self.fault(
                    f"python-{field}-missing",
                    f"a Python layer needs `{field}`, {what}",
                    field,
                    help=f'add `python_param {{ {field}: "..." }}`',
                )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [None] * self.top_count

    def cost(self) -> Cost:
        return Cost()
