"""SmoothL1Loss: which fork it is, by its own evidence, by the dialect, or by asking."""

from __future__ import annotations

import pytest

SHAPE = (4, 8)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_bottoms_of_one_shape(layer, number):
    found = layer("SmoothL1Loss", [SHAPE] * number, "loss_weight: 1")
    assert list(found.report) == []
    assert found.top_shapes == ((),)
    assert found.with_sigma is (number == 4)
    assert found.loss


def test_axes_of_one_may_be_left_out(layer):
    assert list(layer("SmoothL1Loss", [(4, 8, 1, 1), (4, 8)], "loss_weight: 1").report) == []


def test_sigma_and_turn_point(layer):
    found = layer("SmoothL1Loss", [SHAPE] * 4, "smooth_l1_loss_param { sigma: 3 }")
    assert found.sigma_squared == 9
    found = layer("SmoothL1Loss", [SHAPE] * 3, "smoothl1_param { turn_point: 0.5 }")
    assert (found.turn_point, found.with_sigma) == (0.5, False)


@pytest.mark.parametrize(
    ("number", "text", "dialect", "weighs"),
    [
        pytest.param(2, "", "ssd", True, id="ssd"),
        pytest.param(3, "", "nvidia", True, id="nvidia"),
        pytest.param(2, "", "fast-rcnn", False, id="fast-rcnn"),
        pytest.param(3, "", "yjxiong", False, id="yjxiong"),
        pytest.param(4, "", "", False, id="four bottoms"),
        pytest.param(2, "smooth_l1_loss_param { sigma: 1 }", "", False, id="sigma"),
        pytest.param(2, "smoothl1_param { turn_point: 1 }", "", False, id="turn point"),
        pytest.param(2, "loss_weight: 1", "fast-rcnn", True, id="given"),
    ],
)
def test_whether_it_counts_without_a_weight(layer, number, text, dialect, weighs):
    found = layer("SmoothL1Loss", [SHAPE] * number, text, dialect=dialect, phase="TRAIN")
    assert list(found.report) == []
    assert found.loss is weighs


def test_a_weight_that_only_the_fork_knows_is_asked_for(finding):
    assert finding("SmoothL1Loss", [SHAPE] * 2, phase="TRAIN")[:3] == (
        "error", "dialect-undecided",
        "a SmoothL1Loss without `loss_weight` weighs 1 in ssd's Caffe, 0 in others",
    )  # fmt: skip


def test_it_is_no_matter_where_nothing_is_trained(layer):
    assert list(layer("SmoothL1Loss", [SHAPE] * 2).report) == []


NONE = "loss_weight: 1 loss_param { normalization: NONE }"


def test_intel_alone_reads_a_normalization(layer, finding):
    assert not layer("SmoothL1Loss", [SHAPE] * 2, NONE, dialect="intel").by_batch
    assert finding("SmoothL1Loss", [SHAPE] * 2, NONE, dialect="ssd")[:3] == (
        "warning", "parameters-without-effect",
        "SmoothL1Loss reads no `loss_param`; it normalises by the batch size alone",
    )  # fmt: skip
    assert finding("SmoothL1Loss", [SHAPE] * 2, NONE)[:3] == (
        "error", "dialect-undecided",
        ("`normalization: NONE` of a SmoothL1Loss divides by 1 in intel's Caffe, by the batch size "
         "in all others"),
    )  # fmt: skip


REFUSED = [
    pytest.param(
        [SHAPE] * 3, "smooth_l1_loss_param { sigma: 3 }", "wrong-number-of-bottoms",
        "a SmoothL1Loss with `sigma` has 2 or 4 bottoms; `l` has 3", id="three",
    ),
    pytest.param(
        [SHAPE] * 2, "smooth_l1_loss_param { sigma: 0 }", "sigma-zero",
        "`sigma` is 0; the loss divides by it", id="sigma",
    ),
    pytest.param(
        [SHAPE, SHAPE, (4, 4, 2)], "loss_weight: 1", "bottom-counts-differ",
        "the bottoms of SmoothL1Loss have one shape; bottom 0 is [4, 8], bottom 2 is [4, 4, 2]",
        id="weights",
    ),
    pytest.param(
        [SHAPE, (3, 8)], "loss_weight: 1", "batch-sizes-differ",
        "the bottoms of SmoothL1Loss have one first size; bottom 0 has 4, bottom 1 has 3",
        id="batch",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("bottoms", "text", "name", "message"), REFUSED)
def test_refused(finding, bottoms, text, name, message):
    assert finding("SmoothL1Loss", bottoms, text)[:3] == ("error", name, message)
