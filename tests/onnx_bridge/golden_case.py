"""Golden cases of real Caffe, run by onnxruntime on what the bridge writes."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from caffegen import onnx_bridge
from caffegen.loader import loads

GOLDEN = Path(__file__).parent.parent / "golden"


@cache
def arrays(path):
    """All arrays of an npz file."""
    with np.load(GOLDEN / path) as file:
        return dict(file)


@cache
def index():
    """The layer cases of the TEST phase."""
    cases = json.loads((GOLDEN / "layers" / "index.json").read_text(encoding="utf-8"))
    return [Case(case) for case in cases if case["phase"] == "TEST"]


class Case:
    """A case of layers/index.json with its arrays."""

    def __init__(self, case):
        self.case = case
        self.id = f"{case['type']}-{case['name']}"
        self.quirk = case.get("quirk", "")
        self.types = {layer["type"] for layer in case["layers"]}

    def values(self, kind):
        """{rest of the key: array} of one kind (`in`, `out`, `param` ...) in the first pass."""
        prefix = f"{self.case['name']}/{kind}/"
        found = arrays(f"layers/{self.case['type']}.npz")
        return {key[len(prefix) :]: value for key, value in found.items() if key.startswith(prefix)}

    def weights(self):
        """{layer: [arrays]}, or None where no layer has any."""
        weights = {}
        for key, array in sorted(self.values("param").items()):
            weights.setdefault(key.rpartition("/")[0], []).append(array)
        return weights or None

    def net(self, inputs=None):
        """The net, loaded with the case's weights, for inputs of other shapes if they are given."""
        state = {"level": self.case.get("level", 0), "stages": self.case.get("stages", ())}
        return loads(self.case["prototxt"], self.weights(), inputs=inputs, **state)

    def feeds(self):
        """The inputs by blob name; what was handed to a MemoryData goes to its tops."""
        feeds = dict(self.values("in"))
        memory = self.values("memory")
        for layer in self.case["layers"]:
            if layer["type"] == "MemoryData":
                for top, array in zip(layer["tops"], memory.values(), strict=True):
                    shape = self.case["blobs"][top]
                    feeds[top] = array[: shape[0]].reshape(shape)
        return feeds

    def expected(self):
        """The outputs by blob name."""
        found = self.values("out")
        if self.case["type"] == "MemoryData":
            # running reshapes its tops; here they are inputs, as set-up leaves them
            return {name: value.reshape(self.case["blobs"][name]) for name, value in found.items()}
        return found

    @property
    def tolerance(self):
        """As golden/README.md suggests."""
        note = self.case["note"]
        factor = 10 if "large" in note or "batch statistics" in note else 1
        return {"rtol": 1e-4 * factor, "atol": 1e-5 * factor}


def session(model):
    """onnxruntime on a model or a path, as it comes: with all its optimisations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    given = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(given, options, ["CPUExecutionProvider"])


def run(model, feeds):
    """{blob: array} of a model, checked first as strictly as onnx can; blobs by Caffe's names."""
    onnx.checker.check_model(model if isinstance(model, onnx.ModelProto) else str(model), True)
    running = session(model)
    wanted = {given.name for given in running.get_inputs()}
    names = [output.name for output in running.get_outputs()]
    renamed = json.loads(running.get_modelmeta().custom_metadata_map.get("caffegen.blobs", "{}"))
    blob_of = {value: blob for blob, value in renamed.items()}
    outputs = running.run(names, {name: feeds[name] for name in wanted})
    return {blob_of.get(name, name): array for name, array in zip(names, outputs, strict=True)}


def run_case(case, **options):
    """{blob: array} of a golden case."""
    return run(onnx_bridge.to_model(case.net(), **options), case.feeds())
