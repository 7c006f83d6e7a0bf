"""Residual nets as ensembles: blocks are deleted from trained nets, and the error is measured again.

    python examples/05_degradation.py --save trained
    python examples/06_deleted_blocks.py --weights trained

After Veit, Wilber, Belongie: "Residual Networks Behave Like Ensembles of Relatively Shallow
Networks" (NIPS 2016, arXiv:1605.06431). In a plain net every layer feeds the next, and without one of
them the others see what they never saw; a residual net is a sum over many paths, and most of them go
round any one block. Nothing is trained again. Written are deleted_blocks.json, .png and .svg; nets
that `--weights` does not have are trained first, as 05_degradation.py trains them.
"""

from __future__ import annotations

import os
import random
import sys

import click
from degradation.deletion import Removable, removable_blocks, without
from degradation.figures import draw_deletions, write_figures
from degradation.images import DataError, Images, load_cifar10, load_digits
from degradation.nets import net_to_deploy, net_to_train, recipe_of
from degradation.training import Recipe, count_wrong, find_place, train, trained_weights

import caffegen
from caffegen import pytorch


@click.command()
@click.option("--data", metavar="FOLDER", help="A CIFAR-10 folder; without it the digits.")
@click.option(
    "--nets", default="resnet-56,plain-20", show_default=True, help="Families and depths."
)
@click.option("--weights", metavar="FOLDER", help="Where 05_degradation.py --save put the nets.")
@click.option("--iterations", type=click.IntRange(1), default=1500, show_default=True,
              help="To train what there are no weights of.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True)
@click.option("--draws", type=click.IntRange(1), default=10, show_default=True,
              help="Random choices of blocks for each number of them.")  # fmt: skip
@click.option("--most", type=click.IntRange(1), default=20, show_default=True,
              help="The most blocks that are deleted at once.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", default="figures", show_default=True, metavar="FOLDER")
def main(
    data: str | None, nets: str, weights: str | None, iterations: int, batch: int, draws: int,
    most: int, seed: int, device: str, out: str,
) -> None:  # fmt: skip
    """Delete one block, then several, from trained nets, and plot the test error."""
    images = load_digits() if data is None else load_cifar10(data)
    measured = {}
    for name in nets.split(","):
        net = trained(name, images, weights, (iterations, batch), seed, device)
        measured[name] = measure(net, images, (draws, most), seed, device)
        one = measured[name]["one"]
        print(
            f"{name:12} whole {measured[name]['none']:7.2%}   without one of {len(one)} blocks "
            f"{min(one):.2%} to {max(one):.2%}, in the mean {sum(one) / len(one):.2%}"
        )
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, "deleted_blocks")
    figures = {
        "version": 1, "data": images.title, "test_images": len(images.test), "draws": draws,
        "seed": seed, "nets": measured,
    }  # fmt: skip
    write_figures(f"{path}.json", figures)
    draw_deletions(path, figures)
    print(f"{path}.json, {path}.png, {path}.svg")


def trained(
    name: str, images: Images, folder: str | None, size: tuple[int, int], seed: int, device: str
) -> caffegen.Net:
    """The trained net, ready to deploy: from a folder, or trained now."""
    paths = [os.path.join(folder or "", f"{name}.{kind}") for kind in ("prototxt", "caffemodel")]
    if folder is not None and all(map(os.path.exists, paths)):
        return caffegen.load(*paths)
    iterations, batch = size
    net = net_to_train(name, images, batch, iterations)
    recipe = Recipe.scaled(recipe_of(name), iterations, batch)
    with find_place(device) as place:
        _, module = train(net, images, recipe, place, seed=seed, every=iterations)
    return caffegen.loads(net_to_deploy(name, images), trained_weights(net, module))


def measure(
    net: caffegen.Net, images: Images, size: tuple[int, int], seed: int, device: str
) -> dict[str, object]:
    """Test errors of the whole net, without each block, and without several at random."""
    draws, most = size
    blocks = removable_blocks(net)
    choose = random.Random(seed)
    many = []
    for number in range(1, min(most, len(blocks)) + 1):
        chosen = [choose.sample(blocks, number) for _ in range(draws)]
        many.append(
            {"deleted": number, "errors": [error(net, some, images, device) for some in chosen]}
        )
    return {
        "blocks": [block.name for block in blocks],
        "none": error(net, [], images, device),
        "one": [error(net, [block], images, device) for block in blocks],
        "many": many,
    }


def error(net: caffegen.Net, gone: list[Removable], images: Images, device: str) -> float:
    """The part of the test images that the net takes for something else without some blocks."""
    module = pytorch.build(without(net, gone), device=device)
    images = images.to(pytorch.find_device(device))
    return round(count_wrong(module, "prob", images.test, images.test_labels) / len(images.test), 5)


if __name__ == "__main__":
    try:
        main()
    except (caffegen.CaffegenError, DataError) as error_:
        sys.exit(f"{error_}")
