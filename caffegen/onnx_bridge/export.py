"""Saving a net as ONNX, with its weights inside, beside it, or left where they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from onnx import ModelProto

from caffegen.collection import collection_paused
from caffegen.errors import CaffegenError
from caffegen.loader import Net
from caffegen.weights import Progress

from .storage import STORAGES, with_data
from .write.model import write_model

__all__ = ["save", "to_model"]

Storage = Literal["embed", "external", "link"]


def save(
    net: Net,
    path: str | os.PathLike[str],
    *,
    opset: int | None = None,
    dynamic_batch: bool = False,
    dynamic_size: bool = False,
    fold: bool = False,
    outputs: Iterable[str] | None = None,
    weights: Storage = "embed",
    progress: Progress | None = None,
) -> list[str]:
    """Write the net as an ONNX model that gives Caffe's outputs; the file appears whole or not.

    `weights`: `embed` puts them into the file (under 2 GB), `external` into `<path>.data` beside
    it, `link` leaves them in the .caffemodel, which must lie in the folder of the model or below.
    `opset` is 13 to 26, by default 17. `dynamic_batch` and `dynamic_size` leave the first axis of
    the inputs, and the height and width of images, to the caller. `fold` merges BatchNorm, Scale
    and Bias into the convolution or product before them. `outputs` names the blobs to give; the
    layers that they do not need are left out. Returns the files written; raises Refusal for a layer
    that ONNX can't say.
    """
    store = STORAGES.get(weights)
    if store is None:
        raise CaffegenError(f"`weights` is `{weights}`; it takes {', '.join(STORAGES)}")
    with collection_paused():
        model = write_model(
            net,
            opset=opset,
            dynamic_batch=dynamic_batch,
            dynamic_size=dynamic_size,
            fold=fold,
            outputs=outputs,
        )
        return store(os.fspath(path), model, progress or _silent)


def to_model(
    net: Net,
    *,
    opset: int | None = None,
    dynamic_batch: bool = False,
    dynamic_size: bool = False,
    fold: bool = False,
    outputs: Iterable[str] | None = None,
) -> ModelProto:
    """The net as an onnx.ModelProto in memory, weights and all; the options are those of `save`."""
    return with_data(
        write_model(
            net,
            opset=opset,
            dynamic_batch=dynamic_batch,
            dynamic_size=dynamic_size,
            fold=fold,
            outputs=outputs,
        )
    )


def _silent(_: int) -> None:
    """Report progress to nobody."""
