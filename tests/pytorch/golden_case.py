"""One golden case of real Caffe, as tensors by blob name."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

import caffegen
from caffegen import pytorch

GOLDEN = Path(__file__).parent.parent / "golden"


@cache
def arrays(path):
    """All arrays of an npz file."""
    with np.load(GOLDEN / path) as file:
        return dict(file)


@cache
def layer_cases():
    """Every layer case, in the order of the index."""
    cases = json.loads((GOLDEN / "layers" / "index.json").read_text(encoding="utf-8"))
    return [GoldenCase(case) for case in cases]


class GoldenCase:
    """A case of layers/index.json with its arrays."""

    def __init__(self, case):
        self.case = case
        self.type = case["type"]
        self.name = case["name"]
        self.id = f"{self.type}-{self.name}"
        self.quirk = case.get("quirk", "")
        self.passes = case["forwards"]

    def values(self, kind, number=1):
        """{rest of the key: array} of one kind (`in`, `out`, `param` ...) and pass."""
        kind = kind if number == 1 else f"{kind}@{number}"
        prefix = f"{self.name}/{kind}/"
        found = arrays(f"layers/{self.type}.npz")
        return {key[len(prefix) :]: found[key] for key in found if key.startswith(prefix)}

    def params(self, kind, number=1):
        """{layer: {blob index: array}} of `param`, `param_after` or `paramdiff`."""
        found = {}
        for key, array in self.values(kind, number).items():
            layer, _, index = key.rpartition("/")
            found.setdefault(layer, {})[int(index)] = array
        return found

    def weights(self):
        """{layer: [arrays]}, as `load` takes them."""
        return {
            layer: [blobs[index] for index in sorted(blobs)]
            for layer, blobs in self.params("param").items()
        }

    def net(self):
        """The net, loaded with the case's weights."""
        case = self.case
        return caffegen.loads(
            case["prototxt"],
            self.weights() or None,
            phase=case["phase"],
            level=case.get("level", 0),
            stages=case.get("stages", ()),
        )

    def build(self, **options):
        """The net as a module."""
        return pytorch.build(self.net(), **options)

    def inputs(self, number=1, *, gradients=False):
        """Input tensors of a pass by blob name; leaves that take a gradient where Caffe has one."""
        without = self.case.get("no_gradient_inputs", ())
        return {
            name: torch.tensor(array, requires_grad=gradients and name not in without)
            for name, array in self.values("in", number).items()
        }


def close(found, expected, what, *, relative=1e-4, absolute=1e-5):
    """Assert equality as golden/README.md suggests, and the shape with it."""
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    assert found.shape == expected.shape, what
    np.testing.assert_allclose(found, expected, relative, absolute, err_msg=what)


def in_double(net, inputs, blobs):
    """The blobs of a net computed in double precision: how far Caffe's single precision is off."""
    module = pytorch.build(net).double()
    doubled = {name: torch.from_numpy(array).double() for name, array in inputs.items()}
    with torch.no_grad():
        found = module.run(doubled, blobs=list(blobs))
    return {name: tensor.numpy() for name, tensor in found.items()}


def close_to_caffe(found, expected, exact, name):
    """Within 1e-4 relative and 1e-5 absolute of Caffe, plus what Caffe itself rounds off.

    `exact` is the same blob in double precision.
    """
    slack = 1e-4 * np.abs(expected) + 1e-5 + np.abs(expected - exact)
    over = np.abs(np.asarray(found, np.float64) - expected) / slack
    assert over.max(initial=0) <= 1, f"{name}: {over.max()} times what is allowed"
