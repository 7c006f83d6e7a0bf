# ruff: noqa: C408, N806 - dict(...) is how pycaffe scripts write messages
"""Scripts in pycaffe's language; `caffe` is the module that they import.

`pycaffe/<name>.txt` holds what each prints with pycaffe's own net_spec.py on BVLC Caffe's schema.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from caffegen import dsl

PRINTED = Path(__file__).parent / "pycaffe"


def lenet(caffe):
    """The LeNet of pycaffe's tutorials: every blob assigned, ReLU in place."""
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        batch_size=64, backend=P.Data.LMDB, source="mnist_train_lmdb",
        transform_param=dict(scale=1.0 / 255), ntop=2,
    )  # fmt: skip
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(
        n.pool1, kernel_size=5, num_output=50, weight_filler=dict(type="xavier")
    )
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=500, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type="xavier"))
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


def anonymous(caffe):
    """No NetSpec: names are the type and a count per type."""
    L = caffe.layers
    data, label = L.DummyData(shape=[dict(dim=[4, 3]), dict(dim=4)], ntop=2)
    x = L.InnerProduct(data, num_output=8)
    for _ in range(3):
        branch = L.ReLU(L.InnerProduct(x, num_output=8), in_place=True)
        x = L.Eltwise(x, L.InnerProduct(branch, num_output=8))
    return L.EuclideanLoss(x, label).to_proto()


def several_roots(caffe):
    """to_proto of more than one top: a layer that two of them need comes once."""
    L = caffe.layers
    a, b = L.Slice(L.Input(shape=dict(dim=[1, 4])), ntop=2)
    return caffe.to_proto(L.Concat(b, a), a, L.Power(L.Power(b)))


def half_named(caffe):
    """Assigned and automatic names mixed; one top assigned twice has the last name."""
    L = caffe.layers
    n = caffe.NetSpec()
    n["data"] = L.Input(shape=dict(dim=[1, 3, 8, 8]))
    inner = L.Convolution(n.data, num_output=4, kernel_size=3)
    n.sum = L.Eltwise(inner, L.Convolution(n.data, num_output=4, kernel_size=3))
    n.first = n.second = L.Power(n.sum)
    n.inner = inner
    n.renamed = L.ReLU(n.inner, name="relu", in_place=True)
    n.after = L.ReLU(n.renamed)
    return n.to_proto()


def silent(caffe):
    """Layers without tops are assigned themselves."""
    L = caffe.layers
    n = caffe.NetSpec()
    n.data, n.data2 = L.DummyData(shape=dict(dim=3), ntop=2)
    n.quiet = L.Silence(n.data, ntop=0)
    n.quieter = L.Silence(n.data2, ntop=0)
    return n.to_proto()


def arguments(caffe):
    """Every way to write a parameter."""
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        ntop=2, name="input", source="db", include=dict(phase=caffe.TRAIN),
        transform_param=dict(mean_value=[104, 117, 123], mirror=True, crop_size=227),
    )  # fmt: skip
    n.test_data = L.Data(
        ntop=0, name="input", top=["data", "label"], source="db",
        include=[dict(phase=caffe.TEST, stage=["a", "b"]), dict(min_level=2)],
    )  # fmt: skip
    n.conv = L.Convolution(
        n.data, kernel_size=[3, 5], num_output=8, convolution_param=dict(pad=2),
        param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
        weight_filler=dict(), bias_filler=dict(type="constant", value=0.1),
        engine=P.Convolution.CAFFE,
    )  # fmt: skip
    n.norm = L.BatchNorm(n.conv, in_place=True, param=[dict(lr_mult=0)] * 3)
    n.scale = L.Scale(n.norm, in_place=True, bias_term=True)
    n.up = L.Deconvolution(
        n.scale, param=dict(lr_mult=0),
        convolution_param=dict(num_output=8, kernel_size=4, stride=2, bias_term=False),
    )  # fmt: skip
    n.a, n.b = L.Slice(n.up, ntop=2, slice_point=3, axis=1)
    n.sum = L.Eltwise(n.a, n.b, operation=P.Eltwise.SUM, coeff=[1, -1])
    n.own = L.Python(
        n.sum, module="m", layer="Layer", param_str="{}", python_param=dict(share_in_parallel=True)
    )
    n.new = L.NotInCaffe(n.own, propagate_down=[True, False])
    n.shaped = L.Reshape(n.new, shape=dict(dim=[0, -1]))
    n.top5 = L.Accuracy(n.shaped, n.label, top_k=5, loss_weight=0.5)
    return n.to_proto()


SCRIPTS = (lenet, anonymous, several_roots, half_named, silent, arguments)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_pycaffe_script_gives_pycaffes_message(script):
    printed = (PRINTED / f"{script.__name__}.txt").read_text(encoding="utf-8")
    assert str(script(dsl)) == printed
