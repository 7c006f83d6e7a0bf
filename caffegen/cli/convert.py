"""`caffegen convert`: a net and its weights to another format, which the output's name says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .targets import TARGETS, Settings, target_of

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["command"]


@click.command("convert")
@click.argument("prototxt", type=click.Path())
@click.argument("caffemodel", nargs=-1, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(),
              help=f"What to write; its name ends in {' or '.join(TARGETS)}.")  # fmt: skip
@click.option("-w", "more", multiple=True, metavar="FILE[,FILE]",
              help="Weights, as Caffe's own option takes them; later files overwrite.")  # fmt: skip
@click.option("--fill", type=int, metavar="SEED",
              help="Fill layers that have no weights by their own fillers.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail where the net and its weights do not match.")
@click.option("--opset", type=int, help="ONNX's operator set, 13 to 26 (17).")
@click.option("--weights", "storage", type=click.Choice(["embed", "external", "link"]),
              default="embed", show_default=True,
              help="Weights inside the file, beside it, or left in the .caffemodel.")  # fmt: skip
@click.option("--dynamic-batch", is_flag=True, help="Leave the first axis of the inputs free.")
@click.option("--dynamic-size", is_flag=True, help="Leave height and width of images free.")
@click.option("--fold", is_flag=True,
              help="Merge BatchNorm, Scale and Bias into the layer before.")  # fmt: skip
@click.option("--outputs", metavar="BLOB[,BLOB]", help="The blobs to give; only what they need.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True)
@click.option("--stage", multiple=True, help="A stage of the net's state; may be repeated.")
@click.option("--level", type=int, default=0, help="The level of the net's state.")
@click.option("--input", "inputs", multiple=True, metavar="BLOB=1,3,224,224",
              help="The shape of an input or data blob; may be repeated.")  # fmt: skip
def command(
    prototxt: str,
    caffemodel: tuple[str, ...],
    output: str,
    more: tuple[str, ...],
    fill: int | None,
    strict: bool,
    opset: int | None,
    storage: str,
    dynamic_batch: bool,
    dynamic_size: bool,
    fold: bool,
    outputs: str | None,
    phase: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
) -> None:
    """Convert a net to the format that the output's name says.

    .onnx is an ONNX model, .py PyTorch source with its weights in .safetensors beside it, .pt2 a
    program of torch.export, .safetensors the weights under the names of the PyTorch module.

    The model computes what Caffe computes; a layer that can't is refused with the reason. Weights
    are matched by layer name, and what does not match is reported.
    """
    from caffegen.cli.paths import parse_shapes
    from caffegen.loader import load

    write = target_of(output)
    files = [*caffemodel, *(name for group in more for name in group.split(",") if name)]
    net = load(
        prototxt, files or None, phase=phase, stages=stage, level=level,
        inputs=parse_shapes(inputs, "--input"),
    )  # fmt: skip
    if fill is not None:
        _fill(net, fill)
    elif not files:
        _need_weights(net)
    _report_mismatches(net, strict=strict)
    told = write(
        net,
        output,
        Settings(
            opset=opset,
            storage=storage,
            dynamic_batch=dynamic_batch,
            dynamic_size=dynamic_size,
            fold=fold,
            outputs=outputs.split(",") if outputs else None,
        ),
    )
    click.echo(f"{os.fspath(output)}: {told}", err=True)


def _fill(net: Net, seed: int) -> None:
    """Give weights to the layers that have none."""
    from caffegen.analysis.fill import fill_params
    from caffegen.analysis.weights import Weights, match_weights
    from caffegen.diagnostics import Report

    given = net.weights or Weights({})
    missing = [
        node
        for node in net.graph.nodes
        if node.definition is not None and node.definition.blobs and node.name not in given.blobs
    ]
    filled = match_weights(net.graph, fill_params(net.graph, seed, only=missing), Report())
    net.weights = Weights({**given.blobs, **filled.blobs}, given.sources)
    if missing:
        plural = "" if len(missing) == 1 else "s"
        click.echo(f"{len(missing)} layer{plural} filled, seed {seed}", err=True)


def _need_weights(net: Net) -> None:
    """Refuse a net that has weight blobs and was given no values for them."""
    for node in net.graph.nodes:
        if node.definition is not None and node.definition.blobs:
            raise click.UsageError(
                f"layer `{node.name}` has weights; give a CAFFEMODEL, or --fill 0 to make some up"
            )


def _report_mismatches(net: Net, *, strict: bool) -> None:
    """Say where the net and its weights do not match; with `strict` that ends it."""
    from caffegen.diagnostics import NetError
    from caffegen.diagnostics.render import render

    found = [d for d in net.diagnostics if "weights" in d.name]
    if strict and found:
        raise NetError([diagnostic._replace(severity="error") for diagnostic in found])
    if found:
        click.echo(render(found, "text"), nl=False, err=True)
