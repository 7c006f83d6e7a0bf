"""BN: whose it is, and its blobs, statistics and tops."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost

DATA = (2, 3, 4, 5)
SLOPE = ["slope", "bias", "mean", "variance"]
INVERSE = ["slope", "bias", "mean", "inverse_deviation"]
SHIFT = ["scale", "shift"]
ALL = ["scale", "shift", "mean", "variance"]


@pytest.mark.parametrize(
    ("text", "dialect", "variant", "names", "shape"),
    [
        pytest.param("momentum: 0.5", "pspnet", "pspnet", SLOPE, (1, 3, 1, 1), id="pspnet"),
        pytest.param("frozen: true", "yjxiong", "yjxiong", SLOPE, (1, 3), id="yjxiong"),
        pytest.param("", "yjxiong", "yjxiong", SLOPE, (1, 3), id="yjxiong, no field"),
        pytest.param("eps: 1e-3", "happynear", "happynear", INVERSE, (1, 3), id="happynear"),
        pytest.param("bn_mode: LEARN", "", "segnet", SHIFT, (1, 3, 1, 1), id="bn_mode"),
        pytest.param(
            "bn_mode: LEARN", "pspnet", "segnet", SHIFT, (1, 3, 1, 1), id="bn_mode, always"
        ),
        pytest.param("scale_filler { }", "segnet", "segnet", SHIFT, (1, 3, 1, 1), id="segnet"),
        pytest.param("var_eps: 1", "ssd", "ssd", SHIFT, (1, 3, 1, 1), id="ssd"),
        pytest.param(
            "across_spatial: false", "", "ssd", SHIFT, (1, 3, 4, 5), id="ssd, every place"
        ),
        pytest.param(
            "decay: 0.9", "happynear", "happynear2015", ALL, (1, 3, 1, 1), id="happynear's old"
        ),
        pytest.param(
            "eps: 1", ("pspnet", "yjxiong"), "pspnet", SLOPE, (1, 3, 1, 1), id="two that are alike"
        ),
        pytest.param(
            "",
            ("segnet", "ssd", "intel"),
            "segnet",
            SHIFT,
            (1, 3, 1, 1),
            id="two others, and no BN",
        ),
    ],
)
def test_variant(layer, text, dialect, variant, names, shape):
    found = layer("BN", [DATA], f"bn_param {{ {text} }}", dialect=dialect)
    assert list(found.report) == []
    assert found.variant == variant
    assert [spec.name for spec in found.blobs] == names
    assert {spec.shape for spec in found.blobs} == {shape}
    assert [spec.learned for spec in found.blobs] == [True, True, False, False][: len(names)]
    assert found.top_shapes == (DATA,)


@pytest.mark.parametrize(
    ("text", "dialect", "which"),
    [
        pytest.param("", "", "pspnet, yjxiong, happynear, segnet or ssd", id="nothing"),
        pytest.param("frozen: true", "", "pspnet, yjxiong or happynear", id="the slope's fields"),
        pytest.param(
            "frozen: true", "segnet", "pspnet, yjxiong or happynear", id="not that dialect"
        ),
        pytest.param("scale_filler { }", "", "segnet, ssd or happynear", id="scale and shift"),
        pytest.param("var_eps: 1", "", "ssd or happynear", id="averages"),
        pytest.param(
            "eps: 1", ("yjxiong", "happynear"), "yjxiong or happynear", id="two that differ"
        ),
    ],
)
def test_undecided(layer, text, dialect, which):
    found = layer("BN", [DATA], f"bn_param {{ {text} }}", dialect=dialect)
    (fault,) = found.report
    assert (fault.severity, fault.name) == ("error", "dialect-undecided")
    assert fault.message == (
        f"BN with these fields may be of {which}; they keep different blobs, or mean different things "
        "by them"
    )
    assert found.top_shapes == (DATA,)


@pytest.mark.parametrize(
    ("text", "dialect", "phase", "stored", "both", "eps", "fraction"),
    [
        pytest.param("momentum: 0.8", "pspnet", "TEST", True, None, 1e-5, 0.8, id="slope, TEST"),
        pytest.param("", "pspnet", "TRAIN", False, None, 1e-5, 0.9, id="slope, TRAIN"),
        pytest.param("frozen: true", "pspnet", "TRAIN", True, True, 1e-5, 0.9, id="frozen"),
        pytest.param("bn_mode: LEARN", "", "TEST", False, False, 1e-9, 0, id="LEARN"),
        pytest.param("var_eps: 0.5", "ssd", "TEST", False, False, 0.5, 0, id="ssd"),
        pytest.param("", "happynear", "TEST", True, None, 1e-5, 0.9, id="happynear"),
        pytest.param("decay: 0.7", "happynear", "TEST", True, None, 0, 0.7, id="old, TEST"),
        pytest.param("decay: 0.7", "happynear", "TRAIN", False, None, 0, 0.7, id="old, TRAIN"),
        pytest.param(
            "moving_average: false",
            "happynear",
            "TEST",
            False,
            False,
            0,
            0.95,
            id="old, no average",
        ),
    ],
)
def test_statistics(layer, text, dialect, phase, stored, both, eps, fraction):
    found = layer("BN", [DATA], f"bn_param {{ {text} }}", dialect=dialect, phase=phase)
    assert list(found.report) == []
    assert (found.stored, found.global_stats) == (stored, both)
    assert (found.eps, found.fraction) == (pytest.approx(eps), pytest.approx(fraction))
    assert found.cost() == Cost(0, 120 * (4 if stored else 7))


@pytest.mark.parametrize(
    ("text", "dialect", "value"),
    [
        ("", "pspnet", None), ("frozen: true", "pspnet", 1.0), ("", "happynear", 1.0),
        ("decay: 0.5", "happynear", 1.0),
    ],
)  # fmt: skip
def test_what_the_variance_starts_at(layer, text, dialect, value):
    filler = layer("BN", [DATA], f"bn_param {{ {text} }}", dialect=dialect).blobs[3].filler
    assert (filler and filler.value) == value


def test_inference_is_a_scale(layer):
    found = layer("BN", [(6, 3)], "bn_param { bn_mode: INFERENCE }")
    assert found.affine
    assert found.top_shapes == ((6, 3, 1, 1),)
    assert found.cost() == Cost(18)


def test_segnet_may_give_its_statistics(layer):
    found = layer("BN", [DATA], "bn_param { bn_mode: LEARN }", tops=3)
    assert found.top_shapes == (DATA, (1, 3, 1, 1), (1, 3, 1, 1))


@pytest.mark.parametrize(
    ("bottom", "text", "tops", "dialect", "name", "message"),
    [
        pytest.param(
            DATA, "bn_mode: INFERENCE", 2, "", "wrong-number-of-tops",
            "BN has 1 top here; `l` has 2", id="INFERENCE",
        ),
        pytest.param(
            DATA, "frozen: true", 2, "pspnet", "wrong-number-of-tops",
            "BN has 1 top here; `l` has 2", id="pspnet",
        ),
        pytest.param(
            DATA, "moving_average: true", 1, "ssd", "statistics-not-stored",
            "`moving_average` reads averages that this layer keeps in no blob: after loading they are 0",
            id="averages of no blob",
        ),
        pytest.param(
            (1, 2, 3, 4, 5), "bn_mode: LEARN", 1, "", "more-than-four-axes",
            "BN takes blobs of up to 4 axes; the bottom has 5", id="five axes",
        ),
    ],
)  # fmt: skip
def test_refused(finding, bottom, text, tops, dialect, name, message):
    severity, found, said, _ = finding(
        "BN", [bottom], f"bn_param {{ {text} }}", tops=tops, dialect=dialect
    )
    assert (severity, found, said) == ("error", name, message)


def test_inference_in_place_has_no_right_gradient(layer):
    text = 'bn_param { bn_mode: INFERENCE } top: "b0"'
    found = layer("BN", [DATA], text, tops=0, phase="TRAIN")
    assert [entry.name for entry in found.report] == ["in-place-gradient-wrong"]


@pytest.mark.parametrize("dialect", ["", "yjxiong", "happynear"])
def test_the_synchronised_one_is_yjxiongs_alone(layer, dialect):
    found = layer("SyncBN", [DATA], "bn_param { momentum: 0.5 }", dialect=dialect, phase="TRAIN")
    assert list(found.report) == []
    assert [spec.name for spec in found.blobs] == SLOPE
    assert {spec.shape for spec in found.blobs} == {(1, 3)}
    assert (found.stored, found.unbiased, found.fraction) == (False, True, 0.5)
    assert found.top_shapes == (DATA,)


def test_the_synchronised_one_is_never_frozen(layer):
    found = layer("SyncBN", [DATA], "bn_param { frozen: true }", phase="TRAIN")
    (warning,) = found.report
    assert (warning.severity, warning.name) == ("warning", "parameters-without-effect")
    assert warning.message.startswith("SyncBN reads no `frozen`")
    assert not found.stored


@pytest.mark.parametrize(
    ("phase", "told"), [("TRAIN", ["in-place-overwrites-input"]), ("TEST", [])]
)
def test_the_synchronised_one_in_place(layer, phase, told):
    found = layer("SyncBN", [DATA], 'top: "b0"', tops=0, phase=phase)
    assert [finding.name for finding in found.report] == told
