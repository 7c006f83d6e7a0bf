"""Python text, broken into lines as ruff and black break it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["WIDTH", "Bracketed", "Repeated", "Text", "render"]

WIDTH = 88


class Text:
    """A piece that is never broken, and a comment that may stand behind it."""

    def __init__(self, flat: str, comment: str = "") -> None:
        self.flat = flat
        self.comment = comment

    @property
    def breaks(self) -> bool:
        """Whether it takes several lines whatever its length."""
        return False

    def lines(self, before: str, behind: str, indent: int) -> list[str]:
        """The lines, with text before the first and behind the last."""
        return [self.with_comment(" " * indent + before + self.flat + behind)]

    def with_comment(self, line: str) -> str:
        """A line with the comment, if there is room for it."""
        if self.comment and len(line) + 4 + len(self.comment) <= WIDTH:
            return f"{line}  # {self.comment}"
        return line


class Bracketed(Text):
    """A call, a signature or a list: a head, its parts, and what closes it."""

    def __init__(
        self,
        head: str,
        parts: Sequence[Text],
        tail: str = ")",
        *,
        tall: bool = False,
        comment: str = "",
    ) -> None:
        flat = head + ", ".join(part.flat for part in parts) + tail
        super().__init__(flat, comment)
        self.head = head
        self.parts = list(parts)
        self.tail = tail
        self.tall = tall

    @property
    def breaks(self) -> bool:
        """Whether it is tall, or a part of it is."""
        return self.tall or any(part.breaks for part in self.parts)

    def lines(self, before: str, behind: str, indent: int) -> list[str]:
        """One line if it fits, then the parts in one line, then each in its own."""
        space = " " * indent
        flat = space + before + self.flat + behind
        if not self.breaks and (len(flat) <= WIDTH or not self.parts):
            return [self.with_comment(flat)]
        found = [space + before + self.head]
        inner = " " * (indent + 4) + ", ".join(part.flat for part in self.parts)
        # the parts of a list or a dict never share a line of their own
        shared = not self.head.endswith(("[", "{"))
        if shared and not self.breaks and len(inner) <= WIDTH:
            found.append(inner)
        else:
            for part in self.parts:
                found.extend(part.lines("", ",", indent + 4))
        found.append(space + self.tail + behind)
        return found


class Repeated(Text):
    """A starred generator: `*(part for variable in range(count))`."""

    def __init__(self, part: Text, variable: str, count: int) -> None:
        self.part = part
        self.loop = f"for {variable} in range({count})"
        super().__init__(f"*({part.flat} {self.loop})")

    def lines(self, before: str, behind: str, indent: int) -> list[str]:
        """One line if it fits, else the part and the loop in their own."""
        space = " " * indent
        flat = space + before + self.flat + behind
        if len(flat) <= WIDTH:
            return [flat]
        inner = self.part.lines("", "", indent + 4)
        return [f"{space}{before}*(", *inner, f"{space}    {self.loop}", f"{space}){behind}"]


def render(before: str, piece: Text, behind: str = "", indent: int = 8) -> list[str]:
    """A statement that ends in a piece."""
    return piece.lines(before, behind, indent)
