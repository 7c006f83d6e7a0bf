"""`caffegen summary`: what each layer, or each block of layers, makes and costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .schema_options import schema_options
from .state_options import state_options

if TYPE_CHECKING:
    from caffegen.analysis.summary import BlockRow, Row, Summary

Shape = tuple[int, ...]
# warnings that explain what the table shows
_TOLD = frozenset({"fork-schema", "fork-field-not-computed", "undefined-layer-type"})

__all__ = ["command"]


@click.command("summary")
@click.argument("prototxt", type=click.Path())
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True)
@state_options
@click.option(
    "--blocks",
    is_flag=True,
    help="One line per block: stem, pool, residual block, inception module, stage, head.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the summary is printed.")  # fmt: skip
@schema_options
def command(
    prototxt: str,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    blocks: bool,
    form: str,
    dialect: str,
) -> None:
    """Show layers, shapes, parameters, MACs, activation memory and receptive field.

    MACs count one multiply and one add as one; activation memory is that of all tops of one forward
    pass, layers in place taking none; shared parameters count once. --blocks finds the blocks in the
    graph, whatever the layers are called, and gives shapes as height x width x channels.
    """
    from caffegen.analysis.summary import summarize, summarize_blocks
    from caffegen.cli.output import write_text
    from caffegen.cli.paths import parse_shapes
    from caffegen.diagnostics import UNKNOWN, told_once
    from caffegen.diagnostics.render import render
    from caffegen.loader import examine, read_source, refuse_other_kinds

    source = read_source(prototxt)
    examined = examine(
        source, phase=phase, stages=stage, level=level, given=parse_shapes(inputs, "--input"),
        dialect=dialect,
    )  # fmt: skip
    refuse_other_kinds(source, examined)
    summary = summarize(examined.graph)
    rows = summarize_blocks(examined.graph, summary) if blocks else None
    if form == "json":
        import json

        write_text(json.dumps(_to_json(summary, rows), indent=2) + "\n")
    else:
        write_text(_to_text(summary) if rows is None else _walk(summary, rows))
    told = [f for f in told_once(examined.report) if f.severity == "error" or f.name in _TOLD]
    if told:
        click.echo(render(told, "text"), nl=False, err=True)
    if any(found.severity == "error" and found.name not in UNKNOWN for found in told):
        sys.exit(1)


def _to_json(summary: Summary, blocks: Sequence[BlockRow] | None = None) -> dict[str, Any]:
    """Version 1: names, lists of dims (null: not known), counts (null: not known)."""
    total = {
        "layers": len(summary.rows),
        "params": summary.params,
        "statistics": summary.statistics,
        "macs": summary.macs,
        "ops": summary.ops,
        "activation_bytes": summary.activation_bytes,
    }
    document: dict[str, Any] = {"version": 1, "name": summary.name}
    if blocks is None:
        document["layers"] = [row._asdict() for row in summary.rows]
    else:
        document["blocks"] = [{**row._asdict(), "shortcut": row.shortcut or None} for row in blocks]
        total = {"blocks": len(blocks), **total}
    return {**document, "total": total}


def _to_text(summary: Summary) -> str:
    head = ("layer", "type", "bottoms", "top shape", "params", "MACs", "memory", "field")
    lines = _table([head, *(_cells(row) for row in summary.rows)], shortened=2)
    return "\n".join([*lines, "", _total(summary)]) + "\n"


def _walk(summary: Summary, blocks: Sequence[BlockRow]) -> str:
    """The blocks as papers tabulate them, with sizes as height x width x channels."""
    head = ("block", "kind", "layers", "size", "params", "MACs", "memory", "field")
    lines = _table([head, *(_block_cells(block) for block in blocks)], shortened=0)
    return "\n".join([*lines, "", f"{len(blocks)} blocks of {_total(summary)}"]) + "\n"


def _total(summary: Summary) -> str:
    return (
        f"{len(summary.rows)} layers, {summary.params:,} learnable parameters"
        + (f" and {summary.statistics:,} statistics" if summary.statistics else "")
        + f", {summary.macs:,} MACs, {_bytes(summary.activation_bytes)} of activations"
    )


def _table(lines: Sequence[Sequence[str]], *, shortened: int) -> list[str]:
    """Lines of cells under their head; the cells of one column end at 40 characters."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    widths[shortened] = min(widths[shortened], 40)
    rule = "  ".join("-" * width for width in widths)
    head, *rest = (_line(cells, widths) for cells in lines)
    return [head, rule, *rest]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = []
    for index, (cell, width) in enumerate(zip(cells, widths)):
        text = cell if len(cell) <= width else cell[: width - 3] + "..."
        number = index in (4, 5, 6) or (index == 2 and cells[index].isdigit())
        shown.append(text.rjust(width) if number else text.ljust(width))
    return "  ".join(shown).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    shapes = " ".join("?" if s is None else "x".join(map(str, s)) or "1" for s in row.shapes)
    return (row.name, row.type, ", ".join(row.bottoms), shapes, *_costs(row))


def _block_cells(block: BlockRow) -> tuple[str, ...]:
    kind = f"{block.kind}, {block.shortcut}" if block.shortcut else block.kind
    sizes = " ".join(dict.fromkeys(map(_size, block.shapes)))
    return (block.name, kind, str(len(block.layers)), sizes, *_costs(block))


def _size(shape: Shape | None) -> str:
    """The shape of one item, channels last: `112x112x64`, `10`."""
    if shape is None:
        return "?"
    channels = shape[1:2]
    return "x".join(map(str, (*shape[2:], *channels))) or "1"


def _costs(row: Row | BlockRow) -> tuple[str, ...]:
    field = "x".join(map(str, row.receptive_field)) if row.receptive_field else ""
    return (
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
