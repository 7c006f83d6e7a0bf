"""CaffeNet: BVLC's own variant of AlexNet (Jia et al., "Caffe", 2014).

The net that BVLC published as bvlc_reference_caffenet, so that its caffemodel loads. Two things are
not as in AlexNet: pooling comes before normalisation, which so has a quarter of the work, and
biases that do not start at 0 start at 1, as in the paper.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec

from .alexnet import OPTIONS, RECIPE, Variant, build
from .architecture import Architecture, CallableFamily, Depths

__all__ = ["ARCHITECTURE", "caffenet"]

_PAPER = (
    "Y. Jia, E. Shelhamer, J. Donahue, S. Karayev, J. Long, R. Girshick, S. Guadarrama, T. Darrell: "
    "Caffe: Convolutional Architecture for Fast Feature Embedding. ACM Multimedia 2014, "
    "arXiv:1408.5093"
)


def caffenet(
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """BVLC's reference CaffeNet; 1000 classes and images of 227x227 unless given.

    `train_val` has data layers, fillers, accuracy and loss; `deploy` an Input, and ends in `prob`.
    """
    variant = Variant("CaffeNet", active_bias=1, pool_first=True, rates=False)
    return build(variant, classes, input_size, batch, phase, data)


ARCHITECTURE = Architecture(
    name="caffenet",
    title="CaffeNet",
    paper=_PAPER,
    depths={"imagenet": Depths((8,), 8)},
    options=OPTIONS,
    build=caffenet,
    recipes={"imagenet": RECIPE._replace(source="BVLC's bvlc_reference_caffenet/solver.prototxt")},
)

sys.modules[__name__].__class__ = CallableFamily
