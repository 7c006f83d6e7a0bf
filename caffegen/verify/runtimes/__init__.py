"""Runtimes that a net can be run by: one file each, all with the same two functions.

`version()` is the runtime's version, or raises MissingExtra; `run(job)` gives the blobs by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from caffegen.errors import CaffegenError

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["RUNTIMES", "CannotRun", "Job", "Outcome", "runtime"]

RUNTIMES = ("torch", "onnxruntime", "opencv", "pycaffe")
_MODULES = {
    "torch": "by_torch",
    "onnxruntime": "by_onnxruntime",
    "opencv": "by_opencv",
    "pycaffe": "by_pycaffe",
}


class CannotRun(CaffegenError):
    """A runtime that does not take this net; the text is its own reason."""


class Job(NamedTuple):
    """What is run: the net, its inputs by blob name, and the device for those who know devices.

    `known` are the blobs of the runtime named `reference`, for one that lacks single layers and
    goes on behind them.
    """

    net: Net
    inputs: Mapping[str, Any]
    device: str = "cpu"
    known: Mapping[str, Any] = MappingProxyType({})
    reference: str = ""


class Outcome(NamedTuple):
    """The blobs that the runtime gave, by name, and what is worth knowing about the run."""

    blobs: dict[str, Any]
    note: str = ""


class _Runtime(NamedTuple):
    version: Callable[[], str]
    run: Callable[[Job], Outcome]


def runtime(name: str) -> _Runtime:
    """The two functions of a runtime by its name."""
    if name not in _MODULES:
        raise CaffegenError(f"no runtime `{name}`; there are {', '.join(RUNTIMES)}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return _Runtime(module.version, module.run)
