"""The options that say which net of a file is meant, and what it is given."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

__all__ = ["state_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

# what commands of one net, and of two, call the files
_NETS = ("prototxt", "first", "second")


def state_options(command: _Command) -> _Command:
    """--stage, --level and --input, which the command is given as `stage`, `level` and `inputs`.

    An --input for a blob that no caller and no data layer gives is refused before the command
    begins. Of a command for many nets, some may have the blob and others not: it looks for itself.
    """

    @functools.wraps(command)
    def with_known_inputs(**given: Any) -> Any:
        if given["inputs"] and not _has_many_nets(given):
            _refuse_other_blobs(given)
        return command(**given)

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
    decorated: Callable[..., Any] = with_known_inputs
    for option in reversed(options):
        decorated = option(decorated)
    return cast(_Command, decorated)


def _has_many_nets(given: dict[str, Any]) -> bool:
    """Whether a command takes files in any number, or writes into a folder."""
    output = given.get("output") or ""
    into_folder = output.endswith(("/", os.sep)) or os.path.isdir(output)
    return into_folder or not any(name in given for name in _NETS)


def _refuse_other_blobs(given: dict[str, Any]) -> None:
    """Refuse shapes for blobs that none of the nets takes a shape for."""
    from caffegen.cli.paths import parse_shapes
    from caffegen.diagnostics import UNKNOWN
    from caffegen.loader import examine, read_source
    from caffegen.schema.suggest import nearest

    shapes = parse_shapes(given["inputs"], "--input")
    nets = [
        examine(
            read_source(given[name]), phase=given.get("phase", "TEST"), stages=given["stage"],
            level=given["level"], given=shapes, dialect=given["dialect"],
        )
        for name in _NETS
        if name in given
    ]  # fmt: skip
    faults = [found for net in nets for found in net.report.errors if found.name not in UNKNOWN]
    if faults or not all(net.graph.nodes for net in nets):
        return  # the command says what is wrong with the net
    values = [(node, value) for net in nets for node in net.graph.nodes for value in node.outputs]
    given_first = dict.fromkeys(value.name for node, value in values if not node.inputs)
    for name, shape in shapes.items():
        # a layer's top takes the shape where the layer does not tell its own
        if name in given_first or any(v.name == name and v.shape == shape for _, v in values):
            continue
        near = nearest(name, given_first)
        hint = f"; did you mean `{near}`?" if near else ""
        if given_first and not near:
            hint = f"; it has {', '.join(f'`{known}`' for known in given_first)}"
        raise click.UsageError(f"--input: the net has no input or data blob `{name}`{hint}")
