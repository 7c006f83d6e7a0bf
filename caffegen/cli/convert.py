"""`caffegen convert`: a net and its weights to another format, which the output's name says."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click
from click.core import ParameterSource

from caffegen import __version__

from .schema_options import add_schemas, own_plugins, own_protos, schema_options
from .state_options import state_options
from .targets import TARGETS, Settings, target_of

if TYPE_CHECKING:
    from caffegen.cli.batch import Job
    from caffegen.loader import Net

__all__ = ["command"]


class Request(NamedTuple):
    """All that the command line says of a conversion but its files."""

    fill: int | None
    strict: bool
    settings: Settings
    phase: str
    stages: tuple[str, ...]
    level: int
    inputs: dict[str, tuple[int, ...]]
    dialect: str
    # what a process of its own needs again
    protos: tuple[str, ...]
    plugins: tuple[str, ...]


@click.command("convert")
@click.argument("prototxt", type=click.Path())
@click.argument("caffemodel", nargs=-1, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(),
              help=f"What to write; its name ends in {' or '.join(TARGETS)}, or it is a folder.")  # fmt: skip
@click.option("--to", "suffix", type=click.Choice(list(TARGETS)), default=".onnx",
              show_default=True, help="The format of a folder's files.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Nets of a folder converted side by side.")  # fmt: skip
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
@state_options
@schema_options
def command(
    prototxt: str,
    caffemodel: tuple[str, ...],
    output: str,
    suffix: str,
    jobs: int,
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
    dialect: str,
) -> None:
    """Convert a net to the format that the output's name says.

    .onnx is an ONNX model, .py PyTorch source with its weights in .safetensors beside it, .pt2 a
    program of torch.export, .safetensors the weights under the names of the PyTorch module.

    The model computes what Caffe computes; a layer that can't is refused with the reason. Weights
    are matched by layer name, and what does not match is reported.

    With a folder as output (`-o out/`) every argument is a prototxt, a folder or a glob: each net
    is paired with the weights of its name, failures are passed over, what is up to date (newer than
    net and weights, and made with the same options) is left alone, and a table ends it.
    """
    from caffegen.cli.paths import parse_shapes

    shapes = parse_shapes(inputs, "--input")
    settings = Settings(
        opset=opset,
        storage=storage,
        dynamic_batch=dynamic_batch,
        dynamic_size=dynamic_size,
        fold=fold,
        outputs=None if outputs is None else _blobs(outputs),
        words=_words(fill, phase, level, stage, inputs, dialect, fold=fold),
    )
    request = Request(
        fill, strict, settings, phase, stage, level, shapes, dialect, own_protos(), own_plugins()
    )
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        from caffegen.cli.batch import convert_all, plan

        if more:
            raise click.UsageError("a folder's weights are found by name; leave out -w")
        found = plan([prototxt, *caffemodel], output, suffix)
        options = f"caffegen {__version__}\n{request!r}\n"
        sys.exit(convert_all(found, partial(_convert_job, request), jobs, options))
    target_of(output)
    for name, option in (("suffix", "--to"), ("jobs", "--jobs")):
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option} is for a folder of nets; `{output}` is one file")
    files = [*caffemodel, *(name for group in more for name in group.split(",") if name)]
    told = _convert(prototxt, files, output, request)
    click.echo(f"{os.fspath(output)}: {told}", err=True)


def _blobs(outputs: str) -> list[str]:
    names = [name for name in outputs.split(",") if name]
    if not names:
        raise click.UsageError("--outputs names no blob")
    return names


def _words(
    fill: int | None,
    phase: str,
    level: int,
    stages: Sequence[str],
    inputs: Sequence[str],
    dialect: str,
    *,
    fold: bool,
) -> tuple[str, ...]:
    """The options that say which net is made, as the command line has them."""
    words = [] if fill is None else ["--fill", str(fill)]
    words += [] if phase == "TEST" else ["--phase", phase]
    words += ["--level", str(level)] if level else []
    words += [word for stage in stages for word in ("--stage", stage)]
    words += [word for given in inputs for word in ("--input", given)]
    words += ["--dialect", dialect] if dialect else []
    return (*words, *(["--fold"] if fold else []))


def _convert_job(request: Request, job: Job) -> str:
    add_schemas(request.protos, request.plugins)
    return _convert(job.prototxt, [job.weights] if job.weights else [], job.output, request)


def _convert(prototxt: str, files: list[str], output: str, request: Request) -> str:
    """Convert one net and tell what was written."""
    from caffegen.cli.weights import refuse_missing_weights
    from caffegen.loader import load

    net = load(
        prototxt, files or None, phase=request.phase, stages=request.stages, level=request.level,
        inputs=request.inputs, dialect=request.dialect,
    )  # fmt: skip
    _say_fork(net)
    if request.fill is not None:
        _fill(net, request.fill)
    elif not files:
        _need_weights(net)
    elif not request.settings.outputs:
        # a part of the net may not need them
        refuse_missing_weights(net)
    _report_mismatches(net, strict=request.strict)
    return target_of(output)(net, output, request.settings)


def _say_fork(net: Net) -> None:
    """Say which Caffe the file is for, where its own fields tell."""
    for found in net.diagnostics:
        if found.name == "fork-schema":
            click.echo(str(found), err=True)


def _fill(net: Net, seed: int) -> None:
    """Give weights to the layers that have none."""
    filled = net.fill(seed)
    if filled:
        plural = "" if len(filled) == 1 else "s"
        click.echo(f"{len(filled)} layer{plural} filled, seed {seed}", err=True)


def _need_weights(net: Net) -> None:
    """Refuse a net that has weight blobs and was given no values for them."""
    from caffegen.cli.weights import first_with_weights

    layer = first_with_weights(net)
    if layer is not None:
        raise click.UsageError(
            f"layer `{layer.name}` has weights; give a CAFFEMODEL, or --fill 0 to make some up"
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
