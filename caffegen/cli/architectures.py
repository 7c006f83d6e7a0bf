"""`caffegen architectures`: the families of the zoo and the depths that they have."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("architectures")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the list is printed.")  # fmt: skip
def command(form: str) -> None:
    """List the families of networks, each a command of its own.

    JSON is a list of objects with `name`, `title`, `paper`, `datasets` and `options`. A dataset
    has `depths`, those of the paper, `usual`, which of them is built unless another is asked for,
    and `rule`, which other depths follow (null: there are no others). An option has `flag`,
    `help`, `default` and `choices` (null: any number, or a flag).
    """
    from caffegen.zoo.architecture import FAMILIES, architecture

    from .output import write_text

    families = [architecture(name) for name in FAMILIES]
    if form == "json":
        import json

        described = [
            {
                "name": family.name,
                "title": family.title,
                "paper": family.paper,
                "datasets": {
                    dataset: {
                        "depths": list(depths.published),
                        "usual": depths.usual,
                        "rule": depths.rule or None,
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
            for family in families
        ]
        write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", None)
        return
    rows = [("family", "dataset", "depths")]
    for family in families:
        for index, (dataset, depths) in enumerate(family.depths.items()):
            rows.append((family.name if index == 0 else "", dataset, str(depths)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}\n" for row in rows]
    write_text("".join(lines), None)
