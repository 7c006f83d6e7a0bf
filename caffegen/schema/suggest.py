"""The "did you mean": the name that was probably meant, or none."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]

# What other frameworks, and habit, call things that Caffe has under another name.
_FOREIGN = {
    "add": "Eltwise",
    "average_pooling": "Pooling",
    "avg_pool": "Pooling",
    "batch_normalization": "BatchNorm",
    "bn": "BatchNorm",
    "concatenate": "Concat",
    "conv": "Convolution",
    "conv_transpose": "Deconvolution",
    "conv2d": "Convolution",
    "conv2d_transpose": "Deconvolution",
    "convolution_depthwise": "Convolution",
    "cross_entropy_loss": "SoftmaxWithLoss",
    "deconv": "Deconvolution",
    "dense": "InnerProduct",
    "depthwise_convolution": "Convolution",
    "elementwise": "Eltwise",
    "embedding": "Embed",
    "fc": "InnerProduct",
    "fully_connected": "InnerProduct",
    "gemm": "InnerProduct",
    "image": "ImageData",
    "ip": "InnerProduct",
    "leaky_relu": "ReLU",
    "linear": "InnerProduct",
    "local_response_normalization": "LRN",
    "max_pool": "Pooling",
    "max_pooling": "Pooling",
    "mse_loss": "EuclideanLoss",
    "pool": "Pooling",
    "prod": "Eltwise",
    "softmax_loss": "SoftmaxWithLoss",
    "spatial_pyramid_pooling": "SPP",
    "sum": "Eltwise",
    # fields
    "bias": "bias_term",
    "blobs_lr": "param",
    "ceil_mode": "round_mode",
    "decay_mult": "param",
    "dilations": "dilation",
    "epsilon": "eps",
    "filters": "num_output",
    "groups": "group",
    "input": "bottom",
    "inputs": "bottom",
    "kernel": "kernel_size",
    "learning_rate": "base_lr",
    "lr_mult": "param",
    "out_channels": "num_output",
    "output": "top",
    "outputs": "top",
    "padding": "pad",
    "strides": "stride",
    "weight_decay": "param",
}
# The share of letters in common from which two names count as near; how many letters a word may
# have too many (`ROIPooling` is no slip of `Pooling`); and how many candidates are compared so.
_CUTOFF = 0.7
_SURPLUS = 2
_MOST = 2000


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that the word most probably stands for; None when none is near.

    1. the same but for case, `_` and `-`: `Relu`, `kernelsize`, `max`
    2. another framework's name for it: `Conv2d`, `BatchNormalization`, `padding`
    3. a slip of the pen: `Convlution`, `test_intervall`
    """
    known: dict[str, str] = {}
    for candidate in candidates:
        known.setdefault(_folded(candidate), candidate)
    folded = _folded(word)
    if folded in known:
        return known[folded]
    if folded.endswith("param"):
        # `permute_param` has more in common with any `..._param` than with `permute`
        folded = folded.removesuffix("param")
        known = {n.removesuffix("param"): c for n, c in known.items() if n.endswith("param")}
    for foreign, name in _FOREIGN.items():
        if _folded(foreign) == folded and _folded(name) in known:
            return known[_folded(name)]
    return _slip(folded, known) if len(known) <= _MOST else None


def _slip(folded: str, known: dict[str, str]) -> str | None:
    from difflib import get_close_matches

    near = [name for name in known if len(folded) <= len(name) + _SURPLUS]
    found = get_close_matches(folded, near, n=1, cutoff=_CUTOFF)
    return known[found[0]] if found else None


def _folded(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
