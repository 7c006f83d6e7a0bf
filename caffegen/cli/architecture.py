"""`caffegen resnet` and its kind: a family of the zoo as a command."""

from __future__ import annotations

from functools import cache
from typing import Any

import click

from caffegen.zoo.architecture import Architecture, Option, architecture, command_line

from .output import write_text

__all__ = ["architecture_command"]


def number(text: str) -> int:
    """A number of layers, classes, pixels or images; the builder knows which of them exist."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise click.BadParameter(f"`{text}` is no whole number")


@cache
def architecture_command(name: str) -> click.Command:
    """The command of a family, with the options that the family declares."""
    family = architecture(name)

    def write(output: str | None, **values: Any) -> None:
        spec = family.build(**values)
        header = f"# {command_line(family, values)}\n"
        write_text(header + spec.to_prototxt(), output)

    params: list[click.Parameter] = [_click_option(option) for option in family.options]
    params.append(
        click.Option(
            ["-o", "--output"], metavar="FILE", help="Write to this file, whole or not at all."
        )
    )
    return click.Command(
        name,
        callback=write,
        params=params,
        help=f"{family.title}: write the prototxt of one.\n\n{_depths(family)}",
        short_help=f"{family.title}: write the prototxt of one.",
        epilog=family.paper,
    )


def _click_option(option: Option) -> click.Option:
    if option.default is False:
        return click.Option([option.flag], is_flag=True, help=option.help)
    return click.Option(
        [option.flag],
        type=click.Choice(option.choices) if option.choices else number,
        default=option.default,
        show_default=option.default is not None,
        help=option.help,
    )


def _depths(family: Architecture) -> str:
    lines = [f"{dataset}: {depths}" for dataset, depths in family.depths.items()]
    return "\b\nDepths\n" + "\n".join(f"  {line}" for line in lines)
