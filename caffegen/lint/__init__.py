"""Lint: what Caffe takes without a word and what still hurts people. One rule per file in `rules/`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

__all__ = ["Rule", "lint", "rule_names"]

Rule = Callable[[Graph, NetState, Report], None]
_FOLDER = os.path.join(os.path.dirname(__file__), "rules")


@cache
def rule_names() -> tuple[str, ...]:
    """The names of the rules, which are the names of their flaws."""
    files = (entry[:-3] for entry in os.listdir(_FOLDER) if entry.endswith(".py"))
    return tuple(sorted(name.replace("_", "-") for name in files if not name.startswith("_")))


@cache
def _rules() -> tuple[tuple[Rule, bool], ...]:
    """Every rule, and whether it is optional."""
    modules = (import_module(f"{__name__}.rules.{n.replace('-', '_')}") for n in rule_names())
    return tuple((module.check, getattr(module, "OPTIONAL", False)) for module in modules)


def lint(graph: Graph, state: NetState, report: Report, *, pedantic: bool = False) -> None:
    """Run the rules over a graph whose shapes were inferred; `pedantic` runs the optional ones too.

    A rule module with `OPTIONAL = True` reports what is often meant, or right in Caffe and a trap
    elsewhere.
    """
    for rule, optional in _rules():
        if pedantic or not optional:
            rule(graph, state, report)
