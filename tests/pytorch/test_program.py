"""Programs of torch.export: which sizes are free, and that the values stay the net's at all of them."""

import itertools
import logging

import pytest
import torch
from click.testing import CliRunner

import caffegen
from caffegen import pytorch
from caffegen.cli.convert import command
from caffegen.errors import CaffegenError
from caffegen.pytorch.program import ConstantEdges, export_program, with_constant_edges
from caffegen.pytorch.save import save_exported
from tests.pytorch.golden_case import GOLDEN

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def pooled(body, size=(7, 9)):
    """A net of one pooling."""
    return caffegen.loads(f"""
        layer {{ name: "x" type: "Input" top: "x"
                input_param {{ shape {{ dim: 1 dim: 2 dim: {size[0]} dim: {size[1]} }} }} }}
        layer {{ name: "pool" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {body} }} }}
    """)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


WINDOWS = [
    (kernel, stride, pad)
    for kernel, stride, pad in itertools.product((1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 2, 4))
    if pad < kernel
]


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("rounding", ["CEIL", "FLOOR"])
@pytest.mark.parametrize(("kernel", "stride", "pad"), WINDOWS, ids=str)
def test_constant_edges_make_caffes_windows_at_every_size(method, rounding, kernel, stride, pad):
    """Heights and widths of all remainders, with other windows on the second axis."""
    body = (
        f"pool: {method} round_mode: {rounding} kernel_h: {kernel} kernel_w: 3 stride_h: {stride} "
        f"stride_w: 2 pad_h: {pad} pad_w: 1"
    )
    module = pytorch.build(pooled(body))
    part = module.pool
    exact = ConstantEdges(
        method, (kernel, 3), (stride, 2), (pad, 1), round_up=rounding == "CEIL"
    )  # fmt: skip
    if rounding == "CEIL":
        assert isinstance(with_constant_edges(module).pool, ConstantEdges)
    for height, width in itertools.product(range(5, 13), range(5, 9)):
        x = random(2, 2, height, width, seed=height)
        torch.testing.assert_close(exact(x), part(x), **CLOSE, msg=f"{height} x {width}")


@pytest.mark.parametrize(("kernel", "stride"), [(1, 3), (2, 5), (3, 2), (2, 3)])
@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_without_padding_a_last_window_may_lie_outside(method, kernel, stride):
    """There Caffe keeps it: the lowest number, or 0."""
    module = pytorch.build(pooled(f"pool: {method} kernel_size: {kernel} stride: {stride}"))
    exact = with_constant_edges(module).pool
    assert isinstance(exact, ConstantEdges)
    for size in range(5, 14):
        x = random(1, 2, size, size + 1)
        torch.testing.assert_close(exact(x), module.pool(x), **CLOSE)


CHAIN = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 65 dim: 64 } } }
    layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 7 pad: 3 stride: 2
                                weight_filler { type: "msra" } } }
    layer { name: "max" type: "Pooling" bottom: "conv" top: "max"
            pooling_param { kernel_size: 3 stride: 2 } }
    layer { name: "padded" type: "Pooling" bottom: "max" top: "padded"
            pooling_param { kernel_size: 3 stride: 2 pad: 1 } }
    layer { name: "mean" type: "Pooling" bottom: "padded" top: "mean"
            pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
    layer { name: "side" type: "Pooling" bottom: "mean" top: "side"
            pooling_param { kernel_size: 3 stride: 1 pad: 1 } }
    layer { name: "cat" type: "Concat" bottom: "mean" bottom: "side" top: "cat" }
"""
HEAD = """
    layer { name: "last" type: "Pooling" bottom: "cat" top: "last"
            pooling_param { pool: AVE %s } }
    layer { name: "fc" type: "InnerProduct" bottom: "last" top: "fc"
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


@pytest.fixture(scope="module")
def free():
    """A net of four poolings that round up, and its program."""
    module = pytorch.build(caffegen.loads(CHAIN + HEAD % "global_pooling: true"))
    return module, export_program(module, sizes=True)


def test_height_and_width_are_free_behind_poolings_that_round_up(free):
    module, program = free
    assert (program.batch, program.sizes, program.reason) == (True, True, "")
    run = program.exported.module()
    for height, width in [(65, 64), (66, 67), (67, 70), (71, 90), (101, 58), (224, 227), (33, 40)]:
        x = random(3, 3, height, width, seed=width)
        torch.testing.assert_close(run(x)["fc"], module(x)["fc"], **CLOSE, msg=f"{height} {width}")


def test_the_built_module_keeps_its_own_poolings(free):
    module, _ = free
    assert type(module.max) is torch.nn.MaxPool2d
    assert type(module.mean) is torch.nn.AvgPool2d


def test_a_net_that_wants_its_own_size_says_which_layer(tmp_path):
    module = pytorch.build(caffegen.loads(CHAIN + HEAD % "kernel_size: 3"))
    program = save_exported(tmp_path / "net.pt2", module, sizes=True)
    assert program.batch
    assert not program.sizes
    assert program.reason.startswith("layer `fc` can't run on `last` of shape [1, 8, ")
    run = torch.export.load(tmp_path / "net.pt2").module()
    x = random(5, 3, 65, 64)
    torch.testing.assert_close(run(x)["fc"], module(x)["fc"], **CLOSE)


def test_a_program_that_holds_for_one_size_is_not_called_free():
    """A Slice whose last part has the height of 1 in the file alone: torch.export keeps it as a law."""
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "cut" type: "Slice" bottom: "x" top: "a" top: "b"
                slice_param { axis: 2 slice_point: 7 } }
        layer { name: "none" type: "Silence" bottom: "b" }
    """)
    program = export_program(pytorch.build(net), sizes=True)
    assert program.batch
    assert not program.sizes
    assert program.reason.startswith("the program holds for them alone: Guard failed")


def test_inputs_without_pictures():
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
                inner_product_param { num_output: 5 } }
    """)
    program = export_program(pytorch.build(net), sizes=True)
    assert (program.batch, program.sizes, program.reason) == (True, False, "the inputs have none")


def test_two_pictures_grow_together():
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 8 } } }
        layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 8 } } }
        layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "sum" }
    """)
    module = pytorch.build(net)
    program = export_program(module, sizes=True)
    assert program.sizes
    x, y = random(2, 3, 17, 30), random(2, 3, 17, 30, seed=1)
    torch.testing.assert_close(program.exported.module()(x, y)["sum"], x + y)


def test_a_batch_of_the_file_alone():
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "r" type: "Reshape" bottom: "x" top: "r"
                reshape_param { shape { dim: 4 dim: 3 dim: 1 } } }
    """)
    program = export_program(pytorch.build(net))
    assert (program.batch, program.sizes, program.reason) == (False, False, "")


def test_an_unknown_shape_is_asked_for():
    net = caffegen.loads("""
        layer { name: "x" type: "HDF5Data" top: "x" hdf5_data_param { source: "x" batch_size: 1 } }
        layer { name: "y" type: "ReLU" bottom: "x" top: "y" }
    """)
    with pytest.raises(
        CaffegenError, match=r"the shape of `x` is not known; give it by --input x="
    ):
        export_program(pytorch.build(net))


def test_a_net_whose_way_its_values_decide_is_one_sentence(capfd):
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 6 } } }
        layer { name: "r" type: "Input" top: "r" input_param { shape { dim: 3 dim: 5 } } }
        layer { name: "roi" type: "ROIAlign" bottom: "x" bottom: "r" top: "y"
                roi_align_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 } }
    """)
    with pytest.raises(
        CaffegenError, match=r"torch\.export makes no program of the net: Could not"
    ):
        export_program(pytorch.build(net), sizes=True)
    assert capfd.readouterr() == ("", "")


def test_trials_report_nothing_of_their_own(caplog):
    with caplog.at_level(logging.DEBUG, logger="torch._subclasses.fake_tensor"):
        export_program(pytorch.build(caffegen.loads(CHAIN + HEAD % "kernel_size: 3")), sizes=True)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("global_pooling: true", "batch size free, height and width free"),
        (
            "kernel_size: 3",
            "batch size free, height and width as in the file: layer `fc` can't run on `last`",
        ),
    ],
    ids=["free", "fixed"],
)
def test_convert_says_what_is_free(tmp_path, head, line):
    prototxt, path = tmp_path / "net.prototxt", tmp_path / "net.pt2"
    prototxt.write_text(CHAIN + HEAD % head)
    done = CliRunner().invoke(
        command, [str(prototxt), "--fill", "0", "-o", str(path), "--dynamic-size"]
    )
    assert done.exit_code == 0, done.output
    assert line in done.output


def test_a_golden_net_with_its_size_free(tmp_path):
    nets = GOLDEN / "nets"
    net = caffegen.load(nets / "mobilenet.prototxt", nets / "mobilenet.caffemodel")
    module = pytorch.build(net)
    assert save_exported(tmp_path / "net.pt2", module, sizes=True).sizes
    run = torch.export.load(tmp_path / "net.pt2").module()
    for height, width in [(36, 45), (51, 38)]:
        x = random(2, 3, height, width)
        torch.testing.assert_close(run(x)["prob"], module(x)["prob"], **CLOSE)
