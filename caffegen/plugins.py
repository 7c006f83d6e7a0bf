"""Layer types that others define: a Python file of the user's, or a package that is installed.

A plug-in is a module. What its decorators register counts from then on as caffegen's own types do.
A package names its module in the entry-point group `caffegen.layer_types`; it is imported when a
net has something that caffegen does not know. `docs/plugins.md` has a whole example.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from caffegen.errors import CaffegenError, unreadable
from caffegen.layer_types import (
    FAMILIES,
    BlobSpec,
    Cost,
    Count,
    Definition,
    Shape,
    Window,
    count,
    register,
)
from caffegen.schema.additions import add_field, add_message, add_words

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "GROUP",
    "BlobSpec",
    "Cost",
    "Count",
    "Definition",
    "Shape",
    "Window",
    "add_field",
    "add_message",
    "add_words",
    "count",
    "defines",
    "discover",
    "failures",
    "load_plugin",
    "loaded_files",
    "lowering_of",
    "lowers",
    "refuse_own",
    "writer_of",
    "writes",
]

GROUP = "caffegen.layer_types"

_DefinitionClass = TypeVar("_DefinitionClass", bound=type[Definition])
_Function = TypeVar("_Function", bound=Callable[..., Any])

_lowerings: dict[str, Callable[..., Any]] = {}
_writers: dict[str, Callable[..., Any]] = {}
_loaded: dict[str, None] = {}  # plug-in files in order, and GROUP once packages were looked for
_failures: list[str] = []


def defines(definition: _DefinitionClass) -> _DefinitionClass:
    """Register a definition under its `type`; a layer type that caffegen defines is refused."""
    if not (isinstance(definition, type) and issubclass(definition, Definition)):
        raise CaffegenError("`@defines` stands before a class that derives from Definition")
    if not definition.type:
        raise CaffegenError(f"`{definition.__name__}` has no `type`, the name of the layer type")
    refuse_own(definition.type)
    register(definition)
    return definition


def lowers(*types: str) -> Callable[[_Function], _Function]:
    """Register a function that makes the PyTorch module of these layer types.

    As `caffegen.pytorch.lowers`, which can be used as well, but without importing PyTorch.
    """
    return _registers(_lowerings, types)


def writes(*types: str) -> Callable[[_Function], _Function]:
    """Register a function that writes these layer types as ONNX.

    As `caffegen.onnx_bridge.writes`, which can be used as well, but without importing onnx.
    """
    return _registers(_writers, types)


def lowering_of(type_name: str) -> Callable[..., Any] | None:
    """The PyTorch lowering that a plug-in registered; None when none did."""
    return _lowerings.get(type_name)


def writer_of(type_name: str) -> Callable[..., Any] | None:
    """The ONNX writer that a plug-in registered; None when none did."""
    return _writers.get(type_name)


def _registers(
    registry: dict[str, Callable[..., Any]], types: tuple[str, ...]
) -> Callable[[_Function], _Function]:
    def register_function(function: _Function) -> _Function:
        for name in types:
            refuse_own(name)
            registry[name] = function
        return function

    return register_function


def refuse_own(type_name: str) -> None:
    """Refuse a layer type that caffegen itself defines, lowers and writes."""
    if any(type_name in names for names in FAMILIES.values()):
        raise CaffegenError(f"`{type_name}` is a layer type of caffegen's own")


def load_plugin(path: str | os.PathLike[str]) -> None:
    """Run a plug-in file, once.

    FileError for a file that can't be read; CaffegenError with the file and the line of the user's
    for one that fails.
    """
    path = os.fspath(path)
    whole = os.path.realpath(path)
    if whole in _loaded:
        return
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise unreadable(path, error) from None
    name = f"caffegen_plugin_{len(_loaded)}"
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise CaffegenError(_sentence(path, error)) from error
    _loaded[whole] = None


def loaded_files() -> tuple[str, ...]:
    """The plug-in files that were run, as whole paths."""
    return tuple(path for path in _loaded if path != GROUP)


def _sentence(path: str, error: BaseException) -> str:
    """What a plug-in does wrong, at its own line."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}:{error.offset or 1}: {error.msg}"
    line = 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    said = " ".join(str(error).split())
    if not isinstance(error, CaffegenError):
        kind = type(error).__name__
        said = f"{kind}: {said}" if said else kind
    return f"{path}:{line}: {said}"


def discover() -> bool:
    """Import the plug-ins of installed packages; whether that brought anything new.

    One that fails breaks no other and no net: `failures` says so.
    """
    if GROUP in _loaded:
        return False
    _loaded[GROUP] = None
    from importlib.metadata import entry_points

    new = False
    for entry in entry_points(group=GROUP):
        try:
            _import(entry)
        except CaffegenError as error:  # noqa: PERF203 - one that fails breaks no other
            _failures.append(str(error))
        else:
            new = True
    return new


def _import(entry: EntryPoint) -> None:
    try:
        entry.load()
    except (Exception, SystemExit) as error:
        package = entry.dist.name if entry.dist else entry.module
        said = " ".join(str(error).split())
        raise CaffegenError(
            f"the package `{package}` adds layer types by `{entry.value}`, which can't be loaded: "
            f"{type(error).__name__}: {said}"
        ) from error


def failures() -> tuple[str, ...]:
    """A sentence for each installed plug-in that could not be loaded."""
    return tuple(_failures)
