"""A layer that uses another layer's parameters in a shape of its own (share_mode: PERMISSIVE)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["Reshared"]

Shape = tuple[int, ...]


class Reshared(nn.Module):
    """Runs a module on parameters that it shares with other layers, seen in its own shapes.

    The shared parameters are registered here in their owner's shape; the module keeps the others.
    """

    def __init__(self, inner: nn.Module, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.inner = inner
        self.blob_shapes = tuple(shapes)
        # path in the inner module -> attribute here, and the shape that the inner module wants
        self.views: dict[str, tuple[str, Shape]] = {}

    def share(self, path: str, shape: Shape, owner: nn.Parameter) -> str:
        """Use this parameter for a path of the inner module; the attribute that holds it here."""
        parent, _, attribute = path.rpartition(".")
        self.inner.get_submodule(parent).register_parameter(attribute, None)
        name = path.replace(".", "_")
        self.register_parameter(name, owner)
        self.views[path] = (name, shape)
        return name

    def forward(self, *bottoms: Tensor) -> Any:
        views = {
            path: getattr(self, name).view(shape) for path, (name, shape) in self.views.items()
        }
        return functional_call(self.inner, views, bottoms, strict=False)

    def to_caffe(self, tensors: list[Tensor]) -> list[Tensor]:
        """The blobs in this layer's shapes, with the owner's gradient seen in that shape."""
        return [
            _seen_as(tensor, shape) for tensor, shape in zip(tensors, self.blob_shapes, strict=True)
        ]

    def from_caffe(self, blobs: list[Tensor]) -> list[Tensor]:
        """The blobs as they are: the views are made when the layer runs."""
        return blobs


def _seen_as(tensor: Tensor, shape: Shape) -> Tensor:
    if tuple(tensor.shape) == shape:
        return tensor
    view = tensor.detach().view(shape)
    if tensor.grad is not None:
        view.grad = tensor.grad.view(shape)
    return view
