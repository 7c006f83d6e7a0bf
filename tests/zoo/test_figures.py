# ruff: noqa: C408 - options are keywords
"""Every net of the zoo against the figures that its paper or another implementation publishes.

One row a net: its family and options, its learned parameters, the multiply-accumulates of its
convolutions, deconvolutions and fully connected layers, the shapes of named blobs, and who says so.
A whole number has to be met exactly. A figure such as "25.6M" is rounded or cut in the source: the
net's own differs from it by less than one unit of the last digit. None: the source has no such
figure.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

import caffegen
from caffegen.analysis.summary import summarize
from caffegen.zoo import architecture

WITH_WEIGHTS = ("Convolution", "Deconvolution", "InnerProduct")
UNITS = {"k": 3, "M": 6, "G": 9}

HAN = "Han et al. 2015, arXiv:1506.02626, Table 4"
SZE = "Sze et al. 2017, arXiv:1703.09039, Table II"
HE = "He et al. 2015, arXiv:1512.03385, Table 1"
OMZ = "Open Model Zoo's page of the caffemodel; it counts two operations a multiply-accumulate"
HU = "Hu et al. 2017, arXiv:1709.01507, Table 2"
SRIVASTAVA = "Srivastava et al. 2015, arXiv:1505.00387, Table 1"
HOWARD = "Howard et al. 2017, arXiv:1704.04861, Tables 1, 6 and 7"
HUANG = "Huang et al. 2016, arXiv:1608.06993, Table 1"
LONG = "Long et al. 2015, arXiv:1411.4038, Table 1"
MEGVII = "megvii-model/ShuffleNet-Series, ShuffleNetV1/README.md"
RONNEBERGER = "Ronneberger et al. 2015, arXiv:1505.04597, Figure 1"
SIMONYAN = "Simonyan and Zisserman 2014, arXiv:1409.1556, Table 2"
SLIM = "tensorflow/models, slim/nets/mobilenet/README.md; it counts no biases of BatchNorm"
WRN = "Zagoruyko and Komodakis 2016, arXiv:1605.07146, Tables 4, 5 and 8"
XIE = "Xie et al. 2016, arXiv:1611.05431, Table 7"
TORCHVISION = "torchvision 0.28: num_params and _ops of the weights' metadata"

IMAGENET = {"data": (1, 3, 224, 224), "prob": (1, 1000)}

FIGURES = [
    # LeNet as Caffe has it: Han et al. count two operations a multiply-accumulate, 4586K
    ("lenet", dict(), "431k", "2293k", {"pool2": (1, 50, 4, 4), "prob": (1, 10)}, HAN),
    ("alexnet", dict(), "61M", "724M", {"pool5": (1, 256, 6, 6), "prob": (1, 1000)}, SZE),
    # the same layers in another order
    ("caffenet", dict(), "61M", "724M", {"pool5": (1, 256, 6, 6), "prob": (1, 1000)}, SZE),
    ("googlenet", dict(), "7M", "1.5G",
     {"inception_3b/output": (1, 480, 28, 28), "inception_5b/output": (1, 1024, 7, 7),
      "prob": (1, 1000)},
     f"{SZE}; MACs and shapes: Szegedy et al., arXiv:1409.4842, abstract and Table 1"),
    # the authors count two operations a multiply-accumulate, 1.72 GFLOPS
    ("squeezenet", dict(version="1.0"), 1248424, "0.86G",
     {"conv1": (1, 96, 111, 111), "fire8/concat": (1, 512, 27, 27)},
     f"{TORCHVISION}; MACs: forresti/SqueezeNet; shapes: Iandola et al., Table 1"),
    ("squeezenet", dict(version="1.1", input_size=224), 1235496, "0.349G",
     {"prob": (1, 1000, 1, 1)}, TORCHVISION),
    ("vgg", dict(depth=11), 132863336, "7.609G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=13), 133047848, "11.308G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=16), 138357544, "15.47G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=19), 143667240, "19.632G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=11, batch_norm=True), 132868840, "7.609G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=13, batch_norm=True), 133053736, "11.308G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=16, batch_norm=True), 138365992, "15.47G", IMAGENET, TORCHVISION),
    ("vgg", dict(depth=19, batch_norm=True), 143678248, "19.632G", IMAGENET, TORCHVISION),
    ("vgg", dict(configuration="A-LRN"), "133M", None, IMAGENET, SIMONYAN),
    ("vgg", dict(configuration="B"), "133M", None, IMAGENET, SIMONYAN),
    ("vgg", dict(configuration="C"), "134M", None, IMAGENET, SIMONYAN),
    ("vgg", dict(configuration="E"), "144M", None, IMAGENET, SIMONYAN),
    ("mobilenet", dict(), "4.2M", "569M",
     {"conv2_1/sep": (1, 64, 112, 112), "conv6/sep": (1, 1024, 7, 7), "fc7": (1, 1000, 1, 1)},
     HOWARD),
    ("mobilenet", dict(width="0.75"), "2.6M", "325M", {"pool6": (1, 768, 1, 1)}, HOWARD),
    ("mobilenet", dict(width="0.5"), "1.3M", "149M", {"pool6": (1, 512, 1, 1)}, HOWARD),
    ("mobilenet", dict(width="0.25"), "0.5M", "41M", {"pool6": (1, 256, 1, 1)}, HOWARD),
    ("mobilenet", dict(input_size=192), "4.2M", "418M", {"conv6/sep": (1, 1024, 6, 6)}, HOWARD),
    ("mobilenet", dict(input_size=160), "4.2M", "290M", {"conv6/sep": (1, 1024, 5, 5)}, HOWARD),
    ("mobilenet", dict(input_size=128), "4.2M", "186M", {"conv6/sep": (1, 1024, 4, 4)}, HOWARD),
    ("mobilenet", dict(version="2", style="paper"), 3504872, "0.301G",
     {"conv6_3/linear": (1, 320, 7, 7), "conv6_4": (1, 1280, 7, 7), "fc7": (1, 1000, 1, 1)},
     TORCHVISION),
    # the convolution that widens nothing has 32 x 32 weights, and its Scale 64
    ("mobilenet", dict(version="2"), 3504872 + 32 * 32 + 64, None, {"fc7": (1, 1000, 1, 1)},
     TORCHVISION),
    ("mobilenet", dict(version="2", style="paper", width="1.4"), None, "582M",
     {"pool6": (1, 1792, 1, 1)}, SLIM),
    ("mobilenet", dict(version="2", style="paper", width="0.75"), None, "209M",
     {"pool6": (1, 1280, 1, 1)}, SLIM),
    ("mobilenet", dict(version="2", style="paper", width="0.5"), None, "97M",
     {"pool6": (1, 1280, 1, 1)}, SLIM),
    ("mobilenet", dict(version="2", style="paper", width="0.35"), None, "59M",
     {"pool6": (1, 1280, 1, 1)}, SLIM),
    ("densenet", dict(depth=121), 7978856, "2.834G",
     {"pool1": (1, 64, 56, 56), "concat_2_6": (1, 256, 56, 56), "concat_3_12": (1, 512, 28, 28),
      "concat_4_24": (1, 1024, 14, 14), "concat_5_16": (1, 1024, 7, 7), "fc6": (1, 1000, 1, 1)},
     f"{TORCHVISION}; sizes: {HUANG}"),
    ("densenet", dict(depth=161), 28681000, "7.728G", {"concat_5_24": (1, 2208, 7, 7)}, TORCHVISION),
    ("densenet", dict(depth=169), 14149480, "3.36G", {"concat_5_32": (1, 1664, 7, 7)}, TORCHVISION),
    ("densenet", dict(depth=201), 20013928, "4.291G", {"concat_5_32": (1, 1920, 7, 7)}, TORCHVISION),
    # the first paper's Table 1 has 143M, 140M, 137M, 133M and 137M multiply-accumulates for 1, 2, 3,
    # 4 and 8 groups; the layers that it lists add up to 134.3M and 138.4M for the last two
    ("shufflenet", dict(groups="1"), None, "143M", {"pool_ave": (1, 576, 1, 1)},
     "Zhang et al. 2017, arXiv:1707.01083, Table 1"),
    ("shufflenet", dict(groups="2"), None, "140M", {"pool_ave": (1, 800, 1, 1)},
     "Zhang et al. 2017, arXiv:1707.01083, Table 1"),
    ("shufflenet", dict(), "1.9M", "138M", {"pool_ave": (1, 960, 1, 1)}, MEGVII),
    ("shufflenet", dict(groups="4"), None, None, {"pool_ave": (1, 1088, 1, 1)},
     "Zhang et al. 2017, arXiv:1707.01083, Table 1"),
    ("shufflenet", dict(groups="8"), "2.4M", "138M", {"pool_ave": (1, 1536, 1, 1)}, MEGVII),
    ("shufflenet", dict(width="0.5"), "0.7M", "38M", {"pool_ave": (1, 480, 1, 1)}, MEGVII),
    ("shufflenet", dict(width="1.5"), "3.4M", "292M", {"pool_ave": (1, 1440, 1, 1)}, MEGVII),
    ("shufflenet", dict(width="2.0"), "5.4M", "524M", {"pool_ave": (1, 1920, 1, 1)}, MEGVII),
    ("shufflenet", dict(groups="8", width="0.5"), "1.0M", "40M", {"fc1000": (1, 1000, 1, 1)},
     MEGVII),
    ("shufflenet", dict(groups="8", width="1.5"), "4.3M", "290M", {"fc1000": (1, 1000, 1, 1)},
     MEGVII),
    ("shufflenet", dict(groups="8", width="2.0"), "6.5M", "522M", {"fc1000": (1, 1000, 1, 1)},
     MEGVII),
    ("shufflenet", dict(version="2", width="0.5"), 1366792, "0.040G", {"conv5": (1, 1024, 7, 7)},
     TORCHVISION),
    ("shufflenet", dict(version="2"), 2278604, "0.145G", {"conv5": (1, 1024, 7, 7)}, TORCHVISION),
    ("shufflenet", dict(version="2", width="1.5"), 3503624, "0.296G", {"conv5": (1, 1024, 7, 7)},
     TORCHVISION),
    ("shufflenet", dict(version="2", width="2.0"), 7393996, "0.583G", {"conv5": (1, 2048, 7, 7)},
     TORCHVISION),
    ("fcn", dict(), "134M", None, {"score": (1, 21, 500, 500)}, LONG),
    ("fcn", dict(variant="16s"), "134M", None, {"score": (1, 21, 500, 500)}, LONG),
    ("fcn", dict(variant="8s"), "134M", None, {"score": (1, 21, 500, 500)}, LONG),
    ("unet", dict(), 31030658, None, {"d4c": (1, 1024, 28, 28), "score": (1, 2, 388, 388)},
     f"{RONNEBERGER}; parameters: PyHazards' net of that figure"),
    ("unet", dict(style="released"), 31100354, None, {"score": (1, 2, 388, 388)},
     "u-net-release-2015-10-02, phseg_v5, as PyHazards counts it"),
    ("ssd300", dict(classes=91), 35641826, "34.858G",
     {"mbox_loc": (1, 4 * 8732), "mbox_conf": (1, 91 * 8732)},
     f"{TORCHVISION} (ssd300_vgg16); boxes: Liu et al. 2015, arXiv:1512.02325, section 3.1"),
    ("ssd300", dict(heads="ssd"), "26.285M", "31.4G", {"mbox_priorbox": (1, 2, 4 * 8732)}, OMZ),
    ("ssd512", dict(heads="ssd"), "27.189M", "90.3G", {"mbox_priorbox": (1, 2, 4 * 24564)},
     f"{OMZ}; boxes: Liu et al. 2015, arXiv:1512.02325, Table 7"),
    # the published caffemodel has its 12,689 scales merged into its weights: 5.783M
    ("mobilenet", dict(ssd=True), "5.796M", "1.1G",
     {"conv11": (1, 512, 19, 19), "conv17_2": (1, 128, 1, 1), "mbox_priorbox": (1, 2, 4 * 1917)},
     OMZ),
    ("segnet", dict(classes=19), "29.46M", None, {"pool5": (1, 512, 12, 15)},
     "Paszke et al. 2016, arXiv:1606.02147, Table 3"),
    ("pspnet", dict(), None, None, {"conv5_3": (1, 2048, 60, 60), "conv6_interp": (1, 150, 473, 473)},
     "hszhao/PSPNet: what its Interp layers enlarge to"),
    ("pspnet", dict(dataset="cityscapes"), None, None,
     {"conv5_3": (1, 2048, 90, 90), "conv6_interp": (1, 19, 713, 713)},
     "hszhao/PSPNet: what its Interp layers enlarge to"),
    ("resnet", dict(depth=18, style="torchvision"), 11689512, "1.814G", IMAGENET, TORCHVISION),
    ("resnet", dict(depth=34, style="torchvision"), 21797672, "3.664G", IMAGENET, TORCHVISION),
    ("resnet", dict(depth=50, style="torchvision"), 25557032, "4.089G", IMAGENET, TORCHVISION),
    ("resnet", dict(depth=101, style="torchvision"), 44549160, "7.801G", IMAGENET, TORCHVISION),
    ("resnet", dict(depth=152, style="torchvision"), 60192808, "11.514G", IMAGENET, TORCHVISION),
    ("plain", dict(depth=18), None, "1.8G", IMAGENET, HE),
    ("plain", dict(depth=34), None, "3.6G", IMAGENET, HE),
    ("preresnet", dict(depth=110, dataset="cifar10"), "1.7M", None,
     {"res2b17": (1, 16, 32, 32), "res4b17": (1, 64, 8, 8), "prob": (1, 10)}, WRN),
    ("preresnet", dict(depth=164, dataset="cifar10"), "1.7M", None,
     {"res2b17": (1, 64, 32, 32), "res4b17": (1, 256, 8, 8), "prob": (1, 10)}, WRN),
    ("preresnet", dict(depth=200), "64.7M", None, IMAGENET, WRN),
    ("highway", dict(depth=11, dataset="cifar10"), "236k", None, {"prob": (1, 10)}, SRIVASTAVA),
    ("highway", dict(depth=19, dataset="cifar10"), "2.3M", None,
     {"conv5": (1, 32, 32, 32), "conv11": (1, 80, 16, 16), "conv17": (1, 128, 8, 8),
      "conv18": (1, 100, 8, 8), "pool3": (1, 100, 1, 1), "prob": (1, 10)},
     f"{SRIVASTAVA}; shapes: sample.log of flukeskywalker/highway-networks"),
    ("highway", dict(depth=32, dataset="cifar10"), "1.25M", None, {"prob": (1, 10)}, SRIVASTAVA),
    ("wideresnet", dict(depth=40, widen=1), "0.6M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=40, widen=2), "2.2M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=40, widen=4), "8.9M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=40, widen=8), "35.7M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=28, widen=10), "36.5M", None,
     {"res2d": (1, 160, 32, 32), "res3d": (1, 320, 16, 16), "res4d": (1, 640, 8, 8)}, WRN),
    ("wideresnet", dict(depth=28, widen=12), "52.5M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=22, widen=8), "17.2M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=22, widen=10), "26.8M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=16, widen=8), "11.0M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=16, widen=10), "17.1M", None, {"prob": (1, 10)}, WRN),
    ("wideresnet", dict(depth=50, dataset="imagenet"), 68883240, "11.398G", IMAGENET, TORCHVISION),
    ("wideresnet", dict(depth=101, dataset="imagenet"), 126886696, "22.753G", IMAGENET, TORCHVISION),
    ("resnext", dict(depth=50), 25028904, "4.23G", IMAGENET, TORCHVISION),
    ("resnext", dict(depth=101), 88791336, "16.414G", IMAGENET, TORCHVISION),
    ("resnext", dict(depth=101, cardinality=64, path_width=4), 83455272, "15.46G", IMAGENET,
     TORCHVISION),
    ("resnext", dict(dataset="cifar10"), "34.4M", None,
     {"layer1_2": (1, 256, 32, 32), "layer2_2": (1, 512, 16, 16), "layer3_2": (1, 1024, 8, 8)}, XIE),
    ("resnext", dict(dataset="cifar10", cardinality=16), "68.1M", None, {"prob": (1, 10)}, XIE),
    ("senet", dict(depth=50), None, "3.87G",
     {"conv2_3": (1, 256, 56, 56), "conv5_3": (1, 2048, 7, 7), "prob": (1, 1000)}, HU),
]  # fmt: skip


def ids(rows):
    return [
        "-".join([row[0], *(f"{key}={value}" for key, value in row[1].items())]) for row in rows
    ]


def check_figure(found, published):
    """Equal, or less than a unit of the last digit away."""
    if isinstance(published, int):
        assert found == published
        return
    power = UNITS[published[-1]]
    figure = Decimal(published[:-1])
    unit = Decimal(1).scaleb(figure.as_tuple().exponent)
    assert abs(Decimal(found).scaleb(-power) - figure) < unit, f"{found} is not {published}"


@pytest.mark.parametrize(
    ("family", "options", "params", "macs", "shapes"),
    [row[:5] for row in FIGURES],
    ids=ids(FIGURES),
)
def test_published_figures(family, options, params, macs, shapes):
    net = caffegen.loads(architecture(family).build(**options))
    summary = summarize(net.graph)
    if params is not None:
        check_figure(summary.params, params)
    if macs is not None:
        check_figure(sum(row.macs for row in summary.rows if row.type in WITH_WEIGHTS), macs)
    assert {name: net.shapes[name] for name in shapes} == shapes


@pytest.mark.parametrize(
    ("found", "published", "is_it"),
    [
        (25_557_032, "25.5M", True),
        (25_557_032, "25.6M", True),
        (25_557_032, "25.7M", False),
        (25_557_032, "25M", True),
        (25_557_032, "27M", False),
        (25_557_032, 25_557_032, True),
        (25_557_032, 25_557_033, False),
        (2_293_000, "2293k", True),
        (2_292_000, "2293k", False),
        (15_470_264_320, "15.47G", True),
    ],
    ids=str,
)
def test_how_figures_are_compared(found, published, is_it):
    if is_it:
        check_figure(found, published)
    else:
        with pytest.raises(AssertionError):
            check_figure(found, published)
