"""`caffegen fmt`: one layout for every prototxt, with every comment kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from caffegen.text import Source

__all__ = ["command"]


@click.command("fmt")
@click.argument("paths", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; show what would change.")
def command(paths: tuple[str, ...], check: bool, show_diff: bool) -> None:
    """Format prototxt files in place; `-` formats standard input to standard output.

    PATHS are files, globs, or folders, which are searched for *.prototxt, *.pt and *.pbtxt. Exit
    code 0: done; 1: a file would change (--check, --diff) or is not well-formed; 3: a file that
    can't be read or written.
    """
    from caffegen.cli.paths import find_files
    from caffegen.cli.settings import read_settings
    from caffegen.errors import FileError

    write = not (check or show_diff)
    files = find_files(paths, read_settings().exclude)
    changed = broken = unreadable = 0
    for path in files:
        try:
            done = _format(path, write=write, show_diff=show_diff)
        except FileError as error:
            click.echo(f"caffegen: {error}", err=True)
            unreadable += 1
            continue
        if done is None:
            broken += 1
        elif done:
            changed += 1
            if check and not show_diff:
                click.echo(f"would change: {path}", err=True)
    if files != ["-"]:
        word = "changed" if write else "would change"
        click.echo(f"{changed} of {len(files)} {word}", err=True)
    if unreadable:
        sys.exit(3)
    sys.exit(1 if broken or (changed and not write) else 0)


def _format(path: str, *, write: bool, show_diff: bool) -> bool | None:
    """Whether the file changes; None where it is not well-formed, which is said."""
    from caffegen.cli.output import write_text
    from caffegen.cli.standard_input import read_standard_input
    from caffegen.loader import read_source

    source = read_standard_input() if path == "-" else read_source(path)
    text = _formatted(source)
    if text is None:
        return None
    changed = text != source.text
    if show_diff and changed:
        import difflib

        lines = difflib.unified_diff(
            source.text.splitlines(keepends=True), text.splitlines(keepends=True),
            source.path, source.path,
        )  # fmt: skip
        write_text("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))
    if path == "-" and write:
        write_text(text)
    elif write and changed:
        from caffegen.atomic import atomic_write

        with atomic_write(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    return changed


def _formatted(source: Source) -> str | None:
    from caffegen.diagnostics import Diagnostic
    from caffegen.diagnostics.render import render
    from caffegen.text import Span
    from caffegen.text.format import format_text
    from caffegen.text.tokens import SyntaxFault

    try:
        return format_text(source)
    except SyntaxFault as fault:
        span = Span(source, fault.start, max(fault.end, fault.start + 1))
        found = Diagnostic(fault.name, "error", span, fault.message, fault.help)
        click.echo(render([found], "text"), nl=False, err=True)
        return None
