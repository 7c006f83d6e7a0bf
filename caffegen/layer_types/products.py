"""Layers that multiply blobs: a factor per channel and a sum, and matrices."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import require_axes
from .four_axes import four_axes
from .in_place import refuse_in_place

__all__ = ["Axpy", "MatMul"]


class Axpy(Definition):
    """Multiplies each channel of a blob by a factor of its own and adds another blob: a x + y.

    It is the scaling and the shortcut of a squeeze-and-excitation block in one.

    ## Shape
    Bottoms: the factors a (N, C), or (N, C, 1, 1); x (N, C, H, W); y as x. Top: as x.

    ## Differs from PyTorch
    `addcmul` with the factors stretched over height and width.

    ## Forks
    Hu Jie's (axpy_layer.cpp), in SENet's Caffe, intel's, NVIDIA's, MobileNet-YOLO's and happynear's.
    x gets its gradient only where a gets one.
    """

    type = "Axpy"
    bottoms = count(3)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        factors, x, y = bottoms
        require_axes(self, factors, 2)
        if len(x) < 2 or factors != x[:2] + (1,) * (len(factors) - 2):
            self.refuse(
                "operand-shape-differs",
                f"the factors are {list(factors)}, but the second bottom is {list(x)}: there must "
                "be one for each channel of each item",
                "layer.bottom",
                index=0,
            )
        if y != x:
            self.refuse(
                "bottoms-differ",
                f"what is added has the shape of what is multiplied; bottom 1 is {list(x)}, "
                f"bottom 2 is {list(y)}",
                "layer.bottom",
                index=2,
            )
        four_axes(self, x)
        return [x]

    def cost(self) -> Cost:
        return Cost(prod(self.bottom_shapes[1]))


class MatMul(Definition):
    """Multiplies two matrices, or as many pairs of them as the leading axes hold.

    ## Shape
    Bottoms: (..., M, K), or (..., K, M) with `transpose_a`; (..., K, N), or (..., N, K) with
    `transpose_b`; of as many axes, two or more, and with the same leading ones. Top (..., M, N).

    ## Differs from PyTorch
    `matmul` without broadcasting.

    ## Forks
    By `matmul_param { transpose_a transpose_b }` (matmul_layer.cpp of Synopsys's Caffe). Other
    layers of this name take the sizes, or an axis, from their parameters.
    """

    type = "MatMul"
    param = "matmul_param"
    bottoms = count(2)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.transpose_a: bool = param.transpose_a
        self.transpose_b: bool = param.transpose_b

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        a, b = bottoms
        require_axes(self, a, 2)
        rows, inner = a[-2:][::-1] if self.transpose_a else a[-2:]
        other = b[-2:][::-1] if self.transpose_b else b[-2:]
        if len(a) != len(b) or a[:-2] != b[:-2] or inner != other[0]:
            self.refuse(
                "matrices-do-not-fit",
                f"{_described(a, transposed=self.transpose_a)} can't be multiplied by "
                f"{_described(b, transposed=self.transpose_b)}",
                "layer.bottom",
                index=1,
                help="both have as many axes, the same leading ones, and one inner size",
            )
        self.inner = inner
        top = (*a[:-2], rows, other[1])
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        top = self.top_shapes[0]
        return Cost(0 if top is None else prod(top) * self.inner)


def _described(shape: Shape, *, transposed: bool) -> str:
    return f"{list(shape)}{' transposed' if transposed else ''}"
