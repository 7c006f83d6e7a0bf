"""Diagnostics as people and machines read them: one file per form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from caffegen.diagnostics.diagnostic import Diagnostic

__all__ = ["FORMATS", "render"]

FORMATS = ("text", "json", "github", "sarif")


def render(
    diagnostics: Sequence[Diagnostic], form: str, *, files: Sequence[str] = (), color: bool = False
) -> str:
    """The findings in one of FORMATS; `files` are all files that were looked at."""
    if form == "text":
        from .human import render_text

        return render_text(diagnostics, color=color)
    renderer: Callable[[Sequence[Diagnostic], Sequence[str]], str]
    if form == "json":
        from .machine import render_json as renderer
    elif form == "github":
        from .github import render_github as renderer
    elif form == "sarif":
        from .sarif import render_sarif as renderer
    else:
        raise ValueError(f"no format {form!r}; there are {', '.join(FORMATS)}")
    return renderer(diagnostics, files)
