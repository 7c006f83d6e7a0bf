"""What counts as a difference of two nets, and what does not."""

from itertools import pairwise
from pathlib import Path

import pytest

from caffegen.analysis.diff import diff_graphs
from caffegen.loader import examine
from caffegen.text import Source

GOLDEN = Path(__file__).parents[1] / "golden"
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }\n'


def layer(type, bottom, top, rest="", name=None):
    bottoms = " ".join(f'bottom: "{each}"' for each in bottom.split())
    return f'layer {{ name: "{name or top}" type: "{type}" {bottoms} top: "{top}" {rest} }}\n'


def conv(bottom, top, param="kernel_size: 3", rest="", name=None):
    return layer(
        "Convolution", bottom, top, f"convolution_param {{ num_output: 4 {param} }} {rest}", name
    )


def graph(text, phase="TEST"):
    return examine(Source(text), phase=phase).graph


def difference(first, second, *, training=False):
    phase = "TRAIN" if training else "TEST"
    return diff_graphs(graph(first, phase), graph(second, phase), training=training)


BASE = INPUT + conv("data", "a", "kernel_size: 3 pad: 1") + layer("ReLU", "a", "b") + conv("b", "c")

SAME = {
    "itself": BASE,
    "other-names": BASE.replace('"a"', '"conv_1"').replace('"b"', '"act_1"').replace('"data"', '"image"'),
    "in-place": INPUT + conv("data", "a", "kernel_size: 3 pad: 1") + layer("ReLU", "a", "a", name="r") + conv("a", "c"),
    "defaults-written-out": BASE.replace("kernel_size: 3 pad: 1", "kernel_size: 3 pad: 1 stride: 1 group: 1 axis: 1 bias_term: true"),
    "by-axis": BASE.replace("kernel_size: 3 pad: 1", "kernel_h: 3 kernel_w: 3 pad_h: 1 pad_w: 1"),
    "negative-axis": BASE.replace("kernel_size: 3 pad: 1", "kernel_size: 3 pad: 1 axis: -3"),
    "fillers": BASE.replace("pad: 1", 'pad: 1 weight_filler { type: "xavier" }'),
    "rates": BASE.replace("} }", "} param { lr_mult: 2 } }", 2),
    "dropout": INPUT + conv("data", "a", "kernel_size: 3 pad: 1") + layer("ReLU", "a", "b") + layer("Dropout", "b", "d") + conv("d", "c"),
    "split": INPUT + conv("data", "a", "kernel_size: 3 pad: 1") + layer("Split", "a", "s") + layer("ReLU", "s", "b") + conv("b", "c"),
    "old-version": (
        'input: "data" input_dim: 1 input_dim: 4 input_dim: 8 input_dim: 8\n'
        'layers { name: "a" type: CONVOLUTION bottom: "data" top: "a" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }\n'
        'layers { name: "b" type: RELU bottom: "a" top: "b" }\n'
        'layers { name: "c" type: CONVOLUTION bottom: "b" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }\n'
    ),
}  # fmt: skip


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_the_same(other):
    for found in (difference(BASE, other), difference(other, BASE)):
        assert found.equal
        assert found.same == 3


CHANGED = {
    "parameter": (BASE.replace("pad: 1", "pad: 2"), "a", ("pad", "[1, 1]", "[2, 2]")),
    "bias": (BASE.replace("pad: 1", "pad: 1 bias_term: false"), "a", ("bias_term", "true", "false")),
    "slope": (BASE.replace('top: "b"', 'top: "b" relu_param { negative_slope: 0.1 }'), "b", ("negative_slope", "0", "0.1")),
    "bottom": (BASE.replace('bottom: "b"', 'bottom: "a"'), "c", ("bottom 0", "from `b`", "from `a`")),
    "input": (BASE.replace("dim: 1 dim: 4", "dim: 2 dim: 4"), "data", ("shape", "[1, 4, 8, 8]", "[2, 4, 8, 8]")),
}  # fmt: skip


@pytest.mark.parametrize(("other", "name", "entry"), CHANGED.values(), ids=CHANGED)
def test_changed(other, name, entry):
    found = difference(BASE, other)
    assert not found.equal
    assert [(change.first, change.second) for change in found.changed] == [(name, name)]
    assert entry in found.changed[0].differences
    assert (found.only_first, found.only_second) == ((), ())


def test_one_cause_is_told_once():
    found = difference(BASE, BASE.replace("pad: 1", "pad: 2"))
    assert len(found.changed) == 1
    assert found.changed[0].differences == (("pad", "[1, 1]", "[2, 2]"),)
    assert found.same == 2


def test_a_layer_more():
    longer = BASE + layer("TanH", "c", "t")
    assert difference(BASE, longer).only_second == (("t", "TanH"),)
    assert difference(longer, BASE).only_first == (("t", "TanH"),)


def test_order_of_the_file():
    left = conv("data", "a") + conv("data", "b", "kernel_size: 3 pad: 1 stride: 2")
    right = conv("data", "b", "kernel_size: 3 pad: 1 stride: 2") + conv("data", "a")
    assert difference(INPUT + left, INPUT + right).equal


def test_a_sum_does_not_ask_for_the_order_but_for_the_coefficients():
    both = INPUT + conv("data", "a", "kernel_size: 1") + layer("TanH", "data", "b")
    assert difference(
        both + layer("Eltwise", "a b", "s"), both + layer("Eltwise", "b a", "s")
    ).equal
    minus = "eltwise_param {{ coeff: {} coeff: {} }}"
    first = both + layer("Eltwise", "a b", "s", minus.format(1, -1))
    assert difference(first, both + layer("Eltwise", "b a", "s", minus.format(-1, 1))).equal
    found = difference(first, both + layer("Eltwise", "b a", "s", minus.format(1, -1)))
    assert [change.first for change in found.changed] == ["s"]
    concat = difference(both + layer("Concat", "a b", "s"), both + layer("Concat", "b a", "s"))
    assert not concat.equal


def test_inputs_by_name_or_place():
    two = 'layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 1 dim: 4 } } }\n'
    apart = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }\n'
        'layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 1 dim: 4 } } }\n'
    )
    power = "power_param { scale: %d }"
    body = layer("Power", "x", "p", power % 2) + layer("Power", "y", "q", power % 3)
    assert difference(two + body, apart + body).equal
    renamed = (two + body).replace('"x"', '"u"').replace('"y"', '"v"')
    assert difference(two + body, renamed).equal
    crossed = (
        body.replace('bottom: "x"', 'bottom: "z"')
        .replace('bottom: "y"', 'bottom: "x"')
        .replace('"z"', '"y"')
    )
    assert not difference(two + body, two + crossed).equal


def test_what_training_looks_at():
    filled = BASE.replace("pad: 1", 'pad: 1 weight_filler { type: "xavier" }')
    found = difference(BASE, filled, training=True)
    assert [change.differences[0][0] for change in found.changed] == ["weight_filler"]
    slow = BASE.replace("pad: 1 } ", "pad: 1 } param { lr_mult: 0 }")
    found = difference(BASE, slow, training=True)
    assert found.changed[0].differences == (("lr_mult", "[1, 1]", "[0, 1]"),)
    assert difference(BASE, BASE, training=True).equal
    dropped = SAME["dropout"]
    assert difference(BASE, dropped, training=True).only_second == (("d", "Dropout"),)


def test_shared_weights():
    twins = (
        INPUT
        + conv("data", "a", rest='param { name: "w" }')
        + conv("data", "b", rest='param { name: "%s" }')
    )
    found = difference(twins % "w", twins % "v")
    assert [(c.first, c.differences) for c in found.changed] == [
        ("b", (("blob 0 shared with", "yes", "no"),))
    ]
    assert difference(twins % "w", (twins % "w").replace('"w"', '"other"')).equal


def test_layers_of_forks_by_their_text():
    pooled = INPUT + layer("OfAFork", "data", "r", "of_a_fork_param { pooled_w: %d }")
    assert difference(pooled % 7, (pooled % 7).replace("{ pooled_w", "{\n  pooled_w")).equal
    assert difference(pooled % 7, pooled % 7).equal
    found = difference(pooled % 7, pooled % 6)
    assert found.changed[0].differences == (
        ("of_a_fork_param", "of_a_fork_param { pooled_w: 7 }", "of_a_fork_param { pooled_w: 6 }"),
    )


def test_fields_of_forks_that_are_not_computed():
    pooled = INPUT + layer("Pooling", "data", "p", "pooling_param { kernel_size: 2 pool: AVE %s }")
    assert difference(pooled % "", pooled % "avg_include_pad: true").equal
    found = difference(pooled % "", pooled % "avg_include_pad: false")
    assert [what for what, *_ in found.changed[0].differences] == ["avg_include_pad"]


def test_a_dropout_that_scales_in_test_is_a_layer():
    dropped = INPUT + layer("Dropout", "data", "d", "dropout_param { scale_train: %s }")
    assert difference(dropped % "true", INPUT).equal
    found = difference(dropped % "true", dropped % "false")
    assert [(one.name, one.type) for one in found.only_second] == [("d", "Dropout")]


def test_layers_whose_bottoms_are_not_known():
    data = (
        'layer { name: "d" type: "Data" top: "data" data_param { source: "db" batch_size: 4 } }\n'
    )
    assert difference(
        data + conv("data", "a"), data + conv("data", "a", "kernel_h: 3 kernel_w: 3")
    ).equal
    found = difference(data + conv("data", "a"), data + conv("data", "a", "kernel_size: 5"))
    assert ("kernel", "[3, 3]", "[5, 5]") in found.changed[0].differences


@pytest.mark.parametrize("path", sorted((GOLDEN / "nets").glob("*.prototxt")), ids=lambda p: p.stem)
def test_golden_nets_with_themselves_and_renamed(path):
    text = path.read_text(encoding="utf-8")
    first = graph(text)
    assert diff_graphs(first, first).equal
    renamed = graph(text.replace('name: "', 'name: "my_'))
    assert diff_graphs(first, renamed).equal


def test_large_nets_are_matched_in_turn():
    def chain(count, kernel, name):
        blobs = ["data", *(f"{name}{index}" for index in range(count))]
        window = f"kernel_size: {kernel} pad: {kernel // 2}"
        return INPUT + "".join(conv(*pair, window) for pair in pairwise(blobs))

    found = difference(chain(600, 1, "a"), chain(601, 3, "b"))
    assert [(one.first, one.second) for one in found.changed[:2]] == [("a0", "b0"), ("a1", "b1")]
    assert len(found.changed) == 600
    assert [one.name for one in found.only_second] == ["b600"]
