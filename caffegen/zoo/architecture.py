"""What an architecture is: its name, its paper, its depths, its options, and its builder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.errors import CaffegenError

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
    "command_line",
    "listed",
    "nearest_number",
    "whole_number",
]

# family, which is also its command -> the module that holds it
FAMILIES = {
    "resnet": "caffegen.zoo.resnet",
    "vgg": "caffegen.zoo.vgg",
    "googlenet": "caffegen.zoo.googlenet",
    "squeezenet": "caffegen.zoo.squeezenet",
    "alexnet": "caffegen.zoo.alexnet",
    "caffenet": "caffegen.zoo.caffenet",
    "lenet": "caffegen.zoo.lenet",
}

# Blob::Reshape counts values in a C int (blob.cpp)
_INT_MAX = 0x7FFFFFFF


class ZooError(CaffegenError):
    """A network that the paper does not have or that can't exist."""


class Option(NamedTuple):
    """A choice that a family offers: a keyword of its builder and an option of its command.

    It is a flag where the default is False, a word where there are `choices`, otherwise a number.
    A default of None depends on the other options; `help` says how.
    """

    name: str
    help: str
    default: int | str | bool | None = None
    choices: tuple[str, ...] = ()

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
    """A family of networks; `depths` are by dataset, `build` takes every option by its name."""

    name: str
    title: str
    paper: str
    depths: Mapping[str, Depths]
    options: tuple[Option, ...]
    build: Callable[..., NetSpec]


class CallableFamily(ModuleType):
    """The class of a family's module: calling the module calls the builder of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> NetSpec:
        """Build a network of this family."""
        spec: NetSpec = self.ARCHITECTURE.build(*args, **kwargs)
        return spec


def architecture(name: str) -> Architecture:
    """The architecture of a family; only its own module is imported."""
    check_choice("family", name, FAMILIES)
    found: Architecture = import_module(FAMILIES[name]).ARCHITECTURE
    return found


def command_line(architecture: Architecture, values: Mapping[str, Any]) -> str:
    """The shortest command that builds this network: defaults are left out, the order is fixed.

    The depth is always there, since it is what the network is called by.
    """
    words = ["caffegen", architecture.name]
    for option in architecture.options:
        value = values.get(option.name, option.default)
        if option.name == "depth" and value is None:
            value = architecture.depths[values.get("dataset") or "imagenet"].usual
        elif value == option.default:
            continue
        words += [option.flag] if option.default is False else [option.flag, str(value)]
    return " ".join(words)


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def nearest_number(number: int, numbers: Iterable[int]) -> int:
    """The number that is nearest; of two as near the smaller."""
    return min(numbers, key=lambda other: (abs(other - number), other))


def check_choice(what: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a word that is none of the choices, with the nearest that is."""
    choices = tuple(choices)
    if value in choices:
        return
    from caffegen.schema.suggest import nearest

    near = nearest(str(value), choices)
    help = f"did you mean `{near}`?" if near else f"there is {listed(choices)}"
    raise ZooError(f"there is no {what} `{value}`; {help}")


def whole_number(what: str, value: int | None, usual: int) -> int:
    """The value, or the usual one; refused when it is no number from 1 on."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ZooError(f"the {what} is a whole number of at least 1, found {value!r}")
    return value


def check_blob(number: int, channels: int, size: int) -> None:
    """Refuse a blob that holds more values than Caffe can count."""
    total = number * channels * size * size
    if total > _INT_MAX:
        raise ZooError(
            f"a blob of {number}x{channels}x{size}x{size} holds {total} values, "
            f"and Caffe counts to {_INT_MAX}"
        )
