"""Products with learned weights that no two places share, and those of mostly empty items."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Refused, Shape, Window
from .blob_shape import require_axes, to_int
from .in_place import warn_in_place
from .inner_product import InnerProduct
from .weight_blobs import check_weights

__all__ = ["Local", "SparseInnerProduct"]


class Local(Definition):
    """A convolution with a kernel of its own for every place of the top.

    ## Shape
    Bottom (N, C, H, W). Top (N, `num_output`, (H + 2 `pad` - `kernel_size`) // `stride` + 1, and so
    for W).

    ## Blobs
    weight (`num_output`, 1, C `kernel_size`^2, places of the top); bias (1, 1, `num_output`, places)
    unless `bias_term: false`.

    ## Differs from PyTorch
    No counterpart: `unfold`, and a sum of products with the weights of each place.

    ## Forks
    happynear's (local_layer.cpp), and DeepFace's as proposed to BVLC.
    """

    type = "Local"
    param = "local_param"

    def bind(self, param: Message) -> None:
        self.num_output = to_int(param.num_output)
        self.kernel_size = to_int(param.kernel_size)
        self.stride = to_int(param.stride)
        self.pad = to_int(param.pad)
        self.bias_term: bool = param.bias_term
        self.window_fits = self.num_output > 0 and self.kernel_size > 0 and self.stride > 0
        if self.num_output < 1:
            self.fault("num-output-zero", "Local needs a `num_output` of at least 1", "num_output")
        if self.kernel_size < 1:
            self.fault(
                "kernel-size-zero", "Local needs a `kernel_size` of at least 1", "kernel_size"
            )
        if self.stride < 1:
            self.fault("stride-zero", f"`stride` is {self.stride}; it must be at least 1", "stride")

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        param = self.layer.get(self.param)
        blobs: list[tuple[str, Message | None]] = [("weight", param.weight_filler)]
        return [*blobs, ("bias", param.bias_filler)] if self.bias_term else blobs

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        require_axes(self, bottoms[0], 4, 4)
        if not self.window_fits:
            raise Refused
        items, channels, *sizes = bottoms[0]
        for size, word in zip(sizes, ("height", "width"), strict=True):
            if size < self.kernel_size:
                self.refuse(
                    "kernel-exceeds-input",
                    f"`kernel_size` ({self.kernel_size}) is above the {word} of the bottom, {size}; "
                    "Local asks for that before it pads",
                    "kernel_size",
                )
        grid = [(size + 2 * self.pad - self.kernel_size) // self.stride + 1 for size in sizes]
        self.taps = channels * self.kernel_size**2
        weight = (self.num_output, 1, self.taps, prod(grid))
        self.check_size(weight, "num_output")
        param = self.layer.get(self.param)
        self.blobs = (BlobSpec("weight", weight, param.weight_filler),)
        if self.bias_term:
            bias = (1, 1, self.num_output, prod(grid))
            self.blobs += (BlobSpec("bias", bias, param.bias_filler),)
        check_weights(self)
        warn_in_place(self)
        top = (items, self.num_output, *grid)
        self.check_size(top, "num_output")
        return [top]

    def cost(self) -> Cost:
        outputs = prod(self.top_shapes[0] or ())
        return Cost(outputs * self.taps, outputs if self.bias_term else 0)

    @property
    def window(self) -> Window:
        pair = (1, 1)
        sizes = (self.kernel_size, self.stride, self.pad)
        kernel, stride, pad = ((size, size) for size in sizes)
        return Window(kernel, stride, pad, pair)


class SparseInnerProduct(InnerProduct):
    """An InnerProduct whose bottom may hold the values that are not 0 alone; the same result.

    ## Shape
    As that of InnerProduct.

    ## Blobs
    As those of InnerProduct.

    ## Differs from PyTorch
    `linear`; here the bottom has its zeros. A sparse bottom gets no gradient in Caffe.

    ## Forks
    One proposed to BVLC, together with SparseData (sparse_inner_product_layer.cpp).
    """

    type = "SparseInnerProduct"
