"""Computing again behind layers that sort, cut off or round, on the reference's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError

from .deciding import cut_before, deciding_layers, made_from, paired_detections, what_it_decides
from .report import BlobDifference, Recomputed
from .runtimes import Job, runtime

if TYPE_CHECKING:
    from caffegen.net import Node

__all__ = ["recompute"]

Difference = Callable[[str, str, str, Any, str, Any], BlobDifference]


def recompute(
    rows: list[BlobDifference], job: Job, difference: Difference, tolerance: float
) -> list[str]:
    """Compute again what differs at or behind layers that decide, and put that into the rows.

    `job` knows the reference's blobs. These layers are given its values only for those bottoms
    against which the runtime's own were held: a wrong one is never hidden. Detections of one class
    and of equal scores, to the tolerance, may stand in any order, since no rule of Caffe's decides
    it. Gives what is to be said about it, in sentences.
    """
    deciding = deciding_layers(job.net)
    if not deciding or all(row.equal for row in rows):
        return []
    reference = job.reference
    behind = made_from(deciding)
    told = []
    for other in dict.fromkeys(row.other for row in rows):
        places = [
            place
            for place, row in enumerate(rows)
            if row.other == other and not row.equal and id(job.net.graph.final[row.blob]) in behind
        ]
        if not places:
            continue
        named = _named(deciding, {rows[place].blob for place in places})
        held = {row.blob for row in rows if row.other == other}
        known = {blob: job.known[blob] for blob in held}
        try:
            cut = cut_before(job.net, deciding, known, job.inputs)
            inputs = {**job.inputs, **cut.inputs}
            again = runtime(other).run(job._replace(net=cut.net, inputs=inputs)).blobs
        except CaffegenError as refusal:
            told.append(
                f"{named}; that may be why {other} differs, but it could not compute the layer "
                f"again on {reference}'s values: {refusal}"
            )
            continue
        for place in places:
            row = rows[place]
            if row.blob in again:
                theirs = paired_detections(known[row.blob], again[row.blob], tolerance)
                values = known[row.blob], other, theirs
                found = difference(row.blob, row.layer, reference, *values)
                fresh = Recomputed(found.absolute, found.relative, found.equal)
                rows[place] = row._replace(recomputed=fresh)
        told.append(
            f"{named}, where small differences can become large: {other} computed from there on "
            f"again, on {reference}'s values of what such layers read"
        )
    return told


def _named(deciding: Sequence[Node], blobs: set[str]) -> str:
    """The layers with which the difference can have begun, and what they do."""
    makers = [node for node in deciding if any(top.name in blobs for top in node.outputs)]
    return ", ".join(
        f"`{node.name}` ({node.type}) {what_it_decides(node)}" for node in makers or deciding
    )
