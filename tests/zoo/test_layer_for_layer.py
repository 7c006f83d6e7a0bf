# ruff: noqa: C408 - options are keywords
"""Nets that others published for Caffe, layer for layer: MobileNet to SSD.

The digests are those of the published files, read by `listing` without their data layers; what else
was left out of a file, or put in its place, stands beside its row.
"""

from __future__ import annotations

import hashlib

import pytest

import caffegen
from caffegen.zoo import architecture
from tests.zoo.test_published import ids, listing

TRAINING = ("Data", "SoftmaxWithLoss", "Accuracy")


def is_pool1(layer):
    """The first pooling of DenseNet: the published files have a field `ceil_mode` of a fork."""
    return layer.name.startswith("pool1")


PUBLISHED = [
    # shicai/MobileNet-Caffe; a filler of 1, which a Scale has anyway, was taken out of version 1
    ("mobilenet", dict(), 111,
     "b06785d19d838414ecece90564bb0af6f529ecb83415958b5afafc799acb1f2d"),
    ("mobilenet", dict(version="2"), 208,
     "ef2d7ee71b98ed3ae800cbc338d6c680bb2723b37658a11dad893b617f6a8f86"),
    # shicai/DenseNet-Caffe, without pool1; `prob` is ours
    ("densenet", dict(depth=121), 546,
     "57b55c0354f670e265dd5779b946980bc8f0d99e3bfec6101f31dda69b6ab14c"),
    ("densenet", dict(depth=161), 726,
     "5b9795b65b0e8b7559a9017c4010028126265c894d177dbd1507135234243ffb"),
    ("densenet", dict(depth=169), 762,
     "7867c0c670800da864071f42b6939eed71060d9c10cf31b7439d15780e890635"),
    ("densenet", dict(depth=201), 906,
     "ca3abbffa6caf27ae23ddffb75f2209eb88c90f96771dee37f795296b151f3df"),
    # farmingyard/ShuffleNet; its ConvolutionDepthwise read as a Convolution with `group`, without
    # the fillers of 1 and the learning rates of fc1000
    ("shufflenet", dict(version="2", shuffle="fork", phase="train_val"), 253,
     "14f25df6c6435028ec106d2ab77acc1bd3b5b25fb7b1dd199a2e6a0a734ac4bd"),
    # shelhamer/fcn.berkeleyvision.org: the deploy of 8s, the others' train without its dropout
    ("fcn", dict(variant="8s", upsampling="published"), 46,
     "9f2275b9589deaf846581bfe84b505650a939d39e032bfc4d144e9e98dcc9c30"),
    ("fcn", dict(variant="32s", upsampling="published"), 38,
     "93021a96b32bb90d07bc6efd7e01d6758d548545df302424d6136ca13d2cd640"),
    ("fcn", dict(variant="16s", upsampling="published"), 42,
     "bd3bacb0b217eba3ff65657feccd75195c175456cc7e0d472c6dfb873cbfd3d8"),
    ("fcn", dict(variant="8s-atonce", upsampling="published"), 48,
     "78048278e68ee01f12c6a6ec6bdde7737f158c3bfc653d2b326291f37cb2e172"),
    # hszhao/PSPNet; of 50 a `decay_mult` of what does not learn was put as all others have it
    ("pspnet", dict(), 205,
     "66218ff0b257e642aee072376cfa02c90035c4cc1150f6d6a94428143d411903"),
    ("pspnet", dict(dataset="voc2012"), 375,
     "8c86f73cdf3f1dd688971a7f952392a5aa1456ef1a1021b075e1b4d4bae4bfc9"),
    ("pspnet", dict(dataset="cityscapes"), 375,
     "6776146d2a92c2f84bb23fdac96433a1bd1bcc11e7cbe99e93045455127737ca"),
    # alexgkendall/SegNet-Tutorial, without its data and `prob`, whose engine is not ours
    ("segnet", dict(), 86,
     "59bbe62bacd05329e2679efc4f427a5a354b50c96ef0eec2d01f4d37a3ad149c"),
    ("segnet", dict(variant="basic"), 30,
     "941459e821bd6c76b6dc4559d8724239750bf474e067ba0fe202fcc44fc8857f"),
    # chuanqi305/MobileNet-SSD, its deploy.prototxt
    ("mobilenet", dict(ssd=True), 189,
     "1bc73b3f33073aeab44403a47bb7e36f0f4dce96bc36849219ecfbca9c2a309e"),
    # Intel's copy of the SSD300 for VOC, without DetectionEvaluate and a dilation of 1
    ("ssd300", dict(heads="ssd"), 101,
     "0c775115143edc47ac710a35849efd6f0c99450f6e5c96b3d0d0e2d80a64c89e"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "count", "digest"), PUBLISHED, ids=ids(PUBLISHED))
def test_it_is_the_published_net_layer_for_layer(name, options, count, digest):
    dropped = ("Input", *(TRAINING if options.get("phase") else ()))
    net = architecture(name).build(**options).to_message()
    layers = [x for x in net.layer if x.type not in dropped]
    if name == "densenet":
        layers = [x for x in layers if not is_pool1(x)]
    if name in ("densenet", "segnet"):
        layers = [x for x in layers if x.name != "prob"]
    lines = [listing(layer) for layer in layers]
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


# a public copy of the authors' train.prototxt, its data layer and dilations of 1 left out
def test_ssd300_learns_as_published():
    spec = architecture("ssd300").build(heads="ssd", phase="train_val")
    net = caffegen.loads(spec.to_prototxt(), phase="TRAIN").message
    lines = [listing(layer) for layer in net.layer if layer.type != "AnnotatedData"]
    assert len(lines) == 98
    digest = "6bdfc02f572c596e8e81c8a22a6eca0acda304281f28d72c5da411ab30504fc4"
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest
