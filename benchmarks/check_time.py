"""Reading and checking: the text layer against protobuf's, `caffegen check` against OpenCV's loading.

Prints ratios measured in this run, on the 152-layer ResNet in the published style.
Processes may cache bytecode, as an installed package's is; with caching switched off `check` compiles
its modules every time and the ratio is higher.
"""

import os
import subprocess
import sys
import tempfile
import time

from google.protobuf import text_format

from caffegen.loader import examine
from caffegen.schema import caffe_pb2, message_type
from caffegen.text import Source, parse
from caffegen.zoo import resnet


def best(function, times: int = 7) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return min(spent)


def process(*arguments: str, times: int = 7) -> float:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return best(
        lambda: subprocess.run(arguments, check=True, capture_output=True, env=environment), times
    )


def main() -> None:
    text = resnet(depth=152).to_prototxt()
    net = message_type("NetParameter")
    oracle = best(lambda: text_format.Parse(text, caffe_pb2.NetParameter()))
    ours = best(lambda: parse(Source(text), net))
    whole = best(lambda: examine(Source(text)))
    print(f"text: {len(text):,} characters; text_format.Parse {oracle * 1e3:.1f} ms")
    print(f"parse with places / text_format.Parse: {ours / oracle:.2f} (at most 0.5)")
    print(f"parse to shapes / text_format.Parse: {whole / oracle:.2f} (at most 1.2)")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.prototxt")
        with open(path, "w") as file:
            file.write(text)
        caffegen = os.path.join(os.path.dirname(sys.executable), "caffegen")
        check = process(caffegen, "check", path)
        peer = process(sys.executable, "-c", f"import cv2; cv2.dnn.readNetFromCaffe({path!r})")
        print(
            f"caffegen check / process that loads it with OpenCV: {check / peer:.2f} (at most 1.25)"
        )
        paths = []
        for index in range(300):
            paths.append(os.path.join(folder, f"net{index}.prototxt"))
            with open(paths[-1], "w") as file:
                file.write(resnet(depth=20, dataset="cifar10").to_prototxt())
        many = process(caffegen, "check", *paths, times=2)
        print(
            f"300 files of {len(resnet(depth=20, dataset='cifar10').to_message().layer)} layers: {many:.2f} s"
        )
    times = []
    for count in (10_000, 100_000):
        long_text = chain(count)
        times.append(best(lambda t=long_text: examine(Source(t)), 3) / count)
    growth = times[1] / times[0]
    print(f"time per layer, 100,000 over 10,000 layers: {growth:.2f} (at most 1.2)")


def chain(layers: int) -> str:
    head = (
        'layer { name: "data" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 4 } } }\n'
    )
    body = "".join(
        f'layer {{ name: "l{i}" type: "ReLU" bottom: "b{i}" top: "b{i + 1}" }}\n'
        for i in range(layers)
    )
    return head + body


if __name__ == "__main__":
    main()
