"""`caffegen init`: seeded weights for a net that has none."""

from __future__ import annotations

from math import prod

import click

from .output import WEIGHTS_ENDINGS, refuse_input
from .schema_options import schema_options
from .state_options import state_options

__all__ = ["command"]


@click.command("init")
@click.argument("prototxt", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(),
              help=f"The weights to write; the name ends in {' or '.join(WEIGHTS_ENDINGS)}.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--as-declared", is_flag=True,
              help="Fill as Caffe would: weights without a filler become 0.")  # fmt: skip
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True)
@state_options
@schema_options
def command(
    prototxt: str,
    output: str,
    seed: int,
    as_declared: bool,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    dialect: str,
) -> None:
    """Fill the parameters of a net by its own fillers and write them as a .caffemodel.

    Weights for which the prototxt declares no filler are filled as msra does, since Caffe's zeros
    would make a dead net; BatchNorm statistics are set to what the fillers let expect. A name that
    ends in .h5 or .hdf5 makes the file HDF5, which Caffe reads, too.
    """
    from caffegen.cli.paths import parse_shapes
    from caffegen.cli.progress import steps
    from caffegen.loader import load

    refuse_input(output, prototxt)
    _check_name(output)
    shapes = parse_shapes(inputs, "--input")
    net = load(prototxt, phase=phase, stages=stage, level=level, inputs=shapes, dialect=dialect)
    with steps("filling") as progress:
        progress("parameters")
        filled = net.fill(seed, strict=as_declared)
        progress(output)
        net.save(caffemodel=output)
    blobs = [spec for node in filled for spec in (node.definition.blobs if node.definition else ())]
    values = sum(prod(spec.shape) for spec in blobs)
    click.echo(f"{output}: {values:,} values in {len(filled)} layers, seed {seed}", err=True)


def _check_name(output: str) -> None:
    """Refuse a name that is not one of a file of weights, but for a stream such as /dev/stdout."""
    if not output.lower().endswith(WEIGHTS_ENDINGS) and not output.startswith("/dev/"):
        known = ", ".join(WEIGHTS_ENDINGS)
        raise click.UsageError(f"--output: `{output}` ends in none of {known}")
