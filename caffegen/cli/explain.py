"""`caffegen explain`: what a finding means, why it matters, and the mend."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("explain")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the page is printed.")  # fmt: skip
def command(name: str | None, form: str) -> None:
    """Explain a finding by its NAME; without one, list them all."""
    from caffegen.cli.output import write_text
    from caffegen.diagnostics.catalogue import flaw, flaw_names

    names = flaw_names()
    if name is not None and name not in names:
        from caffegen.schema.suggest import nearest

        near = nearest(name, names)
        hint = f"did you mean `{near}`?" if near else "`caffegen explain` lists them"
        raise click.UsageError(f"no finding is called `{name}`; {hint}")
    entries = [entry for each in ([name] if name else names) if (entry := flaw(each))]
    if form == "json":
        import json

        document = {"version": 1, "flaws": [entry._asdict() for entry in entries]}
        write_text(json.dumps(document, indent=2) + "\n", None)
    elif name:
        write_text(entries[0].page, None)
    else:
        width = max(len(entry.name) for entry in entries)
        lines = (f"{e.name:<{width}}  {e.severity:<7}  {e.title}\n" for e in entries)
        write_text("".join(lines), None)
