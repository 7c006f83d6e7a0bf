"""`caffegen upgrade`: prototxt, solver and caffemodel of any version to today's."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from .schema_options import own_plugins, own_protos, own_schema_options

if TYPE_CHECKING:
    from caffegen.text import Source

__all__ = ["command"]


@click.command("upgrade")
@click.argument("path", type=click.Path())
@click.option("-o", "--output", type=click.Path(),
              help="Where to write; may be the file itself (prototxt: stdout).")  # fmt: skip
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 if the file is of an old version."
)
@own_schema_options
def command(path: str, output: str | None, check: bool) -> None:
    """Upgrade a prototxt, a solver or a .caffemodel, as Caffe's own upgrade tools do.

    Comments are kept where the text allows. Upgrading twice changes nothing. `-` is standard input.
    """
    from caffegen.cli.output import refuse_input
    from caffegen.cli.standard_input import read_standard_input
    from caffegen.errors import FileError
    from caffegen.loader import read_source

    if not check:
        refuse_input(output, *own_protos(), *own_plugins())
    if path == "-":
        _upgrade_text(read_standard_input(), output, check=check)
        return
    try:
        source = read_source(path)
    except FileError:
        if not _is_caffemodel(path):
            raise
        _upgrade_weights(path, output, check=check)
        return
    _upgrade_text(source, output, check=check)


def _upgrade_text(source: Source, output: str | None, *, check: bool) -> None:
    from caffegen.check.kind import read_kind
    from caffegen.cli.output import WEIGHTS_ENDINGS, refuse_endings, write_text
    from caffegen.diagnostics import UNKNOWN, NetError, Report
    from caffegen.legacy import upgrade_net, upgrade_solver
    from caffegen.legacy.rewrite import upgraded_text

    if output is not None and not check:
        refuse_endings(output, WEIGHTS_ENDINGS, "a prototxt")
        if _is_caffemodel(output):
            raise click.UsageError(f"--output: `{output}` holds weights; it is no prototxt")
    kind = read_kind(source)
    report = Report()
    # what caffegen does not know passes through; all else that can't be read would be lost
    report.faults(source, [fault for fault in kind.faults if fault.name not in UNKNOWN])
    upgraded = (upgrade_solver if kind.word == "solver" else upgrade_net)(kind.message)
    report.faults(source, upgraded.faults)
    if report.errors:
        raise NetError(report.in_file_order())
    report.faults(source, upgraded.warnings, "warning")
    for warning in report.in_file_order():
        click.echo(str(warning), err=True)
    _say(source.path, upgraded.changed)
    if check:
        sys.exit(1 if upgraded.changed else 0)
    write_text(upgraded_text(source, upgraded), output)


def _say(path: str, changed: tuple[str, ...]) -> None:
    said = f"upgraded: {', '.join(changed)}" if changed else "current already"
    click.echo(f"{path}: {said}", err=True)


def _is_caffemodel(path: str) -> bool:
    """Whether a file is no text and can be read as weights."""
    from caffegen.errors import CaffegenError
    from caffegen.weights import open_weights

    if not os.path.isfile(path) or _is_text(path):
        return False
    try:
        open_weights(path)
    except CaffegenError:
        return False
    return True


def _is_text(path: str) -> bool:
    """Whether a file holds text, be it none at all."""
    from caffegen.errors import FileError
    from caffegen.loader import read_source

    try:
        read_source(path)
    except FileError:
        return False
    return True


def _upgrade_weights(path: str, output: str | None, *, check: bool) -> None:
    from caffegen.cli.output import TEXT_ENDINGS, refuse_endings
    from caffegen.weights import open_weights, write_weights

    if output is not None and not check:
        refuse_endings(output, TEXT_ENDINGS, "a .caffemodel")
        if os.path.isfile(output) and os.path.getsize(output) and _is_text(output):
            raise click.UsageError(f"--output: `{output}` holds text; it is no .caffemodel")
    model = open_weights(path)
    old = sorted({str(layer.version) for layer in model.layers if layer.version != "V2"})
    if not old and any(blob.legacy_shape for layer in model.layers for blob in layer.blobs):
        old = ["blob sizes"]
    if output in (None, "-") and not check:
        raise click.UsageError("a .caffemodel is written with -o FILE")
    _say(path, tuple(old))
    if check:
        sys.exit(1 if old else 0)
    assert output is not None
    layers = ((each.name, each.type, each.bottom, each.top, each.blobs) for each in model.layers)
    write_weights(output, model.name, layers)
