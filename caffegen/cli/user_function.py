"""A function of a user's Python file: its parameters as options, its faults at the user's line."""

from __future__ import annotations

import inspect
import os
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from caffegen.errors import CaffegenError, unreadable
from caffegen.text import Message

__all__ = ["UserError", "UserFile", "call", "load_object", "options_of"]

_OWN_OPTIONS = ("output", "help")


class UserError(CaffegenError):
    """What a user's file does wrong; its text begins with the file and the line."""


class UserFile:
    """A Python file that was run, and what it defines."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            raise unreadable(path, error) from None
        self.lines = text.splitlines()
        name = os.path.splitext(os.path.basename(path))[0]
        module = types.ModuleType(name)
        module.__file__ = path
        self.names = module.__dict__
        # modules beside the file are found, as if Python had been given the file
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        sys.modules.setdefault(name, module)
        with self.guarded():
            exec(compile(text, path, "exec", dont_inherit=True), self.names)  # noqa: S102

    @contextmanager
    def guarded(self, otherwise: int = 1) -> Iterator[None]:
        """Whatever fails in here is said with the user's line, or else with the line `otherwise`.

        What the user's code prints goes to standard error: standard output is the net's.
        """
        try:
            with redirect_stdout(sys.stderr):
                yield
        except click.ClickException:
            raise
        except (Exception, SystemExit) as error:
            raise UserError(self._sentence(error, otherwise)) from error

    def _sentence(self, error: BaseException, otherwise: int) -> str:
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{error.filename}:{error.lineno or 1}"
            return f"{place}:{error.offset or 1}: {error.msg} (Python can't read the file)"
        text = " ".join(str(error).split())
        if isinstance(error, CaffegenError) and text.startswith(f"{self.path}:"):
            return text  # the DSL has said where
        line = self._line(error)
        said = text
        if not isinstance(error, CaffegenError):
            said = f"{type(error).__name__}: {text}" if text else type(error).__name__
            code = self.lines[line - 1].decode(errors="replace").strip() if line else ""
            said += f", in `{code}`" if code else ""
        return f"{self.path}:{line or otherwise}: {said}"

    def _line(self, error: BaseException) -> int:
        """The line of the file that was running last; 0 when none of it was."""
        line = 0
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.path:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def line_of(self, value: Any) -> int:
        """The line where a function or a class begins."""
        code = getattr(inspect.unwrap(value), "__code__", None)
        return code.co_firstlineno if code else 1


def load_object(path: str, name: str) -> tuple[UserFile, str, Any]:
    """Run a file; the function or the net that it defines under a name, or the only function.

    Running the file is running the user's own code, with all that it may do.
    """
    file = UserFile(path)
    own = [
        key for key, value in file.names.items()
        if inspect.isfunction(value) and value.__code__.co_filename == path and key[0] != "_"
    ]  # fmt: skip
    if not name:
        if len(own) != 1:
            choice = f"name one of them: {', '.join(own)}" if own else "it defines none"
            raise click.UsageError(
                f"`{path}` needs the name of a function, as in {path}:net; {choice}"
            )
        name = own[0]
    if name not in file.names:
        from caffegen.schema.suggest import nearest

        near = nearest(name, own)
        help = (
            f"did you mean `{near}`?" if near else f"it defines {', '.join(own) or 'no function'}"
        )
        raise UserError(f"{path}:1: there is no `{name}` in the file; {help}")
    return file, name, file.names[name]


def call(file: UserFile, name: str, value: Any, values: Mapping[str, Any]) -> Message:
    """The NetParameter of a net, or of what a function returns for the values of its options."""
    if not callable(value):
        return _net_of(file, name, value, 1)
    with file.guarded(line := file.line_of(value)):
        parameters = inspect.signature(value).parameters.values()
        ordered = [values[p.name] for p in parameters if p.kind is p.POSITIONAL_ONLY]
        named = {p.name: values[p.name] for p in parameters
                 if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name in values}  # fmt: skip
        found = value(*ordered, **named)
    return _net_of(file, name, found, line)


def _net_of(file: UserFile, name: str, value: Any, line: int) -> Message:
    """The NetParameter of what a function returned: a NetSpec, a Net, tops, or the message itself."""
    from caffegen.dsl import NetSpec, Top, to_message
    from caffegen.loader import Net

    with file.guarded(line):
        if isinstance(value, NetSpec):
            return value.to_message()
        if isinstance(value, Net):
            return value.message
        if isinstance(value, Message) and value.message_type.name == "NetParameter":
            return value
        if isinstance(value, Top):
            return to_message(value)
        if isinstance(value, (tuple, list)) and value and all(isinstance(v, Top) for v in value):
            return to_message(*value)
        if getattr(getattr(value, "DESCRIPTOR", None), "name", "") == "NetParameter":
            from caffegen.schema.protobuf import from_protobuf

            return from_protobuf(value)
    told = "nothing" if value is None else f"a {type(value).__name__}"
    raise UserError(f"{file.path}:{line}: `{name}` returns {told}; it must return the NetSpec")


def options_of(file: UserFile, function: Callable[..., Any]) -> list[click.Option]:
    """An option for each parameter, its type from the annotation, or else from the default."""
    line = file.line_of(function)
    with file.guarded(line):
        parameters = inspect.signature(function).parameters.values()
        hints = get_type_hints(function)
    options = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in _OWN_OPTIONS:
            raise UserError(
                f"{file.path}:{line}: the parameter `{parameter.name}` can't be an option, since "
                f"--{parameter.name} is caffegen's; give it another name"
            )
        option = _option(parameter, hints.get(parameter.name, parameter.annotation))
        if option is not None:
            options.append(option)
        elif parameter.default is parameter.empty:
            raise UserError(
                f"{file.path}:{line}: the parameter `{parameter.name}` can't be an option: "
                "options are numbers, strings, flags, Literal choices, and tuples of them"
            )
    return options


def _option(parameter: inspect.Parameter, hint: Any) -> click.Option | None:
    """The option of a parameter; None where a command line has no word for its values."""
    has_default = parameter.default is not parameter.empty
    default = parameter.default if has_default else None
    if hint is parameter.empty:
        hint = _type_of(default) if default is not None else _Anything
    flag = "--" + parameter.name.replace("_", "-")
    names = [parameter.name, flag]
    if hint is bool:
        if default:
            names[1] = f"{flag}/--no-{flag[2:]}"
        return click.Option(names, is_flag=True, default=bool(default), show_default=True)
    read = _reader(hint)
    if read is None:
        return None
    told = _told(hint)
    # without a default of its own click asks for the option
    usual: dict[str, Any] = {"default": default} if has_default else {"required": True}
    return click.Option(
        names, type=_checked(read, told), **usual,
        metavar=_metavar(hint),
        help=f"Usually {_shown(default)}." if default is not None else None,
    )  # fmt: skip


class _Anything:
    """The type of a parameter that says none: a number where it reads as one, otherwise a string."""


def _checked(read: Callable[[str], Any], told: str) -> Callable[[Any], Any]:
    """Reads a word, or says why it can't; what is no word goes by unchanged, as defaults do."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return read(value)
        except ValueError as error:
            near = f"; {error}" if isinstance(error, _NoChoice) else ""
            raise click.BadParameter(f"`{value}` is not {told}{near}") from None

    return convert


class _NoChoice(ValueError):
    """A word that is none of the choices, with the nearest that is."""


def _type_of(default: Any) -> Any:
    if isinstance(default, (tuple, list)):
        kinds = {_type_of(item) for item in default}
        return tuple[kinds.pop() if len(kinds) == 1 else _Anything, ...]  # type: ignore[misc]
    return type(default)


def _reader(hint: Any) -> Callable[[str], Any] | None:
    """What turns a word into a value of a type; ValueError for a word that is none."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda word: _choice(word, inner)
    if origin in (tuple, list):
        return _sequence_reader(origin, inner)
    if origin in (Union, types.UnionType):
        readers = [_reader(kind) for kind in inner if kind is not type(None)]
        # a string takes any word, so it comes last
        found = [r for r in sorted(readers, key=lambda r: r is str) if r is not None]
        if not found:
            return None
        return lambda word: _first(word, found)
    if hint is _Anything or hint is Any:
        return lambda word: _first(word, [_whole, float, str])
    return _WORDS.get(hint)


def _sequence_reader(
    origin: type[tuple[Any, ...] | list[Any]], inner: tuple[Any, ...]
) -> Callable[[str], Any] | None:
    if origin is list or (len(inner) == 2 and inner[1] is Ellipsis):
        each = _reader(inner[0] if inner else _Anything)
        if each is None:
            return None
        return lambda word: origin(each(part.strip()) for part in _parts(word))
    readers = [_reader(kind) for kind in inner]
    if None in readers or not readers:
        return None

    def read(word: str) -> tuple[Any, ...]:
        parts = _parts(word)
        if len(parts) != len(readers):
            raise ValueError
        return tuple(r(part.strip()) for r, part in zip(readers, parts, strict=True) if r)

    return read


def _parts(word: str) -> list[str]:
    return word.split(",") if word else []


def _first(word: str, readers: list[Callable[[str], Any]]) -> Any:
    """What the first of several readers makes of a word that takes it."""
    first, *others = readers
    if not others:
        return first(word)
    try:
        return first(word)
    except ValueError:
        return _first(word, others)


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        raise ValueError
    return int(word)


def _truth(word: str) -> bool:
    words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
    if word.lower() not in words:
        raise ValueError
    return words[word.lower()]


def _choice(word: str, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if str(choice) == word:
            return choice
    from caffegen.schema.suggest import nearest

    near = nearest(word, map(str, choices))
    raise _NoChoice(f"did you mean `{near}`?") if near else ValueError


_WORDS: dict[Any, Callable[[str], Any]] = {int: _whole, float: float, str: str, bool: _truth}


def _told(hint: Any) -> str:
    """A type as a sentence calls it, after `is not`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " or ".join(_told(kind) for kind in inner if kind is not type(None))
    if origin in (tuple, list):
        if origin is tuple and inner[1:] != (Ellipsis,):
            return f"{len(inner)} values with commas between, {', '.join(map(_told, inner))}"
        return f"a list with commas between, each item {_told(inner[0]) if inner else 'a value'}"
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return names.get(hint, "a value")


def _metavar(hint: Any) -> str:
    """A type as the help shows it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (tuple, list):
        if origin is tuple and inner[1:] != (Ellipsis,):
            return ",".join(map(_metavar, inner))
        return f"{_metavar(inner[0] if inner else _Anything)},..."
    return re.sub(r"^(an?|one of) ", "", _told(hint)).replace(", ", "|").upper()


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
