"""The catalogue of flaws: one Markdown file per name, in `flaws/`.

A file begins with `# name`, then the severity and the title on a line of their own; it says what the
flaw means and why Caffe refuses or misbehaves, shows a prototxt with `# error: name` or
`# warning: name` on the guilty line, and the mend. Tests run every example.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Flaw", "flaw", "flaw_names", "flaw_title"]

_FOLDER = os.path.join(os.path.dirname(__file__), "flaws")


class Flaw(NamedTuple):
    """An entry: its name, `error` or `warning`, its title, and the whole page as Markdown."""

    name: str
    severity: str
    title: str
    page: str


def flaw_names() -> list[str]:
    """All names, sorted."""
    return sorted(entry[:-3] for entry in os.listdir(_FOLDER) if entry.endswith(".md"))


def flaw(name: str) -> Flaw | None:
    """The entry of a name; None when there is none."""
    if not name.replace("-", "").isalnum():
        return None
    try:
        with open(os.path.join(_FOLDER, f"{name}.md"), encoding="utf-8") as file:
            page = file.read()
    except OSError:
        return None
    lines = page.splitlines()
    severity, _, title = lines[2].partition(": ")
    return Flaw(name, severity, title, page)


def flaw_title(name: str) -> str:
    """The title of an entry, or the name in words."""
    found = flaw(name)
    return found.title if found else name.replace("-", " ")
