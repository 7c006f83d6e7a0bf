"""What the nets that were published for Caffe are made of: layers under their published names.

Layers with weights have fillers and learning rates where the published file has them. Every size is
followed, so that an image too small for a window, or a blob too large for Caffe, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature, pooled_size

from .architecture import ZooError, check_blob, check_choice, whole_number
from .dataset import DATASETS, PHASES

__all__ = ["ILSVRC12", "RATES", "Builder", "Images", "filled"]

# the weights learn and decay; the biases learn twice as fast and do not decay
RATES = ({"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0})


class Images(NamedTuple):
    """The images of a net: classes, size, batches to train and to test with, and their LMDBs.

    `transform` is what both phases do with an image, besides cutting it to its size if `crop`.
    """

    classes: int
    input_size: int
    train_batch: int
    test_batch: int
    train_source: str
    test_source: str
    transform: Mapping[str, Any]
    crop: bool = True
    mirror: bool = True
    channels: int = 3
    layer: str = "data"


_IMAGENET = DATASETS["imagenet"]
# as AlexNet and CaffeNet read it; the others differ in size, batches and what they subtract
ILSVRC12 = Images(
    _IMAGENET.classes, 227, _IMAGENET.train_batch, _IMAGENET.test_batch,
    _IMAGENET.train_source, _IMAGENET.test_source, {"mean_file": _IMAGENET.mean_file},
)  # fmt: skip


def filled(weight: str, bias: float | None = None, **weight_fields: float) -> dict[str, Any]:
    """The fillers of a layer: `filled("gaussian", 0.1, std=0.01)`; without a bias, the weight's."""
    fillers: dict[str, Any] = {"weight_filler": {"type": weight, **weight_fields}}
    if bias is not None:
        fillers["bias_filler"] = {"type": "constant", "value": bias}
    return fillers


class Builder:
    """A published net in the making: one method a kind of layer, each under the name it is given.

    `rates` are the learning rates of every layer with weights, `fillers` whether they are written.
    """

    def __init__(
        self,
        name: str,
        phase: str,
        images: Images,
        batch: int | None,
        input_size: int | None,
        *,
        rates: tuple[Mapping[str, float], ...] = (),
        fillers: bool = True,
    ) -> None:
        check_choice("phase", phase, PHASES)
        self.net = NetSpec(name)
        self.images = images
        self.phase = phase
        self.input_size = whole_number("input size", input_size, images.input_size)
        deploy = phase == "deploy"
        self.train_batch = whole_number("batch", batch, 1 if deploy else images.train_batch)
        self.test_batch = self.train_batch if deploy or batch else images.test_batch
        self.batch = max(self.train_batch, self.test_batch)
        self.rates = rates
        self.fillers = fillers

    def data(self) -> Feature:
        """Input in deploy; in train_val one Data layer a phase, which both give `data` and `label`."""
        net, images, size = self.net, self.images, self.input_size
        check_blob(self.batch, images.channels, size)
        if self.phase == "deploy":
            net.data = L.Input(shape={"dim": [self.batch, images.channels, size, size]})
            return Feature(net.data, images.channels, size)
        transform = {**images.transform, **({"crop_size": size} if images.crop else {})}
        net.data, net.label = L.Data(
            ntop=2,
            name=images.layer,
            include={"phase": "TRAIN"},
            transform_param={**transform, **({"mirror": True} if images.mirror else {})},
            source=images.train_source,
            batch_size=self.train_batch,
            backend="LMDB",
        )
        # a second layer of the same name with the same tops; nothing reads it as a Top
        net.test_data = L.Data(
            ntop=0,
            name=images.layer,
            top=["data", "label"],
            include={"phase": "TEST"},
            transform_param=transform,
            source=images.test_source,
            batch_size=self.test_batch,
            backend="LMDB",
        )
        return Feature(net.data, images.channels, size)

    def convolution(
        self,
        bottom: Feature,
        name: str,
        num_output: int,
        kernel_size: int,
        fillers: Mapping[str, Any],
        *,
        relu: str = "",
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
    ) -> Feature:
        """A convolution and, under the name `relu`, the ReLU in place behind it."""
        self._check_window(bottom, name, kernel_size, pad)
        size = (bottom.size + 2 * pad - kernel_size) // stride + 1
        check_blob(self.batch, num_output, size)
        check_blob(num_output, bottom.channels // group, kernel_size)
        if kernel_size > 1:
            # Caffe unrolls one image: a column for every window (base_conv_layer.cpp)
            check_blob(kernel_size**2, bottom.channels, size)
        fields = {"num_output": num_output, "kernel_size": kernel_size}
        optional = {"stride": (stride, 1), "pad": (pad, 0), "group": (group, 1)}
        fields |= {field: value for field, (value, usual) in optional.items() if value != usual}
        top = self.net[name] = L.Convolution(bottom.top, **fields, **self._learning(fillers))
        return Feature(self.relu(top, relu) if relu else top, num_output, size)

    def inner_product(
        self, bottom: Feature, name: str, num_output: int, fillers: Mapping[str, Any]
    ) -> Feature:
        """A fully connected layer."""
        check_blob(num_output, bottom.channels, bottom.size)
        check_blob(self.batch, num_output, 1)
        top = self.net[name] = L.InnerProduct(
            bottom.top, num_output=num_output, **self._learning(fillers)
        )
        return Feature(top, num_output, 1)

    def pool(
        self, bottom: Feature, name: str, kernel_size: int, stride: int, *, pad: int = 0,
        method: str = "MAX",
    ) -> Feature:  # fmt: skip
        """Pooling with Caffe's own rounding."""
        self._check_window(bottom, name, kernel_size, pad)
        size = pooled_size(bottom.size, kernel_size, stride, pad)
        fields = {"pool": method, "kernel_size": kernel_size, "stride": stride}
        if pad:
            fields["pad"] = pad
        top = self.net[name] = L.Pooling(bottom.top, **fields)
        return Feature(top, bottom.channels, size)

    def global_pool(self, bottom: Feature, name: str, window: int = 0) -> Feature:
        """The average of every channel: a window as published, if it is the whole blob."""
        whole: dict[str, Any] = {"kernel_size": window, "stride": 1}
        if bottom.size != window:
            whole = {"global_pooling": True}
        top = self.net[name] = L.Pooling(bottom.top, pool="AVE", **whole)
        return Feature(top, bottom.channels, 1)

    def normalize(self, bottom: Feature, name: str) -> Feature:
        """Local response normalisation over five channels, with the figures that all papers use."""
        top = self.net[name] = L.LRN(bottom.top, local_size=5, alpha=1e-4, beta=0.75)
        return bottom._replace(top=top)

    def relu(self, top: Top, name: str) -> Top:
        """A ReLU in place."""
        relu: Top = L.ReLU(top, in_place=True)
        self.net[name] = relu
        return relu

    def dropout(self, bottom: Feature, name: str, ratio: float) -> Feature:
        """Dropout in place."""
        top = self.net[name] = L.Dropout(bottom.top, in_place=True, dropout_ratio=ratio)
        return bottom._replace(top=top)

    def accuracy(self, scores: Top, name: str, top_k: int = 1, *, test_only: bool = True) -> None:
        """The share of images whose label is among the `top_k` best scores."""
        fields: dict[str, Any] = {"include": {"phase": "TEST"}} if test_only else {}
        if top_k > 1:
            fields["top_k"] = top_k
        self.net[name] = L.Accuracy(scores, self.net.label, **fields)

    def accuracy_and_loss(self, scores: Top) -> None:
        """What BVLC's own nets end in: Softmax, or in train_val `accuracy` and `loss`."""
        if self.phase == "deploy":
            self.net.prob = L.Softmax(scores)
            return
        self.accuracy(scores, "accuracy")
        self.net.loss = L.SoftmaxWithLoss(scores, self.net.label)

    def _learning(self, fillers: Mapping[str, Any]) -> dict[str, Any]:
        learning = dict(fillers) if self.fillers else {}
        if self.rates:
            learning["param"] = self.rates
        return learning

    def _check_window(self, bottom: Feature, name: str, kernel_size: int, pad: int) -> None:
        """Refuse a window that is larger than its blob: of a pooling Caffe takes it, OpenCV not."""
        if kernel_size > bottom.size + 2 * pad:
            raise ZooError(
                f"an input of {self.input_size}x{self.input_size} is too small for the "
                f"{kernel_size}x{kernel_size} windows of `{name}`"
            )
