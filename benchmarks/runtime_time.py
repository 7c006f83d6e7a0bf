"""ResNet-50 in the PyTorch build over the same Caffe files in OpenCV, and over onnxruntime.

How far onnxruntime itself is from OpenCV is printed beside it: it is the ground both stand on. On
a machine that others use, too, the least of the runs tells more than the median.

    python benchmarks/runtime_time.py [--compile]

Fused and channels_last; --compile adds torch.compile, which takes a minute before it runs.
"""

import argparse
import os
import tempfile
import time

import cv2
import numpy as np
import onnxruntime
import torch
import torch._inductor.config

import caffegen
from caffegen import onnx_bridge, pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import resnet


def interleaved(works, turns: int = 7) -> list[tuple[float, float]]:
    """The median time and the least of each, measured in turn so that busy moments hit all alike.

    A runtime's threads go on spinning for a while and would take the next one's cores: each turn
    rests first, runs once uncounted to wake its own, and lasts half a second.
    """
    spent = [[] for _ in works]
    for work in works:
        work()
    for _ in range(turns):
        for index, work in enumerate(works):
            time.sleep(0.2)
            work()
            turn = 0.0
            while turn < 0.5:
                start = time.perf_counter()
                work()
                spent[index].append(time.perf_counter() - start)
                turn += spent[index][-1]
    return [(sorted(each)[len(each) // 2], min(each)) for each in spent]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true")
    compiled = parser.parse_args().compile
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel, model = (
            os.path.join(folder, f"net.{end}") for end in ("prototxt", "caffemodel", "onnx")
        )
        bare = caffegen.loads(resnet(depth=50))
        caffegen.loads(bare.message, fill_params(bare.graph, 0)).save(prototxt, caffemodel)
        net = caffegen.load(prototxt, caffemodel)
        onnx_bridge.save(net, model, dynamic_batch=True)
        module = pytorch.build(net, fuse=True).to(memory_format=torch.channels_last)
        if compiled:
            # the weights as constants, as `caffegen bench --compile` takes them: Dynamo reads
            # this setting alone, not the options of torch.compile
            torch._inductor.config.freezing = True
            module = torch.compile(module, fullgraph=True, dynamic=False)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        peer = cv2.dnn.readNetFromCaffe(prototxt, caffemodel)
        for batch in (1, 8):
            array = np.random.default_rng(0).standard_normal((batch, 3, 224, 224), dtype=np.float32)
            tensor = torch.from_numpy(array).to(memory_format=torch.channels_last)

            def by_torch(tensor=tensor):
                with torch.inference_mode():
                    module(data=tensor)

            def by_opencv(array=array):
                peer.setInput(array)
                peer.forward()

            def by_onnxruntime(array=array):
                session.run(None, {"data": array})

            times = interleaved([by_torch, by_opencv, by_onnxruntime])
            how = "fused, channels_last, compiled" if compiled else "fused, channels_last"
            print(f"batch {batch}, {how}")
            for name, (ours, opencv, ort) in zip(("median", "least"), zip(*times), strict=True):
                print(
                    f"  {name} of the runs: over OpenCV {ours / opencv:.2f} (at most 0.5), "
                    f"over onnxruntime {ours / ort:.2f} (at most 1.1 compiled); "
                    f"onnxruntime over OpenCV {ort / opencv:.2f}"
                )


if __name__ == "__main__":
    main()
