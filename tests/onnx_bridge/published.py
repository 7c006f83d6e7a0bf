# ruff: noqa: C408 - options are keywords
"""Caffe's published nets as ONNX models of every opset that counts, batch 1 and 5 of one model.

    python -m tests.onnx_bridge.published [NET ...]

prints a row a net, opset and batch size: how many blobs onnxruntime has in common with PyTorch and
with OpenCV, and the largest difference over the blob's largest value. Ends with exit code 1 if one
is above 1e-4.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import caffegen
from caffegen import onnx_bridge
from caffegen.analysis.fill import fill_params
from caffegen.onnx_bridge.write.model import NEWEST_OPSET
from caffegen.verify.runtimes import Job, runtime
from caffegen.zoo import architecture

OPSETS = (13, 17, NEWEST_OPSET)
BATCHES = (1, 5)
TOLERANCE = 1e-4
NETS = {
    "resnet-50": ("resnet", dict(depth=50)),
    "resnet-101": ("resnet", dict(depth=101)),
    "resnet-152": ("resnet", dict(depth=152)),
    "caffenet": ("caffenet", {}),
    "alexnet": ("alexnet", {}),
    "googlenet": ("googlenet", {}),
    "vgg-16": ("vgg", dict(depth=16)),
    "vgg-19": ("vgg", dict(depth=19)),
    "squeezenet": ("squeezenet", {}),
}


def rows(spec, folder):
    """`(opset, batch, other runtime, blobs in common, largest difference)` for a net."""
    bare = caffegen.loads(spec)
    net = caffegen.loads(bare.message, fill_params(bare.graph, 0))
    (blob,) = net.inputs
    size = net.shapes[blob][1:]
    others = {}
    for batch in BATCHES:
        image = np.random.default_rng(batch).standard_normal((batch, *size), dtype=np.float32)
        job = Job(net, {blob: image}, "cpu")
        others[batch] = {name: runtime(name).run(job).blobs for name in ("torch", "opencv")}
        others[batch]["input"] = image
    for opset in OPSETS:
        path = Path(folder, f"{opset}.onnx")
        onnx_bridge.save(
            net, path, opset=opset, dynamic_batch=True, outputs=list(net.graph.final),
            weights="external",
        )  # fmt: skip
        onnx.checker.check_model(path, full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        meta = session.get_modelmeta().custom_metadata_map
        renamed = json.loads(meta.get("caffegen.blobs", "{}"))
        for batch in BATCHES:
            found = dict(zip(names, session.run(names, {blob: others[batch]["input"]})))
            for other in ("torch", "opencv"):
                theirs = others[batch][other]
                pairs = [
                    (found[renamed.get(name, name)], theirs[name])
                    for name in net.graph.final
                    if name in theirs and renamed.get(name, name) in found
                ]
                worst = max(difference(*pair) for pair in pairs)
                yield opset, batch, other, len(pairs), worst


def difference(ours, theirs):
    """The largest difference over the largest value; infinite for other shapes or values."""
    if ours.shape != theirs.shape or not np.isfinite(ours).all():
        return np.inf
    largest = np.abs(theirs).max()
    return float(np.abs(ours - theirs).max() / largest) if largest else float(np.abs(ours).max())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("nets", nargs="*", metavar="NET", help="all unless given")
    chosen = parser.parse_args(arguments).nets
    unknown = [name for name in chosen if name not in NETS]
    if unknown:
        parser.error(f"there is no net `{unknown[0]}`, only {', '.join(NETS)}")
    good = True
    for name in chosen or NETS:
        family, options = NETS[name]
        with tempfile.TemporaryDirectory() as folder:
            for opset, batch, other, blobs, worst in rows(
                architecture(family).build(**options), folder
            ):
                good = good and worst <= TOLERANCE
                print(
                    f"{name:<11}  opset {opset}  batch {batch}  {other:<7}  {blobs:>4} blobs  "
                    f"{worst:.1e}  {'agree' if worst <= TOLERANCE else 'DIFFER'}",
                    flush=True,
                )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
