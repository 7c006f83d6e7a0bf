"""What an architecture is: its name, its paper, its depths, its options, and its builder."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.errors import CaffegenError

from .recipe import TrainingRecipe

__all__ = [
    "FAMILIES",
    "Architecture",
    "CallableFamily",
    "Depths",
    "Option",
    "ZooError",
    "architecture",
    "check_blob",
    "check_choice",
    "check_depth",
    "check_flag",
    "command_line",
    "dataset_of",
    "families",
    "listed",
    "nearest_number",
    "recipe_of",
    "whole_number",
]

# family, which is also its command -> the module that holds it
FAMILIES = {
    "resnet": "caffegen.zoo.resnet",
    "plain": "caffegen.zoo.plain",
    "preresnet": "caffegen.zoo.preresnet",
    "highway": "caffegen.zoo.highway",
    "wideresnet": "caffegen.zoo.wideresnet",
    "resnext": "caffegen.zoo.resnext",
    "senet": "caffegen.zoo.senet",
    "vgg": "caffegen.zoo.vgg",
    "googlenet": "caffegen.zoo.googlenet",
    "squeezenet": "caffegen.zoo.squeezenet",
    "mobilenet": "caffegen.zoo.mobilenet",
    "densenet": "caffegen.zoo.densenet",
    "shufflenet": "caffegen.zoo.shufflenet",
    "fcn": "caffegen.zoo.fcn",
    "unet": "caffegen.zoo.unet",
    "segnet": "caffegen.zoo.segnet",
    "pspnet": "caffegen.zoo.pspnet",
    "ssd300": "caffegen.zoo.ssd",
    "ssd512": "caffegen.zoo.ssd512",
    "alexnet": "caffegen.zoo.alexnet",
    "caffenet": "caffegen.zoo.caffenet",
    "lenet": "caffegen.zoo.lenet",
}

# Blob::Reshape counts values in a C int (blob.cpp)
_INT_MAX = 0x7FFFFFFF
DEEPEST = 100_002


class ZooError(CaffegenError):
    """A network that the paper does not have or that can't exist."""


class Option(NamedTuple):
    """A choice that a family offers: a keyword of its builder and an option of its command.

    It is a flag where the default is False, a word where there are `choices`, otherwise a number.
    A default of None depends on the other options; `help` says how. One that `sets_depth` says
    which depth is built, so that none need be given.
    """

    name: str
    help: str
    default: int | str | bool | None = None
    choices: tuple[str, ...] = ()
    sets_depth: bool = False

    @property
    def flag(self) -> str:
        """The option as a command line writes it."""
        return "--" + self.name.replace("_", "-")


class Depths(NamedTuple):
    """The depths of one dataset's networks: those of the paper, which of them is built unless
    another is asked for, and the rule if there are others.
    """

    published: tuple[int, ...]
    usual: int
    rule: str = ""

    def __str__(self) -> str:
        numbers = map(str, self.published)
        return f"{', '.join(numbers)} and any other {self.rule}" if self.rule else listed(numbers)


class Architecture(NamedTuple):
    """A family of networks; `depths` are by dataset, `build` takes every option by its name.

    `recipes` are by dataset, or by the value of an option, or the name of a flag, where its nets were
    trained differently.
    `variants` are the options that choose a depth where there is no option `depth`.
    """

    name: str
    title: str
    paper: str
    depths: Mapping[str, Depths]
    options: tuple[Option, ...]
    build: Callable[..., NetSpec]
    recipes: Mapping[str, TrainingRecipe] = {}
    variants: Mapping[int, Mapping[str, Any]] = {}


class CallableFamily(ModuleType):
    """The class of a family's module: calling the module calls the builder of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> NetSpec:
        """Build a network of this family."""
        spec: NetSpec = self.ARCHITECTURE.build(*args, **kwargs)
        return spec


def families() -> tuple[str, ...]:
    """The names of all families: those of caffegen, then those that installed packages add."""
    from .plugins import plugins

    return (*FAMILIES, *plugins().found)


def architecture(name: str) -> Architecture:
    """The architecture of a family; only its own module is imported."""
    if name not in FAMILIES:
        from .plugins import load_plugin, plugins

        added = plugins().found
        if name in added:
            return load_plugin(added[name])
        check_choice("family", name, (*FAMILIES, *added))
    found: Architecture = import_module(FAMILIES[name]).ARCHITECTURE
    return found


def dataset_of(architecture: Architecture, values: Mapping[str, Any]) -> str:
    """The dataset of a network: the one that was chosen, or the first that the family has."""
    return values.get("dataset") or next(iter(architecture.depths))


def recipe_of(architecture: Architecture, values: Mapping[str, Any]) -> TrainingRecipe:
    """The recipe that a network was trained by; refused where none is known."""
    chosen = {
        option.name: values.get(option.name, option.default) for option in architecture.options
    }
    words = [name if value is True else str(value) for name, value in chosen.items()]
    for key in (*words, dataset_of(architecture, values)):
        if key in architecture.recipes:
            return architecture.recipes[key]
    raise ZooError(f"no recipe is known for {architecture.title}; write the solver by hand")


def command_line(architecture: Architecture, values: Mapping[str, Any]) -> str:
    """The shortest command that builds this network: defaults are left out, the order is fixed.

    The depth is always there, since it is what the network is called by, unless another option
    has set it.
    """
    chosen = [o for o in architecture.options if o.sets_depth and values.get(o.name) is not None]
    words = ["caffegen", architecture.name]
    for option in architecture.options:
        value = values.get(option.name, option.default)
        if option.name == "depth" and value is None and not chosen:
            value = architecture.depths[dataset_of(architecture, values)].usual
        elif value == option.default:
            continue
        words += [option.flag] if option.default is False else [option.flag, str(value)]
    return " ".join(words)


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def check_depth(name: str, depth: int, depths: Iterable[int], images: str = "") -> None:
    """Refuse a depth that a paper's table does not have, or does not have for these images."""
    depths = tuple(depths)
    if depth not in depths:
        raise ZooError(
            f"there is no {name}-{depth}{f' for {images}' if images else ''}, only "
            f"{listed(map(str, depths))}; the nearest is {nearest_number(depth, depths)}"
        )


def check_not_absurd(name: str, depth: int) -> None:
    """Refuse a depth that no computer builds; the deepest net ever published has 1,202 layers."""
    if depth > DEEPEST:
        raise ZooError(f"{name}-{depth} is too deep; {DEEPEST:,} layers are the most")


def nearest_number(number: int, numbers: Iterable[int]) -> int:
    """The number that is nearest; of two as near the smaller."""
    return min(numbers, key=lambda other: (abs(other - number), other))


def check_choice(what: str, value: str | float, choices: Iterable[str]) -> str:
    """The choice that a word is; refused, with the nearest that is one, when it is none.

    A number is the choice that is written as it is.
    """
    choices = tuple(choices)
    word = str(value)
    if word in choices and not isinstance(value, bool):
        return word
    from caffegen.schema.suggest import nearest

    near = nearest(str(value), choices)
    help = f"did you mean `{near}`?" if near else f"there is {listed(choices)}"
    raise ZooError(f"there is no {what} `{value}`; {help}")


def whole_number(what: str, value: int | None, usual: int, least: int = 1) -> int:
    """The value, or the usual one; refused when it is no whole number from `least` on."""
    if value is None:
        return usual
    try:
        number = operator.index(value)  # NumPy's integers too
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ZooError(f"the {what} is a whole number of at least {least}, found {value!r}")
    return number


def check_flag(name: str, value: object) -> None:
    """Refuse a value that is neither True nor False: `"False"`, too, counts as true in Python."""
    if not isinstance(value, bool):
        raise ZooError(f"`{name}` is True or False, found {value!r}")


def check_blob(number: int, channels: int, size: int) -> None:
    """Refuse a blob that holds more values than Caffe can count."""
    total = number * channels * size * size
    if total > _INT_MAX:
        raise ZooError(
            f"a blob of {number}x{channels}x{size}x{size} holds {total} values, "
            f"and Caffe counts to {_INT_MAX}"
        )
