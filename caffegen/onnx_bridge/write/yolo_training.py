"""The refusal of YOLO's losses and of their measure in ONNX."""

from __future__ import annotations

from caffegen.layer_types.yolo_training import EvalDetection, RegionLoss, YoloSeg, Yolov3

from .registry import writes
from .writer import LayerWriter


@writes("RegionLoss", "Yolov3", "YoloSeg")
def map_loss(w: LayerWriter, d: RegionLoss | Yolov3 | YoloSeg) -> None:
    """Refused: a loss for training, and ONNX models infer."""
    raise w.refusal(
        f"{d.type} is there for training alone; name the map that it reads, `{d.layer.bottom[0]}`, "
        "as the output"
    )


@writes("EvalDetection")
def eval_detection(w: LayerWriter, d: EvalDetection) -> None:
    """Refused: a measurement against labels that is read by a script of its fork."""
    raise w.refusal(
        "it counts hits and misses for a script of intel's Caffe; take the map that it reads, "
        f"`{d.layer.bottom[0]}`, as the output"
    )
