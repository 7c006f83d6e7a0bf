"""The nets of the experiment, from the zoo: `resnet-56` is `caffegen resnet --depth 56` for CIFAR-10."""

from __future__ import annotations

import caffegen
from caffegen.text import Message
from caffegen.zoo import FAMILIES, ZooError, architecture
from caffegen.zoo.recipe import TrainingRecipe

from .images import Images

__all__ = ["NETS", "net_to_deploy", "net_to_train", "recipe_of"]

NETS = ("plain-20", "plain-56", "resnet-20", "resnet-56", "highway-32")


def net_to_train(name: str, images: Images, batch: int, iterations: int) -> caffegen.Net:
    """The net with data layers to fill, fillers and a loss, in TRAIN.

    BatchNorm's moving averages reach over the same part of the way as in the paper: a thousand
    iterations of 64,000 (`moving_average_fraction` 0.999), of fewer as many fewer.
    """
    message = _build(name, images, batch, phase="train_val", data="input")
    reach = 0.001 * recipe_of(name).max_iter / iterations
    for layer in message.layer:
        if layer.type == "BatchNorm":
            param = layer.batch_norm_param
            if not layer.has("batch_norm_param"):
                param = layer.add("batch_norm_param")
            param.set("moving_average_fraction", max(0.0, 1 - reach))
    return caffegen.loads(message, phase="TRAIN")


def net_to_deploy(name: str, images: Images) -> Message:
    """The same net with an input and a softmax."""
    return _build(name, images, 1, phase="deploy")


def recipe_of(name: str) -> TrainingRecipe:
    """How the net's paper trained it on CIFAR-10."""
    return architecture(_split(name)[0]).recipes["cifar10"]


def _build(name: str, images: Images, batch: int, **options: str) -> Message:
    family, depth = _split(name)
    build = architecture(family).build
    spec = build(
        depth, dataset="cifar10", classes=images.classes, input_size=images.size, batch=batch,
        **options,
    )  # fmt: skip
    return spec.to_message()


def _split(name: str) -> tuple[str, int]:
    family, _, depth = name.rpartition("-")
    if family not in FAMILIES or not depth.isdigit():
        raise ZooError(f"`{name}` names no net; write a family and a depth, as in `resnet-20`")
    if "cifar10" not in architecture(family).depths:
        raise ZooError(f"the zoo has no `{family}` for CIFAR-10")
    return family, int(depth)
