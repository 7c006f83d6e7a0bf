"""One net trained by its paper's recipe, in any number of iterations, on one device or several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

import caffegen
from caffegen import pytorch
from caffegen.zoo.recipe import TrainingRecipe

from .images import Images

__all__ = ["Curve", "Place", "Recipe", "count_wrong", "find_place", "train", "trained_weights"]


class Recipe(NamedTuple):
    """A published recipe, scaled to fewer iterations: the rate falls at the same parts of the way.

    `warm_up` is the part of the iterations that run at a tenth of the rate first. He et al. 2015,
    section 4.2, do so with their deepest net; here it is for every net alike.
    """

    iterations: int
    batch: int
    rate: float
    steps: tuple[float, ...]
    momentum: float
    nesterov: bool
    decay: float
    warm_up: float = 0.02

    @classmethod
    def scaled(cls, published: TrainingRecipe, iterations: int, batch: int) -> Recipe:
        """The recipe of an architecture of the zoo."""
        steps = published.policy["stepvalue"]
        assert isinstance(steps, tuple)
        return cls(
            iterations, batch, published.base_lr,
            tuple(step / published.max_iter for step in steps), published.momentum,
            published.type == "Nesterov", published.weight_decay,
        )  # fmt: skip

    def rate_at(self, iteration: int) -> float:
        """The learning rate of an iteration, counted from 0."""
        part = iteration / self.iterations
        if part < self.warm_up:
            return self.rate / 10
        return self.rate / 10 ** sum(part >= step for step in self.steps)


class Curve(NamedTuple):
    """What was measured after each stretch of iterations; errors are parts of 1.

    Loss and training error are of the stretch's own batches, as they were when they were trained
    on; the test error is that of the whole test set, with stored statistics.
    """

    iterations: list[int]
    training_loss: list[float]
    training_error: list[float]
    test_error: list[float]


class Place(NamedTuple):
    """Where this process computes, and which of how many it is."""

    device: torch.device
    rank: int = 0
    processes: int = 1


@contextmanager
def find_place(device: str) -> Iterator[Place]:
    """The device of this process: of several, started by torchrun, each takes a GPU of its own."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        yield Place(pytorch.find_device(device))
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    place = pytorch.find_device(device)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Place(place, distributed.get_rank(), processes)
    finally:
        distributed.destroy_process_group()


class _Learner(nn.Module):
    """A net that gives its loss and its scores."""

    def __init__(self, net: caffegen.Net, seed: int) -> None:
        super().__init__()
        self.net = pytorch.build(net, seed=seed)
        (loss,) = (layer for layer in net.layers if layer.type == "SoftmaxWithLoss")
        self.loss, self.scores = loss.top[0], loss.bottom[0]

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        blobs = self.net.run({"data": images, "label": labels}, [self.loss, self.scores])
        return self.net.total_loss(blobs), blobs[self.scores]


def train(
    net: caffegen.Net,
    images: Images,
    recipe: Recipe,
    place: Place,
    *,
    seed: int = 0,
    every: int = 20,
    progress: Callable[[int, float, float], None] = lambda *_: None,
) -> tuple[Curve, pytorch.CaffeModule]:
    """Train a net that was loaded with the phase TRAIN; its curve and its module.

    Every process draws the same batches and takes its own part, so that what is learned does not
    depend on their number, but for the statistics of BatchNorm, which are each process's own.
    `progress` is told the iteration, the training error and the test error.
    """
    if recipe.batch % place.processes:
        raise caffegen.CaffegenError(
            f"a batch of {recipe.batch} can't be shared out evenly to {place.processes} processes"
        )
    # what Dropout drops; everything else has generators of its own
    torch.manual_seed(seed + place.rank)
    images = images.to(place.device)
    learner = _Learner(net, seed).to(place.device)
    module = learner.net
    optimizer = torch.optim.SGD(
        module.parameter_groups(recipe.rate, recipe.decay),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
    )
    step = learner if place.processes == 1 else DistributedDataParallel(learner)
    curve, meter = Curve([], [], [], []), _Meter(place)
    for iteration, drawn in enumerate(_batches(images, recipe, seed), 1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(iteration - 1) * group["lr_mult"]
        data, labels = images.batch(*(part.to(place.device) for part in _mine(drawn, place)))
        loss, scores = step(data, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        meter.add(loss, scores, labels)
        if iteration % every == 0 or iteration == recipe.iterations:
            wrong = count_wrong(module, learner.scores, images.test, images.test_labels)
            row = (iteration, *meter.take(), wrong / len(images.test))
            for column, value in zip(curve, row, strict=True):
                column.append(value)
            progress(iteration, *row[2:])
    return curve, module


class _Meter:
    """The mean loss and error of a stretch of batches, over all processes."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sums = torch.zeros(2, device=place.device)
        self.count = 0

    @torch.no_grad()
    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        wrong = (scores.argmax(1) != labels).float().mean()
        self.sums += torch.stack([loss, wrong])
        self.count += 1

    def take(self) -> tuple[float, float]:
        """The means since the last time."""
        if self.place.processes > 1:
            distributed.all_reduce(self.sums)
        loss, error = (self.sums / (self.count * self.place.processes)).tolist()
        self.sums.zero_()
        self.count = 0
        return loss, error


def _batches(images: Images, recipe: Recipe, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Which images each batch takes, and how each is shifted and mirrored; epochs are shuffled."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(recipe.iterations):
        while len(order) < recipe.batch:
            order = torch.cat([order, torch.randperm(len(images.train), generator=generator)])
        taken, order = order[: recipe.batch], order[recipe.batch :]
        shifts = torch.randint(2 * images.pad + 1, (recipe.batch, 2), generator=generator)
        yield taken, shifts, torch.rand(recipe.batch, generator=generator) < 0.5


def _mine(drawn: tuple[Tensor, ...], place: Place) -> list[Tensor]:
    return [part.chunk(place.processes)[place.rank] for part in drawn]


@torch.no_grad()
def count_wrong(
    module: pytorch.CaffeModule, scores: str, images: Tensor, labels: Tensor, *, at_once: int = 500
) -> int:
    """How many images are taken for another class, with the stored statistics."""
    training = module.training
    module.eval()
    wrong = 0
    for part, truth in zip(images.split(at_once), labels.split(at_once), strict=True):
        given: dict[str, Any] = {"data": part}
        if "label" in module.input_names:
            given["label"] = truth
        wrong += int((module.run(given, [scores])[scores].argmax(1) != truth).sum())
    module.train(training)
    return wrong


def trained_weights(net: caffegen.Net, module: pytorch.CaffeModule) -> dict[str, list[Any]]:
    """The weights of a trained module by layer, as Caffe stores them."""
    return {
        layer.name: [blob.detach().cpu().numpy() for blob in module.caffe_blobs(layer.name)]
        for layer in net.layers
        if layer.definition is not None and layer.definition.blobs
    }
