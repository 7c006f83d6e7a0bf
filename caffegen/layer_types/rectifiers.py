"""The activations that forks of Caffe add, and dropout of whole channels."""

from __future__ import annotations

import ast
from math import prod

from caffegen.text import Message

from .activation import _Neuron, warn_of_ratio
from .base import Cost, Definition, Shape
from .blob_shape import require_axes
from .four_axes import four_axes
from .in_place import refuse_in_place

__all__ = [
    "CReLU",
    "HardSigmoid",
    "HardSwish",
    "Mish",
    "ReLU6",
    "SeLu",
    "SpatialDropout",
    "SpatialDropoutLayer",
]


class ReLU6(_Neuron):
    """A ReLU that does not go above 6: min(max(x, 0), 6).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `relu6`; with a `negative_slope` a leaky ReLU cut off at 6. The gradient at 0 is the slope, at 6
    it is 0.

    ## Forks
    MobileNet-YOLO's (relu6_layer.cpp), and the same in the Caffes for MobileNetV2.
    """

    type = "ReLU6"
    param = "relu6_param"
    ops_per_value = 2

    def bind(self, param: Message) -> None:
        self.negative_slope: float = param.negative_slope
        # the gradient takes the sign of the bottom from the top
        self.gradient_in_place = self.negative_slope >= 0
        if self.negative_slope:
            self.ops_per_value = 3


class Mish(_Neuron):
    """A smooth ReLU with a dip below 0, YOLOv4's: x tanh(log(1 + exp(x))).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `Mish`; the same.

    ## Forks
    mish_layer.cpp in the Caffes for YOLOv4; they differ in how they keep exp(x) from overflowing,
    and some take the gradient in place from the top.
    """

    type = "Mish"
    param = "mish_param"
    gradient_in_place = False
    ops_per_value = 5


class HardSwish(_Neuron):
    """A swish made of straight lines, MobileNetV3's: x min(max(x + 3, 0), 6) / 6.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `Hardswish`; the same.

    ## Forks
    As in the paper in Synopsys's Caffe and MicroNet's (hard_swish_layer.cpp). inisis/caffe has
    x min(max(0.2 x + 0.5, 0), 1) by this name, which no field gives away.
    """

    type = "HardSwish"
    gradient_in_place = False
    ops_per_value = 5


class HardSigmoid(_Neuron):
    """A sigmoid made of straight lines: `alpha` x + `beta`, cut off at 0 and 1.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `Hardsigmoid` is the case of alpha 1/6; here it is 0.2 unless the file says otherwise.

    ## Forks
    MobileNet-YOLO's (hard_sigmoid_layer.cpp) has no parameters; its gradient is 0.2 everywhere, since
    it compares the top with bounds for the bottom. Synopsys's has `alpha` and `beta`.
    """

    type = "HardSigmoid"
    param = "hard_sigmoid_param"
    ops_per_value = 4

    def bind(self, param: Message) -> None:
        self.alpha: float = param.alpha
        self.beta: float = param.beta


class SeLu(_Neuron):
    """An ELU scaled so that values keep mean 0 and variance 1 from layer to layer.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `SELU` with the constants free: `lambda` (`scale`) for all values, `alpha` below 0.

    ## Forks
    selu_layer.cpp of the Caffe for self-normalising nets (soeaver/caffe-model has nets for it).
    """

    type = "SeLu"
    param = "selu_param"
    gradient_in_place = False
    ops_per_value = 4

    def bind(self, param: Message) -> None:
        self.scale: float = param.get("lambda")
        self.alpha: float = param.alpha


class CReLU(Definition):
    """Keeps both signs apart: the ReLU of x, and behind it the ReLU of -x.

    ## Shape
    As the bottom's, with axis `axis_index` twice as long.

    ## Differs from PyTorch
    `cat` of two `relu`, or `leaky_relu` with a `negative_slope`. It can't work in place.

    ## Forks
    crelu_layer.cpp of Cambricon's Caffe; `concat_axis` is 1 unless it is set.
    """

    type = "CReLU"
    param = "crelu_param"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.negative_slope: float = param.negative_slope
        self.concat_axis: int = param.concat_axis

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.axis(self.concat_axis, len(bottom), "concat_axis")
        top = (*bottom[:axis], 2 * bottom[axis], *bottom[axis + 1 :])
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        return Cost(0, 2 * prod(self.bottom_shapes[0]))


class SpatialDropout(_Neuron):
    """Sets whole channels to 0 at random while training.

    ## Shape
    As the bottom's, of up to 4 axes.

    ## Differs from PyTorch
    `Dropout2d`; the same: in TRAIN kept channels are multiplied by 1 / (1 - `ratio`).

    ## Forks
    intel's (spatial_dropout_layer.cpp), which reads `dropout_param`: the field
    `spatial_dropout_param` of its schema has no effect.
    """

    type = "SpatialDropout"
    param = "dropout_param"

    def bind(self, param: Message) -> None:
        self.ratio: float = param.dropout_ratio
        if self.layer.has("spatial_dropout_param"):
            self.warn(
                "parameters-without-effect",
                "SpatialDropout does not read `spatial_dropout_param`",
                "layer.spatial_dropout_param",
                help="write `dropout_param`, which it reads",
            )
        warn_of_ratio(self, self.ratio)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        four_axes(self, bottoms[0])
        return [bottoms[0]]

    def cost(self) -> Cost:
        return super().cost() if self.phase == "TRAIN" else Cost()


class SpatialDropoutLayer(Definition):
    """ENet's Python layer: drops whole channels as long as its parameters say TRAIN.

    `param_str` is a Python dict, `{'phase': 'TEST', 'p': '0.1'}`; the net's own phase plays no part.

    ## Shape
    As the bottom's; for `phase` TRAIN of 4 axes.

    ## Differs from PyTorch
    `dropout2d`; but in TEST every value is multiplied by `scale` = 1 / (1 - p) too, which `dropout`
    leaves alone.

    ## Forks
    `spatial_dropout.SpatialDropoutLayer` of the Caffe that TimoSaemann/ENet brings along. In TRAIN
    its gradient has the mask of the batch's last item for all; here each item has its own.
    """

    type = "spatial_dropout.SpatialDropoutLayer"
    param = "python_param"
    in_place = True

    def bind(self, param: Message) -> None:
        read = _read_parameters(param.param_str)
        if read is None:
            self.refuse(
                "param-str-not-read",
                "SpatialDropoutLayer reads a dict with `phase` and `p` from `param_str`",
                "param_str",
                help="write `param_str: \"{'phase': 'TEST', 'p': '0.1'}\"`",
            )
        self.drops, self.ratio = read
        if not 0 < self.ratio < 1:
            self.refuse(
                "param-str-not-read",
                f"`p` is {self.ratio:g}; SpatialDropoutLayer takes what lies between 0 and 1",
                "param_str",
            )
        self.scale = 1 / (1 - self.ratio)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if self.drops:
            require_axes(self, bottoms[0], 4, 4)
        else:
            four_axes(self, bottoms[0])
        return [bottoms[0]]

    def cost(self) -> Cost:
        return Cost(0, prod(self.bottom_shapes[0]))


def _read_parameters(text: str) -> tuple[bool, float] | None:
    """Whether `phase` is TRAIN, and `p`, from a Python literal; None where it holds no such thing.

    The layer runs the text as code; here nothing is run.
    """
    try:
        found = ast.literal_eval(text)
        return found["phase"] == "TRAIN", float(found["p"])
    except (
        KeyError,
        MemoryError,
        OverflowError,
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
    ):
        return None
