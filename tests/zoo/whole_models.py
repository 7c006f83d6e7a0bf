"""Published detectors, segmenters and the like, at full size, by the command line alone.

    python -m tests.zoo.whole_models FOLDER [MODEL ...] [--results FILE]

FOLDER holds clones of the repositories that `MODELS` names, as `owner/repository` or
`owner+repository`; those that are not there are passed over. Each model is checked, given seeded
weights, verified by every runtime, and written to ONNX in the usual and the newest opset, which the
checker of onnx reads whole. A row a model tells the blobs that were compared, the largest
relative difference to each runtime, seconds and the most memory of a step. Ends with exit code 1 if
a step failed. Nets that no repository holds as files, SSD's among them, are in `make zoo`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from caffegen.onnx_bridge.write.model import DEFAULT_OPSET, NEWEST_OPSET


class Model(NamedTuple):
    """Where a net lies, and the sizes of its inputs where it is run at others than it declares."""

    repository: str
    path: str
    inputs: tuple[str, ...] = ()


_VOC = "models/pascal_voc"
# py-faster-rcnn brings images to a shorter side of 600 and a longer of at most 1000 pixels
_TESTED = ("data=1,3,600,1000",)
MODELS = {
    "VGG16 Faster R-CNN": Model(
        "rbgirshick/py-faster-rcnn", f"{_VOC}/VGG16/faster_rcnn_end2end/test.prototxt", _TESTED
    ),
    "ZF Faster R-CNN": Model(
        "rbgirshick/py-faster-rcnn", f"{_VOC}/ZF/faster_rcnn_end2end/test.prototxt", _TESTED
    ),
    "ResNet-101 Faster R-CNN": Model(
        "abhirevan/pedestrian-detector", f"{_VOC}/RESNET101/faster_rcnn_end2end/test.prototxt",
        _TESTED,
    ),
    "ResNet-101 R-FCN": Model(
        "YuwenXiong/py-R-FCN", f"{_VOC}/ResNet-101/rfcn_end2end/test_agnostic.prototxt", _TESTED
    ),
    "MobileNet-SSD": Model("chuanqi305/MobileNet-SSD", "voc/MobileNetSSD_deploy.prototxt"),
    "SegNet": Model(
        "alexgkendall/SegNet-Tutorial",
        "Example_Models/segnet_model_driving_webdemo.prototxt",
    ),
    "ENet": Model("TimoSaemann/ENet", "prototxts/enet_deploy_final.prototxt"),
    "PSPNet-50": Model("hszhao/PSPNet", "evaluation/prototxt/pspnet50_ADE20K_473.prototxt"),
    "PSPNet-101": Model("hszhao/PSPNet", "evaluation/prototxt/pspnet101_VOC2012_473.prototxt"),
    "SE-ResNet-50": Model("hujie-frank/SENet", "models/SE-ResNet-50.prototxt"),
    "MobileNet-YOLOv3": Model(
        "eric612/MobileNet-YOLO", "models/mobilenetv2_voc/yolo_lite/yolov3_lite_deploy.prototxt"
    ),
    "OpenPose": Model(
        "ZheC/Realtime_Multi-Person_Pose_Estimation",
        "model/_trained_COCO/pose_deploy.prototxt", ("data=1,3,368,368",),
    ),
    "FCN-8s": Model("shelhamer/fcn.berkeleyvision.org", "voc-fcn8s/deploy.prototxt"),
    **{
        f"MTCNN det{number}": Model(
            "kpzhang93/MTCNN_face_detection_alignment",
            f"code/codes/MTCNNv1/model/det{number}.prototxt",
        )
        for number in (1, 2, 3)
    },
}  # fmt: skip
_CHECKER = "import sys, onnx; onnx.checker.check_model(sys.argv[1], full_check=True)"


class Step(NamedTuple):
    """How a command ended: exit code, what it printed, seconds, and the most memory in GB."""

    code: int
    printed: str
    seconds: float
    memory: float


def step(folder, *words):
    """Run Python with these words, and see what it took."""
    start = time.perf_counter()
    out = os.path.join(folder, "printed")
    with open(out, "wb") as file:
        streams = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number in (1, 2)]
        child = os.posix_spawn(
            sys.executable, [sys.executable, *map(str, words)], os.environ, file_actions=streams
        )
        _, status, used = os.wait4(child, 0)
    printed = Path(out).read_text(encoding="utf-8", errors="replace")
    seconds = time.perf_counter() - start
    return Step(os.waitstatus_to_exitcode(status), printed, seconds, used.ru_maxrss / 2**20)


def run(name, prototxt, inputs):
    """The row of a model: figures, and in `fault` the step that failed and what it said."""
    given = [word for shape in inputs for word in ("--input", shape)]
    command = ("-m", "caffegen")
    row = {"model": name, "blobs": {}, "differences": {}, "seconds": {}, "memory": 0.0, "fault": ""}
    with tempfile.TemporaryDirectory(prefix="caffegen-") as folder:
        weights, report = f"{folder}/net.caffemodel", ""
        steps = {
            "check": (*command, "check", prototxt, *given),
            "init": (*command, "init", prototxt, "-o", weights, "--seed", 0, *given),
            "verify": (*command, "verify", prototxt, weights, *given, "--format", "json"),
        }
        for opset in (DEFAULT_OPSET, NEWEST_OPSET):
            model = f"{folder}/{opset}.onnx"
            steps[f"opset {opset}"] = (
                *command, "convert", prototxt, weights, *given, "-o", model, "--opset", opset,
            )  # fmt: skip
            steps[f"checker {opset}"] = ("-c", _CHECKER, model)
        for word, words in steps.items():
            done = step(folder, *words)
            row["seconds"][word] = round(done.seconds, 1)
            row["memory"] = max(row["memory"], round(done.memory, 2))
            if word == "verify":
                report = done.printed
            if done.code:
                row["fault"] = f"{word}: {' '.join(done.printed[-600:].split())}"
                break
    if not row["fault"]:
        found = json.loads(report[report.index("{") :])
        for blob in found["blobs"]:
            other = blob["other"]
            counted = blob if blob["equal"] else blob["recomputed"]
            row["blobs"][other] = row["blobs"].get(other, 0) + 1
            largest = max(row["differences"].get(other, 0.0), counted["relative"])
            row["differences"][other] = largest
        row["runtimes"] = {run["name"]: run["note"] for run in found["runtimes"]}
        row["recomputed"] = sum(not blob["equal"] for blob in found["blobs"])
    return row


def line(row):
    """A row as it is printed."""
    pairs = ", ".join(
        f"{other} {row['blobs'][other]} blobs {largest:.1e}"
        for other, largest in row["differences"].items()
    )
    told = row["fault"] or pairs
    return f"{row['model']:<26}  {sum(row['seconds'].values()):7.1f}  {row['memory']:5.2f}  {told}"


def place(folder, model):
    """Where a clone has the model's file; None where there is none."""
    owner, repository = model.repository.split("/")
    folders = (folder / owner / repository, folder / f"{owner}+{repository}")
    found = [there / model.path for there in folders]
    return next((path for path in found if path.exists()), None)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the clones")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all unless given")
    parser.add_argument("--results", type=Path, metavar="FILE", help="JSON lines, added to")
    chosen = parser.parse_args(arguments)
    unknown = [model for model in chosen.models if model not in MODELS]
    if unknown:
        parser.error(f"there is no model `{unknown[0]}`, only {', '.join(MODELS)}")
    print(f"{'model':<26}  seconds     GB  largest relative difference")
    good = True
    for name in chosen.models or MODELS:
        path = place(chosen.folder, MODELS[name])
        if path is None:
            print(f"{name:<26}  {MODELS[name].repository} is not there", flush=True)
            continue
        row = run(name, path, MODELS[name].inputs)
        print(line(row), flush=True)
        if chosen.results is not None:
            with chosen.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        good = good and not row["fault"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
