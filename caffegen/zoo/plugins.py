"""Architectures of other packages, by the entry-point group `caffegen.architectures`.

An entry point's name is the family's, its object an `Architecture` or a module that has one as
`ARCHITECTURE`. In the package's pyproject.toml:

    [project.entry-points."caffegen.architectures"]
    tinynet = "tinynets.tinynet"

Nothing of a package is imported before its family is asked for, and one that can't be loaded breaks
no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, wraps
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.errors import CaffegenError

from .architecture import FAMILIES, Architecture, ZooError

__all__ = ["GROUP", "Plugin", "Plugins", "load_plugin", "plugins"]

GROUP = "caffegen.architectures"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Plugin(NamedTuple):
    """A family that a package adds, not yet loaded."""

    name: str
    package: str
    entry: EntryPoint


class Plugins(NamedTuple):
    """The families that packages add, by name, and a sentence for each that is left out."""

    found: dict[str, Plugin]
    refused: tuple[str, ...]


@cache
def plugins(taken: tuple[str, ...] = ()) -> Plugins:
    """All entry points of the group; only the packages' metadata is read.

    `taken` are further names that no family may have.
    """
    found: dict[str, Plugin] = {}
    refused = []
    for entry in entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else entry.module
        plugin = Plugin(entry.name, package, entry)
        other = found.get(entry.name)
        if entry.name in FAMILIES or entry.name in taken:
            refused.append(f"{_adds(plugin)}, a name that caffegen has itself; it is left out")
        elif not _NAME.fullmatch(entry.name):
            refused.append(f"{_adds(plugin)}, which is no name for a command; it is left out")
        elif other is None:
            found[entry.name] = plugin
        # a package that stands twice on the path is one package
        elif (other.package, other.entry.value) != (package, entry.value):
            refused.append(f"{_adds(plugin)}, which `{other.package}` adds, too; it is left out")
    return Plugins(found, tuple(refused))


def load_plugin(plugin: Plugin) -> Architecture:
    """The architecture of a package; ZooError with the package's name where it can't be had."""
    try:
        loaded = plugin.entry.load()
    except (Exception, SystemExit) as error:
        raise ZooError(
            f"{_adds(plugin)}, which can't be loaded: {type(error).__name__}: {error}"
        ) from error
    found = getattr(loaded, "ARCHITECTURE", loaded)
    if not isinstance(found, Architecture):
        raise ZooError(
            f"{_adds(plugin)}, but `{plugin.entry.value}` is no Architecture "
            f"(its type is {type(found).__name__})"
        )
    if found.name != plugin.name:
        raise ZooError(f"{_adds(plugin)}, which names itself `{found.name}`")
    return found._replace(build=_guarded(plugin, found.build))


def _guarded(plugin: Plugin, build: Callable[..., NetSpec]) -> Callable[..., NetSpec]:
    """The builder, whose own failures name the package; what it refuses is its own to say."""

    @wraps(build)
    def built(*args: Any, **kwargs: Any) -> NetSpec:
        try:
            return build(*args, **kwargs)
        except CaffegenError:
            raise
        except Exception as error:
            raise ZooError(
                f"{_adds(plugin)}, which can't be built: {type(error).__name__}: {error}"
            ) from error

    return built


def _adds(plugin: Plugin) -> str:
    return f"the package `{plugin.package}` adds the architecture `{plugin.name}`"
