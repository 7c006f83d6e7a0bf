"""A click group whose commands are modules, imported when they are called for."""

from __future__ import annotations

import os
from importlib import import_module

import click

__all__ = ["LazyGroup", "command_names"]

# in the order of `caffegen --help`; a command is there when its file is
_COMMANDS = (
    "check", "explain", "summary", "init", "convert", "upgrade", "fmt", "verify", "run", "bench",
    "draw", "diff", "emit", "architectures",
)  # fmt: skip


class LazyGroup(click.Group):
    """All architectures of the zoo and of other packages, and all command files of this folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all commands; nothing is imported for them."""
        from caffegen.zoo.architecture import FAMILIES
        from caffegen.zoo.plugins import plugins

        commands = command_names()
        return [*FAMILIES, *plugins(commands).found, *commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a name, from its own module; None when there is none."""
        if cmd_name in _COMMANDS and _is_here(cmd_name):
            command: click.Command = import_module(f"{__package__}.{cmd_name}").command
            return command
        from caffegen.zoo.architecture import FAMILIES

        if cmd_name not in FAMILIES:
            from caffegen.zoo.plugins import plugins

            if cmd_name not in plugins(command_names()).found:
                return None
        from .architecture import architecture_command

        return architecture_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from caffegen.schema.suggest import nearest

            near = nearest(name, self.list_commands(ctx))
            help = f"did you mean `{near}`?" if near else "`caffegen --help` lists them"
            raise click.UsageError(f"there is no command `{name}`; {help}", ctx)
        return super().resolve_command(ctx, args)


def command_names() -> tuple[str, ...]:
    """The commands that are no architectures."""
    return tuple(filter(_is_here, _COMMANDS))


def _is_here(name: str) -> bool:
    return os.path.exists(os.path.join(os.path.dirname(__file__), f"{name}.py"))
