"""One module of a net under construction, and the layers that it stands for."""

from __future__ import annotations

from torch import nn

from caffegen.net import Node, Value

from .weights import Holder

__all__ = ["Unit"]


class Unit:
    """One layer, or a BatchNorm with the Scale behind it, as one module."""

    def __init__(
        self,
        nodes: list[Node],
        name: str,
        module: nn.Module,
        holders: list[Holder],
        flatten: int | None = None,
        inner: Value | None = None,
    ) -> None:
        self.nodes = nodes
        self.name = name
        self.module = module
        self.holders = holders
        self.flatten = flatten
        # the value between two layers that are one module
        self.inner = inner

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The bottoms of the first layer."""
        return tuple(value for value in self.nodes[0].inputs if value is not None)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The tops of the last layer."""
        return self.nodes[-1].outputs

    def settle(self) -> None:
        """Take over the module that the weights were given to."""
        if len(self.holders) == 1:
            self.module = self.holders[0].module
