"""The options that say which Caffe a file is for, and what it has beyond all that caffegen knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

__all__ = [
    "add_schemas",
    "dialect_option",
    "own_plugins",
    "own_protos",
    "own_schema_options",
    "schema_options",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

# as caffegen.schema.dialects has them, which a command does not import to print its help
DIALECTS = (
    "bvlc", "ssd", "fast-rcnn", "segnet", "pspnet", "yjxiong", "intel", "nvidia",
    "mobilenet-yolo", "happynear", "opencl",
)  # fmt: skip


def schema_options(command: _Command) -> _Command:
    """--dialect, which the command is given, and --proto and --plugin, which are done before it."""
    return dialect_option(own_schema_options(command))


def dialect_option(command: _Command) -> _Command:
    """--dialect: the Caffe that the file is for."""
    option = click.option(
        "--dialect", type=click.Choice(DIALECTS), metavar="NAME",
        callback=lambda _ctx, _param, name: name or "",
        help=f"The Caffe that the file is for: {', '.join(DIALECTS)} (its own fields tell).",
    )  # fmt: skip
    return option(command)


def own_schema_options(command: _Command) -> _Command:
    """--proto and --plugin, whose files are taken in before the command begins."""
    proto = click.option(
        "--proto", multiple=True, metavar="FILE", expose_value=False, is_eager=True,
        callback=lambda _ctx, _param, paths: add_schemas(paths, ()),
        help="A caffe.proto of your own; its fields and defaults count as well.",
    )  # fmt: skip
    plugin = click.option(
        "--plugin", multiple=True, metavar="FILE.py", expose_value=False, is_eager=True,
        callback=lambda _ctx, _param, paths: add_schemas((), paths),
        help="A Python file that defines layer types of your own (docs/plugins.md).",
    )  # fmt: skip
    return proto(plugin(command))


def own_protos() -> tuple[str, ...]:
    """The schemas that this process took in."""
    from caffegen.schema.additions import own_schemas

    return tuple(own_schemas)


def own_plugins() -> tuple[str, ...]:
    """The plug-in files that this process took in."""
    from caffegen.plugins import loaded_files

    return loaded_files()


def add_schemas(protos: Iterable[str], plugins: Iterable[str]) -> None:
    """Take in schemas and plug-ins, each once in a process."""
    from caffegen.schema.additions import own_schemas

    for path in protos:
        if path not in own_schemas:
            from caffegen.schema.own_proto import add_proto

            add_proto(path)
    for path in plugins:
        from caffegen.plugins import load_plugin

        load_plugin(path)
