"""Building a net: its modules, its blobs, its shared and frozen parameters, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

import caffegen
from caffegen.errors import CaffegenError
from caffegen.pytorch import Refusal, build

CONV = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 6 dim: 6 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" {0}
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "msra" }} }} }}"""
SMALL = (
    CONV.format("")
    + """
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 5 } }"""
)


def small(text=SMALL, **options):
    return build(caffegen.loads(text), **options)


def ip(name, bottom, body="", *, top=None, outputs=3):
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top or name}" {body} '
        f"inner_product_param {{ num_output: {outputs} }} }}\n"
    )


def inputs(**shapes):
    text = ""
    for name, shape in shapes.items():
        dims = " ".join(f"dim: {size}" for size in shape)
        text += (
            f'layer {{ name: "in_{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ {dims} }} }} }}\n"
        )
    return text


# Weights that are not there.


def test_layers_that_a_file_leaves_out_are_told_of(tmp_path):
    weights = {"fc": [np.zeros((5, 64), np.float32), np.zeros(5, np.float32)]}
    caffegen.loads(SMALL, weights).save(caffemodel=tmp_path / "fc.caffemodel")
    net = caffegen.loads(SMALL, tmp_path / "fc.caffemodel")
    told = (
        "the weights hold nothing for `conv`, `norm`, `scale`; they are filled by the net's fillers"
    )
    with pytest.warns(UserWarning, match=told) as caught:
        build(net)
    assert caught[0].filename == __file__


# What a module looks like.


def test_keys_are_layer_names():
    module = small()
    assert list(module.state_dict()) == [
        "conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean",
        "norm.running_var", "norm.factor", "fc.weight", "fc.bias",
    ]  # fmt: skip
    kinds = [type(module.get_submodule(name)) for name in ("conv", "relu", "fc")]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.Linear]
    assert isinstance(module.norm, nn.BatchNorm2d)


def test_positions_and_names():
    module = small()
    x = torch.randn(2, 3, 6, 6)
    assert (module.input_names, module.output_names) == (("data",), ("fc",))
    by_position, by_name = module(x), module(data=x)
    assert by_position.keys() == {"fc"}
    assert torch.equal(by_position["fc"], by_name["fc"])
    assert torch.equal(module.run(x, blobs=["fc"])["fc"], by_name["fc"])
    assert torch.equal(module.run({"data": x}, blobs=["fc"])["fc"], by_name["fc"])


def test_several_inputs_in_the_order_of_the_net():
    text = inputs(b=(2, 3), a=(2, 3)) + (
        'layer { name: "x" type: "Eltwise" bottom: "a" bottom: "b" top: "x" '
        "eltwise_param { coeff: 1 coeff: -1 } }"
    )
    module = small(text)
    b, a = torch.randn(2, 3), torch.randn(2, 3)
    assert module.input_names == ("b", "a")
    torch.testing.assert_close(module(b, a)["x"], a - b)
    torch.testing.assert_close(module(b, a=a)["x"], a - b)


@pytest.mark.parametrize("size", [(1, 6, 6), (5, 6, 6), (3, 9, 7)], ids=str)
def test_free_sizes(size):
    module = small(CONV.format(""))
    batch, height, width = size
    top = module(torch.randn(batch, 3, height, width))["conv"]
    assert top.shape == (batch, 4, height - 2, width - 2)


@pytest.mark.parametrize(
    "name", ["a.b", "forward", "train", "1/2", "x y", "_steps", "weight'; import os", ""]
)
def test_any_layer_name(name):
    text = inputs(data=(2, 3)) + ip(name, "data", top="out") + ip("last", "out")
    module = small(text)
    module(torch.randn(2, 3))
    assert module.caffe_blobs(name)[0].shape == (3, 3)
    assert build(caffegen.loads(text), seed=1).load_state_dict(module.state_dict())


def test_names_that_become_one_stay_apart():
    text = inputs(data=(2, 3)) + ip("a.b", "data") + ip("a_b", "data") + ip("a_b_", "data")
    module = small(text)
    assert len(module.state_dict()) == 6
    assert module.caffe_blobs("a.b")[0] is not module.caffe_blobs("a_b")[0]


def test_inner_blobs_are_final_versions():
    module = small()
    x = torch.randn(2, 3, 6, 6, requires_grad=True)
    blobs = module.run(x)
    assert set(blobs) == {"data", "conv", "fc"}
    assert (blobs["conv"] >= 0).all()
    blobs["conv"].sum().backward()
    assert x.grad.abs().sum() > 0


def test_phase_is_the_mode():
    net = caffegen.loads(SMALL, phase="TRAIN")
    assert build(net).training
    assert not small().training


def test_a_layer_with_a_phase_of_its_own():
    text = inputs(data=(4, 100)) + (
        'layer { name: "kept" type: "Dropout" bottom: "data" top: "kept" phase: TEST }\n'
        'layer { name: "lost" type: "Dropout" bottom: "data" top: "lost" }'
    )
    module = build(caffegen.loads(text, phase="TRAIN"))
    x = torch.ones(4, 100)
    for _ in range(2):
        blobs = module(x)
        assert torch.equal(blobs["kept"], x)
        assert not torch.equal(blobs["lost"], x)
        module.train()


def test_same_seed_same_weights():
    first, second, other = (small(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_weights_given_and_filled():
    given = {"fc": [np.full((5, 64), 0.5), np.zeros(5)]}
    module = build(caffegen.loads(SMALL, given))
    assert (module.fc.weight == 0.5).all()
    assert torch.equal(module.conv.weight, small().conv.weight)
    # weights of a module are its own: the caller's arrays stay as they are
    module.fc.weight.data.zero_()
    assert (given["fc"][0] == 0.5).all()


def test_blobs_in_the_text_are_the_weights():
    text = inputs(data=(1, 2)) + ip(
        "fc", "data",
        "blobs { shape { dim: 1 dim: 2 } data: 3 data: 4 } blobs { shape { dim: 1 } data: 5 }",
        outputs=1,
    )  # fmt: skip
    assert small(text)(torch.ones(1, 2))["fc"].item() == 12


# In place.


def test_works_in_place_on_what_is_new():
    module = small()
    assert module.relu.inplace
    x = torch.randn(2, 3, 6, 6, requires_grad=True)
    module.train()(x)["fc"].sum().backward()


@pytest.mark.parametrize(
    ("before", "blob"),
    [
        ("", "data"),
        ('layer { name: "p" type: "Sigmoid" bottom: "data" top: "p" }', "p"),
        ('layer { name: "p" type: "Flatten" bottom: "data" top: "p" }', "p"),
        ('layer { name: "p" type: "ReLU" bottom: "data" top: "p" }', "p"),
    ],
    ids=["input", "kept-for-backward", "view", "chain"],
)
def test_never_in_place_where_it_would_show(before, blob):
    body = f'layer {{ name: "relu" type: "ReLU" bottom: "{blob}" top: "{blob}" }}'
    module = small(inputs(data=(2, 3)) + before + body)
    assert not module.relu.inplace
    x = torch.tensor([[-1.0, 2, -3], [4, -5, 6]], requires_grad=True)
    before_run = x.detach().clone()
    module(x)[blob].sum().backward()
    assert torch.equal(x.detach(), before_run)


# Gradients and the solver's facts.


def test_propagate_down_cuts():
    text = (
        inputs(data=(2, 3))
        + ip("ip", "data")
        + (
            'layer { name: "t" type: "TanH" bottom: "ip" top: "t" propagate_down: false }\n'
            'layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "t" top: "sum" }'
        )
    )
    module = small(text)
    module(torch.randn(2, 3))["sum"].sum().backward()
    # by the open path alone
    assert module.ip.bias.grad.tolist() == [2, 2, 2]


def test_force_backward_gives_everything_a_gradient():
    """In spite of `propagate_down` and `lr_mult` (net.cpp, Init); the solver still takes no step."""
    text = (
        "force_backward: true\n"
        + inputs(data=(2, 3))
        + ip("ip", "data", "param { lr_mult: 0 } param { lr_mult: 0 } propagate_down: false")
        + 'layer { name: "t" type: "Power" bottom: "ip" top: "t" propagate_down: false }'
    )
    module = small(text)
    data = torch.ones(2, 3, requires_grad=True)
    module(data)["t"].sum().backward()
    assert module.ip.bias.grad.tolist() == [2, 2, 2]
    torch.testing.assert_close(data.grad[0], module.ip.weight.detach().sum(0))
    assert module.parameter_groups(1.0) == []


def test_multipliers_make_groups():
    text = inputs(data=(2, 3)) + (
        ip("a", "data", "param { lr_mult: 0 } param { lr_mult: 2 decay_mult: 0 }")
        + ip("b", "a", "param { } param { lr_mult: 2 decay_mult: 0 }")
    )
    module = small(text)
    assert not module.a.weight.requires_grad
    groups = module.parameter_groups(0.1, 0.01)
    facts = {
        (g["lr"], g["weight_decay"], g["lr_mult"], g["decay_mult"]): g["params"] for g in groups
    }
    assert [p is module.b.weight for p in facts[0.1, 0.01, 1, 1]] == [True]
    assert [id(p) for p in facts[0.2, 0, 2, 0]] == [id(module.a.bias), id(module.b.bias)]
    torch.optim.SGD(groups, lr=0.1)


LOSS = 'layer {{ name: "loss" type: "EuclideanLoss" bottom: "{0}" bottom: "target" {1} }}\n'


def test_total_loss_weighs():
    text = inputs(data=(2, 3), target=(2, 3)) + (
        LOSS.format("data", 'top: "x" loss_weight: 0.5')
        + LOSS.format("target", 'top: "y"').replace('"loss"', '"other"')
        + 'layer { name: "s" type: "Split" bottom: "x" top: "x1" top: "x2" }'
    )
    module = small(text)
    assert module.loss_weights == {"x": 0.5, "y": 1.0}
    data, target = torch.ones(2, 3), torch.zeros(2, 3)
    blobs = module.run({"data": data, "target": target}, blobs=["x", "y"])
    assert module.total_loss(blobs).item() == pytest.approx(0.5 * 6 / 4)
    with pytest.raises(CaffegenError, match=r"the loss needs the blob `x`; get it by `run\("):
        module.total_loss({"y": blobs["y"]})
    with pytest.raises(CaffegenError, match="the net has no loss layer"):
        small().total_loss({})


def test_a_weighted_blob_that_is_read_on_is_an_output_too():
    """Caffe splits it, and nothing reads the copy that has the weight (insert_splits.cpp)."""
    text = inputs(data=(2, 3)) + (
        'layer { name: "r" type: "ReLU" bottom: "data" top: "a" loss_weight: 2 }\n'
        'layer { name: "t" type: "TanH" bottom: "a" top: "t" }'
    )
    net = caffegen.loads(text)
    module = build(net)
    assert module.output_names == net.outputs == ("a_r_0_split_0", "t")
    assert module.loss_weights == {"a": 2.0}
    data = torch.tensor([[1.0, -2, 3], [-4, 5, -6]])
    blobs = module(data)
    assert torch.equal(blobs["a_r_0_split_0"], data.relu())
    assert module.total_loss(blobs).item() == 18
    assert torch.equal(module.run(data, blobs=["a"])["a"], data.relu())


def test_a_weighted_blob_is_not_folded():
    text = CONV.format("loss_weight: 1") + (
        'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "n" }'
    )
    x = torch.randn(2, 3, 6, 6)
    fused, plain = small(text, fuse=True)(x), small(text)(x)
    assert fused.keys() == plain.keys() == {"conv_conv_0_split_0", "n"}
    assert all(torch.equal(fused[name], plain[name]) for name in plain)


def test_a_loss_without_a_top():
    module = small(inputs(data=(2, 3), target=(2, 3)) + LOSS.format("data", ""))
    blobs = module(torch.ones(2, 3), torch.zeros(2, 3))
    assert blobs["(automatic)"].item() == 1.5
    assert module.loss_weights == {"(automatic)": 1.0}


# Shared parameters.

SHARED = inputs(data=(2, 3)) + (
    ip("a", "data", 'param { name: "w" lr_mult: 3 } param { name: "b" }')
    + ip("b", "a", 'param { name: "w" } param { name: "b" }')
)


def test_shared_parameters_are_one():
    module = small(SHARED)
    assert module.a.weight is module.b.weight
    assert len(list(module.parameters())) == 2
    x = torch.randn(2, 3)
    module(x)["b"].sum().backward()
    both = module.a.weight.grad.clone()
    weight, bias = (p.detach().clone().requires_grad_() for p in (module.a.weight, module.a.bias))
    nn.functional.linear(nn.functional.linear(x, weight, bias), weight, bias).sum().backward()
    torch.testing.assert_close(both, weight.grad)
    groups = {g["lr_mult"]: len(g["params"]) for g in module.parameter_groups(1.0)}
    assert groups == {3.0: 1, 1.0: 1}


def test_of_shared_weights_the_last_layer_counts():
    """Caffe copies a caffemodel layer by layer into one memory."""
    given = {"a": [np.full((3, 3), 1), np.zeros(3)], "b": [np.full((3, 3), 2), np.zeros(3)]}
    assert (build(caffegen.loads(SHARED, given)).a.weight == 2).all()
    given.pop("b")
    assert (build(caffegen.loads(SHARED, given)).b.weight == 1).all()


def test_permissive_sharing_sees_another_shape():
    text = inputs(data=(2, 3), wide=(2, 6)) + (
        ip("a", "data", 'param { name: "w" }', outputs=4)
        + ip("b", "wide", 'param { name: "w" share_mode: PERMISSIVE }', outputs=2)
    )
    module = small(text)
    data, wide = torch.randn(2, 3), torch.randn(2, 6)
    blobs = module(data, wide)
    weight = module.a.weight
    expected = nn.functional.linear(wide, weight.view(2, 6), module.caffe_blobs("b")[1])
    torch.testing.assert_close(blobs["b"], expected)
    (blobs["a"].sum() + blobs["b"].sum()).backward()
    seen = module.caffe_blobs("b")[0]
    assert seen.shape == (2, 6)
    assert torch.equal(seen.grad.flatten(), weight.grad.flatten())
    assert len(list(module.parameters())) == 3
    weight.data.mul_(2)
    torch.testing.assert_close(module.caffe_blobs("b")[0].flatten(), weight.data.flatten())


# Fused.


@pytest.mark.parametrize(
    ("layer", "left"),
    [
        (
            'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 }',
            1,
        ),
        (
            'type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 bias_term: false }',
            1,
        ),
        ('type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 2 group: 2 }', 1),
        ('type: "InnerProduct" inner_product_param { num_output: 4 }', 1),
        ('type: "InnerProduct" inner_product_param { num_output: 4 transpose: true }', 1),
        # channels of the product are axis 2, those of BatchNorm axis 1
        ('type: "InnerProduct" inner_product_param { num_output: 4 axis: 2 }', 2),
        ('type: "Pooling" pooling_param { kernel_size: 2 }', 2),
    ],
    ids=["group", "no-bias", "deconvolution", "linear", "transposed", "axis-2", "pooling"],
)
def test_fuse(layer, left):
    text = inputs(data=(2, 4, 5, 5)) + (
        f'layer {{ name: "w" bottom: "data" top: "w" {layer} }}\n'
        'layer { name: "norm" type: "BatchNorm" bottom: "w" top: "normed" }\n'
        'layer { name: "scale" type: "Scale" bottom: "normed" top: "out" scale_param { bias_term: true } }'
    )
    rng = np.random.default_rng(0)
    channels = caffegen.loads(text).shapes["w"][1]
    given = {
        "norm": [rng.normal(0, 3, channels), rng.uniform(1, 9, channels), np.array([3.0])],
        "scale": [rng.normal(0, 2, channels), rng.normal(0, 2, channels)],
    }
    net = caffegen.loads(text, given)
    plain, fused = build(net), build(net, fuse=True)
    assert len(list(fused.children())) == left
    x = torch.randn(3, 4, 5, 5)
    torch.testing.assert_close(fused(x)["out"], plain(x)["out"], rtol=1e-5, atol=1e-5)
    if left == 1:
        with pytest.raises(CaffegenError, match="`normed` is folded into layer `w`; build without"):
            fused.run(x, blobs=["normed"])
        assert set(fused.run(x)) == {"data", "out"}
        with pytest.raises(CaffegenError, match="no layer `norm` with weights of its own"):
            fused.caffe_blobs("norm")


@pytest.mark.parametrize(
    "behind",
    [
        'type: "Scale" scale_param { bias_term: true bias_filler { value: 2 } filler { value: 3 } }',
        'type: "Bias" bias_param { filler { value: 2 } }',
    ],
    ids=["scale", "bias"],
)
def test_fuse_without_batch_norm(behind):
    text = CONV.format("") + f'layer {{ name: "s" bottom: "conv" top: "s" {behind} }}'
    fused = small(text, fuse=True)
    assert not hasattr(fused, "s")
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(fused(x)["s"], small(text)(x)["s"])


def test_fuse_leaves_what_others_read():
    text = CONV.format("") + (
        'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "n" }\n'
        'layer { name: "relu" type: "ReLU" bottom: "conv" top: "r" }'
    )
    assert hasattr(small(text, fuse=True), "norm")


def test_fuse_leaves_a_batch_norm_that_is_to_be_in_train():
    """It uses the statistics of the batch, which are in no weights."""
    text = CONV.format("") + (
        'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "n" phase: TRAIN }'
    )
    fused = small(text, fuse=True)
    assert hasattr(fused, "norm")
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(fused(x)["n"], small(text)(x)["n"])


def test_fuse_is_for_inference():
    with pytest.raises(CaffegenError, match="`fuse` is for inference; load the net with the phase"):
        build(caffegen.loads(SMALL, phase="TRAIN"), fuse=True)
    with pytest.raises(CaffegenError, match="built with `fuse` is for inference alone"):
        small(fuse=True).train()


# What is refused, and how.

X = torch.randn(2, 3, 6, 6)
EXPECTED = r"the net expects floating-point values of shape \[2, 3, 6, 6\] \(batch size is free\)"


@pytest.mark.parametrize(
    ("args", "blobs", "sentence"),
    [
        ((), {}, f"the input blob `data` is missing; {EXPECTED}"),
        ((X, X), {}, "2 input tensors are given; the net has 1 input: `data`"),
        ((X,), {"data": X}, "the input blob `data` is given twice"),
        ((X,), {"label": X}, "the net has no input blob `label`; its inputs are `data`"),
        ((X[0],), {}, rf"`data` has shape \[3, 6, 6\]: wrong number of axes; {EXPECTED}"),
        ((X[:, :2],), {}, r"`data` has shape \[2, 2, 6, 6\]: wrong number of channels"),
        ((X.byte(),), {}, "`data` holds uint8 values; the net computes with floating-point ones"),
        ((X.double(),), {}, "the blob `data` holds float64 values, the net's weights are float32"),
        ((X.numpy(),), {}, "the input blob `data` is of type ndarray, not a torch.Tensor"),
        (
            (X[..., :5],), {},
            r"layer `fc` can't run on `conv` of shape \[2, 4, 4, 3\] \(in the file \[2, 4, 4, 4\]\)",
        ),
    ],
    ids=["missing", "many", "twice", "unknown", "rank", "channels", "integer", "double", "numpy", "size"],
)  # fmt: skip
def test_inputs_that_do_not_fit(args, blobs, sentence):
    with pytest.raises(CaffegenError, match=sentence):
        small()(*args, **blobs)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32])
def test_labels_of_any_type(dtype):
    text = inputs(data=(4, 3), label=(4,)) + (
        'layer { name: "l" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "l" }\n'
        'layer { name: "a" type: "Accuracy" bottom: "data" bottom: "label" top: "a" }'
    )
    blobs = small(text)(torch.eye(4, 3) * 9, torch.tensor([0, 1, 2, 0]).to(dtype))
    assert blobs["a"].item() == 0.75


def test_an_image_is_no_label():
    text = inputs(data=(4, 3), label=(4, 3)) + LOSS.format("data", 'top: "l"').replace(
        "target", "label"
    )
    module = small(text)
    with pytest.raises(CaffegenError, match="`data` holds int64 values"):
        module(torch.ones(4, 3).long(), torch.ones(4, 3).long())


def test_unknown_blobs_and_layers():
    module = small()
    with pytest.raises(CaffegenError, match="the net has no blob `nope`"):
        module.run(X, blobs=["nope"])
    with pytest.raises(CaffegenError, match="no layer `relu` with weights of its own"):
        module.caffe_blobs("relu")


def test_weights_that_are_no_numbers():
    weight = np.zeros((5, 64), np.float32)
    weight[2, 3] = np.nan
    net = caffegen.loads(SMALL, {"fc": [weight, np.zeros(5)]})
    with pytest.raises(
        CaffegenError, match="the weight blob of layer `fc` holds 1 NaN among its 320"
    ):
        build(net)


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("nope", "`nope` names no device"),
        ("cuda:99", "the device `cuda:99` is not there"),
        ("mps", "the device `mps` is not there: this machine has `cpu`"),
    ],
)
def test_devices_that_are_not_there(device, sentence):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has `mps`, so it can't be refused here")
    with pytest.raises(CaffegenError, match=sentence):
        small(device=device)


def test_an_unknown_shape_is_named():
    text = 'layer { name: "in" type: "Data" top: "x" data_param { source: "db" batch_size: 4 } }\n'
    text += ip("fc", "x")
    with pytest.raises(
        Refusal,
        match=r"`fc` \(InnerProduct\) can't be built: the shape of `x` is not known; give it by",
    ):
        small(text)
    module = build(caffegen.loads(text, inputs={"x": (4, 3)}))
    assert module(torch.randn(2, 3))["fc"].shape == (2, 3)


def test_two_losses_without_tops():
    second = LOSS.format("data", "loss_weight: 0.5").replace('"loss"', '"other"')
    text = inputs(data=(2, 3), target=(2, 3)) + LOSS.format("data", "") + second
    module = small(text)
    assert module.loss_weights == {"(automatic)": 1.0, "(automatic) other 0": 0.5}
    assert module.total_loss(module(torch.ones(2, 3), torch.zeros(2, 3))).item() == 1.5 * 1.5


class Double(nn.Module):
    def forward(self, bottom):
        return bottom * 2


def test_python_layers_by_the_callers_classes():
    text = inputs(data=(2, 3)) + (
        'layer { name: "p" type: "Python" bottom: "data" top: "out" '
        'python_param { module: "own" layer: "Double" } }'
    )
    net = caffegen.loads(text)
    with pytest.raises(Refusal, match="the code of `own` is not imported"):
        build(net)
    module = build(net, allow_python={"own": Double})
    x = torch.randn(2, 3)
    assert torch.equal(module(x)["out"], x * 2)
