"""A text from standard input, which a command reads where its file is called `-`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from caffegen.errors import FileError

if TYPE_CHECKING:
    from caffegen.text import Source

__all__ = ["read_standard_input"]


def read_standard_input() -> Source:
    """All of standard input; bytes that are no UTF-8 are kept as surrogate escapes.

    FileError where it is closed or can't be read.
    """
    from caffegen.text import Source

    if sys.stdin is None:  # closed by the shell, as in `caffegen check - <&-`
        raise FileError("<stdin>", "it can't be read: it is closed")
    try:
        data = sys.stdin.buffer.read()
    except OSError as error:
        from caffegen.errors import unreadable

        raise unreadable("<stdin>", error) from None
    return Source(data.decode("utf-8", "surrogateescape"), "<stdin>")
