"""What a comparison found: a row per blob and pair of runtimes, and the verdict."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["BlobDifference", "Recomputed", "RuntimeRun", "VerifyReport"]

Shape = tuple[int, ...]


class RuntimeRun(NamedTuple):
    """How one runtime did: `ran`, or the reason why not; `note` says what is worth knowing."""

    name: str
    version: str
    ran: bool
    seconds: float
    note: str = ""


class Recomputed(NamedTuple):
    """A blob's differences once the layers that decide have read the reference's values."""

    absolute: float
    relative: float
    equal: bool


class BlobDifference(NamedTuple):
    """One blob in two runtimes.

    `absolute` is the largest difference of two values, `relative` that over the largest magnitude
    of the blob in the reference; both are infinite where one side has a value that is no number,
    or another shape. `recomputed` is there for a blob that differs and that a layer makes which
    sorts, cuts off or rounds, or one behind it.
    """

    blob: str
    layer: str
    shape: Shape
    reference: str
    other: str
    absolute: float
    relative: float
    largest: float
    equal: bool
    recomputed: Recomputed | None = None

    @property
    def agrees(self) -> bool:
        """Whether the runtimes agree on the blob, as it is or computed again."""
        return self.equal or (self.recomputed is not None and self.recomputed.equal)

    @property
    def counted(self) -> float:
        """The relative difference that the verdict goes by: computed again, where that agrees."""
        if self.equal or self.recomputed is None or not self.recomputed.equal:
            return self.relative
        return self.recomputed.relative


class VerifyReport(NamedTuple):
    """The verdict over all runtimes and blobs, in the order of the net.

    `notes` are sentences on what was computed again, and what could not be.
    """

    net: str
    seed: int
    tolerance: float
    runtimes: tuple[RuntimeRun, ...]
    rows: tuple[BlobDifference, ...]
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The runtimes that ran."""
        return tuple(run.name for run in self.runtimes if run.ran)

    @property
    def largest(self) -> BlobDifference | None:
        """The row with the largest relative difference of those that the verdict goes by."""
        return max(self.rows, key=lambda row: row.counted, default=None)

    @property
    def first_difference(self) -> BlobDifference | None:
        """The first blob, in the order of the net, that differs by more than the tolerance."""
        return next((row for row in self.rows if not row.agrees), None)

    @property
    def ok(self) -> bool:
        """Whether at least two runtimes ran, had blobs in common, and agree on all of them."""
        return len(self.compared) > 1 and bool(self.rows) and self.first_difference is None

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        if len(self.compared) < 2:
            ran = ", ".join(self.compared) or "none"
            return f"nothing to compare: of the runtimes only {ran} ran"
        if not self.rows:
            return "nothing to compare: the runtimes have no blob in common"
        first, largest = self.first_difference, self.largest
        assert largest is not None
        if first is not None:
            return (
                f"first difference: blob `{first.blob}` of layer `{first.layer}`, {first.reference} "
                f"against {first.other}: {first.relative:.2e} relative, tolerance {self.tolerance:g}"
            )
        count = len({row.blob for row in self.rows})
        agreed = (
            f"{count} blobs agree across {', '.join(self.compared)}: largest relative difference "
            f"{largest.counted:.2e} (`{largest.blob}`), tolerance {self.tolerance:g}"
        )
        again = [row for row in self.rows if not row.equal]
        if not again:
            return agreed
        plain = max(again, key=lambda row: row.relative)
        number = len({row.blob for row in again})
        finite = plain.relative < float("inf")
        apart = f"differ by up to {plain.relative:.2e}" if finite else "do not match at all"
        return (
            f"{agreed}; {number} of them once the layers that decide read {plain.reference}'s values, "
            f"without that they {apart} (`{plain.blob}`)"
        )

    def to_json(self) -> dict[str, Any]:
        """Version 1 of the machine-readable form; infinite differences are null."""
        first = self.first_difference
        return {
            "version": 1,
            "net": self.net,
            "ok": self.ok,
            "seed": self.seed,
            "tolerance": self.tolerance,
            "runtimes": [run._asdict() for run in self.runtimes],
            "first_difference": first.blob if first else None,
            "blobs": [
                {
                    **row._asdict(),
                    "absolute": _finite(row.absolute),
                    "relative": _finite(row.relative),
                    "largest": _finite(row.largest),
                    "recomputed": _recomputed(row.recomputed),
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }


def _recomputed(found: Recomputed | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "absolute": _finite(found.absolute),
        "relative": _finite(found.relative),
        "equal": found.equal,
    }


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None
