"""The losses: their facts resolved, and what they refuse or warn of."""

from __future__ import annotations

import pytest

from caffegen.layer_types import definition_class

SCORES = [(4, 5, 2), (4, 2)]
PAIRS = [(4, 5), (4, 5), (4,)]
LOSSES = [
    "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss", "SoftmaxWithLoss",
]  # fmt: skip


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_counts_in_the_loss_and_may_lack_its_top(kind):
    found = definition_class(kind)
    assert found.loss
    assert found.auto_top
    assert not found.in_place


def test_an_automatic_top_has_no_axes(layer):
    found = layer("EuclideanLoss", [(4, 6), (4, 6)], tops=0)
    assert found.top_shapes == ((),)


@pytest.mark.parametrize(
    ("kind", "text", "normalization"),
    [
        pytest.param("SoftmaxWithLoss", "", "VALID", id="softmax"),
        pytest.param("SoftmaxWithLoss", "normalize: false", "BATCH_SIZE", id="softmax, old false"),
        pytest.param("SoftmaxWithLoss", "normalize: true", "VALID", id="softmax, old true"),
        pytest.param("SoftmaxWithLoss", "normalization: NONE", "NONE", id="softmax, given"),
        pytest.param("SigmoidCrossEntropyLoss", "", "BATCH_SIZE", id="sigmoid"),
        pytest.param("SigmoidCrossEntropyLoss", "normalize: true", "VALID", id="sigmoid, old true"),
        pytest.param("SigmoidCrossEntropyLoss", "normalization: FULL", "FULL", id="sigmoid, given"),
        pytest.param("InfogainLoss", "", "VALID", id="infogain"),
    ],
)
def test_normalization_is_resolved(layer, kind, text, normalization):
    bottoms = [(4, 5), (4, 5)] if kind == "SigmoidCrossEntropyLoss" else [(4, 5), (4,)]
    bottoms += [(5, 5)] if kind == "InfogainLoss" else []
    found = layer(kind, bottoms, f"loss_param {{ {text} ignore_label: -1 }}")
    assert list(found.report) == []
    assert (found.normalization, found.ignore_label) == (normalization, -1)


def test_the_old_normalize_beside_the_new_has_no_effect(finding):
    text = "loss_param { normalize: true normalization: FULL }"
    assert finding("SoftmaxWithLoss", SCORES, text) == (
        "warning", "normalize-and-normalization",
        "`normalize` has no effect beside `normalization`", "normalize: true",
    )  # fmt: skip


def test_softmax_facts(layer):
    text = "softmax_param { axis: -2 } loss_weight: 1 loss_weight: 0"
    found = layer("SoftmaxWithLoss", SCORES, text, tops=2)
    assert found.top_shapes == ((), (4, 5, 2))
    assert (found.axis_index, found.classes, found.outer_count, found.inner_count) == (1, 5, 4, 2)
    assert found.prob_top
    assert found.ignore_label is None


def test_infogain_takes_its_axis_and_its_matrix_file_from_its_own_parameters(layer):
    text = 'infogain_loss_param { source: "H.binaryproto" axis: 0 } softmax_param { axis: 5 }'
    found = layer("InfogainLoss", [(4, 4), (4,)], text)
    assert list(found.report) == []
    assert (found.axis_index, found.classes, found.source) == (0, 4, "H.binaryproto")


def test_the_facts_of_hinge_and_contrastive(layer):
    hinge = layer("HingeLoss", [(3, 2, 2, 2), (3,)], "hinge_loss_param { norm: L2 }")
    assert (hinge.norm, hinge.classes) == ("L2", 8)
    text = "contrastive_loss_param { margin: 2.5 legacy_version: true }"
    contrastive = layer("ContrastiveLoss", PAIRS, text)
    assert (contrastive.margin, contrastive.legacy_version, contrastive.features) == (2.5, True, 5)


REFUSED = [
    pytest.param(
        "SoftmaxWithLoss", [(4, 5), (3,)], "", "batch-sizes-differ",
        "the bottoms of SoftmaxWithLoss have one first size; bottom 0 has 4, bottom 1 has 3",
        'bottom: "b1"', id="batch",
    ),
    pytest.param(
        "HingeLoss", [(4, 5), ()], "", "axis-out-of-range",
        "bottom 1 of HingeLoss has no axes; it needs one for the batch", 'bottom: "b1"',
        id="no batch",
    ),
    pytest.param(
        "SoftmaxWithLoss", [(4, 5, 2), (4,)], "", "label-count-differs",
        "bottom 1 has 4 labels for 8 predictions", 'bottom: "b1"', id="labels",
    ),
    pytest.param(
        "EuclideanLoss", [(4, 6), (4, 5)], "", "bottom-counts-differ",
        "the bottoms have as many values per item; bottom 0 has 6, bottom 1 has 5",
        'bottom: "b1"', id="euclidean",
    ),
    pytest.param(
        "SigmoidCrossEntropyLoss", [(4, 6), (4, 5)], "", "bottom-counts-differ",
        "every score takes a target; bottom 0 has 24 values, bottom 1 has 20",
        'bottom: "b1"', id="sigmoid",
    ),
    pytest.param(
        "InfogainLoss", [(4, 5), (4,)], "", "infogain-matrix-missing",
        "an InfogainLoss needs its matrix as bottom 2 or from a file", '"InfogainLoss"', id="no matrix",
    ),
    pytest.param(
        "InfogainLoss", [(4, 5), (4,), (4, 4)], "", "infogain-matrix-size",
        "bottom 2 has 16 values; 5 classes take a matrix of 25", 'bottom: "b2"', id="matrix",
    ),
    pytest.param(
        "InfogainLoss", [(4, 5), (4,), (5, 5)], "loss_param { normalize: false }",
        "deprecated-normalize", "an InfogainLoss takes no `normalize`, only `normalization`",
        "normalize: false", id="old normalize",
    ),
    pytest.param(
        "MultinomialLogisticLoss", [(4, 5), (4, 2)], "", "label-not-one-per-item",
        "MultinomialLogisticLoss takes one label per item; bottom 1 is [4, 2]", 'bottom: "b1"',
        id="multinomial",
    ),
    pytest.param(
        "ContrastiveLoss", [(4, 5), (4, 6), (4,)], "", "bottom-counts-differ",
        "both sides have as many features; bottom 0 has 5, bottom 1 has 6", 'bottom: "b1"',
        id="features",
    ),
    pytest.param(
        "ContrastiveLoss", [(4, 5, 2), (4, 5, 2), (4,)], "", "features-not-flat",
        "ContrastiveLoss takes features as (N, C); bottom 0 is [4, 5, 2]", 'bottom: "b0"',
        id="features with height",
    ),
    pytest.param(
        "ContrastiveLoss", [(4, 5, 1, 1, 1), *PAIRS[1:]], "", "wrong-number-of-axes",
        "ContrastiveLoss takes blobs of up to 4 axes; bottom 0 has 5", 'bottom: "b0"',
        id="five axes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottoms", "text", "name", "message", "place"), REFUSED)
def test_a_loss_refuses(finding, kind, bottoms, text, name, message, place):
    assert finding(kind, bottoms, text) == ("error", name, message, place)


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message", "place"),
    [
        pytest.param(
            "EuclideanLoss", [(4, 5), (4, 5)], "loss_param { normalization: FULL }",
            "parameters-without-effect",
            "EuclideanLoss reads no `loss_param`; it normalises by the batch size alone",
            "loss_param { normalization: FULL }", id="loss_param",
        ),
        pytest.param(
            "SigmoidCrossEntropyLoss", [(4, 5), (4, 5)], "loss_param { ignore_label: 0 }",
            "ignore-label-zero",
            "`ignore_label` 0 drops every target below 1: targets are cut to integers",
            "ignore_label: 0", id="ignore_label 0",
        ),
        pytest.param(
            "HingeLoss", [(4, 5), (4, 2)], "", "label-not-one-per-item",
            "a HingeLoss reads one label per item; bottom 1 has 2, and the labels of later items "
            "are never seen", 'bottom: "b1"', id="hinge labels",
        ),
        pytest.param(
            "HingeLoss", [(4, 5, 1, 1, 1), (4,)], "", "wrong-number-of-axes",
            "Caffe sets up HingeLoss on 5 axes, and stops when it runs: it counts in 4",
            'bottom: "b0"', id="five axes",
        ),
        pytest.param(
            "ContrastiveLoss", [(4, 5), (4, 5), (3,)], "", "label-count-differs",
            "bottom 2 has 3 labels for 4 pairs; Caffe reads past its end", 'bottom: "b2"',
            id="contrastive labels",
        ),
    ],
)  # fmt: skip
def test_a_loss_warns(finding, kind, bottoms, text, name, message, place):
    assert finding(kind, bottoms, text) == ("warning", name, message, place)


def test_two_tops_need_two_loss_weights(layer):
    found = layer("InfogainLoss", [*SCORES, (5, 5)], tops=2)
    (error,) = found.report
    assert (error.name, error.span.text) == ("loss-weight-count", 'top: "t1"')
    assert error.message == "InfogainLoss with 2 tops takes 2 loss weights, `l` gives none"
    assert error.help == "add `loss_weight: 1 loss_weight: 0`"
    assert found.top_shapes == ((), (4, 5, 2))


@pytest.mark.parametrize("weights", ["", "loss_weight: 1 loss_weight: 0"])
def test_softmax_with_loss_takes_no_second_top(layer, weights):
    """Caffe's layer gives its weights to the softmax inside, which has one top."""
    (error,) = layer("SoftmaxWithLoss", SCORES, weights, tops=2).report
    assert (error.name, error.span.text) == ("loss-weight-count", 'top: "t1"')
    assert error.message == (
        "SoftmaxWithLoss takes no second top: with two loss weights the softmax inside is refused, "
        "with fewer the layer itself"
    )
    assert error.help == "remove the top; a Softmax layer gives the probabilities"


@pytest.mark.parametrize(
    ("kind", "severity", "name"),
    [
        pytest.param("EuclideanLoss", "error", "unsupported-in-place", id="refused"),
        pytest.param("HingeLoss", "warning", "in-place-overwrites-input", id="set up, never run"),
    ],
)
def test_a_loss_over_its_scores(finding, kind, severity, name):
    found = finding(kind, [(4, 1), (4, 1)], 'top: "b0"', tops=0)
    assert (found[0], found[1], found[3]) == (severity, name, 'top: "b0"')
