"""`caffegen check`: every fault of every file, in one run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from .schema_options import add_schemas, own_plugins, own_protos, schema_options
from .state_options import state_options

if TYPE_CHECKING:
    from caffegen.check import Checked, Options
    from caffegen.cli.settings import Settings
    from caffegen.diagnostics import Diagnostic

__all__ = ["command"]

# a mend that brings up the next fault is taken so often, then no more
_MOST_ROUNDS = 20


@click.command("check")
@click.argument("paths", nargs=-1, required=True)
@click.option("--phase", type=click.Choice(["all", "TRAIN", "TEST"]),
              help="Which phases (all that the net is meant for).")  # fmt: skip
@state_options
@click.option("--expect", multiple=True, metavar="BLOB=1,1000",
              help="Fail unless the blob has this shape; may be repeated.")  # fmt: skip
@click.option("-w", "--weights", metavar="FILE[,FILE]", help="Hold the net against a caffemodel.")
@click.option("--snapshot", metavar="JSON",
              help="Fail where shapes differ from those recorded in this file.")  # fmt: skip
@click.option("--update-snapshot", is_flag=True, help="Record the shapes instead.")
@schema_options
@click.option("--ignore", multiple=True, metavar="NAME", help="Leave out a finding by name.")
@click.option("--pedantic", is_flag=True, help="Run the optional rules too.")
@click.option("--strict", is_flag=True, help="Warnings fail the run as well.")
@click.option("--fix", is_flag=True, help="Apply the safe fixes.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github", "sarif"]),
              default="text", help="How findings are printed.")  # fmt: skip
def command(
    paths: tuple[str, ...],
    phase: str | None,
    stage: tuple[str, ...],
    level: int,
    inputs: tuple[str, ...],
    expect: tuple[str, ...],
    weights: str | None,
    snapshot: str | None,
    update_snapshot: bool,
    dialect: str,
    ignore: tuple[str, ...],
    pedantic: bool,
    strict: bool,
    fix: bool,
    form: str,
) -> None:
    """Check prototxt files: syntax, layers, parameters, shapes, weights.

    PATHS are files, globs, folders, which are searched for *.prototxt, *.pt and *.pbtxt, or `-` for
    standard input. Every fault is reported in one run, with its place. Exit code 0: no errors; 1:
    errors found (or warnings, with --strict); 3: a file that can't be read. Settings stand in
    pyproject.toml under [tool.caffegen].
    """
    from caffegen.check import Options
    from caffegen.cli.output import refuse_input, use_color, write_text
    from caffegen.cli.paths import find_files, parse_shapes
    from caffegen.cli.settings import read_settings
    from caffegen.diagnostics.render import render

    settings = read_settings()
    add_schemas(settings.proto, settings.plugins)
    _refuse_odd_options(snapshot, update_snapshot, fix and "-" in paths)
    _check_ignored(ignore, settings)
    phase = phase or settings.phase
    given = parse_shapes(inputs, "--input")
    options = Options(
        phases=("TRAIN", "TEST") if phase == "all" else (phase,),
        stages=stage,
        level=level,
        given={**settings.inputs, **given},
        expect=parse_shapes(expect, "--expect"),
        weights=weights.split(",") if weights else None,
        ignore=settings.ignore | set(ignore),
        pedantic=pedantic or settings.pedantic,
        dialect=dialect or settings.dialect,
    )
    files = find_files(paths, settings.exclude)
    if update_snapshot:
        refuse_input(snapshot, *files, *(options.weights or ()), *own_protos(), *own_plugins())
    checked = _check_files(files, options, fix=fix)
    found = [diagnostic for one in checked.values() for diagnostic in one.diagnostics]
    found += _given_for_nothing(given, checked)
    if snapshot:
        found += _hold_against(snapshot, checked, update=update_snapshot)
    color = form == "text" and use_color()
    write_text(render(found, form, files=files, color=color), None)
    errors = sum(diagnostic.severity == "error" for diagnostic in found)
    if form == "text":
        _say_total(len(checked), len(files) - len(checked), errors, len(found) - errors)
    sys.exit(3 if len(checked) < len(files) else _code(errors, len(found), strict, settings))


def _code(errors: int, found: int, strict: bool, settings: Settings) -> int:
    return 1 if errors or (found and (strict or settings.strict)) else 0


def _refuse_odd_options(snapshot: str | None, update: bool, fix_stdin: bool) -> None:
    """Refuse what would be passed over in silence."""
    if update and not snapshot:
        raise click.UsageError("--update-snapshot needs --snapshot, the file to write")
    if fix_stdin:
        raise click.UsageError("--fix writes files; standard input is none")


def _check_ignored(ignore: Iterable[str], settings: Settings) -> None:
    """Refuse to leave out what is never found, and warn of it in the settings.

    A plug-in may have names of its own, which nobody knows before they are found.
    """
    if not ignore and not settings.ignore:
        return
    from importlib.metadata import entry_points

    from caffegen.diagnostics.catalogue import flaw_names
    from caffegen.plugins import GROUP

    names = set(flaw_names())
    own = bool(own_plugins() or entry_points(group=GROUP))
    for name in ignore:
        if name not in names and not own:
            raise click.UsageError(f"--ignore: no finding is called `{name}`{_near(name, names)}")
    for name in sorted(settings.ignore - names) if not own else ():
        said = f"no finding is called `{name}`, which `ignore` leaves out{_near(name, names)}"
        click.echo(f"caffegen: in [tool.caffegen] {said}", err=True)


def _near(name: str, names: Iterable[str]) -> str:
    from caffegen.schema.suggest import nearest

    near = nearest(name, sorted(names))
    return f"; did you mean `{near}`?" if near else ""


def _check_files(files: Iterable[str], options: Options, *, fix: bool) -> dict[str, Checked]:
    """What was found in each file; of one that can't be read, that is said."""
    from caffegen.errors import FileError

    checked: dict[str, Checked] = {}
    for path in files:
        try:
            checked[path] = _check_file(path, options, fix=fix)
        except FileError as error:  # noqa: PERF203 - one bad file is not the end of the others
            if error.path != path:  # the weights, which no file can be checked without
                raise
            click.echo(f"caffegen: {error}", err=True)
    return checked


def _check_file(path: str, options: Options, *, fix: bool) -> Checked:
    from caffegen.check import check_source
    from caffegen.cli.standard_input import read_standard_input
    from caffegen.loader import read_source

    if path == "-":
        return check_source(read_standard_input(), options)
    return _fix(path, options) if fix else check_source(read_source(path), options)


def _fix(path: str, options: Options) -> Checked:
    """Apply safe fixes until none is left; each may bring the next to light."""
    from caffegen.atomic import atomic_write
    from caffegen.check import apply_fixes, check_source
    from caffegen.loader import read_source

    total = 0
    for _ in range(_MOST_ROUNDS):
        source = read_source(path)
        checked = check_source(source, options)
        text, done = apply_fixes(source, checked.diagnostics)
        if not done:
            break
        total += done
        with atomic_write(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    if total:
        click.echo(f"{path}: {total} fixed", err=True)
    return checked


def _given_for_nothing(
    given: Iterable[str], checked: Mapping[str, Checked]
) -> Iterable[Diagnostic]:
    """One finding for each --input that names a blob of none of the nets."""
    from caffegen.diagnostics import Diagnostic

    nets = [one.shapes for one in checked.values() if one.shapes]
    blobs = {name for shapes in nets for blobs in shapes.values() for name in blobs}
    for name in given:
        if nets and name not in blobs:
            said = f"--input gives a shape to `{name}`, a blob that no net has{_near(name, blobs)}"
            yield Diagnostic("given-blob-missing", "error", None, said)


def _hold_against(
    snapshot: str, checked: Mapping[str, Checked], *, update: bool
) -> Iterable[Diagnostic]:
    """Compare all shapes with the snapshot, or write it anew."""
    from caffegen.cli.snapshot import compare_snapshot, write_snapshot

    folder = os.path.dirname(os.path.abspath(snapshot))
    # from where the snapshot lies, so that it holds wherever the check is started
    shapes = {
        path if path == "-" else os.path.relpath(path, folder).replace(os.sep, "/"): one.shapes
        for path, one in checked.items()
    }
    if update:
        write_snapshot(snapshot, shapes)
        return ()
    return compare_snapshot(snapshot, shapes)


def _say_total(files: int, unreadable: int, errors: int, warnings: int) -> None:
    def counted(number: int, word: str) -> str:
        return f"{number} {word}" if number == 1 else f"{number} {word}s"

    said = "no faults" if files else "there is no prototxt"
    if errors or warnings:
        said = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    elif unreadable and not files:
        said = ""
    unread = f", {unreadable} can't be read" if unreadable else ""
    total = f"{counted(files, 'file')} checked{unread}"
    click.echo(f"{total}: {said}" if said else total, err=True)
