"""The program: finds the command, and turns whatever ends it into one sentence and an exit code.

Exit codes: 0 clean, 1 findings or a mismatch, 2 usage, 3 a file that can't be read or written.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from caffegen import __version__
from caffegen.errors import CaffegenError, FileError

from .lazy import LazyGroup

__all__ = ["main", "program"]

# what a shell gives a process that the signal itself ended: 128 + SIGPIPE, 128 + SIGINT
_BROKEN_PIPE = 141
_INTERRUPTED = 130


@click.command(
    cls=LazyGroup,
    name="caffegen",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(__version__, message="caffegen %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Describe, check, convert and prove Caffe networks, without Caffe."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process."""
    if "_CAFFEGEN_COMPLETE" in os.environ:
        program.main(prog_name="caffegen")
    code = _run(list(sys.argv[1:] if args is None else args))
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        code = _end_output(error) or code
    sys.exit(code)


def _run(args: list[str]) -> int:
    """The exit code of a command line; what it refuses is said on stderr."""
    try:
        with program.make_context("caffegen", args) as ctx:
            program.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.ClickException as error:
        return _say(_usage_sentence(error), 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", _INTERRUPTED)
    except CaffegenError as error:
        return _say(str(error), _code(error))
    except OSError as error:
        return _end_output(error)
    except MemoryError as error:
        told = str(error).rstrip(".")
        return _say(f"there is not enough memory{told and f': {told[:1].lower()}{told[1:]}'}", 2)
    return 0


def _code(error: CaffegenError) -> int:
    if isinstance(error, FileError):
        return 3
    # a NetError: the findings are the answer
    return 1 if hasattr(error, "diagnostics") else 2


def _say(sentence: str, code: int) -> int:
    click.echo(f"caffegen: {sentence}", err=True)
    return code


def _end_output(error: OSError) -> int:
    """The exit code for an output that takes no more; a closed pipe is no fault of anyone."""
    if error.filename is None and sys.stdout is not None:
        # or Python would try again at the end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return _BROKEN_PIPE
    what = "<stdout>" if error.filename is None else error.filename
    return _say(f"`{what}`: {error.strerror or error}", 3)


def _usage_sentence(error: click.ClickException) -> str:
    """The sentence for a command line that click refuses, with the nearest right word."""
    if isinstance(error, click.NoSuchOption):
        options = error.ctx.command.get_params(error.ctx) if error.ctx else []
        near = _near(error.option_name, [word for option in options for word in option.opts])
        return f"there is no option `{error.option_name}`{near}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _parameter_sentence(error, error.param)
    sentence = error.format_message().rstrip(".")
    # click's own sentences begin with a capital and quote with apostrophes
    return sentence[:1].lower() + re.sub(r"(?<!\w)'([^']*)'(?!\w)", r"`\1`", sentence[1:])


def _parameter_sentence(error: click.BadParameter, param: click.Parameter) -> str:
    """What is wrong with the value of an option or an argument."""
    name = max(param.opts, key=len) if param.param_type_name == "option" else ""
    if isinstance(error, click.MissingParameter):
        return f"{name or param.human_readable_name} is missing"
    if isinstance(param.type, click.Choice):
        choices = [str(choice) for choice in param.type.choices]
        typed, found, _ = error.message.partition(" is not one of ")
        if found:
            typed = typed.strip("'")
            return f"{name}: `{typed}` is not one of {', '.join(choices)}{_near(typed, choices)}"
    return f"{name}: {error.message}".removeprefix(": ").rstrip(".")


def _near(word: str, candidates: Sequence[str]) -> str:
    from caffegen.schema.suggest import nearest

    found = nearest(word, candidates) or _nearest_number(word, candidates)
    return f"; did you mean `{found}`?" if found else ""


def _nearest_number(word: str, candidates: Sequence[str]) -> str | None:
    """The choice of a width or a version that is nearest, where all are numbers."""
    try:
        return min(candidates, key=lambda other: abs(float(other) - float(word)), default=None)
    except ValueError:
        return None
