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
from .dataset import DATA, DATASETS, PHASES, Images, add_data_layers

__all__ = ["ILSVRC12", "RATES", "Builder", "Images", "Norms", "filled"]

# the weights learn and decay; the biases learn twice as fast and do not decay
RATES = ({"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0})


# as AlexNet and CaffeNet read it; the others differ in size, batches and what they subtract
ILSVRC12 = DATASETS["imagenet"].images._replace(input_size=227)


def filled(weight: str, bias: float | None = None, **weight_fields: float) -> dict[str, Any]:
    """The fillers of a layer: `filled("gaussian", 0.1, std=0.01)`; without a bias, the weight's."""
    fillers: dict[str, Any] = {"weight_filler": {"type": weight, **weight_fields}}
    if bias is not None:
        fillers["bias_filler"] = {"type": "constant", "value": bias}
    return fillers


class Norms(NamedTuple):
    """What every BatchNorm and every Scale of a net has besides its bottom."""

    batch_norm: Mapping[str, Any]
    scale: Mapping[str, Any] = {}


class Builder:
    """A published net in the making: one method a kind of layer, each under the name it is given.

    `rates` are the learning rates of every layer with weights, `fillers` whether they are written.
    Unless `norms` says otherwise, BatchNorm has stored statistics in deploy and, to train, learning
    rates of 0, since a solver has nothing to learn there.
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
        data: str = "lmdb",
        norms: Norms | None = None,
    ) -> None:
        check_choice("phase", phase, PHASES)
        check_choice("data", data, DATA)
        self.net = NetSpec(name)
        self.images = images
        self.phase = phase
        self.data_source = data
        self.input_size = whole_number("input size", input_size, images.input_size)
        deploy = phase == "deploy"
        self.train_batch = whole_number("batch", batch, 1 if deploy else images.train_batch)
        self.test_batch = self.train_batch if deploy or batch else images.test_batch
        self.batch = max(self.train_batch, self.test_batch)
        self.rates = rates
        self.fillers = fillers
        fixed: dict[str, Any] = {"param": [{"lr_mult": 0}] * 3}
        self.norms = norms or Norms({"use_global_stats": True} if deploy else fixed)

    def data(self) -> Feature:
        """Input in deploy; in train_val one data layer a phase, which both give `data` and `label`."""
        check_blob(self.batch, self.images.channels, self.input_size)
        batches = self.train_batch, self.test_batch
        return add_data_layers(
            self.net, self.images, self.phase, self.data_source, batches, self.input_size
        )

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
        dilation: int = 1,
        group: int = 1,
        bias: bool = True,
        engine: str = "",
        top: str = "",
    ) -> Feature:
        """A convolution and, under the name `relu`, the ReLU in place behind it.

        Here and below, the blob is called as the layer is, unless `top` names it.
        """
        extent = dilation * (kernel_size - 1) + 1
        self._check_window(bottom, name, extent, pad)
        size = (bottom.size + 2 * pad - extent) // stride + 1
        check_blob(self.batch, num_output, size)
        check_blob(num_output, bottom.channels // group, kernel_size)
        if kernel_size > 1:
            # Caffe unrolls one image: a column for every window (base_conv_layer.cpp)
            check_blob(kernel_size**2, bottom.channels, size)
        fields: dict[str, Any] = {"num_output": num_output, "kernel_size": kernel_size}
        optional: dict[str, tuple[Any, Any]] = {
            "stride": (stride, 1), "pad": (pad, 0), "dilation": (dilation, 1), "group": (group, 1),
            "bias_term": (bias, True), "engine": (engine, ""),
        }  # fmt: skip
        fields |= {field: value for field, (value, usual) in optional.items() if value != usual}
        fields |= {**_named(name, top), **self._learning(fillers, bias)}
        made = self.net[top or name] = L.Convolution(bottom.top, **fields)
        return Feature(self.relu(made, relu) if relu else made, num_output, size)

    def deconvolution(
        self,
        bottom: Feature,
        name: str,
        num_output: int,
        kernel_size: int,
        stride: int,
        fillers: Mapping[str, Any],
        *,
        top: str = "",
        group: int = 1,
        bias: bool = True,
        fixed: bool = False,
    ) -> Feature:
        """A convolution run backwards, which makes its bottom larger; `fixed` weights don't learn."""
        size = (bottom.size - 1) * stride + kernel_size
        check_blob(self.batch, num_output, size)
        # the unrolled windows are those of the convolution that it is the reverse of
        check_blob(kernel_size**2, num_output, bottom.size)
        fields: dict[str, Any] = {
            "num_output": num_output, "kernel_size": kernel_size, "stride": stride,
        }  # fmt: skip
        if group > 1:
            fields["group"] = group
        if not bias:
            fields["bias_term"] = False
        layer = self._learning(fillers, bias)
        fields |= {field: layer.pop(field) for field in list(layer) if field != "param"}
        if fixed:
            layer["param"] = {"lr_mult": 0}
        layer |= _named(name, top)
        # the layer has a Convolution's parameters, not parameters of its own name
        made = self.net[top or name] = L.Deconvolution(
            bottom.top, convolution_param=fields, **layer
        )
        return Feature(made, num_output, size)

    def crop(
        self, bottom: Feature, like: Feature, name: str, offset: int, *, top: str = ""
    ) -> Feature:
        """The part of `bottom` from `offset` on, in height and width, that is as large as `like`."""
        if offset + like.size > bottom.size:
            raise ZooError(
                f"an input of {self.input_size}x{self.input_size} is too small: `{name}` cuts "
                f"{like.size}x{like.size} at {offset} out of {bottom.size}x{bottom.size}"
            )
        fields = {"offset": offset, **_named(name, top)}
        made = self.net[top or name] = L.Crop(bottom.top, like.top, **fields)
        return Feature(made, bottom.channels, like.size)

    def concat(self, name: str, *features: Feature, top: str = "") -> Feature:
        """The channels of several blobs of one size, one after the other."""
        channels = sum(feature.channels for feature in features)
        check_blob(self.batch, channels, features[0].size)
        tops = [feature.top for feature in features]
        made = self.net[top or name] = L.Concat(*tops, **_named(name, top))
        return Feature(made, channels, features[0].size)

    def add(self, name: str, first: Feature, second: Feature) -> Feature:
        """The sum of two blobs of one shape."""
        top = self.net[name] = L.Eltwise(first.top, second.top)
        return first._replace(top=top)

    def batch_norm(
        self, bottom: Feature, name: str, scale: str, *, relu: str = "", in_place: bool = True
    ) -> Feature:
        """BatchNorm, and Scale and perhaps ReLU in place; if not `in_place` it makes a new blob."""
        top = self.net[name] = L.BatchNorm(bottom.top, in_place=in_place, **self.norms.batch_norm)
        top = self.net[scale] = L.Scale(top, in_place=True, bias_term=True, **self.norms.scale)
        return bottom._replace(top=self.relu(top, relu) if relu else top)

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
        method: str = "MAX", top: str = "",
    ) -> Feature:  # fmt: skip
        """Pooling with Caffe's own rounding."""
        self._check_window(bottom, name, kernel_size, pad)
        size = pooled_size(bottom.size, kernel_size, stride, pad)
        fields = {"pool": method, "kernel_size": kernel_size, "stride": stride}
        if pad:
            fields["pad"] = pad
        made = self.net[top or name] = L.Pooling(bottom.top, **fields, **_named(name, top))
        return Feature(made, bottom.channels, size)

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

    def _learning(self, fillers: Mapping[str, Any], bias: bool = True) -> dict[str, Any]:
        learning = dict(fillers) if self.fillers else {}
        if not bias:
            learning.pop("bias_filler", None)
        if self.rates:
            learning["param"] = self.rates if bias else self.rates[:1]
        return learning

    def _check_window(self, bottom: Feature, name: str, kernel_size: int, pad: int) -> None:
        """Refuse a window that is larger than its blob: of a pooling Caffe takes it, OpenCV not."""
        if kernel_size > bottom.size + 2 * pad:
            raise ZooError(
                f"an input of {self.input_size}x{self.input_size} is too small for the "
                f"{kernel_size}x{kernel_size} windows of `{name}`"
            )


def _named(name: str, top: str) -> dict[str, str]:
    """The name of a layer, where its blob is called otherwise."""
    return {"name": name} if top else {}
