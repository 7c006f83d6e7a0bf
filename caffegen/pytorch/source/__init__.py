"""A net as PyTorch source that a person would have written.

built module -> items (extract) -> forks as blocks (regions) -> repeated rows (patterns) ->
classes with arguments (classes, parameters) -> attributes (layout) -> lines (code, forward) ->
file (file, describe), checked against the net (check).
"""

from .file import Source, write_source

__all__ = ["Source", "write_source"]
