"""Writes diagnostics.md from the catalogue: `python docs/generate_diagnostics.py`."""

from __future__ import annotations

import os

from caffegen.diagnostics.catalogue import flaw, flaw_names

_TARGET = os.path.join(os.path.dirname(__file__), "diagnostics.md")
_HEAD = """\
<!-- written by docs/generate_diagnostics.py; edit caffegen/diagnostics/flaws/ instead -->
# What `caffegen check` finds

Every finding has a name, which names the flaw. `caffegen explain NAME` shows its page in the terminal. An
error is what Caffe refuses, or stops on when it runs, or what can't mean what it says; a warning is what
Caffe takes and what still hurts.

To say that a finding is meant, write a comment on its line, or on a line of its own before it:

```prototxt
layer {
  name: "bn"
  type: "BatchNorm"  # caffegen: ignore[batch-norm-without-scale]
}
```

Without brackets the comment takes in every finding of the line; `# caffegen: ignore-file[NAME]` takes in the
whole file, `ignore = ["NAME"]` under `[tool.caffegen]` in pyproject.toml the whole project. Findings that are
"optional" are shown with `--pedantic`.

"""


def page() -> str:
    """The whole text: a table of all findings, then the page of each."""
    entries = [entry for name in flaw_names() if (entry := flaw(name))]
    rows = (f"| [{e.name}](#{e.name}) | {e.severity} | {e.title} |" for e in entries)
    table = "\n".join(("| name | severity | what it is |", "|---|---|---|", *rows))
    pages = "\n".join(_lowered(entry.page) for entry in entries)
    return f"{_HEAD}{table}\n\n{pages}"


def _lowered(text: str) -> str:
    """A page with its headings one level lower; prototxt comments are none."""
    lines = []
    code = False
    for line in text.splitlines():
        code ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not code else line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with open(_TARGET, "w", encoding="utf-8", newline="\n") as file:
        file.write(page())
