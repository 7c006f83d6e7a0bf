"""The errors of caffegen: one base class, one sentence each."""

from __future__ import annotations

import os

__all__ = ["CaffegenError", "FileError", "MissingExtra", "unreadable"]

# names out of a damaged or hostile file may hold anything; a sentence stays on its line
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


class CaffegenError(Exception):
    """Anything that caffegen itself refuses; its text is a sentence for the user."""


class FileError(CaffegenError):
    """A file that can't be read or written, or that is not what its name says."""

    def __init__(self, path: str | os.PathLike[str], sentence: str) -> None:
        self.path = os.fspath(path)
        self.sentence = sentence
        super().__init__(f"`{self.path}`: {sentence}".translate(_ESCAPED))


def unreadable(path: str | os.PathLike[str], error: OSError | ValueError) -> FileError:
    """The FileError for a file that the system does not give, with its reason; the caller raises it."""
    why = getattr(error, "strerror", None) or str(error)
    return FileError(path, f"it can't be read: {why[:1].lower()}{why[1:]}")


class MissingExtra(CaffegenError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'caffegen[{extra}]'")
