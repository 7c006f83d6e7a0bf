"""`caffegen diff`: what two nets compute differently, layer by layer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .schema_options import schema_options
from .state_options import state_options

if TYPE_CHECKING:
    from caffegen.analysis.diff import NetDiff
    from caffegen.loader import Examined

__all__ = ["command"]

Shape = tuple[int, ...]


@click.command("diff")
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True,
              help="TRAIN compares fillers, learning rates and losses, too.")  # fmt: skip
@state_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the difference is printed.")  # fmt: skip
@schema_options
def command(
    first: str,
    second: str,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    form: str,
    dialect: str,
) -> None:
    """Compare what two nets compute: names, order, defaults and versions aside.

    Exit code 0: they compute the same; 1: they differ.
    """
    from caffegen.analysis.diff import diff_graphs
    from caffegen.cli.output import write_text
    from caffegen.cli.paths import parse_shapes
    from caffegen.loader import examine, read_source, refuse_other_kinds

    sources = [read_source(path) for path in (first, second)]
    given = parse_shapes(inputs, "--input")
    options: dict[str, Any] = {
        "phase": phase, "stages": stage, "level": level, "dialect": dialect,
    }  # fmt: skip
    nets = [examine(source, given=given, **options) for source in sources]
    for source, net in zip(sources, nets, strict=True):
        refuse_other_kinds(source, net)
    for index, (mine, other) in enumerate((nets, nets[::-1])):
        _refuse_broken(mine)
        lent = _lent_shapes(mine, other)
        if lent:
            nets[index] = examine(sources[index], given={**lent, **given}, **options)
    found = diff_graphs(nets[0].graph, nets[1].graph, training=phase == "TRAIN")
    if form == "json":
        import json

        write_text(json.dumps(_to_json(found), indent=2) + "\n")
    else:
        write_text(_to_text(found))
    sys.exit(0 if found.equal else 1)


def _refuse_broken(net: Examined) -> None:
    """Refuse a text whose structure was lost: there would be differences that are none."""
    from caffegen.diagnostics import NetError

    broken = ("unclosed-message", "unexpected-token", "unmatched-brace", "unterminated-string")
    if any(found.name in broken for found in net.report.errors):
        raise NetError(net.report.in_file_order())


def _lent_shapes(net: Examined, other: Examined) -> Mapping[str, Shape]:
    """Shapes of the other net's blobs for data whose shape this net does not say."""
    lent = {}
    for node in net.graph.nodes:
        for value in node.outputs if not node.bottom else ():
            twin = other.graph.final.get(value.name)
            if value.shape is None and twin is not None and twin.shape is not None:
                lent[value.name] = twin.shape
    return lent


def _to_json(found: NetDiff) -> dict[str, Any]:
    """Version 1; names and differences as in the text."""
    return {
        "version": 1,
        "equal": found.equal,
        "same": found.same,
        "only_first": [layer._asdict() for layer in found.only_first],
        "only_second": [layer._asdict() for layer in found.only_second],
        "changed": [
            {
                "first": change.first,
                "second": change.second,
                "differences": [
                    {"what": what, "first": before, "second": after}
                    for what, before, after in change.differences
                ],
            }
            for change in found.changed
        ],
    }


def _to_text(found: NetDiff) -> str:
    if found.equal:
        return f"the nets compute the same: {found.same} layers match\n"
    lines = [f"- {name} ({kind})" for name, kind in found.only_first]
    lines += [f"+ {name} ({kind})" for name, kind in found.only_second]
    for change in found.changed:
        name = (
            change.first if change.first == change.second else f"{change.first} / {change.second}"
        )
        lines.append(f"~ {name}")
        lines += [f"    {what}: {before} -> {after}" for what, before, after in change.differences]
    plural = "" if len(found.only_first) == 1 else "s"
    lines.append(
        f"{len(found.only_first)} layer{plural} in the first alone, "
        f"{len(found.only_second)} in the second "
        f"alone, {len(found.changed)} changed, {found.same} the same"
    )
    return "\n".join(lines) + "\n"
