"""The forks of Caffe as dialects of its schema: their names, what they lack, where they differ.

Drawn from the `caffe.proto` of each, over the branches that people use. Differences in numbers
alone are left out: text goes by names, and binaries are read without any of these fields.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["DEFAULTS", "DIALECTS", "LACKS", "fork_default", "listed"]

#: The name of each dialect, and the repository that it is drawn from.
DIALECTS: dict[str, str] = {
    "bvlc": "BVLC/caffe, 1.0",
    "ssd": "weiliu89/caffe, branches ssd and fcn",
    "fast-rcnn": "rbgirshick/caffe-fast-rcnn",
    "segnet": "alexgkendall/caffe-segnet",
    "pspnet": "hszhao/PSPNet",
    "yjxiong": "yjxiong/caffe",
    "intel": "intel/caffe",
    "nvidia": "NVIDIA/caffe, 0.15 to 0.17",
    "mobilenet-yolo": "eric612/MobileNet-YOLO",
    "happynear": "happynear/caffe-windows",
    "opencl": "BVLC/caffe, branch opencl",
}

_OLD = "fast-rcnn segnet"
_BEFORE_CROP = "fast-rcnn pspnet segnet yjxiong"
_ALL_BUT = "fast-rcnn happynear nvidia pspnet segnet ssd yjxiong"
#: Fields of BVLC Caffe that a fork has not, most often since it is older. `input_param` is none of
#: them: an upgrade brings it into nets that were written without it.
LACKS: dict[str, str] = {
    "LayerParameter.batch_norm_param": _OLD,
    "LayerParameter.bias_param": _OLD,
    "LayerParameter.clip_param": f"{_ALL_BUT} intel mobilenet-yolo opencl",
    "LayerParameter.crop_param": _BEFORE_CROP,
    "LayerParameter.elu_param": f"{_OLD} yjxiong",
    "LayerParameter.embed_param": "segnet",
    "LayerParameter.parameter_param": f"{_OLD} nvidia pspnet yjxiong",
    "LayerParameter.recurrent_param": _BEFORE_CROP,
    "LayerParameter.scale_param": _OLD,
    "LayerParameter.swish_param": _ALL_BUT,
    "LayerParameter.tile_param": "segnet",
    "ArgMaxParameter.axis": "fast-rcnn",
    "ConvolutionParameter.axis": _OLD,
    "ConvolutionParameter.dilation": _OLD,
    "ConvolutionParameter.force_nd_im2col": _OLD,
    "DataParameter.prefetch": "segnet",
    "InfogainLossParameter.axis": "fast-rcnn nvidia pspnet segnet ssd yjxiong",
    "InnerProductParameter.transpose": f"{_OLD} yjxiong",
    "LRNParameter.engine": _OLD,
    "LossParameter.normalization": _OLD,
    "PoolingParameter.round_mode": f"{_OLD} happynear intel nvidia opencl pspnet ssd yjxiong",
    "PythonParameter.param_str": "segnet",
    "PythonParameter.share_in_parallel": "segnet",
    "SolverParameter.layer_wise_reduce": f"{_OLD} intel nvidia pspnet ssd yjxiong",
    "SolverParameter.momentum2": "segnet",
    "SolverParameter.rms_decay": "segnet",
    "SolverParameter.snapshot_format": "segnet",
    "SolverParameter.type": _OLD,
    "SolverParameter.weights": f"{_OLD} happynear intel nvidia pspnet ssd yjxiong",
}

#: Defaults in which a fork differs from our tables.
DEFAULTS: dict[str, dict[str, float]] = {
    "BatchNormParameter.moving_average_fraction": {"happynear": 0.99},
    "SolverParameter.rms_decay": {"fast-rcnn": 0.0, "pspnet": 0.0, "yjxiong": 0.0},
    "SolverParameter.test_initialization": {"nvidia": False},
    "UpsampleParameter.scale": {"mobilenet-yolo": 1, "segnet": 2},
}


def fork_default(message: str, field: str, default: float, forks: Iterable[str]) -> set[float]:
    """What an unset field reads as in each of these forks; without a fork, our own default."""
    differing = DEFAULTS.get(f"{message}.{field}", {})
    return {differing.get(fork, default) for fork in forks} or {default}


def listed(forks: Iterable[str]) -> str:
    """Names in a sentence: `a`, `a and b`, `a, b and c`."""
    names = list(forks)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
