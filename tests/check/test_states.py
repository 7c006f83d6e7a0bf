"""Which states of a net are checked, and what is said once for all of them."""

import pytest

from caffegen.check import Options, check_source
from caffegen.text import Source

BODY = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'


def data(rules, name="data", dims=(8, 3)):
    shape = " ".join(f"dim: {dim}" for dim in dims)
    return (
        f'layer {{ name: "{name}" type: "DummyData" top: "{name}" {rules} '
        f"dummy_data_param {{ shape {{ {shape} }} }} }}\n"
    )


def check(text, **options):
    return check_source(Source(text), Options(**options))


def names(text, **options):
    return [found.name for found in check(text, **options).diagnostics]


def test_a_net_of_one_phase_is_not_held_against_the_other():
    text = data("include { phase: TRAIN }") + BODY
    checked = check(text)
    assert checked.diagnostics == []
    assert list(checked.shapes) == ["TRAIN"]
    # unless someone asks
    assert names(text, phases=("TEST",)) == ["unknown-bottom"]


def test_a_phase_that_a_layer_is_included_for_is_meant():
    accuracy = 'layer { name: "a" type: "TanH" bottom: "relu" top: "a" include { phase: TEST } }\n'
    checked = check(data("include { phase: TRAIN }") + BODY + accuracy)
    (found,) = checked.diagnostics
    assert found.message == "no layer before `relu` makes the blob `data` in TEST"
    assert found.help == "`data` makes it, but its rules leave it out of TEST"
    assert found.other[1] == "it is made here, in another state"
    assert found.other[0].text == 'top: "data"'


def test_data_that_is_never_there():
    assert names(data('include { stage: "x" not_stage: "x" }') + BODY) == ["unknown-bottom"]


def test_stages_that_bring_the_data_are_tried():
    text = (
        data("include { phase: TRAIN }", dims=(64, 3))
        + data('include { phase: TEST stage: "easy" }', dims=(50, 3))
        + data('include { phase: TEST stage: "hard" min_level: 1 }', dims=(20, 3))
        + BODY
    )
    checked = check(text)
    assert checked.diagnostics == []
    assert {state: blobs["relu"] for state, blobs in checked.shapes.items()} == {
        "TRAIN": (64, 3), "TEST+easy": (50, 3), "TEST+hard@1": (20, 3),
    }  # fmt: skip
    # a stage that is given is the one that is meant
    assert list(check(text, stages=("easy",)).shapes) == ["TRAIN+easy", "TEST+easy"]


def test_given_stages_are_taken_as_they_are():
    text = data('include { stage: "easy" }') + BODY
    checked = check(text, stages=("easy",))
    assert list(checked.shapes) == ["TRAIN+easy", "TEST+easy"]
    assert names(text, stages=("hard",)) == ["unknown-bottom"]


def test_a_layer_left_out_by_mistake_is_found():
    text = (
        data("")
        + BODY.replace("top:", "include { phase: TRAIN } top:")
        + 'layer { name: "tanh" type: "TanH" bottom: "relu" top: "tanh" }\n'
    )
    (found,) = check(text).diagnostics
    assert found.message == "no layer before `tanh` makes the blob `relu` in TEST"


def test_faults_of_both_phases_are_told_once():
    text = data("") + 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" }\n'
    assert names(text) == ["num-output-zero"]


def test_faults_that_only_the_batches_tell_apart_are_told_once():
    slices = 'layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b" }\n'
    text = (
        data("include { phase: TRAIN }", dims=(64, 3))
        + data("include { phase: TEST }", dims=(50, 3))
        + slices
    )
    assert names(text) == ["slice-uneven"]


class TestPhases:
    def both(self, train, test, body):
        return (
            data("include { phase: TRAIN }", dims=train)
            + data("include { phase: TEST }", dims=test)
            + body
        )

    ip = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }\n'

    def test_batches_may_differ(self):
        assert names(self.both((64, 3), (50, 3), self.ip)) == []

    def test_weights_may_not(self):
        (found,) = [
            d
            for d in check(self.both((64, 3), (50, 4), self.ip)).diagnostics
            if d.severity == "error"
        ]
        assert found.name == "phase-weights-differ"
        assert found.message == "the weight of `ip` is [5, 3] in TRAIN and [5, 4] in TEST"

    def test_a_shape_that_differs_is_told_where_it_begins(self):
        relu = BODY + 'layer { name: "tanh" type: "TanH" bottom: "relu" top: "relu" }\n'
        (found,) = check(self.both((64, 3, 8), (64, 3, 6), relu)).diagnostics
        assert (found.name, found.severity, found.layer) == (
            "phase-shapes-differ",
            "warning",
            "data",
        )
        assert found.message == "`data` is [64, 3, 8] in TRAIN and [64, 3, 6] in TEST"

    def test_a_layer_in_place_inherits(self):
        relu = BODY.replace('top: "relu"', 'top: "data"')
        (found,) = check(self.both((64, 3, 8), (64, 3, 6), relu)).diagnostics
        assert found.layer == "data"

    def test_numbers_of_blobs(self):
        ip = self.ip.replace("num_output: 5", "num_output: 5 bias_term: %s").replace(
            "top:", "include { phase: %s } top:"
        )
        text = data("") + ip % ("TRAIN", "true") + ip % ("TEST", "false")
        (found,) = check(text).diagnostics
        assert found.message == "`ip` has 2 weight blobs in TRAIN and 1 in TEST"


def test_expected_blobs_of_one_phase():
    text = data("") + BODY.replace("top:", "include { phase: TEST } top:")
    assert names(text, expect={"relu": (8, 3)}) == []
    (found,) = check(text, expect={"relu": (4, 3)}).diagnostics
    assert found.message == "`relu` was expected to be [4, 3], it is [8, 3] in TEST"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", 'name: "n"\n'], ids=["empty", "comment", "name"]
)
def test_empty_nets(text):
    assert names(text) == []
