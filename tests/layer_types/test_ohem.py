"""R-FCN's layers for hard examples: shapes, facts and refusals."""

from __future__ import annotations

import pytest

CHOICE = [(6, 5), (6,), (6, 1, 1, 1), (6, 8)]


def test_softmax_gives_the_loss_of_each_label(layer):
    text = "loss_weight: 1 loss_weight: 0 loss_weight: 0"
    found = layer("SoftmaxWithLossOHEM", [(6, 3), (6,)], text, tops=3)
    assert list(found.report) == []
    assert found.top_shapes == ((), (6, 3), (6,))
    assert found.loss


def test_softmax_with_more_tops_takes_as_many_weights(finding):
    assert finding("SoftmaxWithLossOHEM", [(6, 3), (6,)], tops=3)[:3] == (
        "error", "loss-weight-count",
        "SoftmaxWithLossOHEM with 3 tops takes 3 loss weights, `l` gives none",
    )  # fmt: skip


def test_smooth_l1_gives_the_loss_of_each_box(layer):
    text = "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 128 }"
    found = layer("SmoothL1LossOHEM", [(6, 8), (6, 8), (6, 8)], text, tops=2)
    assert list(found.report) == []
    assert found.top_shapes == ((), (6, 1, 1, 1))
    assert (found.normalization, found.pre_fixed_normalizer) == ("PRE_FIXED", 128)
    # its set-up does not call that of the losses (smooth_L1_loss_ohem_layer.cpp)
    assert not found.loss


def test_choice(layer):
    found = layer("BoxAnnotatorOHEM", CHOICE, "box_annotator_ohem_param { roi_per_img: 2 }", tops=2)
    assert list(found.report) == []
    assert found.top_shapes == ((6, 1, 1, 1), (6, 8, 1, 1))
    assert (found.roi_per_img, found.ignore_label) == (2, -1)


@pytest.mark.parametrize(
    ("bottoms", "number", "name", "message"),
    [
        pytest.param(
            CHOICE, 0, "roi-per-img-zero", "`roi_per_img` is 0; an image keeps at least 1 box",
            id="none",
        ),
        pytest.param(
            [CHOICE[0], (5,), *CHOICE[2:]], 2, "bottom-counts-differ",
            "bottom 1 of BoxAnnotatorOHEM is (N, 1, H, W) for N, H, W = 6, 1, 1; it is [5]",
            id="losses",
        ),
        pytest.param(
            [(6, 4), *CHOICE[1:]], 2, "bottom-counts-differ",
            "bottom 0 of BoxAnnotatorOHEM is (N, 5, H, W) for N, H, W = 6, 1, 1; it is [6, 4]",
            id="boxes",
        ),
    ],
)  # fmt: skip
def test_choice_refused(finding, bottoms, number, name, message):
    text = f"box_annotator_ohem_param {{ roi_per_img: {number} }}"
    assert finding("BoxAnnotatorOHEM", bottoms, text, tops=2)[:3] == ("error", name, message)
