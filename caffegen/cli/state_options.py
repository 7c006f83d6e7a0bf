"""The options that say which net of a file is meant, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["state_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def state_options(command: _Command) -> _Command:
    """--stage, --level and --input, which the command is given as `stage`, `level` and `inputs`."""
    options = (
        click.option(
            "--stage", multiple=True, help="A stage of the net's state; may be repeated."
        ),
        click.option("--level", type=int, default=0, help="The level of the net's state."),
        click.option(
            "--input", "inputs", multiple=True, metavar="BLOB=1,3,224,224",
            help="The shape of an input or data blob; may be repeated.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
