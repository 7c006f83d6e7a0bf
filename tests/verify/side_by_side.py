"""One layer behind Input layers, run on given arrays by PyTorch, onnxruntime and OpenCV."""

import cv2
import numpy as np
import onnxruntime
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import build


def prototxt(kind, arrays, body="", tops=("top",)):
    """The net: an Input for each array, and one layer named `layer` on all of them."""
    lines = []
    for name, array in arrays.items():
        dims = " ".join(f"dim: {size}" for size in array.shape)
        lines.append(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ {dims} }} }} }}"
        )
    bottoms = " ".join(f'bottom: "{name}"' for name in arrays)
    made = " ".join(f'top: "{top}"' for top in tops)
    lines.append(f'layer {{ name: "layer" type: "{kind}" {bottoms} {made} {body} }}')
    return "\n".join(lines)


def by_torch(text, arrays, tops):
    """The tops as the built module gives them."""
    module = build(loads(text))
    blobs = module(**{name: torch.from_numpy(array) for name, array in arrays.items()})
    return [blobs[top].detach().numpy() for top in tops]


def by_onnxruntime(text, arrays, tops, opset=17, **options):
    """The tops as onnxruntime gives them on what the bridge writes."""
    model = onnx_bridge.to_model(loads(text), opset=opset, **options)
    session = onnxruntime.SessionOptions()
    session.log_severity_level = 3
    session.intra_op_num_threads = 1
    runner = onnxruntime.InferenceSession(model.SerializeToString(), session)
    taken = {value.name for value in runner.get_inputs()}
    return runner.run(list(tops), {name: a for name, a in arrays.items() if name in taken})


def by_opencv(text, arrays):
    """The first top as OpenCV's Caffe importer gives it."""
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8))
    for name, array in arrays.items():
        net.setInput(array, name)
    return net.forward()


def assert_agree(kind, arrays, body="", *, tops=("top",), opset=17, opencv=True):
    """Run all three and compare; the tops of PyTorch."""
    text = prototxt(kind, arrays, body, tops)
    found = by_torch(text, arrays, tops)
    for mine, other in zip(found, by_onnxruntime(text, arrays, tops, opset), strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-4, atol=1e-5)
    if opencv:
        np.testing.assert_allclose(by_opencv(text, arrays), found[0], rtol=1e-4, atol=1e-5)
    return found
