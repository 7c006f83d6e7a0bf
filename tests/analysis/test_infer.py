"""The walk over a net: what of a layer is checked when its bottoms are not known, or do not fit."""

from __future__ import annotations

import pytest

from caffegen import layer_types
from caffegen.check import Options, check_source
from caffegen.layer_types import BlobSpec, Definition
from caffegen.text import Source

DATA = 'layer { name: "d" type: "Data" top: "a" data_param { source: "x" batch_size: 2 } }\n'
INPUT = 'layer { name: "d" type: "Input" top: "a" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }\n'


def errors(layer, source=DATA):
    found = check_source(Source(source + layer), Options()).diagnostics
    return [(d.name, d.message) for d in found if d.severity == "error"]


@pytest.mark.parametrize("source", [DATA, INPUT], ids=["unknown", "known"])
@pytest.mark.parametrize(
    ("kind", "text", "blobs"),
    [
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", 2),
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 bias_term: false }", 1),
        ("InnerProduct", "inner_product_param { num_output: 4 }", 2),
        ("Embed", "embed_param { num_output: 4 input_dim: 9 bias_term: false }", 1),
        ("Scale", "scale_param { bias_term: true }", 2),
        ("Bias", "", 1),
        ("PReLU", "", 1),
        ("BatchNorm", "", 3),
        ("Pooling", "pooling_param { kernel_size: 2 }", 0),
        ("ReLU", "", 0),
    ],
    ids=lambda value: value if str(value).isalpha() else "",
)
def test_the_number_of_params_needs_no_shape(source, kind, text, blobs):
    layer = f'layer {{ name: "l" type: "{kind}" bottom: "a" top: "t" {text} %s }}'
    assert errors(layer % ("param { lr_mult: 0 } " * blobs), source) == []
    noun = f"{blobs or 'no'} weight blob{'' if blobs == 1 else 's'}"
    plural = "" if blobs == 0 else "s"
    assert errors(layer % ("param { lr_mult: 0 } " * (blobs + 1)), source) == [
        ("too-many-params", f"`l` has {blobs + 1} `param` block{plural} for {noun}")
    ]


def test_the_blobs_of_a_python_layer_are_known_to_its_code_alone():
    python = 'type: "Python" python_param { module: "m" layer: "L" }'
    assert errors(f'layer {{ name: "l" bottom: "a" top: "t" param {{ }} {python} }}') == []


class Own(Definition):
    """A plug-in's, which has one blob and does not say so before it sees its bottom."""

    type = "Own"

    def shapes(self, bottoms):
        self.blobs = (BlobSpec("weight", bottoms[0]),)
        return bottoms


def test_a_plug_in_may_have_more_blobs_than_it_says(monkeypatch):
    monkeypatch.setitem(layer_types._CLASSES, "Own", Own)
    layer = 'layer { name: "l" type: "Own" bottom: "a" top: "t" param { } param { } }'
    assert errors(layer) == []
    assert errors(layer, INPUT) == [
        ("too-many-params", "`l` has 2 `param` blocks for 1 weight blob")
    ]


def test_a_layer_that_is_refused_is_held_against_its_params():
    layer = (
        'layer { name: "l" type: "InnerProduct" bottom: "a" top: "t" param { } param { } param { } '
        'inner_product_param { num_output: 0 axis: -9 weight_filler { type: "xaver" } } }'
    )
    assert [name for name, _ in errors(layer, INPUT)] == [
        "too-many-params", "num-output-zero", "axis-out-of-range", "unknown-filler",
    ]  # fmt: skip
    assert [name for name, _ in errors(layer)] == [
        "too-many-params", "num-output-zero", "unknown-filler",
    ]  # fmt: skip


def test_what_bottoms_and_tops_do_not_touch_is_told_where_their_number_is_wrong():
    layer = (
        'layer { name: "l" type: "Convolution" bottom: "a" top: "t" top: "u" '
        "convolution_param { num_output: 4 kernel_size: 3 stride: 0 } }"
    )
    assert [name for name, _ in errors(layer, INPUT)] == ["wrong-number-of-tops", "stride-zero"]


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        pytest.param(
            "Eltwise", "eltwise_param { allow_single_batch_input: true coeff: 1 coeff: 2 }",
            ["coeff-count"], id="coefficients",
        ),
        pytest.param(
            "Convolution",
            "convolution_param { num_output: 0 kernel_size: 3 filter_stride: 2 stride: 0 }",
            ["num-output-zero", "stride-zero"], id="a convolution",
        ),
        pytest.param("Pooling", "pooling_param { bin_size: 2 }", [], id="the kernel is not needed"),
        pytest.param(
            "BatchNorm", "batch_norm_param { filler { } } " + "param { lr_mult: 0 } " * 4, [],
            id="blobs of a fork",
        ),
    ],
)  # fmt: skip
def test_beside_a_field_that_is_not_computed(kind, text, names):
    bottoms = 'bottom: "a" ' * (3 if kind == "Eltwise" else 1)
    layer = f'layer {{ name: "l" type: "{kind}" {bottoms} top: "t" {text} }}'
    assert [name for name, _ in errors(layer, INPUT)] == names


@pytest.mark.parametrize(
    ("filler", "names"),
    [
        ('tipe: "gaussian" sparse: 2', ["unknown-field"]),
        ("type: 3 sparse: 2", ["wrong-type"]),
        ('type: "xaver" sparce: 2', ["unknown-field", "unknown-filler"]),
    ],
)
def test_what_follows_from_an_unread_filler_is_no_news(filler, names):
    layer = (
        'layer { name: "l" type: "InnerProduct" bottom: "a" top: "t" '
        f"inner_product_param {{ num_output: 4 weight_filler {{ {filler} }} }} }}"
    )
    assert sorted(name for name, _ in errors(layer)) == names
    assert sorted(name for name, _ in errors(layer, INPUT)) == names


def test_words_of_a_fork_in_a_repeated_field():
    layer = (
        'layer { name: "x" type: "Resize" bottom: "a" top: "t" resize_param { interp_mode: AREA } }'
    )
    assert errors(layer, INPUT) == [("required-field-missing", "Resize needs `height`")]


def test_a_bottom_without_axes_has_no_items():
    source = (
        'layer { name: "d" type: "Input" top: "z" top: "n" '
        "input_param { shape { } shape { dim: 3 } } }\n"
    )
    layer = 'layer { name: "l" type: "BatchReindex" bottom: "z" bottom: "n" top: "t" }'
    assert errors(layer, source) == [
        ("wrong-number-of-axes", "BatchReindex takes 1 axes or more; the bottom is []")
    ]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param(
            "", [("bottom-counts-differ", "an item has 192 values, a row of bottom 1 has 1")],
            id="no axes",
        ),
        pytest.param(
            "dim: 5 dim: 9", [("bottom-counts-differ", "an item has 192 values, a row of bottom 1 has 9")],
            id="rows too short",
        ),
        pytest.param(
            "dim: 1 dim: 192 dim: 1 dim: 1 dim: 1",
            [("more-than-four-axes",
              "InnerProduct takes blobs of up to 4 axes; the bottom has 5")], id="five axes",
        ),
        pytest.param("dim: 5 dim: 192", [], id="rows that fit"),
    ],
)  # fmt: skip
def test_a_weight_as_a_bottom(shape, expected):
    source = INPUT + (
        f'layer {{ name: "w" type: "Input" top: "w" input_param {{ shape {{ {shape} }} }} }}\n'
        # a layer of happynear's makes the second bottom one of its own
        'layer { name: "f" type: "Flip" bottom: "a" top: "f" }\n'
    )
    layer = (
        'layer { name: "l" type: "InnerProduct" bottom: "a" bottom: "w" top: "t" '
        "inner_product_param { bias_term: false } }"
    )
    assert errors(layer, source) == expected
