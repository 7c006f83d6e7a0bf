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


def interleaved(works, outputs: str, times: int = 9) -> list[tuple[float, float]]:
    """The median time and the least of each, measured in turn.

    The disk comes to rest before each turn and no file is written over (ext4 waits for it then);
    each runs once uncounted, as what stood idle is slow at first. A turn lasts a tenth of a second
    at least: short works run several times in it, and every run counts.
    """

    def fresh() -> None:
        shutil.rmtree(outputs, ignore_errors=True)
        os.mkdir(outputs)

    spent = [[] for _ in works]
    for _ in range(times):
        for index, work in enumerate(works):
            fresh()
            os.sync()
            work()
            turn = 0.0
            while turn < 0.1:
                fresh()
                start = time.perf_counter()
                work()
                spent[index].append(time.perf_counter() - start)
                turn += spent[index][-1]
    return [(sorted(each)[len(each) // 2], min(each)) for each in spent]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vgg", action="store_true")
    spec = vgg(depth=16) if parser.parse_args().vgg else resnet(depth=152)
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel, outputs = (
            os.path.join(folder, name) for name in ("net.prototxt", "net.caffemodel", "out")
        )
        bare = caffegen.loads(spec)
        caffegen.loads(bare.message, fill_params(bare.graph, 0)).save(prototxt, caffemodel)
        size = os.path.getsize(caffemodel)

        def copy() -> None:
            shutil.copyfile(caffemodel, os.path.join(outputs, "copy"))

        def convert(weights: str) -> None:
            net = caffegen.load(prototxt, caffemodel)
            # a linked model lies beside its weights or above them
            target = os.path.join(folder if weights == "link" else outputs, f"{weights}.onnx")
            if os.path.exists(target):
                os.unlink(target)
            onnx_bridge.save(net, target, weights=weights)

        storages = ("link", "external", "embed")
        works = [copy, *(partial(convert, weights) for weights in storages)]
        times = interleaved(works, outputs)
        for name, (copied, *spent) in zip(("median", "least"), zip(*times), strict=True):
            print(f"{bare.name}: {size:,} bytes, cp {copied * 1e3:.0f} ms ({name} of the runs)")
            for weights, seconds in zip(storages, spent, strict=True):
                print(f"  load and convert, --weights {weights}, over cp: {seconds / copied:.3f}")


if __name__ == "__main__":
    main()
