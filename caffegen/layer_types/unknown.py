"""The definition of what has none: a layer that is carried along as it was written."""

from __future__ import annotations

from caffegen.text import Message

from .base import Cost, Definition, Shape, count

__all__ = ["Unknown"]


class Unknown(Definition):
    """A layer of a type that caffegen does not know, with all of its text.

    It is shown, compared, upgraded and written like any other; nothing computes it, and `obstacle`
    says why.

    ## Shape
    Any bottoms and tops; the tops are known only where the caller gives their shapes.

    ## Blobs
    Not known. Those that a weight file holds for the layer are kept and written again.
    """

    known = False
    blobs_known = False
    bottoms = count(0, None)
    tops = count(0, None)

    def bind(self, param: Message) -> None:
        self.refused = True
        self.obstacle = f"caffegen does not know the layer type `{self.layer.type}`"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [None] * self.top_count

    def cost(self) -> Cost:
        return Cost()
