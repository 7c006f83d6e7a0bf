"""Costs: parameters, work and memory against numbers that are known from elsewhere."""

import json
from pathlib import Path

import pytest

from caffegen.analysis.summary import summarize, summarize_blocks
from caffegen.loader import examine, loads
from caffegen.text import Source
from caffegen.zoo import alexnet, lenet, resnet, vgg

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "layers" / "index.json").read_text(encoding="utf-8"))


def summary_of(text, **options):
    return summarize(loads(text, **options).graph)


# of the papers, and of the files that BVLC and the Visual Geometry Group published
PARAMS = {
    "lenet": (lenet, 431_080, None),
    "alexnet": (alexnet, 60_965_224, 724_406_816),
    "vgg16": (lambda: vgg(16), 138_357_544, 15_470_264_320),
    "vgg19": (lambda: vgg(19), 143_667_240, 19_632_062_464),
}


@pytest.mark.parametrize(("net", "params", "macs"), PARAMS.values(), ids=PARAMS)
def test_totals(net, params, macs):
    spec = net()
    text = spec.to_prototxt()
    size = examine(Source(text)).graph.inputs[0].shape
    found = summary_of(text, inputs={"data": (1, *size[1:])})
    assert found.params == params
    assert found.statistics == 0
    if macs is not None:
        learned = [row for row in found.rows if row.type in ("Convolution", "InnerProduct")]
        assert sum(row.macs for row in learned) == macs


def test_batch_norm_has_statistics_and_no_params():
    found = summary_of(resnet(50).to_prototxt())
    rows = {row.name: row for row in found.rows}
    assert (rows["bn_conv1"].params, rows["bn_conv1"].statistics) == (0, 2 * 64 + 1)
    assert rows["scale_conv1"].params == 128
    # torchvision's resnet50, and the bias that the published conv1 has
    assert found.params == 25_557_032 + 64


SHARED = """
layer { name: "data" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 6 } } }
layer { name: "left" type: "InnerProduct" bottom: "a" top: "x" param { name: "w" } param { name: "v" }
        inner_product_param { num_output: 4 } }
layer { name: "right" type: "InnerProduct" bottom: "b" top: "y" param { name: "w" } param { name: "v" }
        inner_product_param { num_output: 4 } }
"""


def test_shared_parameters_count_once():
    found = summary_of(SHARED)
    assert [row.params for row in found.rows] == [0, 6 * 4 + 4, 0]
    assert found.params == 28
    # the work is done twice
    assert found.macs == 2 * (2 * 6 * 4)


MEMORY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }
layer { name: "copy" type: "TanH" bottom: "data" top: "copy" }
layer { name: "flat" type: "Flatten" bottom: "copy" top: "flat" }
layer { name: "split" type: "Split" bottom: "flat" top: "s" top: "t" }
layer { name: "half" type: "Slice" bottom: "s" top: "u" top: "v" }
layer { name: "quiet" type: "Silence" bottom: "t" bottom: "u" bottom: "v" }
"""


def test_memory_in_place_and_shared():
    rows = {row.name: row.activation_bytes for row in summary_of(MEMORY).rows}
    blob = 4 * 8 * 8 * 4
    assert rows == {
        "data": blob, "relu": 0, "copy": blob, "flat": 0, "split": 0, "half": blob, "quiet": 0,
    }  # fmt: skip


def test_what_is_not_known_is_none():
    text = """
    layer { name: "d" type: "Data" top: "x" data_param { source: "db" batch_size: 4 } }
    layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: "m" type: "Mystery" bottom: "c" top: "m" }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "m" bottom: "m" }
    """
    found = summarize(examine(Source(text)).graph)
    for row in found.rows:
        assert row.macs is None
    assert [row.activation_bytes for row in found.rows] == [None, None, None, 0]
    assert (found.macs, found.params) == (0, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['type']}-{c['name']}")
def test_every_golden_layer_has_a_cost(case):
    state = {
        "phase": case.get("phase", "TEST"),
        "stages": case.get("stages", ()),
        "level": case.get("level", 0),
    }
    found = summarize(examine(Source(case["prototxt"]), **state).graph)
    for row in found.rows:
        assert (row.macs is None) == (row.ops is None)
        if None not in row.shapes:
            assert row.macs is not None, row.name
            assert row.macs >= 0
            assert row.ops >= 0


BLOCKS = {
    "resnet101": lambda: resnet(101),
    "resnet20": lambda: resnet(20, "cifar10"),
    "vgg16": lambda: vgg(16),
    "lenet": lenet,
}


@pytest.mark.parametrize("net", BLOCKS.values(), ids=BLOCKS)
def test_blocks_keep_the_totals(net):
    graph = loads(net().to_prototxt()).graph
    found = summarize(graph)
    blocks = summarize_blocks(graph, found)
    for field in ("params", "statistics", "macs", "ops", "activation_bytes"):
        assert sum(getattr(row, field) for row in blocks) == getattr(found, field)
    assert sorted(name for row in blocks for name in row.layers) == sorted(
        r.name for r in found.rows
    )


def test_a_block_knows_no_more_than_its_layers():
    text = """
    layer { name: "d" type: "Data" top: "x" top: "y" data_param { source: "db" batch_size: 4 } }
    layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "y" top: "loss" }
    """
    graph = examine(Source(text)).graph
    data, convolution, loss = summarize_blocks(graph, summarize(graph))
    assert (data.shapes, data.activation_bytes, data.receptive_field) == ((None, (4,)), None, None)
    assert (convolution.macs, convolution.bottoms) == (None, ("x",))
    assert (loss.kind, loss.bottoms) == ("loss", ("c", "y"))
