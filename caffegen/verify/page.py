"""The report of a comparison as a page of HTML."""

from __future__ import annotations

from math import log10

from caffegen import __version__
from caffegen.templating import render_template

from .report import BlobDifference, VerifyReport

__all__ = ["report_page"]

_WIDEST = 8.0  # rem
_LEAST = 1e-8


def report_page(report: VerifyReport) -> str:
    """One self-contained page: verdict, runtimes, and a bar per blob on a logarithmic scale."""

    def bar(row: BlobDifference) -> float:
        if row.counted <= _LEAST:
            return 0.0
        span = max(log10(max(report.tolerance, _LEAST) / _LEAST), 1e-9)
        share = log10(min(row.counted, 1e9) / _LEAST) / span
        return round(_WIDEST * min(share, 1.0), 2)

    return render_template(
        "verify_report.html",
        net=report.net,
        ok=report.ok,
        verdict=report.verdict,
        runtimes=report.runtimes,
        rows=report.rows,
        notes=report.notes,
        seed=report.seed,
        tolerance=report.tolerance,
        bar=bar,
        version=__version__,
    )
