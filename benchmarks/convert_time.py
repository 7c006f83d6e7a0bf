"""Conversion to ONNX over copying the file: ResNet-152, and VGG-16 with `--vgg` (553 MB).

Prints the processor and wall time of each weight storage over `cp` of the caffemodel in the same run.
"""

import argparse
import os
import shutil
import tempfile
import time

import caffegen
from caffegen import onnx_bridge
from caffegen.analysis.fill import fill_params
from caffegen.zoo import resnet, vgg


def best(work, times: int = 5) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vgg", action="store_true")
    spec = vgg(depth=16) if parser.parse_args().vgg else resnet(depth=152)
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel = (
            os.path.join(folder, "net.prototxt"),
            os.path.join(folder, "net.caffemodel"),
        )
        bare = caffegen.loads(spec)
        caffegen.loads(bare.message, fill_params(bare.graph, 0)).save(prototxt, caffemodel)
        size = os.path.getsize(caffemodel)
        copied = best(lambda: shutil.copyfile(caffemodel, os.path.join(folder, "copy")))
        print(f"{bare.name}: {size:,} bytes, cp {copied * 1e3:.0f} ms")

        def convert(weights: str) -> None:
            net = caffegen.load(prototxt, caffemodel)
            onnx_bridge.save(net, os.path.join(folder, f"{weights}.onnx"), weights=weights)

        for weights in ("link", "external", "embed"):
            convert(weights)
            print(
                f"load and convert, --weights {weights}, over cp: {best(lambda w=weights: convert(w)) / copied:.2f}"
            )


if __name__ == "__main__":
    main()
