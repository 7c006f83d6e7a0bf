"""Conversion to ONNX over copying the file: ResNet-152, and VGG-16 with `--vgg` (553 MB).

Prints the time of each weight storage over `cp` of the caffemodel, measured in turn.
"""

import argparse
import os
import shutil
import tempfile
import time
from functools import partial

import caffegen
from caffegen import onnx_bridge
from caffegen.analysis.fill import fill_params
from caffegen.zoo import resnet, vgg


def interleaved(works, times: int = 5) -> list[float]:
    """The median time of each, measured in turn: writing waits for the disk now and then."""
    spent = [[] for _ in works]
    for work in works:
        work()
    for _ in range(times):
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            spent[index].append(time.perf_counter() - start)
    return [sorted(each)[len(each) // 2] for each in spent]


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

        def convert(weights: str) -> None:
            net = caffegen.load(prototxt, caffemodel)
            onnx_bridge.save(net, os.path.join(folder, f"{weights}.onnx"), weights=weights)

        storages = ("link", "external", "embed")
        works = [lambda: shutil.copyfile(caffemodel, os.path.join(folder, "copy"))]
        works += [partial(convert, weights) for weights in storages]
        copied, *spent = interleaved(works)
        print(f"{bare.name}: {size:,} bytes, cp {copied * 1e3:.0f} ms")
        for weights, seconds in zip(storages, spent, strict=True):
            print(f"load and convert, --weights {weights}, over cp: {seconds / copied:.2f}")


if __name__ == "__main__":
    main()
