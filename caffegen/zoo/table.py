"""Residual networks of one's own as a table in TOML: a stem, stages of blocks, and a head.

    name = "tiny"               # the net's name; the file's unless given
    dataset = "cifar10"         # imagenet (usual), cifar10, cifar100: what the data layers read
    classes = 10                # those of the dataset, as are input_size and batch
    input_size = 32
    channels = 3                # 1 for grey images
    block = "basic"             # basic (usual), bottleneck, plain, preactivation,
                                #   preactivation-bottleneck: the blocks of every stage
    shortcut = "A"              # A pads with zeros, B projects where the shape changes (usual),
                                #   C projects always
    expansion = 4               # how much wider a bottleneck ends

    [stem]
    kind = "3x3"                # or "7x7": by 2, with a 3x3 max pooling by 2 behind it
    width = 16

    [[stages]]                  # one for each stage; block, shortcut and expansion may stand here, too
    count = 9                   # blocks
    width = 16                  # of the 3x3 convolutions
    stride = 1                  # of the first block; 1 in the first stage and 2 in the others

    [head]                      # may be left out
    pool = "average"            # or "max": over the whole blob, before the fully connected layer
    dropout = 0.0               # between the two

What is wrong in a table is said with its file, line and column.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import (
    ORDERS,
    SHORTCUTS,
    BlockNames,
    Conv,
    Feature,
    Recipe,
    UnitNames,
    activate,
    convolve,
    max_pool,
    residual_block,
)
from caffegen.errors import CaffegenError
from caffegen.text import Source

from .architecture import Architecture, Depths, ZooError, check_blob, check_choice, listed
from .dataset import DATASETS, PHASES, add_data_layers, add_head, data_options
from .recipe import CIFAR, ILSVRC12_RESIDUAL
from .toml_places import Path, key_places

__all__ = ["BLOCKS", "TableError", "read_table"]

# the convolutions of a block: whether the last is wider, whether it is pre-activated, and whether
# it is residual at all
BLOCKS = {
    "basic": (False, False, True),
    "bottleneck": (True, False, True),
    "plain": (False, False, False),
    "preactivation": (False, True, True),
    "preactivation-bottleneck": (True, True, True),
}
_RECIPES = {"imagenet": ILSVRC12_RESIDUAL, "cifar10": CIFAR, "cifar100": CIFAR}


class TableError(ZooError):
    """A table that describes no net; its text begins with the place."""


class _Key(NamedTuple):
    """A key of a table: a whole number, unless it has `choices` or another `kind`."""

    choices: tuple[str, ...] = ()
    kind: str = "number"
    needed: bool = False


_BLOCK_KEYS = {"block": _Key(tuple(BLOCKS)), "shortcut": _Key(SHORTCUTS), "expansion": _Key()}
_KEYS = {
    "": {
        "name": _Key(kind="text"),
        "dataset": _Key(tuple(DATASETS)),
        "classes": _Key(),
        "input_size": _Key(),
        "channels": _Key(),
        "batch": _Key(),
        **_BLOCK_KEYS,
        "stem": _Key(kind="table", needed=True),
        "stages": _Key(kind="tables", needed=True),
        "head": _Key(kind="table"),
    },
    "stem": {"kind": _Key(("3x3", "7x7"), needed=True), "width": _Key(needed=True)},
    "stages": {
        **_BLOCK_KEYS,
        "count": _Key(needed=True),
        "width": _Key(needed=True),
        "stride": _Key(),
    },
    "head": {"pool": _Key(("average", "max")), "dropout": _Key(kind="share")},
}
_TOLD = {
    "number": "a whole number of at least 1",
    "text": "a string",
    "share": "a number from 0 up to, not including, 1",
    "table": "a table: `[{}]`",
    "tables": "a list of tables: `[[{}]]`",
}


def read_table(path: str) -> Architecture:
    """The architecture that a TOML file describes; TableError for what it can't be."""
    from caffegen.loader import read_source

    source = read_source(path)
    values = _parse(source)
    places = _Places(source)
    _check(places, values, "", ())
    for part in ("stem", "head"):
        _check(places, values.get(part, {}), part, (part,))
    for index, stage in enumerate(values["stages"]):
        _check(places, stage, "stages", ("stages", index))
        if stage.get("block") == "plain" and "shortcut" in stage:
            raise places.error(
                ("stages", index, "shortcut"), "a plain block has no shortcut; leave it out"
            )
    return _Table(values, places).architecture()


def _parse(source: Source) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: dict[str, Any] = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        sentence, _, place = str(error).partition(" (at ")
        numbers = re.findall(r"\d+", place)
        lines = source.text.rstrip("\n").split("\n")
        # at the end of the document no numbers are given
        line, column = map(int, numbers) if numbers else (len(lines), len(lines[-1]) + 1)
        sentence = sentence[:1].lower() + sentence[1:]
        raise TableError(f"{source.path}:{line}:{column}: this is no TOML: {sentence}") from None
    except (RecursionError, ValueError):
        # of arrays in arrays, or of a number with thousands of digits, which Python does not read
        raise TableError(
            f"{source.path}:1:1: the table has more in one value than can be read"
        ) from None
    return values


class _Places:
    """Where the keys of a table stand."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.keys = key_places(source.text)

    def error(self, path: Path, sentence: str) -> TableError:
        """The error that points at a key, or at the nearest table above it that is written."""
        while path and path not in self.keys:
            path = path[:-1]
        line, column = self.source.position(self.keys[path][0] if path else 0)
        return TableError(f"{self.source.path}:{line}:{column}: {sentence}")

    @contextmanager
    def at(self, path: Path) -> Iterator[None]:
        """Whatever is refused in here is said with the place of a key."""
        try:
            yield
        except TableError:
            raise
        except CaffegenError as error:
            raise self.error(path, str(error)) from None


def _check(places: _Places, table: Mapping[str, Any], part: str, path: Path) -> None:
    """Refuse keys that a table does not have, values of another kind, and keys that are missing."""
    keys = _KEYS[part]
    where = {"": "the table", "stages": "[[stages]]"}.get(part, f"[{part}]")
    for name, value in table.items():
        if name not in keys:
            raise places.error((*path, name), f"{where} has no key `{name}`{_near(name, keys)}")
        key = keys[name]
        if key.choices:
            with places.at((*path, name)):
                check_choice(name, value, key.choices)
        elif not _fits(key.kind, value):
            told = _TOLD[key.kind].format(name)
            raise places.error((*path, name), f"`{name}` is {told}, found `{_written(value)}`")
    missing = [name for name, key in keys.items() if key.needed and name not in table]
    if missing and (part or len(missing) == len(keys)):
        raise places.error(path, f"{where} needs `{missing[0]}`")
    if missing:
        written = {"stem": "[stem]", "stages": "[[stages]]"}[missing[0]]
        raise places.error(path, f"the table has no {written}; a net has a stem and stages")


def _fits(kind: str, value: object) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "table":
        return isinstance(value, dict)
    if kind == "tables":
        return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
    if isinstance(value, bool):
        return False
    if kind == "share":
        return isinstance(value, (int, float)) and 0 <= value < 1
    return isinstance(value, int) and value >= 1


def _written(value: object) -> str:
    """A value as TOML has it, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _near(word: str, keys: Iterable[str]) -> str:
    from caffegen.schema.suggest import nearest

    found = nearest(word, keys)
    return f"; did you mean `{found}`?" if found else f"; there is {listed(keys)}"


class _Table:
    """A table that was checked, and the net that it describes."""

    def __init__(self, values: Mapping[str, Any], places: _Places) -> None:
        self.values = values
        self.places = places
        self.dataset = DATASETS[values.get("dataset", "imagenet")]

    def architecture(self) -> Architecture:
        """A family of this one net."""
        path, values = self.places.source.path, self.values
        title = values.get("name") or os.path.splitext(os.path.basename(path))[0]
        dataset = values.get("dataset", "imagenet")
        depth = 2 + sum(
            stage["count"] * (3 if BLOCKS[self._of(stage, "block", "basic")][0] else 2)
            for stage in values["stages"]
        )
        images = self.dataset
        options = data_options(
            values.get("classes", images.classes),
            values.get("input_size", images.input_size),
            values.get("batch", images.train_batch),
            "data layers, fillers and a loss",
        )
        return Architecture(
            name=f"emit {path}", title=title, paper=f"The table of {path}.",
            depths={dataset: Depths((depth,), depth)}, options=options, build=self.build,
            recipes={dataset: _RECIPES[dataset]},
        )  # fmt: skip

    def build(
        self,
        classes: int | None = None,
        input_size: int | None = None,
        batch: int | None = None,
        phase: str = "deploy",
        data: str = "lmdb",
    ) -> NetSpec:
        """The net; what is given wins over what the table says."""
        check_choice("phase", phase, PHASES)
        values, facts = self.values, self.dataset
        size = input_size or values.get("input_size", facts.input_size)
        number = classes or values.get("classes", facts.classes)
        train = batch or values.get("batch")
        batches = (1, 1) if phase == "deploy" else (facts.train_batch, facts.test_batch)
        batches = (train, train) if train else batches
        images = facts.images._replace(channels=values.get("channels", 3))
        net = NetSpec(self.architecture().title)
        builder = _Builder(net, phase, max(batches))
        with self.places.at(("input_size",)):
            check_blob(max(batches), images.channels, size)
            feature = add_data_layers(net, images, phase, data, batches, size)
        with self.places.at(("stem",)):
            feature = builder.stem(feature, **values["stem"], bare=self._preactivated(0))
        for index, stage in enumerate(values["stages"]):
            with self.places.at(("stages", index)):
                feature = self._stage(builder, feature, index, stage)
        with self.places.at(("head",) if "head" in values else ("classes",)):
            builder.head(feature, number, **values.get("head", {}))
        return net

    def _of(self, stage: Mapping[str, Any], key: str, usual: Any) -> Any:
        """A stage's value, or the whole table's."""
        return stage.get(key, self.values.get(key, usual))

    def _preactivated(self, index: int) -> bool:
        """Whether the blocks of a stage are; behind the last stage there is none."""
        stages = self.values["stages"]
        return index < len(stages) and BLOCKS[self._of(stages[index], "block", "basic")][1]

    def _stage(
        self, builder: _Builder, feature: Feature, index: int, stage: Mapping[str, Any]
    ) -> Feature:
        wide, before, residual = BLOCKS[self._of(stage, "block", "basic")]
        stride = stage.get("stride", 2 if index else 1)
        width = stage["width"]
        option = self._of(stage, "shortcut", "B") if residual else ""
        last = width * self._of(stage, "expansion", 4)
        for block in range(stage["count"]):
            step = stride if block == 0 else 1
            convolutions: tuple[Conv, ...] = (Conv(width, 3, step), Conv(width, 3))
            if wide:
                convolutions = (Conv(width, 1), Conv(width, 3, step), Conv(last, 1))
            name = f"stage{index + 1}_{block + 1}"
            feature = builder.block(feature, name, convolutions, option, before=before)
        if before and not self._preactivated(index + 1):
            feature = builder.end(feature, f"stage{index + 1}")
        return feature


class _Builder:
    """A net in the making."""

    def __init__(self, net: NetSpec, phase: str, images: int) -> None:
        self.net = net
        self.phase = phase
        self.images = images
        # whether the last layer was a ReLU of the stem, so that the first block needs none
        self.activated = False
        if phase == "deploy":
            self.recipe = Recipe(batch_norm={"use_global_stats": True})
        else:
            # the statistics are no parameters to learn: three blobs, three rates of 0
            self.recipe = Recipe(
                {"weight_filler": {"type": "msra"}}, {"param": [{"lr_mult": 0}] * 3}
            )

    def stem(self, bottom: Feature, kind: str, width: int, *, bare: bool) -> Feature:
        """The first convolution; `bare` leaves its activation to the first block."""
        names = UnitNames("conv1", "bn1", "bn1_scale", "relu1")
        convolution = Conv(width, 3) if kind == "3x3" else Conv(width, 7, 2)
        check_blob(self.images, width, convolution.size(bottom.size))
        feature = convolve(self.net, bottom, names.conv, convolution, self.recipe)
        if kind == "3x3" and bare:
            return feature
        self.activated = True
        feature = activate(self.net, feature, ("bn", "relu"), names, self.recipe)
        if kind == "3x3":
            return feature
        return max_pool(self.net, feature, "pool1", kernel_size=3, stride=2, pad=0, floor=False)

    def block(
        self, bottom: Feature, name: str, convolutions: tuple[Conv, ...], option: str, *,
        before: bool,
    ) -> Feature:  # fmt: skip
        """A block of a stage, every size of it checked."""
        size = bottom.size
        for convolution in convolutions:
            size = convolution.size(size)
            check_blob(self.images, convolution.num_output, size)
        feature = residual_block(
            self.net, bottom, _names(name), convolutions, self.recipe, option,
            order=ORDERS["full" if before else "original"], activated=self.activated and before,
        )  # fmt: skip
        self.activated = False
        return feature

    def end(self, bottom: Feature, name: str) -> Feature:
        """What pre-activated blocks leave to whoever reads their sum."""
        names = UnitNames("", f"{name}_bn", f"{name}_bn_scale", f"{name}_relu")
        return activate(self.net, bottom, ("bn", "relu"), names, self.recipe)

    def head(
        self, bottom: Feature, classes: int, pool: str = "average", dropout: float = 0
    ) -> None:
        """Pooling, the classifier, and what follows it in each phase."""
        method = {"average": "AVE", "max": "MAX"}[pool]
        check_blob(classes, bottom.channels, 1)
        top = self.net.pool = L.Pooling(bottom.top, pool=method, global_pooling=True)
        if dropout:
            top = self.net.dropout = L.Dropout(top, in_place=True, dropout_ratio=dropout)
        filler = {} if self.phase == "deploy" else {"weight_filler": {"type": "msra"}}
        top = self.net.fc = L.InnerProduct(top, num_output=classes, **filler)
        add_head(self.net, top, self.phase, classes)


def _names(block: str) -> BlockNames:
    def unit(conv: str, norm: str, relu: str) -> UnitNames:
        return UnitNames(f"{block}_{conv}", f"{block}_{norm}", f"{block}_{norm}_scale", relu)

    main = tuple(unit(f"conv{n}", f"bn{n}", f"{block}_relu{n}") for n in (1, 2, 3))
    return BlockNames(main, unit("shortcut", "shortcut_bn", ""), block, f"{block}_relu")
