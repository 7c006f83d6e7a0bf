"""The templates: Jinja2 files in `templates/`, beside the package in a checkout, inside it when installed."""

from __future__ import annotations

import os
from typing import Any

from caffegen.errors import CaffegenError

__all__ = ["render_template", "template_folder"]

_HERE = os.path.dirname(os.path.abspath(__file__))


def template_folder() -> str:
    """Where the templates lie."""
    for folder in (
        os.path.join(_HERE, "templates"),
        os.path.join(os.path.dirname(_HERE), "templates"),
    ):
        if os.path.isfile(os.path.join(folder, "verify_report.html")):
            return folder
    raise CaffegenError("caffegen's templates are missing from its installation; install it anew")


def render_template(name: str, **values: Any) -> str:
    """A template filled with values; in HTML every value is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_folder(), encoding="utf-8"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
