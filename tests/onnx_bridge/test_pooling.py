"""Pooling in ONNX against Caffe's windows written out, over many shapes; and the ops that it takes."""

import random
from math import ceil, floor

import numpy as np
import pytest

from caffegen import onnx_bridge
from caffegen.loader import loads
from tests.onnx_bridge.golden_case import run

LOWEST = np.finfo(np.float32).min


def net(height, width, pool, phase="TEST", tops=("out",), **fields):
    body = " ".join(f"{name}: {value}" for name, value in fields.items())
    named = " ".join(f'top: "{top}"' for top in tops)
    return loads(
        f"""
layer {{ name: "x" type: "Input" top: "x"
  input_param {{ shape {{ dim: 2 dim: 3 dim: {height} dim: {width} }} }} }}
layer {{ name: "pool" type: "Pooling" bottom: "x" {named} pooling_param {{ pool: {pool} {body} }} }}
""",
        phase=phase,
    )


def windows(size, kernel, stride, pad, *, clip, down):
    """Begin, end and counted length of each window on one axis, as pooling_layer.cpp has them."""
    steps = (size + 2 * pad - kernel) / stride
    count = (floor(steps) if down else ceil(steps)) + 1
    if clip and (count - 1) * stride >= size + pad:
        count -= 1
    found = []
    for index in range(count):
        begin = index * stride - pad
        end = min(begin + kernel, size + pad)
        found.append((max(begin, 0), min(end, size), end - begin))
    return found


def caffe(x, pool, kernel, stride, pad, *, down):
    """The tops of Caffe's pooling: values and, for MAX, places; 0 for an average of nothing."""
    clip = any(pad)
    rows, columns = (
        windows(x.shape[2 + i], kernel[i], stride[i], pad[i], clip=clip, down=down) for i in (0, 1)
    )
    out = np.zeros((*x.shape[:2], len(rows), len(columns)), np.float32)
    places = np.full(out.shape, -1, np.float32)
    for i, (top, bottom, tall) in enumerate(rows):
        for j, (left, right, wide) in enumerate(columns):
            seen = x[:, :, top:bottom, left:right].reshape(*x.shape[:2], -1)
            if pool == "MAX":
                out[:, :, i, j] = seen.max(-1, initial=LOWEST)
                if seen.shape[-1]:
                    row, column = np.divmod(seen.argmax(-1), right - left)
                    places[:, :, i, j] = (row + top) * x.shape[3] + column + left
            elif pool == "AVE" and seen.shape[-1]:
                out[:, :, i, j] = seen.sum(-1) / (tall * wide)
            elif pool == "STOCHASTIC" and seen.shape[-1]:
                total = seen.sum(-1)
                out[:, :, i, j] = np.where(total > 0, (seen * seen).sum(-1) / total, 0)
    return out, places


def draw(seed):
    rng = random.Random(seed)
    kernel = rng.randint(1, 5), rng.randint(1, 5)
    stride = rng.randint(1, 6), rng.randint(1, 6)
    pad = tuple(rng.choice([0, 0, rng.randrange(k)]) for k in kernel)
    size = tuple(rng.randint(max(1, k - 2 * p), 13) for k, p in zip(kernel, pad, strict=True))
    return size, kernel, stride, pad, rng.random() < 0.3


def fields(kernel, stride, pad, down):
    named = {"kernel": kernel, "stride": stride, "pad": pad}
    found = {f"{n}_{hw}": v for n, pair in named.items() for hw, v in zip("hw", pair, strict=True)}
    return found | ({"round_mode": "FLOOR"} if down else {})


@pytest.mark.parametrize("opset", [13, 17, 26])
@pytest.mark.parametrize("seed", range(40))
def test_windows(seed, opset):
    size, kernel, stride, pad, down = draw(seed)
    x = np.random.default_rng(seed).normal(size=(2, 3, *size)).astype(np.float32)
    for pool in ("MAX", "AVE", "STOCHASTIC"):
        if pool == "STOCHASTIC":
            pad = (0, 0)
            if any(k > s for k, s in zip(kernel, size, strict=True)):
                continue
            x = np.abs(x)
        written = net(*size, pool, **fields(kernel, stride, pad, down))
        found = run(onnx_bridge.to_model(written, opset=opset), {"x": x})["out"]
        expected, _ = caffe(x, pool, kernel, stride, pad, down=down)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6, err_msg=pool)


@pytest.mark.parametrize("seed", range(40))
def test_places(seed):
    size, kernel, stride, pad, down = draw(seed)
    x = np.random.default_rng(seed).normal(size=(2, 3, *size)).astype(np.float32)
    written = net(*size, "MAX", tops=("out", "mask"), **fields(kernel, stride, pad, down))
    found = run(onnx_bridge.to_model(written), {"x": x})
    values, places = caffe(x, "MAX", kernel, stride, pad, down=down)
    np.testing.assert_array_equal(found["out"], values)
    np.testing.assert_array_equal(found["mask"], places)


@pytest.mark.parametrize("opset", [13, 26])
@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("seed", range(25))
def test_free_sizes(seed, pool, opset):
    size, kernel, stride, pad, down = draw(seed)
    written = net(*size, pool, **fields(kernel, stride, pad, down))
    outside = not down and not any(pad) and any(s > k for s, k in zip(stride, kernel, strict=True))
    if outside:
        with pytest.raises(onnx_bridge.Refusal, match="its stride is above its kernel"):
            onnx_bridge.to_model(written, dynamic_size=True)
        return
    model = onnx_bridge.to_model(written, opset=opset, dynamic_size=True)
    for more in (0, 1, 2, 3, 7):
        shape = (2, 3, size[0] + more, size[1] + 2 * more)
        x = np.random.default_rng(more).normal(size=shape).astype(np.float32)
        expected, _ = caffe(x, pool, kernel, stride, pad, down=down)
        np.testing.assert_allclose(run(model, {"x": x})["out"], expected, 1e-5, 1e-6)


def ops(written, **options):
    return [node.op_type for node in onnx_bridge.to_model(written, **options).graph.node]


OPS = {
    "resnet": ("MAX", 112, {"kernel_size": 3, "stride": 2}, ["MaxPool"]),
    "floor": ("MAX", 8, {"kernel_size": 2, "stride": 2}, ["MaxPool"]),
    "global": ("AVE", 7, {"global_pooling": "true"}, ["GlobalAveragePool"]),
    "average": ("AVE", 7, {"kernel_size": 3, "stride": 2, "pad": 1}, ["AveragePool"]),
    "ragged": ("AVE", 8, {"kernel_size": 3, "stride": 2}, ["AveragePool"]),
    "ragged and padded": ("AVE", 6, {"kernel_size": 3, "stride": 2, "pad": 1}, ["AveragePool", "Mul"]),
    "outside": ("MAX", 6, {"kernel_size": 1, "stride": 3}, ["MaxPool", "Pad"]),
}  # fmt: skip


@pytest.mark.parametrize(("pool", "size", "window", "expected"), OPS.values(), ids=OPS)
def test_the_simplest_ops_that_are_exact(pool, size, window, expected):
    assert ops(net(size, size, pool, **window)) == expected


def test_ceil_mode_where_all_runtimes_agree():
    model = onnx_bridge.to_model(net(112, 112, "MAX", kernel_size=3, stride=2))
    attributes = {a.name: list(a.ints) or a.i for a in model.graph.node[0].attribute}
    assert attributes == {
        "ceil_mode": 1, "kernel_shape": [3, 3], "pads": [0, 0, 0, 0], "strides": [2, 2],
    }  # fmt: skip
    # the window that begins in the padding is dropped by Caffe, and by some runtimes only
    model = onnx_bridge.to_model(net(5, 5, "MAX", kernel_size=2, stride=2, pad=1))
    assert "ceil_mode" not in {a.name for a in model.graph.node[0].attribute}


def test_stochastic_pooling_in_train_is_refused():
    with pytest.raises(onnx_bridge.Refusal) as caught:
        onnx_bridge.to_model(net(6, 6, "STOCHASTIC", "TRAIN", kernel_size=2))
    assert str(caught.value) == (
        "layer `pool` (Pooling) has no ONNX form: in TRAIN, `pool: STOCHASTIC` draws from a "
        "distribution, and ONNX can't"
    )
