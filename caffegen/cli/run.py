"""`caffegen run`: what a net says of images or arrays."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_TOP = 5


@click.command("run")
@click.argument("prototxt", type=click.Path())
@click.argument("files", nargs=-1, required=True, metavar="[CAFFEMODEL] IMAGE|FOLDER|ARRAY.npy...")
@click.option("-w", "more", multiple=True, metavar="FILE[,FILE]",
              help="More weights; later files overwrite.")  # fmt: skip
@click.option("--mean", metavar="FILE|104,117,123",
              help="Subtracted first: a .binaryproto or .npy, or values for B, G, R "
                   "(with --rgb: R, G, B).")  # fmt: skip
@click.option("--scale", type=float, default=1.0, show_default=True,
              help="Multiplies what is left.")  # fmt: skip
@click.option("--std", metavar="58.4,57.1,57.4",
              help="Divides what is left: one deviation, or one per channel in the order of --mean. "
                   "For weights that come from other frameworks.")  # fmt: skip
@click.option("--rgb", is_flag=True,
              help="Give the net R, G, B, not Caffe's B, G, R.")  # fmt: skip
@click.option("--labels", "labels_file", type=click.Path(),
              help="The names of the classes, one a line.")  # fmt: skip
@click.option("--top", type=click.IntRange(min=1), help=f"How many classes to show ({_TOP}).")
@click.option("--blob", "blobs", multiple=True, metavar="NAME",
              help="The blob to show, inner ones too; may be repeated (the net's outputs).")  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True,
              help="How many images go through the net at once.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Where to run: cpu, cuda, cuda:1.")
@state_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the results are printed.")  # fmt: skip
@schema_options
def command(
    prototxt: str,
    files: tuple[str, ...],
    more: tuple[str, ...],
    mean: str | None,
    scale: float,
    std: str | None,
    rgb: bool,
    labels_file: str | None,
    top: int | None,
    blobs: tuple[str, ...],
    batch: int,
    device: str,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    form: str,
    dialect: str,
) -> None:
    """Run a net on images, folders of images or arrays, in PyTorch.

    Images are read in BGR, resized to the input (or to what --input says of it) by bilinear
    interpolation as OpenCV does, less the mean, times the scale; a .npy (N x C x H x W, or one item)
    is taken as it is. The highest classes are shown for scores that a Softmax makes, and with --top
    or --labels for any vector per image; shape and statistics for other blobs. A net without weights
    takes no CAFFEMODEL. An input like Faster R-CNN's `im_info` is the size of the net's input, with
    scales of 1. Exit code 3: a file could not be read, or the net does not take its shape.

    Weights that PyTorch trained on ImageNet want
    --rgb --mean 123.675,116.28,103.53 --std 58.395,57.12,57.375.
    """
    import numpy as np

    from caffegen.cli.output import write_text
    from caffegen.cli.paths import parse_shapes
    from caffegen.cli.progress import amount
    from caffegen.cli.weights import first_with_weights, refuse_missing_weights
    from caffegen.errors import CaffegenError
    from caffegen.loader import load
    from caffegen.pytorch.preprocess import image_sizes, only_input, unread_inputs

    caffemodel, given = _split(files)
    paths = _find(given)
    _say_unused(paths, {"--mean": mean is not None, "--scale": scale != 1,
                        "--std": std is not None, "--rgb": rgb})  # fmt: skip
    labels = None if labels_file is None else _read_labels(labels_file)
    weights = [*caffemodel, *(name for group in more for name in group.split(",") if name)]
    shapes = parse_shapes(inputs, "--input")
    net = load(prototxt, weights or None, stages=stage, level=level, inputs=shapes, dialect=dialect)
    refuse_missing_weights(net)
    layer = first_with_weights(net)
    if layer is not None and not weights:
        raise CaffegenError(
            f"the layer `{layer.name}` has weights; give a CAFFEMODEL before what is to be run"
        )
    blob, shape = only_input(net)
    unread = unread_inputs(net, blob)
    wanted = _Wanted(net, blobs, unread, top, labels, labels_file or "")
    reader = _Reader(blob, shape, mean, scale, std=std, rgb=rgb)
    # a detector that reads the image's size takes one image
    batch = 1 if image_sizes(net, shape) else batch
    runner = _Runner(net, blob, unread, wanted.blobs, device)
    results: list[dict[str, Any]] = []
    with amount("running", len(paths), unit="files") as progress:
        for items in _batches(reader.items(paths, runner, progress), batch):
            found = runner.run(np.stack([item.values for item in items]))
            results += wanted.describe(items, found)
    if form == "json":
        import json

        document = {
            "version": 1, "net": net.name, "items": results,
            "unread": [{"path": path, "reason": reason} for path, reason in reader.unread],
        }  # fmt: skip
        write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    else:
        write_text(_to_text(results, several=len(wanted.blobs) > 1))
        for path, reason in reader.unread:
            click.echo(f"caffegen: `{path}`: {reason}", err=True)
    sys.exit(3 if reader.unread else 0)


def _split(files: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The caffemodel, if the first file is one, and what the net is run on."""
    from caffegen.pytorch.images import IMAGE_SUFFIXES

    first = files[0]
    if first.lower().endswith((*IMAGE_SUFFIXES, ".npy")) or os.path.isdir(first):
        return (), files
    if not files[1:]:
        raise click.UsageError("what is the net to be run on? Give an IMAGE, FOLDER or ARRAY.npy")
    return files[:1], files[1:]


class _Item(NamedTuple):
    path: str
    place: int | None
    values: np.ndarray[Any, Any]


class _Reader:
    """Files to items of the net's input; what can't be read is kept with the reason."""

    def __init__(
        self,
        blob: str,
        shape: tuple[int, ...],
        mean: str | None,
        scale: float,
        *,
        std: str | None,
        rgb: bool,
    ) -> None:
        from caffegen.pytorch.preprocess import Preprocessing

        self.blob = blob
        self.shape = shape
        self.scale = scale
        self.images: Preprocessing | None = None
        self.unread: list[tuple[str, str]] = []
        # of shapes other than the input's why the net does not take them, or nothing
        self.refusals: dict[tuple[int, ...], str] = {}
        if mean is not None or std is not None or rgb:
            # what does not fit the input is said before the first image is read
            self.images = Preprocessing.of(blob, shape, mean, scale, std=std, rgb=rgb)

    def items(self, paths: Sequence[str], runner: _Runner, progress: Any) -> Iterator[_Item]:
        from caffegen.errors import FileError

        for path in paths:
            try:
                yield from self.read(path, runner)
            except FileError as error:
                self.unread.append((path, error.sentence))
            progress(1)

    def read(self, path: str, runner: _Runner) -> Iterator[_Item]:
        import numpy as np

        from caffegen.pytorch.preprocess import Preprocessing, read_items

        if path.lower().endswith(".npy"):
            array = read_items(path, self.blob, self.shape)
            for index, values in enumerate(array):
                with np.errstate(over="ignore"):  # what is too large becomes infinite
                    item = _Item(path, index, values.astype(np.float32))
                if not index:
                    self.refuse_misfit(item, runner)
                yield item
            return
        if self.images is None:
            self.images = Preprocessing.of(self.blob, self.shape, scale=self.scale)
        yield _Item(path, None, self.images.image(path))

    def refuse_misfit(self, item: _Item, runner: _Runner) -> None:
        """Raise FileError for an item of another shape than the input's that the net can't take."""
        from caffegen.errors import FileError

        shape = item.values.shape
        if shape == self.shape[1:]:
            return
        if shape not in self.refusals:
            self.refusals[shape] = runner.refusal(item.values[None])
        if self.refusals[shape]:
            raise FileError(
                item.path, f"the net takes no items of shape {list(shape)}: {self.refusals[shape]}"
            )


def _say_unused(paths: Sequence[str], options: Mapping[str, bool]) -> None:
    """Say which of the options for images have nothing to do, where all files are arrays."""
    given = [name for name, on in options.items() if on]
    if given and all(path.lower().endswith(".npy") for path in paths):
        names = " and ".join([", ".join(given[:-1]), given[-1]] if given[1:] else given)
        told = "is" if len(given) == 1 else "are"
        click.echo(f"caffegen: {names} {told} for images; arrays are taken as they are", err=True)


def _find(files: Sequence[str]) -> list[str]:
    """The files that are named, and the images in folders, by name."""
    from caffegen.errors import FileError
    from caffegen.pytorch.images import IMAGE_SUFFIXES

    found: list[str] = []
    for name in files:
        if not os.path.isdir(name):
            found.append(name)
            continue
        images = [
            os.path.join(parent, file)
            for parent, _, inside in os.walk(name)
            for file in inside
            if file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith(".")
        ]
        if not images:
            raise FileError(name, f"the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
        found += sorted(images)
    return found


def _read_labels(path: str) -> list[str]:
    from caffegen.errors import FileError, unreadable

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            labels = [line.strip() for line in file]
    except OSError as error:
        raise unreadable(path, error) from None
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise FileError(path, "it holds no labels")
    return labels


def _batches(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    """Items of one shape, up to `size` together, in order."""
    batch: list[_Item] = []
    for item in items:
        if batch and (len(batch) == size or batch[0].values.shape != item.values.shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


class _Runner:
    """The net in PyTorch, and the blobs that are wanted of it."""

    def __init__(
        self,
        net: Net,
        blob: str,
        unread: Mapping[str, tuple[int, ...]],
        blobs: Sequence[str],
        device: str,
    ) -> None:
        from caffegen.pytorch import build

        self.net = net
        self.blob = blob
        self.unread = unread
        self.blobs = blobs
        self.device = device
        self.module: CaffeModule = build(net, device=device)

    def run(self, items: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """The wanted blobs for items along axis 0."""
        import torch

        from caffegen.errors import CaffegenError

        try:
            with torch.inference_mode():
                found = self.module.run(self.inputs(items), self.blobs)
        except torch.OutOfMemoryError:
            raise CaffegenError(
                f"the memory of `{self.device}` is too small for a batch of {len(items)}; "
                "give --batch less"
            ) from None
        return {name: tensor.detach().float().cpu().numpy() for name, tensor in found.items()}

    def inputs(self, items: np.ndarray[Any, Any]) -> dict[str, torch.Tensor]:
        """All that the net is given: the items, their size, and zeros for what no layer reads."""
        import numpy as np
        import torch

        from caffegen.pytorch.preprocess import image_sizes

        values = {self.blob: items, **image_sizes(self.net, items.shape)}
        for name, size in self.unread.items():
            values[name] = np.zeros((len(items), *size), np.float32)
        return {name: torch.from_numpy(array).to(self.device) for name, array in values.items()}

    def refusal(self, items: np.ndarray[Any, Any]) -> str:
        """Why the net does not run on items of this shape; nothing where it does."""
        import torch

        from caffegen.errors import CaffegenError

        try:
            with torch.inference_mode():
                self.module.run(self.inputs(items), self.blobs)
        except torch.OutOfMemoryError:
            return ""  # the run itself says so
        except CaffegenError as error:
            return str(error)
        return ""


class _Wanted:
    """What is shown of the blobs: for scores the highest classes, for all of them statistics."""

    def __init__(
        self,
        net: Net,
        blobs: Sequence[str],
        unread: Collection[str],
        top: int | None,
        labels: Sequence[str] | None,
        labels_file: str,
    ) -> None:
        known = net.graph.final
        for name in blobs:
            if name not in known:
                raise click.UsageError(_no_blob(name, list(known)))
        ends = [value.name for value in net.graph.outputs if value.name not in unread]
        self.blobs = list(blobs) or ends
        self.top = top or _TOP
        self.labels = labels
        self.labels_file = labels_file
        self.scores = {
            name
            for name in self.blobs
            if top is not None or labels is not None or _from_softmax(known[name].producer)
        }

    def describe(
        self, items: Sequence[_Item], found: dict[str, np.ndarray[Any, Any]]
    ) -> Iterator[dict[str, Any]]:
        """What the results say of each item: the JSON, version 1 (docs/run-json.md)."""
        for position, item in enumerate(items):
            outputs = [
                self.describe_blob(name, _part(name, values, position, len(items)))
                for name, values in found.items()
            ]
            yield {"path": item.path, "index": item.place, "outputs": outputs}

    def describe_blob(self, name: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
        import numpy as np

        finite = values[np.isfinite(values)].astype(np.float64)
        told: dict[str, Any] = {
            "blob": name, "shape": list(values.shape), "not_finite": values.size - finite.size
        }  # fmt: skip
        for what in ("min", "max", "mean", "std"):
            told[what] = float(getattr(finite, what)()) if finite.size else None
        vector = values.ndim > 0 and values.size == values.shape[0] > 1
        told["top"] = None
        if vector and name in self.scores:
            told["top"] = self.highest(name, values.reshape(-1))
        return told

    def highest(self, name: str, scores: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        """The classes with the highest scores; of equal ones the first comes first."""
        import numpy as np

        if self.labels is not None and len(self.labels) != scores.size:
            raise click.UsageError(
                f"`{self.labels_file}` has {len(self.labels)} labels; the blob `{name}` has "
                f"{scores.size} classes"
            )
        order = np.argsort(-scores, kind="stable")[: self.top]
        return [
            {
                "class": int(index),
                "label": None if self.labels is None else self.labels[index],
                "score": float(scores[index]) if np.isfinite(scores[index]) else None,
            }
            for index in order
        ]


def _no_blob(name: str, known: Sequence[str]) -> str:
    from caffegen.schema.suggest import nearest

    near = nearest(name, known)
    return f"--blob: the net has no blob `{name}`" + (f"; did you mean `{near}`?" if near else "")


def _from_softmax(node: Any) -> bool:
    """Whether a Softmax made the blob, be it behind layers that only move values."""
    while node is not None and node.type in ("Flatten", "Reshape", "Split") and node.inputs[0]:
        node = node.inputs[0].producer
    return node is not None and node.type == "Softmax"


def _part(
    name: str, values: np.ndarray[Any, Any], position: int, number: int
) -> np.ndarray[Any, Any]:
    """What of a blob belongs to one item of the batch."""
    from caffegen.errors import CaffegenError

    if values.ndim and values.shape[0] == number:
        part: np.ndarray[Any, Any] = values[position]
        return part
    if number > 1:
        raise CaffegenError(
            f"the blob `{name}` has the shape {list(values.shape)} for {number} images, which is "
            "not one part per image; run it with --batch 1"
        )
    return values


def _to_text(results: Sequence[dict[str, Any]], *, several: bool) -> str:
    lines = []
    for item in results:
        index = "" if item["index"] is None else f"[{item['index']}]"
        lines.append(f"{item['path']}{index}")
        for told in item["outputs"]:
            if told["top"] is None:
                lines.append(f"  {told['blob']}  {_statistics(told)}")
                continue
            if several:
                lines.append(f"  {told['blob']}")
            width = max(len(str(line["class"])) for line in told["top"])
            for line in told["top"]:
                score = "  ----" if line["score"] is None else f"{line['score']:6.4f}"
                lines.append(f"  {score}  {line['class']:>{width}}  {line['label'] or ''}".rstrip())
    return "\n".join(lines) + "\n" if lines else ""


def _statistics(told: dict[str, Any]) -> str:
    shape = "x".join(map(str, told["shape"])) or "1"
    if told["min"] is None:
        return f"{shape}  no finite values"
    numbers = "  ".join(f"{what} {told[what]:.6g}" for what in ("min", "max", "mean", "std"))
    odd = f"  {told['not_finite']} not finite" if told["not_finite"] else ""
    return f"{shape}  {numbers}{odd}"
