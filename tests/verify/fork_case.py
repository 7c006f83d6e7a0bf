"""One layer of a fork through several runtimes, each held against numbers worked out in numpy."""

from __future__ import annotations

import numpy as np
import torch

from caffegen import onnx_bridge
from caffegen.analysis.fill import fill_params
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


class Case:
    """A net of one layer, `layer`, behind Inputs `a`, `b` ... of these shapes, and values for them."""

    def __init__(self, kind, shapes, body="", *, tops=("top",), weights=None, seed=0, **options):
        self.tops = tops
        self.text = net_text(kind, shapes, body, tops=tops, old="dialect" in options)
        bare = loads(self.text, **options)
        weights = fill_params(bare.graph, seed) if weights is None else {"layer": weights}
        self.net = loads(self.text, weights, **options) if any(weights.values()) else bare
        self.weights = weights.get("layer", [])
        self.options = options
        generator = np.random.default_rng(seed)
        self.feeds = {
            name: generator.standard_normal(shape).astype(np.float32) * 3
            for name, shape in zip("abcdefgh", shapes, strict=False)
        }

    @property
    def inputs(self):
        """The values of the bottoms, in order."""
        return list(self.feeds.values())

    def torch(self):
        """The tops by PyTorch."""
        module = build(self.net).eval()
        with torch.no_grad():
            tops = module(**{name: torch.from_numpy(value) for name, value in self.feeds.items()})
        return [tops[name].numpy() for name in self.tops]

    def onnxruntime(self, **options):
        """The tops by onnxruntime."""
        tops = run(onnx_bridge.to_model(self.net, **options), self.feeds)
        return [tops[name] for name in self.tops]

    def opencv(self, folder, text=None, feeds=None):
        """The top by OpenCV's Caffe importer, of another prototxt if one is given."""
        import cv2

        prototxt, caffemodel = folder / "net.prototxt", folder / "net.caffemodel"
        prototxt.write_text(self.text if text is None else text, encoding="utf-8")
        paths = [str(prototxt)]
        if self.weights:
            self.net.save(str(folder / "unused.prototxt"), str(caffemodel))
            paths.append(str(caffemodel))
        net = cv2.dnn.readNetFromCaffe(*paths)
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        for name, value in (self.feeds if feeds is None else feeds).items():
            net.setInput(value, name)
        return net.forward("layer")

    def opencv_of_onnx(self, folder):
        """The tops by OpenCV's ONNX importer, for layers that its Caffe importer does not know."""
        import cv2

        path = folder / "net.onnx"
        onnx_bridge.save(self.net, path)
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        for name, value in self.feeds.items():
            net.setInput(value, name)
        return list(net.forward(list(self.tops)))

    def check(self, *expected):
        """Hold PyTorch and onnxruntime against what was worked out."""
        for tops in (self.torch(), self.onnxruntime()):
            assert len(tops) == len(expected)
            for top, wanted in zip(tops, expected, strict=True):
                assert top.shape == wanted.shape
                np.testing.assert_allclose(top, wanted, **CLOSE)


def close(found, wanted):
    """Equal within the tolerance; axes of size 1 do not count, OpenCV drops and adds them."""
    assert [size for size in found.shape if size > 1] == [s for s in wanted.shape if s > 1]
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, **CLOSE)
