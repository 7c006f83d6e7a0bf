"""SSD512: Liu et al., "SSD: Single Shot MultiBox Detector" (2016), on VGG-16, for larger images.

The net of ssd.py with one blob more that scores boxes, and smaller boxes on the first: the authors'
VGG_VOC0712_SSD_512x512, under its layer names.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec

from .architecture import Architecture, CallableFamily, Depths
from .single_shot import Source
from .ssd import PAPER, Extra, Size, build_ssd, options, recipe

__all__ = ["ARCHITECTURE", "ssd512"]

# section 3.1 and table 7: conv10_2 is added, and the smallest boxes are 0.07 of the image
EXTRAS = {
    6: Extra(256, 512, 2, 1),
    7: Extra(128, 256, 2, 1),
    8: Extra(128, 256, 2, 1),
    9: Extra(128, 256, 2, 1),
    10: Extra(128, 256, 1, 1, 4),
}
SOURCES = (
    Source("conv4_3_norm", 35.84, 76.8, (2,), 8),
    Source("fc7", 76.8, 153.6, (2, 3), 16),
    Source("conv6_2", 153.6, 230.4, (2, 3), 32),
    Source("conv7_2", 230.4, 307.2, (2, 3), 64),
    Source("conv8_2", 307.2, 384, (2, 3), 128),
    Source("conv9_2", 384, 460.8, (2,), 256),
    Source("conv10_2", 460.8, 537.6, (2,), 512),
)
SSD512 = Size("VGG_VOC0712_SSD_512x512", 512, EXTRAS, SOURCES)


def ssd512(
    heads: str = "bvlc",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The SSD512 on VGG-16; 21 classes, of which the first is the background, unless given.

    Images are 512x512 unless given, at least 385x385; see `ssd300` for the heads and phases.
    """
    return build_ssd(SSD512, heads, classes, input_size, batch, phase, data)


ARCHITECTURE = Architecture(
    name="ssd512",
    title="SSD512",
    paper=PAPER,
    depths={"voc0712": Depths((26,), 26)},
    options=options(512),
    build=ssd512,
    recipes={"voc0712": recipe("SSD512")},
)

sys.modules[__name__].__class__ = CallableFamily
