"""LeNet: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document ..." (1998).

The net of Caffe's own MNIST example, so that what was trained with it loads. It is wider than the
paper's LeNet-5 and simpler: max pooling instead of trained subsampling, every map connected to
every other, one ReLU instead of sigmoids, and a softmax.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec

from .architecture import Architecture, CallableFamily, Depths, whole_number
from .dataset import Images, data_options
from .published import Builder
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "lenet"]

# outputs of the two 5x5 convolutions, each with a 2x2 max pooling, and of the hidden layer
CONVOLUTIONS = (20, 50)
HIDDEN = 500

_PAPER = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-Based Learning Applied to Document "
    "Recognition. Proceedings of the IEEE 86(11), 1998"
)
_IMAGES = Images(
    10, 28, 64, 100, "examples/mnist/mnist_train_lmdb", "examples/mnist/mnist_test_lmdb",
    # bytes become values from 0 to 1
    {"scale": 1 / 256}, crop=False, mirror=False, channels=1, layer="mnist",
)  # fmt: skip
_RATES = ({"lr_mult": 1}, {"lr_mult": 2})
_FILLERS = {"weight_filler": {"type": "xavier"}, "bias_filler": {"type": "constant"}}


def lenet(
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """Caffe's LeNet; 10 classes and grey images of 28x28 unless given.

    `train_val` has data layers, accuracy and loss; `deploy` an Input, and ends in `prob`. The LMDBs
    hold images of the net's size: nothing is cropped.
    """
    builder = Builder("LeNet", phase, _IMAGES, batch, input_size, rates=_RATES, data=data)
    feature = builder.data()
    for index, num_output in enumerate(CONVOLUTIONS, 1):
        feature = builder.convolution(feature, f"conv{index}", num_output, 5, _FILLERS)
        feature = builder.pool(feature, f"pool{index}", 2, 2)
    hidden = builder.inner_product(feature, "ip1", HIDDEN, _FILLERS)
    hidden = hidden._replace(top=builder.relu(hidden.top, "relu1"))
    number = whole_number("number of classes", classes, _IMAGES.classes)
    scores = builder.inner_product(hidden, "ip2", number, _FILLERS)
    builder.accuracy_and_loss(scores.top)
    return builder.net


_RECIPE = TrainingRecipe(
    source="Caffe's examples/mnist/lenet_solver.prototxt",
    batch=64, test_images=10000,
    base_lr=0.01, lr_policy="inv", policy={"gamma": 1e-4, "power": 0.75},
    max_iter=10000, weight_decay=5e-4,
    test_interval=500, display=100, snapshot=5000,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="lenet",
    title="LeNet",
    paper=_PAPER,
    depths={"mnist": Depths((4,), 4)},
    options=data_options(10, 28, 64),
    build=lenet,
    recipes={"mnist": _RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
