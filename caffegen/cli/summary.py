"""`caffegen summary`: what each layer makes and costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from caffegen.analysis.summary import Row, Summary

__all__ = ["command"]


@click.command("summary")
@click.argument("prototxt", type=click.Path())
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True)
@click.option("--stage", multiple=True, help="A stage of the net's state; may be repeated.")
@click.option("--level", type=int, default=0, help="The level of the net's state.")
@click.option("--input", "inputs", multiple=True, metavar="BLOB=1,3,224,224",
              help="The shape of an input or data blob; may be repeated.")  # fmt: skip
@click.option("--blocks", is_flag=True, help="One line per stretch of layers of one name stem.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the summary is printed.")  # fmt: skip
def command(
    prototxt: str,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    blocks: bool,
    form: str,
) -> None:
    """Show layers, shapes, parameters, MACs, activation memory and receptive field.

    MACs count one multiply and one add as one; activation memory is that of all tops of one forward
    pass, layers in place taking none; shared parameters count once.
    """
    from caffegen.analysis.blocks import group_blocks
    from caffegen.analysis.summary import summarize
    from caffegen.cli.output import write_text
    from caffegen.cli.paths import parse_shapes
    from caffegen.diagnostics.render import render
    from caffegen.loader import examine, read_source

    source = read_source(prototxt)
    examined = examine(
        source, phase=phase, stages=stage, level=level, given=parse_shapes(inputs, "--input")
    )
    summary = summarize(examined.graph)
    if blocks:
        summary = group_blocks(summary)
    if form == "json":
        import json

        write_text(json.dumps(_to_json(summary), indent=2) + "\n")
    else:
        write_text(_to_text(summary))
    errors = examined.report.errors
    if errors:
        click.echo(render(errors, "text"), nl=False, err=True)
        sys.exit(1)


def _to_json(summary: Summary) -> dict[str, Any]:
    """Version 1: names, lists of dims (null: not known), counts (null: not known)."""
    return {
        "version": 1,
        "name": summary.name,
        "layers": [row._asdict() for row in summary.rows],
        "total": {
            "layers": len(summary.rows),
            "params": summary.params,
            "statistics": summary.statistics,
            "macs": summary.macs,
            "ops": summary.ops,
            "activation_bytes": summary.activation_bytes,
        },
    }


def _to_text(summary: Summary) -> str:
    head = ("layer", "type", "bottoms", "top shape", "params", "MACs", "memory", "field")
    lines = [head, *(_cells(row) for row in summary.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    widths[2] = min(widths[2], 40)
    out = [_line(head, widths), "  ".join("-" * width for width in widths)]
    out += [_line(cells, widths) for cells in lines[1:]]
    total = (
        f"{len(summary.rows)} layers, {summary.params:,} learnable parameters"
        + (f" and {summary.statistics:,} statistics" if summary.statistics else "")
        + f", {summary.macs:,} MACs, {_bytes(summary.activation_bytes)} of activations"
    )
    return "\n".join([*out, "", total]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = []
    for index, (cell, width) in enumerate(zip(cells, widths)):
        text = cell if len(cell) <= width else cell[: width - 3] + "..."
        shown.append(text.rjust(width) if index in (4, 5, 6) else text.ljust(width))
    return "  ".join(shown).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    shapes = " ".join("?" if s is None else "x".join(map(str, s)) or "1" for s in row.shapes)
    field = "x".join(map(str, row.receptive_field)) if row.receptive_field else ""
    return (
        row.name,
        row.type,
        ", ".join(row.bottoms),
        shapes,
        f"{row.params:,}" if row.params else "",
        "?" if row.macs is None else f"{row.macs:,}" if row.macs else "",
        "?" if row.activation_bytes is None else
        _bytes(row.activation_bytes) if row.activation_bytes else "",
        field,
    )  # fmt: skip


def _bytes(number: int) -> str:
    if number < 1024:
        return f"{number} B"
    for unit in ("KiB", "MiB"):
        number_in = number / (1024 if unit == "KiB" else 1024**2)
        if number_in < 1024:
            return f"{number_in:.1f} {unit}"
    return f"{number / 1024**3:.2f} GiB"
