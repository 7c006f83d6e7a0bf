"""`caffegen architectures`: the families of the zoo, their depths, and what each of them costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from caffegen.zoo.architecture import Architecture, Depths

__all__ = ["command"]

# parameters and MACs
Figures = tuple[int, int]


@click.command("architectures")
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option("--figures/--no-figures", default=True, show_default=True,
              help="Parameters and MACs, counted in each net anew, which takes seconds for all.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the list is printed.")  # fmt: skip
def command(families: tuple[str, ...], figures: bool, form: str) -> None:
    """List the families of networks, each a command of its own, with parameters and MACs by depth.

    Counted is the net to deploy that the family's command writes for one image, all other options
    left out: MACs are multiply-accumulates, parameters are those that a solver learns.

    JSON is a list of objects with `name`, `title`, `paper`, `package` (null: caffegen), `datasets`
    and `options`. A dataset has `depths`, those of the paper, `usual`, which of them is built unless
    another is asked for, `rule`, which other depths follow (null: there are no others), and
    `figures`: by depth, `parameters` and `macs` (null with --no-figures, or for a net that could not
    be built). An option has `flag`, `help`, `default` and `choices` (null: any number, or a flag).
    """
    found = list(_families(families))
    if form == "json":
        import json

        from .output import write_text

        described = [_described(family, package, figures) for family, package in found]
        write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", None)
        return
    _print_table([family for family, _ in found], figures)


def _families(names: tuple[str, ...]) -> Iterator[tuple[Architecture, str | None]]:
    """The families and the packages that add them; what can't be had is said on standard error."""
    from caffegen.zoo.architecture import FAMILIES, check_choice
    from caffegen.zoo.plugins import plugins

    from .lazy import command_names

    added = plugins(command_names())
    for name in names:
        check_choice("family", name, (*FAMILIES, *added.found))
    for sentence in () if names else added.refused:
        click.echo(f"caffegen: {sentence}", err=True)
    for name in names or (*FAMILIES, *added.found):
        plugin = added.found.get(name)
        family = _family(name)
        if family is not None:
            yield family, plugin.package if plugin else None


def _family(name: str) -> Architecture | None:
    """The family of a name; None for a package's that can't be loaded, which is said."""
    from caffegen.zoo.architecture import FAMILIES, ZooError, architecture

    try:
        return architecture(name)
    except ZooError as error:
        if name in FAMILIES:
            raise
        click.echo(f"caffegen: {error}", err=True)
        return None


def _figures(family: Architecture, dataset: str, depth: int) -> Figures | None:
    """The cost of one net, counted in the net itself; None for a package's that can't be built."""
    from caffegen.analysis.summary import summarize
    from caffegen.collection import collection_paused
    from caffegen.errors import CaffegenError
    from caffegen.loader import loads

    values: dict[str, Any] = {"depth": depth, "dataset": dataset, **family.variants.get(depth, {})}
    names = {option.name for option in family.options}
    try:
        with collection_paused():
            spec = family.build(**{name: values[name] for name in values if name in names})
            summary = summarize(loads(spec.to_message()).graph)
    except CaffegenError as error:
        click.echo(f"caffegen: {family.name} {depth}: {error}", err=True)
        return None
    return summary.params, summary.macs


def _described(family: Architecture, package: str | None, figures: bool) -> dict[str, Any]:
    """A family as JSON has it."""

    def counted(dataset: str, depths: Depths) -> dict[str, dict[str, int] | None] | None:
        if not figures:
            return None
        found = {depth: _figures(family, dataset, depth) for depth in depths.published}
        return {
            str(depth): pair and {"parameters": pair[0], "macs": pair[1]}
            for depth, pair in found.items()
        }

    return {
        "name": family.name,
        "title": family.title,
        "paper": family.paper,
        "package": package,
        "datasets": {
            dataset: {
                "depths": list(depths.published),
                "usual": depths.usual,
                "rule": depths.rule or None,
                "figures": counted(dataset, depths),
            }
            for dataset, depths in family.depths.items()
        },
        "options": [
            {
                "flag": option.flag,
                "help": option.help,
                "default": option.default,
                "choices": list(option.choices) or None,
            }
            for option in family.options
        ],
    }


def _print_table(families: list[Architecture], figures: bool) -> None:
    """One line a depth, written as soon as its net is counted; without figures one a dataset."""
    from .output import write_text

    first = max((len(family.name) for family in families), default=0)
    first = max(first, len("family"))
    second = max((len(d) for family in families for d in family.depths), default=0)
    second = max(second, len("dataset"))
    heads = f"depth  {'parameters':>12}  {'MACs':>15}" if figures else "depths"
    write_text(f"{'family':{first}}  {'dataset':{second}}  {heads}\n")
    for family in families:
        for index, (dataset, depths) in enumerate(family.depths.items()):
            start = f"{family.name if index == 0 else '':{first}}  {dataset:{second}}  "
            if not figures:
                write_text(f"{start}{depths}\n")
                continue
            for depth in depths.published:
                pair = _figures(family, dataset, depth)
                shown = [f"{number:,}" for number in pair] if pair else ["-", "-"]
                write_text(f"{start}{depth:>5}  {shown[0]:>12}  {shown[1]:>15}\n")
                start = " " * len(start)
            if depths.rule:
                write_text(f"{start}and any other {depths.rule}\n")
