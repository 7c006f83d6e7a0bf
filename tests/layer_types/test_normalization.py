"""BatchNorm, LRN and MVN: their statistics, neighbourhoods and axes."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost, Window

DATA = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("phase", "text", "stored"),
    [
        pytest.param("TEST", "", True, id="TEST"),
        pytest.param("TRAIN", "", False, id="TRAIN"),
        pytest.param("TEST", "use_global_stats: false", False, id="TEST, told otherwise"),
        pytest.param("TRAIN", "use_global_stats: true", True, id="TRAIN, told otherwise"),
    ],
)
def test_batch_norm_statistics(layer, phase, text, stored):
    found = layer("BatchNorm", [DATA], f"batch_norm_param {{ {text} }}", phase=phase)
    assert found.use_global_stats is stored
    assert found.cost() == Cost(0, 120 * (2 if stored else 5))


def test_batch_norm_facts(layer):
    found = layer(
        "BatchNorm", [(6, 3)], "batch_norm_param { eps: 0.5 moving_average_fraction: 0.25 }"
    )
    assert (found.eps, found.moving_average_fraction, found.channels) == (0.5, 0.25, 3)
    assert found.top_shapes == ((6, 3),)
    assert [(blob.name, blob.shape, blob.learned) for blob in found.blobs] == [
        ("mean", (3,), False), ("variance", (3,), False), ("scale_factor", (1,), False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "param { lr_mult: 0 }", "param { lr_mult: 0 } " * 2, "param { lr_mult: 0 } " * 3]
)
def test_batch_norm_takes_params_that_learn_nothing(layer, text):
    assert list(layer("BatchNorm", [DATA], text).report) == []


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            "BatchNorm", DATA, "param { lr_mult: 0 }\nparam { decay_mult: 0 }", "statistics-learned",
            "`param` 2 gives the statistics `lr_mult` 1; they take 0 alone", "param { decay_mult: 0 }",
            id="statistics learned",
        ),
        pytest.param(
            "BatchNorm", (5,), "", "wrong-number-of-axes",
            "BatchNorm takes 2 axes or more; the bottom is [5]", 'bottom: "b0"', id="one axis",
        ),
        pytest.param(
            "BatchNorm", (2, 3, 0), "", "empty-bottom",
            "the bottom is [2, 3, 0]; BatchNorm can't be set up without values", 'bottom: "b0"',
            id="no values",
        ),
        pytest.param(
            "LRN", DATA, "lrn_param { local_size: 4 }", "local-size-even",
            "`local_size` is 4; it must be odd, with a middle", "local_size: 4", id="even",
        ),
        pytest.param(
            "LRN", DATA, "lrn_param { local_size: 0 }", "local-size-zero",
            "`local_size` is 0; it must be odd, with a middle", "local_size: 0", id="zero",
        ),
        pytest.param(
            "LRN", (2, 3, 4), "", "wrong-number-of-axes",
            "LRN takes 4 axes, (N, C, H, W); the bottom is [2, 3, 4]", 'bottom: "b0"', id="LRN on three axes",
        ),
        pytest.param(
            "LRN", DATA, "lrn_param { engine: CUDNN }", "engine-needs-cudnn",
            "`engine: CUDNN` is refused by every Caffe that is built without cuDNN", "engine: CUDNN",
            id="engine",
        ),
        pytest.param(
            "MVN", (1, 2, 3, 4, 5), "", "more-than-four-axes",
            "MVN takes blobs of up to 4 axes; the bottom has 5", 'bottom: "b0"', id="MVN on five axes",
        ),
        pytest.param(
            "MVN", (2, 3, 0, 4), "", "empty-bottom",
            "the bottom is [2, 3, 0, 4]; MVN can't be set up without values", 'bottom: "b0"',
            id="MVN on nothing",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottom, text, name, message, place):
    assert finding(kind, [bottom], text) == ("error", name, message, place)


def test_lrn_across_channels(layer):
    found = layer("LRN", [DATA], "lrn_param { local_size: 3 alpha: 0.5 beta: 2 k: 4 }")
    assert (found.local_size, found.alpha, found.beta, found.k) == (3, 0.5, 2, 4)
    assert (found.within_channel, found.window) == (False, None)
    assert found.top_shapes == (DATA,)


def test_lrn_within_a_channel_has_a_window_and_no_k(layer):
    found = layer("LRN", [DATA], "lrn_param { norm_region: WITHIN_CHANNEL k: 4 }")
    assert (found.within_channel, found.k) == (True, 1)
    assert found.window == Window((5, 5), (1, 1), (2, 2), (1, 1))
    (warning,) = found.report
    assert (warning.severity, warning.name) == ("warning", "k-without-effect")
    assert warning.message == "`k` (4) has no effect within a channel; Caffe takes 1"
    assert warning.span.text == "k: 4"


@pytest.mark.parametrize(
    ("bottom", "top"),
    [
        pytest.param(DATA, DATA, id="four axes"),
        pytest.param((2, 3, 5), (2, 3, 5, 1), id="three axes"),
        pytest.param((), (1, 1, 1, 1), id="no axes"),
    ],
)
def test_mvn_makes_four_axes(layer, bottom, top):
    found = layer(
        "MVN", [bottom], "mvn_param { across_channels: true normalize_variance: false eps: 1 }"
    )
    assert found.top_shapes == (top,)
    assert (found.across_channels, found.normalize_variance, found.eps) == (True, False, 1)


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        pytest.param("BatchNorm", "", [], id="BatchNorm"),
        pytest.param("LRN", "", ["in-place-overwrites-input"], id="LRN"),
        pytest.param(
            "LRN", "lrn_param { norm_region: WITHIN_CHANNEL }", ["in-place-gradient-wrong"],
            id="LRN within",
        ),
        pytest.param("MVN", "", ["in-place-gradient-wrong"], id="MVN"),
        pytest.param("MVN", "mvn_param { normalize_variance: false }", [], id="MVN, mean alone"),
    ],
)  # fmt: skip
def test_in_place(layer, kind, text, names):
    found = layer(kind, [DATA], f'top: "b0" {text}', tops=0, phase="TRAIN")
    assert [(d.severity, d.name) for d in found.report] == [("warning", name) for name in names]


def test_nvidias_caffe_sets_the_learning_rates_of_the_statistics(layer):
    text = "param { lr_mult: 1 }"
    assert not layer("BatchNorm", [DATA], text, dialect="nvidia").report.errors
    (error,) = layer("BatchNorm", [DATA], text, dialect="intel").report.errors
    assert error.name == "statistics-learned"
