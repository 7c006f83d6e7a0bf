"""The "did you mean": the name that was probably meant, or none."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

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
# The share of letters in common from which two names are compared, of the nearest so many; how many
# letters there are for each that may be wrong, too many or too few (`DetectionLoss` is no slip of
# `DetectionOutput`); what share of a name is enough at its beginning, where no letter is too many
# (`exclusive-gate` for `exclusive-gating`); and how many candidates are looked at.
_CUTOFF = 0.7
_NEAREST = 5
_LETTERS_A_SLIP = 5
_BEGINNING = 0.75
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
    meant = _folded(_foreign().get(folded, ""))
    if meant and meant in known:
        return known[meant]
    return _slip(folded, known) if len(known) <= _MOST else None


@cache
def _foreign() -> dict[str, str]:
    return {_folded(foreign): name for foreign, name in _FOREIGN.items()}


def _slip(folded: str, known: dict[str, str]) -> str | None:
    from difflib import get_close_matches

    most = max(1, len(folded) // _LETTERS_A_SLIP)
    near = [name for name in known if len(folded) <= len(name) + most]
    for found in get_close_matches(folded, near, n=_NEAREST, cutoff=_CUTOFF):
        if _begins_alike(folded, found) or _slips(folded, found) <= most:
            return known[found]
    return None


def _begins_alike(word: str, meant: str) -> bool:
    if len(word) > len(meant):
        return False
    alike = next((at for at, letter in enumerate(word) if letter != meant[at]), len(word))
    return alike == len(word) or alike >= _BEGINNING * len(meant)


def _slips(word: str, meant: str) -> int:
    """How many letters are wrong, missing, too many or traded with the next (Damerau, 1964)."""
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(word, 1):
        last, row, earlier = row, [i], before
        for j, other in enumerate(meant, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and word[i - 2] == other:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]


def _folded(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
