"""The regular expression that takes a usual field of a prototxt in one step."""

from __future__ import annotations

import re

__all__ = ["CLOSE", "FIELD", "FLOAT", "INT", "OPEN", "OPEN_BARE", "STRING", "WORD"]

_W = r"[ \t\r\n\v\f]*"
_GAP = _W + r"(?:#[^\n]*(?:\n" + _W + r"|\Z))*"
# groups: 1 name, 2 string, 3 word, 4 integer, 5 float, 6 and 7 opening brace (after a colon, bare), 8 closing
FIELD = re.compile(
    _GAP + r"(?:([A-Za-z_][A-Za-z0-9_]*)" + _W + r"(?::" + _W + r"(?:"
    r'"([^"\\\n]*)"(?!' + _W + r"[\"'#])"
    r"|([A-Za-z_][A-Za-z0-9_]*)"
    r"|(-?(?:0|[1-9][0-9]{0,17})(?![0-9A-Za-z_.]))"
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)(?![0-9A-Za-z_.]))"
    r"|(\{)"
    r")|(?:(\{)))"
    r"|(\})"
    r") *[,;]?"
)
STRING, WORD, INT, FLOAT, OPEN, OPEN_BARE, CLOSE = 2, 3, 4, 5, 6, 7, 8
