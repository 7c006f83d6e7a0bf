"""The degradation problem, seen: plain nets train worse when they are deeper, residual nets do not.

    python examples/05_degradation.py                         # scikit-learn's digits, on the CPU
    python examples/05_degradation.py --data cifar-10-batches-bin --device cuda
    torchrun --nproc-per-node 4 examples/05_degradation.py --data cifar-10-batches-bin --device cuda

The zoo describes the nets, caffegen builds them in PyTorch with the fillers of their prototxt, and
each is trained by its paper's recipe, scaled to the number of iterations. Written are the errors by
iteration (degradation.json), their plot (.png and .svg) and, with --save, the trained nets for
Caffe. Nets that are in the JSON already, by the same recipe, are kept: nets can be added one by one.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext

import click
from degradation.figures import draw_curves, read_figures, write_figures
from degradation.images import DataError, Images, load_cifar10, load_digits
from degradation.nets import NETS, net_to_deploy, net_to_train, recipe_of
from degradation.training import Curve, Place, Recipe, find_place, train, trained_weights
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import caffegen


@click.command()
@click.option("--data", metavar="FOLDER", help="A CIFAR-10 folder, better of the binary version; "
              "without it the digits.")  # fmt: skip
@click.option("--nets", default=",".join(NETS), show_default=True, help="Families and depths.")
@click.option("--iterations", type=click.IntRange(1), help="1500 for the digits, for CIFAR 64000.")
@click.option("--batch", type=click.IntRange(1), help="64 for the digits, for CIFAR 128.")
@click.option("--every", type=click.IntRange(1), default=20, show_default=True,
              help="Iterations between two points of a curve.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", default="figures", show_default=True, metavar="FOLDER")
@click.option("--save", metavar="FOLDER", help="Keep the trained nets: prototxt and caffemodel.")
def main(
    data: str | None, nets: str, iterations: int | None, batch: int | None, every: int, seed: int,
    device: str, out: str, save: str | None,
) -> None:  # fmt: skip
    """Train plain, residual and highway nets and plot their errors."""
    images = load_digits() if data is None else load_cifar10(data)
    iterations = iterations or (1500 if data is None else 64_000)
    batch = batch or (64 if data is None else 128)
    facts = {
        "version": 1, "data": images.title, "training_images": len(images.train),
        "test_images": len(images.test), "iterations": iterations, "batch": batch, "seed": seed,
    }  # fmt: skip
    path = os.path.join(out, "degradation")
    earlier = read_figures(f"{path}.json")
    known = earlier.pop("nets", {}) if earlier else {}
    figures = {**facts, "nets": known if earlier == facts else {}}
    with find_place(device) as place:
        for name in nets.split(","):
            start = time.perf_counter()
            curve, parameters = learn(name, images, (iterations, batch, every), place, seed, save)
            if place.rank == 0:
                figures["nets"][name] = {
                    "parameters": parameters,
                    **{field: [round(x, 5) for x in row] for field, row in curve._asdict().items()},
                    "seconds": round(time.perf_counter() - start),
                }
                os.makedirs(out, exist_ok=True)
                figures["nets"] = dict(sorted(figures["nets"].items(), key=in_order))
                write_figures(f"{path}.json", figures)
                draw_curves(path, figures)
    if place.rank == 0:
        print(table(figures["nets"]))
        print(f"{path}.json, {path}.png, {path}.svg")


def in_order(item: tuple[str, object]) -> int:
    return NETS.index(item[0]) if item[0] in NETS else len(NETS)


def learn(
    name: str, images: Images, size: tuple[int, int, int], place: Place, seed: int, save: str | None
) -> tuple[Curve, int]:
    """Train one net, with a bar where somebody watches; its curve, and how many values it learned."""
    iterations, batch, every = size
    net = net_to_train(name, images, batch, iterations)
    recipe = Recipe.scaled(recipe_of(name), iterations, batch)
    with progress(name, iterations, place) as tell:
        curve, module = train(net, images, recipe, place, seed=seed, every=every, progress=tell)
    if save is not None and place.rank == 0:
        os.makedirs(save, exist_ok=True)
        trained = caffegen.loads(net_to_deploy(name, images), trained_weights(net, module))
        trained.save(*(os.path.join(save, f"{name}.{kind}") for kind in ("prototxt", "caffemodel")))
    return curve, sum(parameter.numel() for parameter in module.parameters())


def progress(name: str, iterations: int, place: Place):
    """A bar on standard error, where that is a terminal."""
    if place.rank or not sys.stderr.isatty():
        return nullcontext(lambda *_: None)
    return Bar(name, iterations)


class Bar:
    """Iterations, errors and the time left."""

    def __init__(self, name: str, iterations: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True))
        self.name = name
        self.task = self.bar.add_task(name, total=iterations)

    def __enter__(self):
        self.bar.start()
        return self.tell

    def __exit__(self, *_) -> None:
        self.bar.stop()

    def tell(self, iteration: int, training: float, test: float) -> None:
        errors = f"{self.name:10} training {training:6.1%}  test {test:6.1%}"
        self.bar.update(self.task, completed=iteration, description=errors)


def table(nets: dict[str, dict]) -> str:
    """The last errors of each net; the training error is the mean of its last tenth."""
    lines = [f"{'net':12}{'parameters':>12}{'training error':>16}{'test error':>12}"]
    for name, curve in nets.items():
        tenth = max(1, len(curve["training_error"]) // 10)
        training = sum(curve["training_error"][-tenth:]) / tenth
        lines.append(
            f"{name:12}{curve['parameters']:12,}{training:16.2%}{curve['test_error'][-1]:12.2%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except (caffegen.CaffegenError, DataError) as error:
        sys.exit(f"{error}")
