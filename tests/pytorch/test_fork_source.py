"""The forks' layers as readable source: what a person would write, and what is refused."""

import pytest
import torch

from caffegen.analysis.fill import fill_params
from caffegen.loader import loads
from caffegen.pytorch import build
from caffegen.pytorch.registry import Refusal
from caffegen.pytorch.source import write_source
from tests.pytorch.one_layer import net_text

SHAPE = (2, 4, 4, 6)
CONV = "num_output: 4 kernel_size: 3 group: 4 pad: 1 weight_filler { type: 'msra' }"


def written(kind, body="", shapes=(SHAPE,), **options):
    """The source of a net of one layer; writing it has run it beside the net."""
    text = net_text(kind, shapes, body, old=bool(options))
    bare = loads(text, **options)
    weights = fill_params(bare.graph, 0)
    net = loads(text, weights, **options) if weights else bare
    return write_source(net).text


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        (
            "Permute",
            "permute_param { order: 0 order: 2 order: 3 order: 1 }",
            "x.permute(0, 2, 3, 1)",
        ),
        ("Transpose", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }", "x.permute(3, 2, 0, 1)"),
        ("ReLU6", "", "F.relu6(x)"),
        ("Mish", "", "F.mish(x)"),
        ("HardSwish", "", "F.hardswish(x)"),
        ("SeLu", "", "nn.SELU()"),
        ("Flip", "flip_param { flip_height: true }", "x.flip(2, 3)"),
        ("ShuffleChannel", "shuffle_channel_param { group: 2 }", "nn.ChannelShuffle(2)"),
        ("Padding", "padding_param { pad: 1 }", "nn.ZeroPad2d(1)"),
        (
            "Padding",
            "padding_param { pad_t: 1 pad_value: 2 }",
            "nn.ConstantPad2d((0, 0, 1, 0), 2.0)",
        ),
        ("DepthwiseConvolution", f"convolution_param {{ {CONV} }}", "groups=4"),
        ("ConvolutionDepthwise", f"convolution_param {{ {CONV} }}", "groups=4"),
        (
            "Normalize",
            "norm_param { across_spatial: false }",
            "Normalize((), across_spatial=False)",
        ),
        ("Normalize", "norm_param { channel_shared: false }", "Normalize((4,))"),
        ("BN", "bn_param { bn_mode: INFERENCE }", "Scale((4,))"),
        ("Gather", "", "return x"),
    ],
)
def test_as_a_person_would_write_it(kind, body, line):
    assert line in written(kind, body)


def test_a_batch_norm_with_its_factor():
    assert "nn.BatchNorm2d(4, eps=0.01)" in written(
        "BN", "bn_param { eps: 0.01 }", dialect="yjxiong"
    )


def test_several_batches_are_themselves():
    net = loads(net_text("Gather", [SHAPE, SHAPE], tops=("one", "two")))
    assert 'return {"one": a, "two": b}' in write_source(net).text


def test_axpy_is_an_expression():
    shapes = ((2, 4), SHAPE, SHAPE)
    assert "a[..., None, None] * b + c" in written("Axpy", "", shapes)
    assert "a * b + c" in written("Axpy", "", ((2, 4, 1, 1), SHAPE, SHAPE))


def test_what_stands_before_a_permute_is_bracketed():
    text = (
        net_text("Eltwise", [SHAPE, SHAPE])
        + ' layer { name: "p" type: "Permute" bottom: "top" top: "p" permute_param { order: 3 } }'
    )
    net = loads(text)
    assert "(a + b).permute(3, 0, 1, 2)" in write_source(net).text


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        ("Reorg", "reorg_param { stride: 2 }", "Reorg(2)"),
        ("Reorg", "reorg_param { stride: 2 reverse: true }", "Reorg(2, reverse=True)"),
        ("CReLU", "", "CReLU()"),
        ("CReLU", "crelu_param { negative_slope: 0.5 }", "CReLU(negative_slope=0.5)"),
        ("HardSigmoid", "", "Affine(scale=0.2, shift=0.5),"),
        ("SeLu", "selu_param { alpha: 2 }", "Affine(scale=1.05"),
        ("ReLU6", "relu6_param { negative_slope: 0.5 }", 'nn.Hardtanh(float("-inf"), 6.0),'),
        ("Normalize", "normalize_param { }", "Normalize(None, "),
        ("Normalize", 'normalize_param { normalize_type: "L1" }', "power=1"),
        ("BN", "bn_param { bn_mode: LEARN }", "BatchStatistics((1, 4, 1, 1)"),
        ("SpatialDropout", "", "nn.Dropout2d(0.5)"),
    ],
)
def test_small_classes_stand_for_what_torch_nn_has_not(kind, body, line):
    assert line in written(kind, body)


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        ("Interp", "interp_param { height: 11 width: 13 }",
         'nn.Upsample(size=(11, 13), mode="bilinear", align_corners=True)'),
        ("Interp", "interp_param { zoom_factor: 2 }", "Interp("),
        ("Interp", "interp_param { shrink_factor: 2 zoom_factor: 2 pad_end: -1 }",
         "Interp(zoom=2, shrink=2, end=1)"),
        ("Upsample", "upsample_param { scale: 3 }",
         'nn.Upsample(scale_factor=3.0, mode="nearest-exact")'),
        ("Resize", "resize_param { height: 11 width: 5 }", "Resize(size=(11, 5))"),
        ("Resize", "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 1.5 }",
         "Resize(scale=(2.0, 1.5))"),
    ],
)  # fmt: skip
def test_pictures_of_another_size(kind, body, line):
    assert line in written(kind, body)


def test_values_go_back_to_the_places_of_their_maxima():
    text = net_text(
        "Pooling", [SHAPE], "pooling_param { kernel_size: 2 stride: 2 }", tops=("top", "at")
    )
    net = loads(f"""{text}
        layer {{ name: "back" type: "Upsample" bottom: "top" bottom: "at" top: "back"
                upsample_param {{ scale: 2 }} }}""")
    source = write_source(net).text
    assert "return_indices=True" in source
    assert "self.back = MaxUnpool((2, 0), (2, 0))" in source


@pytest.mark.parametrize(
    "body", ["", "seg_accuracy_param { ignore_label: 0 }"], ids=["all", "some"]
)
def test_measures_of_a_segmentation(body, tmp_path):
    net = loads(net_text("SegAccuracy", [(2, 5, 3, 4), (2, 1, 3, 4)], body))
    space = {"__name__": "written"}
    exec(compile(write_source(net).text, "written", "exec"), space)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, 3, 4, generator=generator)
    labels = torch.randint(0, 5, (2, 1, 3, 4), generator=generator).float()
    expected = build(net)(scores, labels)["top"]
    torch.testing.assert_close(space["Net"]()(scores, labels), expected)


@pytest.mark.parametrize("number", [2, 3])
def test_losses_of_distance(number):
    kind = {2: "L1Loss", 3: "TripletLoss"}[number]
    assert f"self.layer = {kind}(" in written(kind, "", ((3, 8),) * number)


def test_vectors_of_one_length():
    assert "self.layer = L2Norm()" in written("L2Norm", "", ((3, 5),))


@pytest.mark.parametrize("rank", [2, 3])
def test_fewer_axes_get_more(rank):
    nones = ", None" * (4 - rank)
    assert f"x[...{nones}]" in written("Reorg", "reorg_param { stride: 1 }", ((2, 4, 6)[:rank],))
    assert "Scale((4,))" in written("BN", "bn_param { bn_mode: INFERENCE }", ((2, 4, 6)[:rank],))


def test_products_of_matrices_are_an_expression():
    text = written("MatMul", "matmul_param { transpose_b: true }", ((2, 3, 4), (2, 5, 4)))
    assert "return a @ b.mT" in text


@pytest.mark.parametrize(
    ("body", "shapes"),
    [
        ("min_size: 3 max_size: 5 aspect_ratio: 2", ((2, 4, 5, 6), (2, 3, 40, 60))),
        ("min_size: 3 img_size: 50 step: 8 offset: 0.25 clip: true", ((1, 4, 5, 6), (1, 3, 9, 9))),
        ("min_size: 3 img_h: 30 img_w: 60 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2",
         ((1, 4, 3, 7), (1, 3, 9, 9))),
    ],
    ids=["image", "size and step", "variances"],
)  # fmt: skip
def test_prior_boxes(body, shapes):
    assert "self.layer = PriorBox(" in written("PriorBox", f"prior_box_param {{ {body} }}", shapes)


@pytest.mark.parametrize("number", [2, 4])
def test_smooth_l1_with_weights_and_without(number):
    body = "smooth_l1_loss_param { sigma: 3 }"
    assert "SmoothL1Loss(sigma2=9.0" in written("SmoothL1Loss", body, ((3, 8),) * number)


def beside(kind, body, values, tmp_path):
    """The written file and the built module on these values."""
    shapes = [tuple(value.shape) for value in values]
    net = loads(net_text(kind, shapes, body))
    space = {"__name__": "written"}
    exec(compile(write_source(net).text, "written", "exec"), space)
    model = space["Net"]()
    expected = build(net)(*values)["top"]
    found = model(*values)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    (one,) = torch.autograd.grad(found.square().sum(), values[0])
    (other,) = torch.autograd.grad(expected.square().sum(), values[0])
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("kind", "channels", "body"),
    [
        ("ROIPooling", 3, "roi_pooling_param {{ pooled_h: {0} pooled_w: {1} spatial_scale: {2} }}"),
        ("PSROIPooling", 12, "psroi_pooling_param {{ output_dim: 3 group_size: 2 spatial_scale: {2} }}"),
    ],
)  # fmt: skip
def test_regions(kind, channels, body, seed, tmp_path):
    """Also regions inside out, outside the map, and of the second picture."""
    generator = torch.Generator().manual_seed(seed)
    scale = (0.0625, 0.5, 0.3, 1.0, 0.1, 0.25)[seed]
    x = torch.randn(2, channels, 7 + seed, 9, generator=generator, requires_grad=True)
    rois = (torch.rand(9, 5, generator=generator) * 1.4 - 0.2) * 9 / scale
    rois[:, 0] = torch.arange(9) % 2
    beside(kind, body.format(seed + 1, 3, scale), [x, rois], tmp_path)


def test_no_regions(tmp_path):
    x = torch.randn(1, 2, 5, 5, requires_grad=True)
    body = "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 }"
    net = loads(net_text("ROIPooling", [(1, 2, 5, 5), (1, 5)], body))
    space = {"__name__": "written"}
    exec(compile(write_source(net).text, "written", "exec"), space)
    model = space["Net"]()
    assert model(x, torch.zeros(0, 5)).shape == (0, 2, 2, 3)


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "reason"),
    [
        (
            "ROIAlign", (SHAPE, (3, 5)), "roi_align_param { pooled_h: 2 pooled_w: 2 }",
            "its samples between pixels follow rules at the edges that torch has no function for",
        ),
        (
            "DetectionOutput", ((2, 12), (2, 9), (1, 2, 12)),
            "detection_output_param { num_classes: 3 nms_param { nms_threshold: 0.5 } }",
            "it takes boxes or leaves them one after the other, in more code than the net itself",
        ),
        (
            "SmoothL1LossOHEM", (SHAPE, SHAPE, SHAPE), "",
            "it serves R-FCN's training on the hardest examples alone",
        ),
    ],
)  # fmt: skip
def test_what_would_be_no_readable_file_is_refused_with_its_reason(kind, shapes, body, reason):
    tops = ("top", "each") if kind == "SmoothL1LossOHEM" else ("top",)
    net = loads(net_text(kind, shapes, body, tops=tops))
    with pytest.raises(Refusal) as refusal:
        write_source(net)
    assert str(refusal.value) == (
        f"no readable source for `layer` ({kind}: {reason}); "
        "`-o model.pt2` writes what torch.export takes"
    )


SHUFFLE_UNIT = """
layer {{ name: "split{0}" type: "Slice" bottom: "{1}" top: "a{0}" top: "b{0}" }}
layer {{ name: "one{0}" type: "Convolution" bottom: "b{0}" top: "one{0}"
  convolution_param {{ num_output: 4 kernel_size: 1 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu{0}" type: "ReLU" bottom: "one{0}" top: "one{0}" }}
layer {{ name: "dw{0}" type: "ConvolutionDepthwise" bottom: "one{0}" top: "dw{0}"
  convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "joined{0}" type: "Concat" bottom: "a{0}" bottom: "dw{0}" top: "joined{0}" }}
layer {{ name: "shuffle{0}" type: "ShuffleChannel" bottom: "joined{0}" top: "out{0}"
  shuffle_channel_param {{ group: 2 }} }}
"""
EXCITED_BLOCK = """
layer {{ name: "conv{0}" type: "Convolution" bottom: "{1}" top: "conv{0}"
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "pool{0}" type: "Pooling" bottom: "conv{0}" top: "pool{0}"
  pooling_param {{ pool: AVE global_pooling: true }} }}
layer {{ name: "up{0}" type: "Convolution" bottom: "pool{0}" top: "up{0}"
  convolution_param {{ num_output: 8 kernel_size: 1 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "gate{0}" type: "Sigmoid" bottom: "up{0}" top: "up{0}" }}
layer {{ name: "axpy{0}" type: "Axpy" bottom: "up{0}" bottom: "conv{0}" bottom: "{1}" top: "out{0}" }}
"""


@pytest.mark.parametrize(
    ("unit", "name", "line"),
    [
        (SHUFFLE_UNIT, "ShuffleUnit", "nn.ChannelShuffle(2)"),
        (EXCITED_BLOCK, "SqueezeExcitationBlock", " + x"),
    ],
    ids=["ShuffleNet", "SENet"],
)
def test_repeated_blocks_bear_the_names_that_people_know(unit, name, line):
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 6 dim: 6 } } }'
    text += "".join(unit.format(i, "x" if i == 0 else f"out{i - 1}") for i in range(3))
    weights = fill_params(loads(text).graph, 0)
    source = write_source(loads(text, weights)).text
    assert f"class {name}(nn.Module):" in source
    assert line in source
    assert source.count(f"{name}(") >= 2
