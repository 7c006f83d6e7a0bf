"""The figures as JSON, PNG and SVG; the same numbers give the same bytes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = ["draw_curves", "draw_deletions", "read_figures", "write_figures"]

_PERCENT = 100
_COLOURS = ("#c1272d", "#0a5a9c", "#e0a030", "#2f8f4e", "#7a4f9e", "#555555")


def read_figures(path: str) -> dict[str, Any]:
    """The figures of an earlier run, or none."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def write_figures(path: str, figures: Mapping[str, Any]) -> None:
    """Write the figures, each list of numbers on one line."""
    text = json.dumps(figures, indent=2)
    rows = re.sub(r"\[[^\[\]{}]+\]", lambda row: f"[{' '.join(row[0][1:-1].split())}]", text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(rows + "\n")


def draw_curves(path: str, figures: Mapping[str, Any]) -> None:
    """Error against iterations, plain nets left and the others right, as in He et al.'s Figure 6."""
    nets = figures["nets"]
    sides = [
        ("Plain nets", [name for name in nets if name.startswith("plain")]),
        ("Nets with shortcuts", [name for name in nets if not name.startswith("plain")]),
    ]
    sides = [(title, names) for title, names in sides if names]
    figure = _figure(len(sides))
    axes = figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    for axis, (title, names) in zip(axes, sides):
        for colour, name in zip(_COLOURS, names):
            curve = nets[name]
            at = curve["iterations"]
            axis.plot(at, _percent(curve["training_error"]), "--", color=colour, linewidth=1)
            axis.plot(at, _percent(curve["test_error"]), color=colour, linewidth=2, label=name)
        axis.set_title(title)
        axis.set_xlabel(f"iterations of {figures['batch']} images")
        axis.legend(title="test (bold), training (dashed)")
        axis.set_ylim(0, 100)
        axis.set_xlim(0, figures["iterations"])
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"error on {figures['data']} (%)")
    _save(figure, path)


def draw_deletions(path: str, figures: Mapping[str, Any]) -> None:
    """Test error when one block is deleted, by its place, and when several are (mean and range)."""
    figure = _figure(2)
    one, many = figure.subplots(1, 2, sharey=True)
    for colour, (name, found) in zip(_COLOURS, figures["nets"].items()):
        errors = _percent(found["one"])
        places = [index / len(errors) for index in range(1, len(errors) + 1)]
        one.plot(places, errors, "o-", color=colour, markersize=3, linewidth=1, label=name)
        one.axhline(_PERCENT * found["none"], color=colour, linestyle=":", linewidth=1)
        counts = [row["deleted"] for row in found["many"]]
        means = [_PERCENT * sum(row["errors"]) / len(row["errors"]) for row in found["many"]]
        many.plot(counts, means, "o-", color=colour, markersize=3, linewidth=1, label=name)
        low = [_PERCENT * min(row["errors"]) for row in found["many"]]
        high = [_PERCENT * max(row["errors"]) for row in found["many"]]
        many.fill_between(counts, low, high, color=colour, alpha=0.15, linewidth=0)
    one.set_title("One block deleted (dotted: none)")
    one.set_xlabel("place of the block in the net, from the input (0) to the output (1)")
    one.set_ylabel(f"test error on {figures['data']} (%)")
    many.set_title("Several blocks deleted at random")
    many.set_xlabel("number of deleted blocks (mean and range)")
    many.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in (one, many):
        axis.set_ylim(0, 100)
        axis.legend()
        axis.grid(alpha=0.3)
    _save(figure, path)


def _figure(panels: int) -> Figure:
    # text stays text, and its identifiers do not change from run to run
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "caffegen", "font.size": 9})
    return Figure(figsize=(5 * panels, 4), layout="constrained")


def _percent(errors: Iterable[float]) -> list[float]:
    return [_PERCENT * error for error in errors]


def _save(figure: Figure, path: str) -> None:
    """PNG and SVG, without the date and the program's version."""
    figure.savefig(f"{path}.png", dpi=120, metadata={"Software": None})
    figure.savefig(f"{path}.svg", metadata={"Date": None, "Creator": None})
