"""The ends of a net that gives every pixel a class: images with label images, losses over pixels.

An LMDB holds one image an entry and one number beside it, so the label images stand in an LMDB of
their own, in the same order. Two layers draw their random crops and mirror images apart from each
other: neither is done here.
"""

from __future__ import annotations

from typing import Any

from caffegen.dsl import Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import Option, ZooError
from .dataset import data_options
from .published import Builder

__all__ = ["add_pixel_data", "add_pixel_losses", "pixel_options"]


def pixel_options(classes: int, input_size: int, ends: str) -> tuple[Option, ...]:
    """The options that every family has, with what differs where labels are images."""
    *most, data = data_options(classes, input_size, 1, ends)
    told = (
        "Where train_val reads: two LMDBs, of images and of label images, HDF5 files, or blobs that "
        "the caller fills."
    )
    return (*most, data._replace(help=told))


def add_pixel_data(builder: Builder, label_size: int) -> Feature:
    """Input in deploy; in train_val layers for both phases that give `data` and `label`.

    Labels are N x 1 x H x W, `label_size` pixels high and wide.
    """
    if builder.phase == "deploy" or builder.data_source == "hdf5":
        return builder.data()
    if builder.data_source == "imagedata":
        raise ZooError(
            "an ImageData layer gives an image one number, and here every pixel has one; use data "
            "`lmdb`, `hdf5` or `input`"
        )
    layers = _databases if builder.data_source == "lmdb" else _inputs
    layers(builder, label_size)
    return Feature(builder.net.data, builder.images.channels, builder.input_size)


def _databases(builder: Builder, _label_size: int) -> None:
    net, images = builder.net, builder.images
    phases = (
        ("TRAIN", images.train_source, builder.train_batch),
        ("TEST", images.test_source, builder.test_batch),
    )
    for phase, source, batch in phases:
        for top in ("data", "label"):
            fields: dict[str, Any] = {"include": {"phase": phase}, "batch_size": batch}
            if top == "data":
                fields |= {"source": source, "transform_param": images.transform}
            else:
                fields["source"] = f"{source.removesuffix('_lmdb')}_labels_lmdb"
            if phase == "TRAIN":
                net[top] = L.Data(backend="LMDB", **fields)
            else:
                # a second layer of the same name with the same top; nothing reads it as a Top
                net[f"test_{top}"] = L.Data(ntop=0, name=top, top=top, backend="LMDB", **fields)


def _inputs(builder: Builder, label_size: int) -> None:
    net, channels, size = builder.net, builder.images.channels, builder.input_size

    def shapes(batch: int) -> list[dict[str, list[int]]]:
        return [{"dim": [batch, channels, size, size]}, {"dim": [batch, 1, label_size, label_size]}]

    net.data, net.label = L.Input(
        ntop=2, include={"phase": "TRAIN"}, shape=shapes(builder.train_batch)
    )
    net.test_data = L.Input(
        ntop=0, name="data", top=["data", "label"], include={"phase": "TEST"},
        shape=shapes(builder.test_batch),
    )  # fmt: skip


def add_pixel_losses(builder: Builder, scores: Top, **loss: Any) -> None:
    """The loss over all pixels and, in TEST, the share of pixels whose class is right."""
    net = builder.net
    ignored = {key: value for key, value in loss.items() if key == "ignore_label"}
    net.loss = L.SoftmaxWithLoss(scores, net.label, loss_param=loss)
    net.accuracy = L.Accuracy(scores, net.label, include={"phase": "TEST"}, **ignored)
