"""Eltwise, Scale and Bias: which blobs go together, and along which axes."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost

DATA = (2, 3, 4, 5)


def test_eltwise_facts(layer):
    found = layer("Eltwise", [DATA] * 3)
    assert (found.operation, found.coeffs, found.stable_prod_grad) == ("SUM", (1, 1, 1), True)
    assert found.top_shapes == (DATA,)
    assert found.cost() == Cost(0, 240)


def test_eltwise_coefficients_cost_multiplications(layer):
    found = layer("Eltwise", [DATA] * 2, "eltwise_param { coeff: [1, -2] }")
    assert found.coeffs == (1, -2)
    assert found.cost() == Cost(240)


@pytest.mark.parametrize(
    ("bottoms", "text", "severity", "name", "message", "place"),
    [
        pytest.param(
            [(2, 12), (2, 3, 4)], "", "error", "eltwise-shapes-differ",
            "the bottoms of Eltwise have one shape; bottom 0 is [2, 12], bottom 1 is [2, 3, 4]",
            'bottom: "b1"', id="shapes",
        ),
        pytest.param(
            [DATA] * 2, "coeff: 1", "error", "coeff-count", "`coeff` has 1 value for 2 bottoms",
            "coeff: 1", id="one coefficient",
        ),
        pytest.param(
            [DATA] * 2, "coeff: [1, 2, 3]", "error", "coeff-count",
            "`coeff` has 3 values for 2 bottoms", "1", id="three coefficients",
        ),
        pytest.param(
            [DATA] * 2, "operation: PROD coeff: 1 coeff: 2", "error", "coeff-without-sum",
            "`coeff` is set, but a product takes none; a SUM does", "coeff: 1", id="product",
        ),
        pytest.param(
            [DATA] * 2, "operation: MAX coeff: 1 coeff: 2", "warning", "coeff-without-sum",
            "`coeff` has no effect on a maximum", "coeff: 1", id="maximum",
        ),
    ],
)  # fmt: skip
def test_eltwise_findings(finding, bottoms, text, severity, name, message, place):
    found = finding("Eltwise", bottoms, f"eltwise_param {{ {text} }}")
    assert found == (severity, name, message, place)


@pytest.mark.parametrize(
    ("operation", "phase", "names"),
    [
        pytest.param("SUM", "TEST", ["in-place-overwrites-input"], id="SUM"),
        pytest.param("MAX", "TEST", ["in-place-overwrites-input"], id="MAX"),
        pytest.param("PROD", "TEST", [], id="PROD in TEST"),
        pytest.param("PROD", "TRAIN", ["in-place-gradient-wrong"], id="PROD in TRAIN"),
    ],
)
def test_eltwise_in_place(layer, operation, phase, names):
    text = f'top: "b0" eltwise_param {{ operation: {operation} }}'
    found = layer("Eltwise", [DATA] * 2, text, tops=0, phase=phase)
    assert [d.name for d in found.report] == names


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
@pytest.mark.parametrize(
    ("text", "axis", "operand"),
    [
        pytest.param("", 1, (3,), id="default"),
        pytest.param("axis: 0", 0, (2,), id="axis 0"),
        pytest.param("axis: 2 num_axes: 2", 2, (4, 5), id="two axes"),
        pytest.param("axis: -3 num_axes: -1", 1, (3, 4, 5), id="to the end"),
        pytest.param("num_axes: 0", 0, (), id="one number"),
    ],
)
def test_a_learned_operand(layer, kind, text, axis, operand):
    found = layer(kind, [DATA], f"{kind.lower()}_param {{ {text} }}")
    assert (found.axis_index, found.operand_shape, found.from_bottom) == (axis, operand, False)
    (blob,) = found.blobs
    assert (blob.name, blob.shape) == (kind.lower(), operand)
    assert (blob.filler.type, blob.filler.value) == ("constant", 1 if kind == "Scale" else 0)
    assert found.top_shapes == (DATA,)


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
@pytest.mark.parametrize(
    ("bottom", "text", "axis"),
    [
        pytest.param((3,), "", 1, id="default"),
        pytest.param((2, 3), "axis: 0", 0, id="two axes"),
        pytest.param((), "axis: 9", 0, id="one number, whatever the axis"),
        pytest.param((3,), "num_axes: 7", 1, id="num_axes is not looked at"),
    ],
)
def test_an_operand_from_a_bottom(layer, kind, bottom, text, axis):
    found = layer(kind, [DATA, bottom], f"{kind.lower()}_param {{ {text} }}")
    assert (found.axis_index, found.operand_shape, found.from_bottom) == (axis, bottom, True)
    assert found.blobs == ()
    assert list(found.report) == []


@pytest.mark.parametrize(
    ("bottoms", "text", "names", "shape"),
    [
        pytest.param([DATA], "", ["scale", "bias"], (3,), id="learned factors"),
        pytest.param([DATA, (3, 4)], "", ["bias"], (3, 4), id="factors from a bottom"),
        pytest.param([DATA], "num_axes: 0", ["scale", "bias"], (), id="one number"),
    ],
)
def test_scale_with_a_bias(layer, bottoms, text, names, shape):
    found = layer("Scale", bottoms, f"scale_param {{ bias_term: true {text} }}")
    assert [(blob.name, blob.shape) for blob in found.blobs] == [(name, shape) for name in names]
    assert found.cost() == Cost(120)


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message", "place"),
    [
        pytest.param(
            "Scale", [DATA, (4,)], "", "operand-shape-differs",
            "the scale is [4], but the first bottom is [3] from axis 1 on", 'bottom: "b1"', id="shape",
        ),
        pytest.param(
            "Bias", [DATA, (5, 1)], "bias_param { axis: 3 }", "operand-shape-differs",
            "the bias is [5, 1], but the first bottom is [5] from axis 3 on", 'bottom: "b1"', id="past the end",
        ),
        pytest.param(
            "Scale", [DATA], "scale_param { axis: 3 num_axes: 2 }", "num-axes-out-of-range",
            "`num_axes` (2) from axis 3 on goes past the bottom's 4 axes", "num_axes: 2", id="num_axes",
        ),
        pytest.param(
            "Bias", [DATA], "bias_param { num_axes: -2 }", "num-axes-out-of-range",
            "`num_axes` is -2; it counts axes, or is -1 for all", "num_axes: -2", id="num_axes -2",
        ),
        pytest.param(
            "Scale", [(5,)], "", "axis-out-of-range", "`axis` is 1, but the bottom has 1 axis", '"Scale"',
            id="axis",
        ),
        pytest.param(
            "Scale", [(5,), ()], "scale_param { bias_term: true }", "axis-out-of-range",
            "`axis` is 1, but the bottom has 1 axis", "scale_param { bias_term: true }",
            id="the axis of the bias of one number",
        ),
        pytest.param(
            "Bias", [(2, 3, 0)], "", "empty-bottom",
            "the bottom is [2, 3, 0]; Bias can't be set up without values", 'bottom: "b0"', id="no values",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottoms, text, name, message, place):
    assert finding(kind, bottoms, text) == ("error", name, message, place)
