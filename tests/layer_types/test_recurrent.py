"""LSTM, RNN and LSTMUnit: their weight blobs, their states, and what they refuse."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost
from caffegen.loader import examine
from caffegen.text import Source

SEQUENCE = [(7, 2, 5), (7, 2)]
STATIC = (2, 3, 3)
STATE = (1, 2, 4)


def facts(num_output=4, rest=""):
    return f"recurrent_param {{ num_output: {num_output} {rest} }}"


@pytest.mark.parametrize(
    ("kind", "bottoms", "blobs"),
    [
        pytest.param(
            "LSTM", SEQUENCE, {"W_xc": (16, 5), "b_c": (16,), "W_hc": (16, 4)}, id="lstm"
        ),
        pytest.param(
            "LSTM", [*SEQUENCE, STATIC],
            {"W_xc": (16, 5), "b_c": (16,), "W_xc_static": (16, 9), "W_hc": (16, 4)},
            id="lstm, static input",
        ),
        pytest.param(
            "RNN", SEQUENCE,
            {"W_xh": (4, 5), "b_h": (4,), "W_hh": (4, 4), "W_ho": (4, 4), "b_o": (4,)}, id="rnn",
        ),
        pytest.param(
            "RNN", [*SEQUENCE, STATIC],
            {
                "W_xh": (4, 5), "b_h": (4,), "W_xh_static": (4, 9), "W_hh": (4, 4),
                "W_ho": (4, 4), "b_o": (4,),
            },
            id="rnn, static input",
        ),
    ],
)  # fmt: skip
def test_weight_blobs_come_in_the_order_of_the_unrolled_net(layer, kind, bottoms, blobs):
    fillers = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'
    found = layer(kind, bottoms, facts(rest=fillers))
    assert {blob.name: blob.shape for blob in found.blobs} == blobs
    assert [blob.name for blob in found.blobs] == list(blobs)
    for blob in found.blobs:
        assert blob.filler.type == ("uniform" if blob.name.startswith("b_") else "xavier")
    assert (found.timesteps, found.streams, found.input_size) == (7, 2, 5)
    assert found.static_input == (len(bottoms) > 2)
    assert found.static_size == (9 if found.static_input else 0)
    assert found.top_shapes == ((7, 2, 4),)


@pytest.mark.parametrize(
    ("kind", "states"), [pytest.param("LSTM", 2, id="lstm"), pytest.param("RNN", 1, id="rnn")]
)
@pytest.mark.parametrize("static", [[], [STATIC]], ids=["no static input", "static input"])
def test_exposed_states_are_the_last_bottoms_and_tops(layer, kind, states, static):
    bottoms = [*SEQUENCE, *static, *[STATE] * states]
    found = layer(kind, bottoms, facts(rest="expose_hidden: true"), tops=1 + states)
    assert list(found.report) == []
    assert found.static_input == bool(static)
    assert found.top_shapes == ((7, 2, 4), *[STATE] * states)


def test_input_axes_behind_the_second_are_taken_as_one(layer):
    found = layer("LSTM", [(7, 2, 5, 3), (7, 2)], facts())
    assert found.input_size == 15


def test_costs(layer):
    lstm = layer("LSTM", SEQUENCE, facts())
    assert lstm.cost() == Cost(14 * (16 * 5 + 16 * 4), 14 * (2 * 16 + 11 * 4))
    rnn = layer("RNN", SEQUENCE, facts())
    assert rnn.cost() == Cost(14 * (4 * 5 + 2 * 4 * 4), 14 * 4 * 6)
    unit = layer("LSTMUnit", [(1, 3, 4), (1, 3, 16), (1, 3)], tops=2)
    assert unit.cost() == Cost(0, 120)


REFUSED = [
    pytest.param(
        "LSTM", SEQUENCE, "", 1, "num-output-zero", "`LSTM` needs a `num_output` of at least 1",
        '"LSTM"', id="num_output",
    ),
    pytest.param(
        "LSTM", [*SEQUENCE, STATIC, STATIC], facts(), 1, "wrong-number-of-bottoms",
        "LSTM without `expose_hidden` takes 2 to 3 bottoms, `l` has 4", 'bottom: "b3"',
        id="bottoms",
    ),
    pytest.param(
        "RNN", SEQUENCE, facts(), 2, "wrong-number-of-tops",
        "RNN without `expose_hidden` takes 1 top, `l` has 2", 'top: "t1"', id="tops",
    ),
    pytest.param(
        "LSTM", [*SEQUENCE, STATE, STATE], facts(rest="expose_hidden: true"), 1,
        "wrong-number-of-tops", "LSTM with `expose_hidden` takes 3 tops, `l` has 1", 'top: "t0"',
        id="tops, exposed",
    ),
    pytest.param(
        "RNN", [(7, 2), (7, 2)], facts(), 1, "wrong-number-of-axes",
        "bottom 0 of RNN is (time, streams, values...); it has 2 axes", 'bottom: "b0"',
        id="two axes",
    ),
    pytest.param(
        "LSTM", [(7, 2, 5), (2, 7)], facts(), 1, "indicators-shape-differs",
        "bottom 1 of LSTM is (time, streams) = [7, 2], not [2, 7]", 'bottom: "b1"',
        id="indicators",
    ),
    pytest.param(
        "LSTM", [(7, 2, 0), (7, 2)], facts(), 1, "empty-bottom",
        "the bottom is [7, 2, 0]; LSTM can't be set up without values", 'bottom: "b0"', id="no values",
    ),
    pytest.param(
        "LSTM", [*SEQUENCE, (3, 4)], facts(), 1, "static-input-shape",
        "bottom 2 of LSTM is (streams, values...) with 2 streams, not [3, 4]", 'bottom: "b2"',
        id="static input",
    ),
    pytest.param(
        "RNN", [*SEQUENCE, (2, 0)], facts(), 1, "empty-weight-blob",
        "the blob `W_xh_static` is [4, 0]: Caffe can't fill it without values",
        "recurrent_param { num_output: 4  }", id="static input, empty",
    ),
    pytest.param(
        "RNN", [*SEQUENCE, (2, 4)], facts(rest="expose_hidden: true"), 2, "state-shape-differs",
        "bottom 2 holds the state `h_0` and must be [1, 2, 4], not [2, 4]", 'bottom: "b2"',
        id="state",
    ),
    pytest.param(
        "LSTMUnit", [(1, 3, 4), (1, 3, 16), (1, 3, 1)], "", 2, "wrong-number-of-axes",
        "bottom 2 of an LSTMUnit has 2 axes, not 3", 'bottom: "b2"', id="unit, axes",
    ),
    pytest.param(
        "LSTMUnit", [(1, 3, 4), (1, 3, 12), (1, 3)], "", 2, "lstm-unit-shapes-differ",
        "bottom 1 must be [1, 3, 16] beside a cell of 4 values for 3 streams; it is [1, 3, 12]",
        'bottom: "b1"', id="unit, gates",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottoms", "text", "tops", "name", "message", "place"), REFUSED)
def test_a_recurrent_layer_refuses(finding, kind, bottoms, text, tops, name, message, place):
    assert finding(kind, bottoms, text, tops=tops) == ("error", name, message, place)


def test_a_count_that_the_type_rules_out_is_reported_once():
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [7, 2, 5] } } }\n'
    text += (
        'layer { name: "l" type: "LSTM" bottom: "x" top: "h" recurrent_param { num_output: 4 } }'
    )
    (error,) = examine(Source(text)).report.errors
    assert error.message == "LSTM takes 2 to 5 bottoms, `l` has 1"
