"""`caffegen emit`: the prototxt of a net that a Python function or a table in TOML describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

__all__ = ["command"]


@click.command("emit", context_settings={"allow_interspersed_args": False})
@click.option("-o", "--output", metavar="FILE", help="Write to this file, whole or not at all.")
@click.argument("target", metavar="FILE.py:FUNCTION|FILE.toml")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, output: str | None, target: str, options: tuple[str, ...]) -> None:
    """Write the prototxt of a net of your own.

    A Python function returns a NetSpec, and its parameters are options, typed by their annotations
    or defaults: `caffegen emit mynet.py:mynet --depth 50`. The file is run, as Python would run it.
    A table in TOML has the words of residual nets: stem, stages, block, shortcut, head. What
    is wrong is said with the file and the line. `caffegen emit FILE --help` lists the options.

    \b
    A table:
      dataset = "cifar10"     # or imagenet, cifar100; classes, input_size,
      shortcut = "A"          #   channels, batch, block and expansion may
      [stem]                  #   stand here, too
      kind = "3x3"            # or "7x7"
      width = 16
      [[stages]]              # one for each stage
      block = "basic"         # bottleneck, plain, preactivation,
      count = 9               #   preactivation-bottleneck
      width = 16
      stride = 1
      [head]
      pool = "average"        # or "max"; dropout = 0.5
    """  # noqa: D301 - click's mark for lines that stay as they are
    if target.endswith(".toml"):
        from caffegen.cli.architecture import family_command
        from caffegen.zoo.table import read_table

        inner = family_command(read_table(target), target)
    else:
        inner = _function_command(*_split(target))
    given = [*options, *(["-o", output] if output is not None else [])]
    with inner.make_context(f"emit {target}", given, parent=ctx.parent) as within:
        inner.invoke(within)


def _split(target: str) -> tuple[str, str]:
    """The file and the function; the colon behind a drive's letter is part of the file."""
    path, colon, name = target.rpartition(":")
    if colon and path.endswith(".py"):
        if not name.isidentifier():
            raise click.UsageError(f"`{name}` is no name of a function, as in {path}:net")
        return path, name
    if not target.endswith(".py"):
        raise click.UsageError(
            f"`{target}` is neither a function, as in mynet.py:mynet, nor a table, as in table.toml"
        )
    return target, ""


def _function_command(path: str, name: str) -> click.Command:
    """The command of a user's function, or of a net that the file has made already."""
    from inspect import cleandoc

    from caffegen.cli.user_function import call, load_object, options_of

    file, name, value = load_object(path, name)
    params: Sequence[click.Option] = options_of(file, value) if callable(value) else ()

    def write(output: str | None, **values: Any) -> None:
        from caffegen.cli.output import refuse_input, write_text
        from caffegen.collection import collection_paused
        from caffegen.text import print_message

        refuse_input(output, path)
        with collection_paused():
            net = call(file, name, value, values)
            header = f"# caffegen emit {path}:{name}{_words(params, values)}\n"
            text = header + print_message(net)
        write_text(text, output)

    return click.Command(
        name,
        callback=write,
        params=[
            *params,
            click.Option(["-o", "--output"], metavar="FILE", help="Write to this file."),
        ],
        help=_kept(cleandoc(getattr(value, "__doc__", None) or f"{path}:{name}")),
    )


def _kept(text: str) -> str:
    """A docstring whose lines click leaves as they are."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))


def _words(params: Sequence[click.Option], values: dict[str, Any]) -> str:
    """The options that say something else than the defaults, in the order of the function."""
    words = []
    for param in params:
        value = values[str(param.name)]
        if value == param.default:
            continue
        if param.is_flag:
            words.append(param.opts[0] if value else param.secondary_opts[0])
        else:
            shown = ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
            words += [param.opts[0], shown]
    return "".join(f" {_quoted(word)}" for word in words)


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word.replace("\n", " "))
