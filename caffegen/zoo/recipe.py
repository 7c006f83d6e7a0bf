"""How a network was trained: the figures of its paper or of its published solver, and Caffe's solver.

A solver names its net by a path that Caffe takes from the folder it is started in; `solver_text`
writes it as it is given. Caffe adds up the gradients of `iter_size` batches before it moves the
weights, so a batch that is smaller than the recipe's is made up for where it divides it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.text import Message

__all__ = ["CIFAR", "ILSVRC12_RESIDUAL", "TrainingRecipe", "data_batches", "solver_text"]

# where each type of data layer has its batch
_BATCHES = {
    "Data": "data_param",
    "AnnotatedData": "data_param",
    "ImageData": "image_data_param",
    "HDF5Data": "hdf5_data_param",
    "MemoryData": "memory_data_param",
    "WindowData": "window_data_param",
}


class TrainingRecipe(NamedTuple):
    """The figures of a solver; the learning rate follows `lr_policy` with the fields of `policy`.

    `source` is where they stand. `batch` and `iter_size` make the mini-batch, `test_images` is the
    size of the validation set. `notes` are sentences for whoever trains, `deep_notes` those that
    hold from a depth on. `scale_decay` is whether the weights of Scale layers decay. `fields` are
    words that the solver of a fork has besides.
    """

    source: str
    batch: int
    test_images: int
    base_lr: float
    lr_policy: str
    policy: Mapping[str, float | tuple[int, ...]]
    max_iter: int
    weight_decay: float
    momentum: float = 0.9
    type: str = "SGD"
    iter_size: int = 1
    test_interval: int = 1000
    test_initialization: bool = True
    display: int = 20
    average_loss: int = 1
    snapshot: int = 10000
    random_seed: int | None = None
    notes: tuple[str, ...] = ()
    deep_notes: Mapping[int, str] = {}
    scale_decay: bool = True
    fields: Mapping[str, str] = {}


CIFAR = TrainingRecipe(
    source="He et al. 2015, section 4.2",
    batch=128, test_images=10000,
    base_lr=0.1, lr_policy="multistep", policy={"gamma": 0.1, "stepvalue": (32000, 48000)},
    max_iter=64000, weight_decay=1e-4,
    test_interval=500, display=100, snapshot=8000,
    notes=(
        ("The images, and with them the mean, are padded with 4 pixels of zero a side, to 40x40; "
         "Caffe trains on random crops of 32x32 and their mirror images, and tests on the middle."),
    ),
    deep_notes={
        110: "From 110 layers on 0.1 is a little too large to start with: begin with "
             "`base_lr: 0.01` until the training error is below 80%, which takes about 400 "
             "iterations, then go on from that snapshot with 0.1.",
    },
)  # fmt: skip

ILSVRC12_RESIDUAL = TrainingRecipe(
    source="He et al. 2015, section 3.4",
    batch=256, test_images=50000,
    base_lr=0.1, lr_policy="multistep",
    policy={"gamma": 0.1, "stepvalue": (150000, 300000, 450000)},
    max_iter=600000, weight_decay=1e-4,
    test_interval=5000, test_initialization=False, display=40, average_loss=40,
    notes=(
        ("The paper divides the rate by 10 when the error plateaus; the steps here are those of "
         "the authors' later work and of fb.resnet.torch, every 30 epochs."),
    ),
)  # fmt: skip


def data_batches(net: Message) -> tuple[int, int]:
    """The images of one pass in TRAIN and in TEST, as the data layers of a net say; 1 if none does."""
    found = {"TRAIN": 1, "TEST": 1}
    for layer in net.layer:
        if layer.type in _BATCHES:
            batch = layer.get(_BATCHES[layer.type]).batch_size
        elif layer.type == "Input" and layer.input_param.shape:
            batch = next(iter(layer.input_param.shape[0].dim), 1)
        else:
            continue
        phases = [rule.phase for rule in layer.include if rule.has("phase")]
        found |= dict.fromkeys(phases or found, max(1, int(batch)))
    return found["TRAIN"], found["TEST"]


def solver_text(
    recipe: TrainingRecipe, net: Message, path: str, command: str, depth: int | None = None
) -> str:
    """The solver that trains a net by a recipe.

    `path` is the file of the net as Caffe will look for it, `command` stands in a comment. Snapshots
    are saved beside the net, under its name.
    """
    from caffegen.templating import render_template

    train, test = data_batches(net)
    path = path.replace(os.sep, "/")
    whole = recipe.batch * recipe.iter_size
    iter_size = max(1, round(whole / train))
    notes = list(recipe.notes)
    notes += [note for least, note in recipe.deep_notes.items() if depth and depth >= least]
    if iter_size * train != whole:
        notes.append(
            f"The figures are for mini-batches of {whole} images; the net has {iter_size * train}."
        )
    return render_template(
        "solver.prototxt.j2",
        recipe=recipe,
        command=command,
        notes=[line for note in notes for line in _wrapped(note)],
        net=_quoted(path),
        prefix=_quoted(os.path.splitext(path)[0]),
        test_iter=-(-recipe.test_images // test),
        test_batch=test,
        train_batch=train,
        iter_size=iter_size,
        policy=_policy(recipe.policy),
        number=_number,
    )


def _policy(policy: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of a learning rate policy, a repeated one once a value."""
    return [
        (field, _number(value))
        for field, values in policy.items()
        for value in (values if isinstance(values, tuple) else (values,))
    ]


def _number(value: float) -> str:
    from caffegen.text.printer import print_float

    return str(value) if isinstance(value, int) else print_float(value)


def _quoted(text: str) -> str:
    from caffegen.schema import message_type
    from caffegen.text.printer import print_value

    return print_value(message_type("SolverParameter").fields["net"], text)


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, 98, break_long_words=False, break_on_hyphens=False)
