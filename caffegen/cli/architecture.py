"""`caffegen resnet` and its kind: a family of the zoo as a command."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any

import click

from caffegen.zoo.architecture import (
    FAMILIES,
    Architecture,
    Option,
    ZooError,
    architecture,
    command_line,
    dataset_of,
    recipe_of,
)
from caffegen.zoo.dataset import DATA_NOTES

from .output import refuse_input, write_text

__all__ = ["architecture_command", "family_command"]

_MOST_DIGITS = 19


def number(text: str) -> int:
    """A number of layers, classes, pixels or images; the builder knows which of them exist."""
    if not re.fullmatch("-?[0-9]+", text):
        raise click.BadParameter(f"`{text}` is no whole number")
    if len(text) > _MOST_DIGITS:
        raise click.BadParameter(f"`{text}` is a number too large for a net")
    return int(text)


@cache
def architecture_command(name: str) -> click.Command:
    """The command of a family, with the options that the family declares.

    The family of another package that can't be loaded has a command as well, which says why.
    """
    try:
        family = architecture(name)
    except ZooError as error:
        if name in FAMILIES:
            raise
        return _broken(name, error)
    return family_command(family)


def family_command(family: Architecture, table: str | None = None) -> click.Command:
    """The command of a family; its name, which may be two words, stands in the comment.

    `table` is the file that describes it, which is not written over.
    """

    def write(output: str | None, solver: str | None, **values: Any) -> None:
        refuse_input(output, table)
        refuse_input(solver, table)
        if solver is not None:
            _check_solver(solver, output, values.get("phase"))
        text, trained = _net(family, values, solver is not None and str(output))
        write_text(text, output)
        if trained:
            write_text(trained, solver)

    params: list[click.Parameter] = [_click_option(option) for option in family.options]
    params.append(
        click.Option(
            ["-o", "--output"], metavar="FILE", help="Write to this file, whole or not at all."
        )
    )
    params.append(
        click.Option(
            ["--solver"], metavar="FILE",
            help="With --phase train_val and -o: write the solver, too, by the paper's recipe. It "
                 "names the net as -o does: start Caffe in this folder.",
        )
    )  # fmt: skip
    return click.Command(
        family.name,
        callback=write,
        params=params,
        help=f"{family.title}: write the prototxt of one.\n\n{_depths(family)}",
        short_help=f"{family.title}: write the prototxt of one.",
        epilog=family.paper,
    )


def _net(family: Architecture, values: dict[str, Any], path: str | bool) -> tuple[str, str]:
    """The prototxt of a network and, if it is trained from a path, that of its solver."""
    from caffegen.collection import collection_paused
    from caffegen.text import print_message

    with collection_paused():
        net = family.build(**values).to_message()
        command = command_line(family, values)
        note = DATA_NOTES.get(values.get("data", ""), "")
        text = f"# {command}\n{note}{print_message(net)}"
    if not isinstance(path, str):
        return text, ""
    from caffegen.zoo.recipe import solver_text

    recipe = recipe_of(family, values)
    depth = values.get("depth")
    if depth is None:
        depth = family.depths[dataset_of(family, values)].usual
    return text, solver_text(recipe, net, path, command, depth)


def _check_solver(solver: str, output: str | None, phase: str | None) -> None:
    """Refuse a solver for a net that does not learn, or that is not in a file."""
    if phase != "train_val":
        raise click.UsageError(
            "--solver needs --phase train_val: a net to deploy has no loss to learn from"
        )
    if output is None or output == "-":
        raise click.UsageError("--solver needs -o FILE: the solver names the file of the net")
    if os.path.realpath(solver) == os.path.realpath(output):
        raise click.UsageError(f"--solver and -o both name `{output}`; the solver is a file beside")


def _broken(name: str, error: ZooError) -> click.Command:
    def refuse() -> None:
        raise error

    return click.Command(
        name, callback=refuse, short_help=str(error),
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )  # fmt: skip


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
