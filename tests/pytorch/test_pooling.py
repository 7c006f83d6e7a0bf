"""Pooling: Caffe's windows, one by one, against the modules that stand for them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from caffegen import loads
from caffegen.layer_types.pooling import pooled_size
from caffegen.pytorch import build
from caffegen.pytorch.pooling import PoolingExact, SpatialPyramid, StochasticPooling, agrees
from caffegen.zoo import segnet
from tests.pytorch.one_layer import net_text, one_layer


def pooled_by_hand(x, pool, kernel, stride, pad, floor):
    """Every window as pooling_layer.cpp walks over it; differentiable."""
    sizes = [
        pooled_size(x.shape[i + 2], kernel[i], stride[i], pad[i], clip=any(pad), floor=floor)
        for i in (0, 1)
    ]
    rows = []
    for row in range(sizes[0]):
        line = []
        for column in range(sizes[1]):
            starts = [row * stride[0] - pad[0], column * stride[1] - pad[1]]
            ends = [min(starts[i] + kernel[i], x.shape[i + 2] + pad[i]) for i in (0, 1)]
            area = (ends[0] - starts[0]) * (ends[1] - starts[1])
            spans = [slice(max(starts[i], 0), min(ends[i], x.shape[i + 2])) for i in (0, 1)]
            window = x[:, :, spans[0], spans[1]].flatten(2)
            if pool == "AVE":
                line.append(window.sum(-1) / area if window.shape[-1] else x[:, :, 0, 0] * 0)
            elif window.shape[-1]:
                line.append(window.max(-1).values)
            else:
                line.append(x[:, :, 0, 0] * 0 + torch.finfo(x.dtype).min)
        rows.append(torch.stack(line, -1))
    return torch.stack(rows, -2)


def settings():
    """Seeded settings of every sort: padding up to below the kernel, strides above it, both roundings."""
    rng = np.random.default_rng(5)
    found = []
    while len(found) < 60:
        kernel = tuple(int(v) for v in rng.integers(1, 6, 2))
        stride = tuple(int(v) for v in rng.integers(1, 6, 2))
        pad = tuple(int(rng.integers(0, k)) for k in kernel) if rng.random() < 0.6 else (0, 0)
        size = tuple(int(v) for v in rng.integers(6, 14, 2))
        other = tuple(int(v) for v in rng.integers(6, 14, 2))
        floor = bool(rng.random() < 0.3)
        found.append((kernel, stride, pad, size, other, floor))
    return found


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("setting", settings(), ids=str)
def test_windows(pool, setting):
    kernel, stride, pad, size, other, floor = setting
    body = (
        f"pooling_param {{ pool: {pool} kernel_h: {kernel[0]} kernel_w: {kernel[1]} "
        f"stride_h: {stride[0]} stride_w: {stride[1]} pad_h: {pad[0]} pad_w: {pad[1]} "
        f"round_mode: {'FLOOR' if floor else 'CEIL'} }}"
    )
    module = one_layer("Pooling", [(1, 2, *size)], body)
    # the module holds for the size that it was built for, and for any other
    for hw in (size, other):
        x = torch.randn(2, 2, *hw, dtype=torch.float64, requires_grad=True)
        y = x.detach().clone().requires_grad_()
        top, expected = module(x)["top"], pooled_by_hand(y, pool, kernel, stride, pad, floor)
        torch.testing.assert_close(top, expected)
        weights = torch.randn_like(top)
        (top.clamp(min=-1e9) * weights).sum().backward()
        (expected.clamp(min=-1e9) * weights).sum().backward()
        torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("kernel_size: 3 stride: 2", nn.MaxPool2d),
        ("kernel_size: 3 stride: 2 pad: 1", nn.MaxPool2d),
        ("pool: AVE kernel_size: 7", nn.AvgPool2d),
        ("global_pooling: true", nn.AdaptiveMaxPool2d),
        ("pool: AVE global_pooling: true", nn.AdaptiveAvgPool2d),
        ("kernel_size: 2 stride: 3", PoolingExact),
        ("kernel_size: 2 stride: 3 round_mode: FLOOR", nn.MaxPool2d),
        ("kernel_size: 3 pad: 2", PoolingExact),
        ("pool: STOCHASTIC kernel_size: 2", StochasticPooling),
    ],
)
def test_module(body, expected):
    module = one_layer("Pooling", [(1, 2, 11, 11)], f"pooling_param {{ {body} }}")
    assert type(module.layer) is expected


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "round_up", "expected"),
    [
        ((3, 3), (2, 2), (0, 0), True, True),
        ((2, 2), (3, 3), (0, 0), True, False),
        ((2, 2), (3, 3), (1, 0), True, True),
        ((2, 2), (3, 3), (0, 0), False, True),
        ((3, 3), (1, 1), (2, 0), False, False),
    ],
)
def test_agrees(kernel, stride, pad, round_up, expected):
    assert agrees(kernel, stride, pad, round_up=round_up) is expected


@pytest.mark.parametrize("pad", [0, 1, 2])
def test_mask_points_at_the_maximum(pad):
    body = f"pooling_param {{ kernel_size: 3 stride: 2 pad: {pad} }}"
    module = one_layer("Pooling", [(1, 2, 7, 8)], body, tops=("top", "mask"))
    x = torch.randn(2, 2, 7, 8)
    blobs = module(x)
    assert blobs["mask"].dtype == x.dtype
    picked = x.flatten(2).gather(2, blobs["mask"].long().flatten(2))
    torch.testing.assert_close(picked, blobs["top"].flatten(2))


def test_ties_go_to_the_first():
    body = "pooling_param { kernel_size: 2 stride: 2 }"
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    one_layer("Pooling", [(1, 1, 2, 2)], body)(x)["top"].sum().backward()
    assert x.grad.flatten().tolist() == [1, 0, 0, 0]


def test_stochastic_draws_in_proportion():
    body = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    module = one_layer("Pooling", [(1, 1, 2, 2)], body, phase="TRAIN")
    torch.manual_seed(0)
    x = torch.tensor([[[[1.0, 2.0], [0.0, 5.0]]]]).expand(8000, 1, 2, 2)
    drawn = module(x)["top"].flatten()
    shares = [(drawn == value).float().mean().item() for value in (1, 2, 0, 5)]
    np.testing.assert_allclose(shares, [1 / 8, 2 / 8, 0, 5 / 8], atol=0.02)
    # in TEST the mean by the same weights: (1 + 4 + 25) / 8
    assert module.eval()(x[:1])["top"].item() == pytest.approx(30 / 8)


def test_stochastic_of_zeros_is_zero():
    body = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    module = one_layer("Pooling", [(1, 1, 3, 3)], body)
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    for phase in (module.train(), module.eval()):
        top = phase(x)["top"]
        assert top.shape == (1, 1, 2, 2)
        assert not top.any()
        top.sum().backward()
        assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("size", [(9, 13), (8, 8), (11, 6)], ids=str)
def test_pyramid_of_free_size(pool, size):
    """Built for one size and run on another: the top has the same length."""
    body = f"spp_param {{ pool: {pool} pyramid_height: 3 }}"
    module = one_layer("SPP", [(1, 2, 8, 8)], body)
    assert type(module.layer) is SpatialPyramid
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    parts = []
    for bins in (1, 2, 4):
        kernel = tuple(-(-s // bins) for s in size)
        pad = tuple((k * bins - s + 1) // 2 for k, s in zip(kernel, size, strict=True))
        parts.append(pooled_by_hand(x, pool, kernel, kernel, pad, False).flatten(1))
    torch.testing.assert_close(module(x)["top"], torch.cat(parts, 1))


def test_pyramid_of_height_one_is_not_flattened():
    module = one_layer("SPP", [(2, 3, 5, 4)], "spp_param { pyramid_height: 1 }")
    assert module(torch.randn(2, 3, 5, 4))["top"].shape == (2, 3, 1, 1)


WAYS_BACK = {
    "Upsample": "upsample_param { scale: 2 }",
    "MaxUnpool": "max_unpool_param { pool_k_h: 2 pool_k_w: 2 pool_stride_h: 2 pool_stride_w: 2 pool_pad_h: 0 pool_pad_w: 0 }",
    "Unpooling": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("kind", WAYS_BACK)
def test_a_mask_holds_every_place_in_half_precision(kind, dtype):
    """The planes have 4,096 places, of which bfloat16 tells 256 apart and float16 2,048."""
    text = net_text(
        "Pooling", [(1, 2, 64, 64)], "pooling_param { kernel_size: 2 stride: 2 }", tops=("top", "m")
    )
    back = f'layer {{ name: "back" type: "{kind}" bottom: "top" bottom: "m" top: "back" {WAYS_BACK[kind]} }}'
    module = build(loads(f"{text}\n{back}")).to(dtype)
    x = torch.rand(2, 2, 64, 64, generator=torch.Generator().manual_seed(0)).to(dtype) + 1
    blobs = module.run(x)
    top, index = functional.max_pool2d(x, 2, return_indices=True)
    assert blobs["m"].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(blobs["m"].long(), index)
    assert blobs["back"].dtype == dtype
    assert torch.equal(blobs["back"], functional.max_unpool2d(top, index, 2))


@pytest.mark.parametrize("pad", [0, 2], ids=["torch's windows", "ours"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_a_mask_holds_every_place_under_autocast(dtype, pad):
    text = net_text(
        "Convolution",
        [(1, 2, 64, 64)],
        'convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "msra" } }',
    )
    pool = f'layer {{ name: "p" type: "Pooling" bottom: "top" top: "small" top: "m" pooling_param {{ kernel_size: 3 stride: 2 pad: {pad} }} }}'
    module = build(loads(f"{text}\n{pool}"))
    x = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.autocast("cpu", dtype):
        blobs = module.run(x)
    assert (blobs["top"].dtype, blobs["m"].dtype) == (dtype, torch.float32)
    inside = blobs["m"] >= 0
    picked = blobs["top"].flatten(2).gather(2, blobs["m"].clamp(min=0).long().flatten(2))
    assert torch.equal(picked.reshape(inside.shape)[inside], blobs["small"][inside])


@pytest.mark.parametrize("how", ["bfloat16", "float16", "autocast"])
def test_segnet_in_half_precision(how):
    net = loads(segnet(variant="basic", classes=5, input_size=64))
    net.fill(0)
    module = build(net)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    blobs = ["conv1", "pool1_mask", "prob"]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
        if how != "autocast":
            module, x = module.to(getattr(torch, how)), x.to(getattr(torch, how))
        found = module.run(x, blobs)
    _, index = functional.max_pool2d(found["conv1"], 2, return_indices=True)
    assert index.max() > 2048
    assert torch.equal(found["pool1_mask"].long(), index)
    assert found["prob"].shape == (1, 5, 64, 64)
    assert torch.isfinite(found["prob"]).all()
