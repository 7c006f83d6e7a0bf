"""`caffegen verify`: the same input through PyTorch, onnxruntime and OpenCV, blob by blob."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import click

from .output import refuse_input
from .schema_options import schema_options
from .state_options import state_options

if TYPE_CHECKING:
    from caffegen.verify import VerifyReport

__all__ = ["command"]


def _finite(_context: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse NaN and infinity, which the range lets in."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no bound", param=option)
    return value


@click.command("verify")
@click.argument("prototxt", type=click.Path())
@click.argument("caffemodel", nargs=-1, type=click.Path())
@click.option("--runtime", "runtimes", multiple=True, metavar="NAME",
              help="torch, onnxruntime, opencv or pycaffe; may be repeated (the first three).")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the input.")
@click.option("--tolerance", type=click.FloatRange(min=0), callback=_finite, default=1e-4,
              show_default=True, help="Largest difference over the blob's largest magnitude.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Where PyTorch runs: cpu, cuda.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True)
@state_options
@click.option("--all", "show_all", is_flag=True, help="Show every blob, not the largest ones.")
@click.option("--report", "page", type=click.Path(), help="Write the report as a page of HTML too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the report is printed.")  # fmt: skip
@schema_options
def command(
    prototxt: str,
    caffemodel: tuple[str, ...],
    runtimes: tuple[str, ...],
    seed: int,
    tolerance: float,
    device: str,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    show_all: bool,
    page: str | None,
    form: str,
    dialect: str,
) -> None:
    """Run the net by several runtimes on the same seeded input and compare every blob.

    Exit code 0: at least two runtimes ran and agree; 1: they do not. Without a CAFFEMODEL the net
    is filled by its own fillers first; one that leaves layers without weights is refused.

    What differs behind a layer that sorts, cuts off or rounds is computed again, such layers reading
    the first runtime's values; it agrees if it does then, and both differences are shown.
    """
    from caffegen.cli.paths import parse_shapes
    from caffegen.cli.progress import steps
    from caffegen.cli.weights import refuse_missing_weights
    from caffegen.loader import load
    from caffegen.verify import compare

    refuse_input(page, prototxt, *caffemodel)
    shapes = parse_shapes(inputs, "--input")
    net = load(
        prototxt, list(caffemodel) or None, phase=phase, stages=stage, level=level, inputs=shapes,
        dialect=dialect,
    )  # fmt: skip
    if caffemodel:
        refuse_missing_weights(net)
    else:
        net.fill(seed)
    with steps("verifying") as progress:
        report = compare(
            net, list(runtimes) or None, seed, tolerance=tolerance, device=device,
            progress=progress,
        )  # fmt: skip
    if page is not None:
        from caffegen.atomic import atomic_write
        from caffegen.verify.page import report_page

        with atomic_write(page, "w") as file:
            file.write(report_page(report))
    if form == "json":
        import json

        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        click.echo(_to_text(report, show_all), nl=False)
    sys.exit(0 if report.ok else 1)


_SHOWN = 20


def _to_text(report: VerifyReport, show_all: bool) -> str:
    lines = []
    for run in report.runtimes:
        told = f"{run.seconds:6.2f} s" if run.ran else "did not run"
        note = f"  ({run.note})" if run.note else ""
        lines.append(f"{run.name:<12} {run.version:<16} {told}{note}")
    rows = list(report.rows)
    if not show_all and len(rows) > _SHOWN:
        largest = sorted(rows, key=lambda row: (row.agrees, row.equal, -row.counted))[:_SHOWN]
        rows = [row for row in rows if row in largest]
    if rows:
        width = max(4, *(len(row.blob) for row in rows))
        pair = max(8, *(len(row.other) for row in rows))
        lines += [
            "",
            f"{'blob':<{width}}  {'against':<{pair}}  {'shape':<18}  {'absolute':>9}  {'relative':>9}",
        ]
        for row in rows:
            shape = "x".join(map(str, row.shape)) or "1"
            mark = "" if row.equal else "  differs"
            if row.recomputed is not None:
                mark += f"; {row.recomputed.relative:.2e} on {row.reference}'s values"
            lines.append(
                f"{row.blob:<{width}}  {row.other:<{pair}}  {shape:<18}  {row.absolute:9.2e}  "
                f"{row.relative:9.2e}{mark}"
            )
    if len(rows) < len(report.rows):
        lines.append(f"... the {len(rows)} largest of {len(report.rows)}; --all shows every blob")
    lines += [line for note in report.notes for line in ("", note)]
    return "\n".join([*lines, "", report.verdict]) + "\n"
