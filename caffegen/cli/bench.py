"""`caffegen bench`: how fast a net runs in PyTorch, and where its time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .schema_options import schema_options
from .state_options import state_options

if TYPE_CHECKING:
    import numpy as np
    import torch

    from caffegen.loader import Net
    from caffegen.pytorch import CaffeModule

__all__ = ["command"]

_TYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class _How(NamedTuple):
    """How the net is run; the fields are those of the JSON."""

    device: str
    dtype: str
    channels_last: bool
    compile: bool
    fuse: bool
    repeat: int


@click.command("bench")
@click.argument("prototxt", type=click.Path())
@click.argument("caffemodel", nargs=-1, type=click.Path())
@click.option("--device", default="cpu", show_default=True, help="Where to run: cpu, cuda, cuda:1.")
@click.option("--batch", "batches", default="1,8,64", show_default=True, metavar="N[,N]",
              help="Batch sizes, one measurement each.")  # fmt: skip
@click.option("--dtype", type=click.Choice(list(_TYPES)), default="fp32", show_default=True,
              help="The type of weights and values.")  # fmt: skip
@click.option("--channels-last", is_flag=True, help="Keep images with channels innermost.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the net by torch.compile first.")
@click.option("--fuse", is_flag=True, help="Fold BatchNorm and Scale into the layer before.")
@click.option("--repeat", type=click.IntRange(min=3), default=20, show_default=True,
              help="How often each batch is timed.")  # fmt: skip
@state_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the results are printed.")  # fmt: skip
@schema_options
def command(
    prototxt: str,
    caffemodel: tuple[str, ...],
    device: str,
    batches: str,
    dtype: str,
    channels_last: bool,
    compiled: bool,
    fuse: bool,
    repeat: int,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    form: str,
    dialect: str,
) -> None:
    """Measure a net's forward pass in PyTorch: images a second, peak memory, time by layer type.

    Without a CAFFEMODEL the net is filled by its own fillers. Peak memory is what PyTorch holds on a
    GPU, and all of the process on a CPU. The time by layer type is taken layer by layer without
    compilation.
    """
    from caffegen.cli.output import write_text
    from caffegen.cli.paths import parse_shapes
    from caffegen.cli.progress import steps
    from caffegen.pytorch import find_device

    sizes = _sizes(batches)
    where = find_device(device)
    how = _How(str(where), dtype, channels_last, compiled, fuse, repeat)
    net = _load(prototxt, caffemodel, stage, level, parse_shapes(inputs, "--input"), dialect)
    with steps("measuring") as progress:
        results = _measure(net, sizes, how, progress)
    document = {
        "version": 1, "net": net.name, **how._asdict(), **_machine(where), "results": results
    }  # fmt: skip
    if form == "json":
        import json

        write_text(json.dumps(document, indent=2) + "\n")
    else:
        write_text(_to_text(document))


def _sizes(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    sizes = [int(word) if word.isdecimal() and len(word) < 10 else 0 for word in words]
    if not all(sizes):
        raise click.UsageError(f"--batch: `{text}` is not of the form 1,8,64")
    return sizes


def _load(
    prototxt: str,
    caffemodel: Sequence[str],
    stages: Sequence[str],
    level: int,
    shapes: Mapping[str, tuple[int, ...]],
    dialect: str,
) -> Net:
    """The net with its weights, or with such as keep the values in range."""
    from caffegen.cli.weights import refuse_missing_weights
    from caffegen.loader import load

    net = load(
        prototxt, list(caffemodel) or None, stages=stages, level=level, inputs=shapes,
        dialect=dialect,
    )  # fmt: skip
    if caffemodel:
        refuse_missing_weights(net)
    else:
        net.fill()
    return net


def _measure(net: Net, sizes: Sequence[int], how: _How, progress: Any) -> list[dict[str, Any]]:
    import torch

    from caffegen.pytorch import build
    from caffegen.pytorch.measure import measure, time_by_type

    device = torch.device(how.device)
    module = build(net, fuse=how.fuse, device=device).to(getattr(torch, _TYPES[how.dtype]))
    if how.channels_last:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    types = {node.name: node.type for node in net.graph.nodes}
    results = []
    for size in sizes:
        progress(f"batch {size}, layer by layer")
        try:
            inputs = _inputs(net, size, how)
            layers = time_by_type(module, types, inputs, device)
            progress(f"batch {size}{', compiling' if how.compile else ''}")
            found = measure(_compiled(module, inputs, how), inputs, device, how.repeat)
        except (MemoryError, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            results.append({"batch": size, "out_of_memory": True})
            continue
        results.append(_result(size, found, layers))
    return results


def _inputs(net: Net, size: int, how: _How) -> dict[str, torch.Tensor]:
    """Seeded inputs of a batch size: every blob that has as many items as the first one."""
    import torch

    from caffegen.errors import CaffegenError
    from caffegen.pytorch.inputs import takes_integers
    from caffegen.verify.inputs import seeded_inputs

    arrays = seeded_inputs(net)
    if not arrays:
        raise CaffegenError("the net has no input whose batch size could be set")
    number = next(iter(arrays.values())).shape[:1]
    inputs = {}
    for name, array in arrays.items():
        if array.ndim and array.shape[:1] == number:
            array = _repeated(array, size)  # noqa: PLW2901
        tensor = torch.from_numpy(array).to(how.device)
        if takes_integers(_first(net, name)):
            inputs[name] = tensor.long()
            continue
        tensor = tensor.to(getattr(torch, _TYPES[how.dtype]))
        if how.channels_last and tensor.dim() == 4:
            tensor = tensor.to(memory_format=torch.channels_last)
        inputs[name] = tensor
    return inputs


def _repeated(array: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """So many items, those of the array in turn; the memory is taken first."""
    import numpy as np

    whole = np.zeros((size, *array.shape[1:]), array.dtype)
    for begin in range(0, size, len(array) or size):
        whole[begin : begin + len(array)] = array[: size - begin]
    return whole


def _first(net: Net, name: str) -> Any:
    """The first version of a blob."""
    return next(v for node in net.graph.nodes for v in node.outputs if v.name == name)


def _compiled(module: CaffeModule, inputs: Mapping[str, torch.Tensor], how: _How) -> Any:
    """The module, compiled for these shapes where that is asked for."""
    if not how.compile:
        return module
    import torch
    from torch._inductor import config

    from caffegen.errors import CaffegenError

    # not dynamic, or the second batch size would be compiled for any size
    made = torch.compile(module, dynamic=False)
    try:
        # Freezing takes the weights as constants, which oneDNN then reorders once and not in
        # every call. Dynamo reads it here alone: as an option of torch.compile it does nothing.
        with torch.inference_mode(), config.patch(freezing=True):
            made(**inputs)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        why = next((line for line in str(error).splitlines() if line.strip()), "")
        raise CaffegenError(f"torch.compile can't compile the net here: {why.strip()}") from None
    return made


def _result(size: int, found: Any, layers: Sequence[Any]) -> dict[str, Any]:
    """One entry of `results` in the JSON, version 1 (docs/run-json.md)."""
    from caffegen.pytorch.measure import spread

    low, median, high = spread([size / seconds for seconds in found.seconds])
    return {
        "batch": size,
        "out_of_memory": False,
        "images_per_second": {"lower_quartile": low, "median": median, "upper_quartile": high},
        "milliseconds_per_pass": spread(found.seconds)[1] * 1000,
        "passes_per_repeat": found.passes,
        "peak_memory_bytes": found.memory,
        "layers": [
            {
                "type": layer.type,
                "layers": layer.layers,
                "milliseconds": layer.seconds * 1000,
                "share": layer.share,
            }
            for layer in layers
        ],
    }


def _machine(device: torch.device) -> dict[str, Any]:
    """What the figures were taken on."""
    import platform

    import torch

    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    return {
        "device_name": name, "torch": torch.__version__, "threads": torch.get_num_threads()
    }  # fmt: skip


def _to_text(document: Mapping[str, Any]) -> str:
    asked = [word for word in ("channels_last", "compile", "fuse") if document[word]]
    how = ", ".join([document["dtype"], *asked])
    machine = f"{document['device_name']}, {document['threads']} threads, torch {document['torch']}"
    lines = [
        f"{document['net'] or 'net'}: {how} on {document['device']} ({machine})",
        "",
        f"{'batch':>6}  {'images/s':>10}  {'quartiles':>21}  {'ms/pass':>9}  {'peak memory':>11}",
    ]
    measured = [result for result in document["results"] if not result["out_of_memory"]]
    for result in document["results"]:
        if result["out_of_memory"]:
            lines.append(f"{result['batch']:>6}  the device's memory is too small")
            continue
        rate = result["images_per_second"]
        quartiles = f"{rate['lower_quartile']:,.1f} to {rate['upper_quartile']:,.1f}"
        memory = result["peak_memory_bytes"]
        told = "?" if memory is None else f"{memory / 1024**2:,.0f} MiB"
        lines.append(
            f"{result['batch']:>6}  {rate['median']:>10,.1f}  {quartiles:>21}  "
            f"{result['milliseconds_per_pass']:>9,.2f}  {told:>11}"
        )
    if measured:
        lines += ["", *_shares(measured)]
    return "\n".join(lines) + "\n"


def _shares(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of the share of each layer type, one column per batch size."""
    shares: dict[tuple[str, int], dict[int, float]] = {}
    for result in results:
        for layer in result["layers"]:
            key = layer["type"], layer["layers"]
            shares.setdefault(key, {})[result["batch"]] = layer["share"]
    width = max(10, *(len(kind) for kind, _ in shares))
    batches = [result["batch"] for result in results]
    head = "  ".join(f"{f'batch {batch}':>10}" for batch in batches)
    lines = [f"{'layer type':<{width}}  {'layers':>6}  {head}"]
    for (kind, number), by_batch in shares.items():
        cells = "  ".join(f"{by_batch.get(batch, 0):>10.1%}" for batch in batches)
        lines.append(f"{kind:<{width}}  {number:>6}  {cells}")
    return lines
