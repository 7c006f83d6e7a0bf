"""Normalize, NormalizeBBox and L2Norm: which of the layers by one name is meant, and its blob."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost

DATA = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "dialect", "tops", "variant"),
    [
        pytest.param("norm_param { }", "", 1, "ssd", id="norm_param"),
        pytest.param("norm_param { }", "happynear", 1, "ssd", id="norm_param, against the dialect"),
        pytest.param("normalize_param { }", "", 1, "happynear", id="normalize_param"),
        pytest.param("", "", 2, "happynear", id="two tops"),
        pytest.param("param { lr_mult: 0 }", "", 1, "ssd", id="a blob is spoken of"),
        *(
            pytest.param("", dialect, 1, "ssd", id=dialect)
            for dialect in ("ssd", "intel", "nvidia", "mobilenet-yolo")
        ),
        pytest.param("", ("ssd", "intel", "nvidia"), 1, "ssd", id="several with SSD's"),
        pytest.param("", "happynear", 1, "happynear", id="happynear"),
        pytest.param("", "yjxiong", 1, "yjxiong", id="yjxiong"),
    ],
)
def test_variant(layer, text, dialect, tops, variant):
    found = layer("Normalize", [DATA], text, tops=tops, dialect=dialect)
    assert list(found.report) == []
    assert found.variant == variant
    assert len(found.blobs) == (variant == "ssd")
    assert found.top_shapes == (DATA, (2, 1, 4, 5))[:tops]


@pytest.mark.parametrize("dialect", ["", "segnet", ("ssd", "happynear")])
def test_without_evidence_the_dialect_is_asked_for(layer, dialect):
    found = layer("Normalize", [DATA], dialect=dialect)
    (fault,) = found.report
    assert (fault.severity, fault.name) == ("error", "dialect-undecided")
    assert fault.message == (
        "Normalize without parameters is one layer in SSD's Caffe, another in happynear's and a third "
        "in yjxiong's"
    )
    assert found.top_shapes == (DATA,)


@pytest.mark.parametrize("kind", ["Normalize", "NormalizeBBox"])
@pytest.mark.parametrize(
    ("text", "axes", "blob"),
    [
        pytest.param("", (1, 2, 3), (), id="defaults"),
        pytest.param("across_spatial: false", (1,), (), id="by pixel"),
        pytest.param("channel_shared: false", (1, 2, 3), (3,), id="by channel"),
    ],
)
def test_ssd(layer, kind, text, axes, blob):
    name = "norm_param" if kind == "Normalize" else "normalize_bbox_param"
    found = layer(kind, [DATA], f"{name} {{ {text} scale_filler {{ value: 20 }} }}")
    assert found.axes == axes
    assert found.eps == pytest.approx(1e-10)
    (spec,) = found.blobs
    assert (spec.name, spec.shape, spec.learned) == ("scale", blob, True)
    assert spec.filler.value == 20
    assert found.cost() == Cost(0, 480)


def test_the_factor_starts_at_one_and_may_be_fixed(layer):
    assert layer("Normalize", [DATA], "norm_param { }").blobs[0].filler.value == 1
    assert not layer("Normalize", [DATA], "norm_param { fix_scale: true }").blobs[0].learned


def test_happynear(layer):
    found = layer("Normalize", [(6, 3)], "normalize_param { normalize_type: 'L1' }")
    assert (found.power, found.eps, found.axes) == (1, 1e-6, (1,))
    assert found.top_shapes == ((6, 3, 1, 1),)
    assert found.cost() == Cost(0, 54)


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "tops", "name", "message"),
    [
        pytest.param(
            "Normalize", DATA, "normalize_param { normalize_type: 'L3' }", 1, "unknown-norm",
            "no `normalize_type` `L3`; there are L1 and L2", id="no such norm",
        ),
        pytest.param(
            "Normalize", DATA, "norm_param { }", 2, "wrong-number-of-tops",
            "Normalize with `norm_param` has 1 top; `l` has 2", id="two tops of SSD's",
        ),
        pytest.param(
            "Normalize", (4,), "norm_param { }", 1, "wrong-number-of-axes",
            "Normalize takes 2 to 4 axes; the bottom is [4]", id="one axis",
        ),
        pytest.param(
            "L2Norm", DATA, "", 1, "norm-axes-undecided",
            "the bottom is [2, 3, 4, 5]: some forks' L2Norm takes the norm of each item, others' of "
            "each pixel", id="L2Norm of pictures",
        ),
        pytest.param(
            "L2Norm", DATA, "l2norm_param { l2_length: 0 }", 1, "norm-length-not-positive",
            "`l2_length` is 0; it must be above 0", id="length 0",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottom, text, tops, name, message):
    severity, found, said, _ = finding(kind, [bottom], text, tops=tops)
    assert (severity, found, said) == ("error", name, message)


@pytest.mark.parametrize(
    ("bottom", "text", "across", "length"),
    [
        ((4, 8), "", True, 1), ((4, 8, 1, 1), "", True, 1),
        (DATA, "l2norm_param { l2_length: 9 }", False, 9),
    ],
)  # fmt: skip
def test_l2_norm(layer, bottom, text, across, length):
    found = layer("L2Norm", [bottom], text)
    assert list(found.report) == []
    assert (found.across_spatial, found.length) == (across, length)
    assert found.top_shapes == (bottom,)


def test_the_gradient_in_place(layer):
    found = layer("Normalize", [DATA], 'norm_param { } top: "b0"', tops=0, phase="TRAIN")
    assert [entry.name for entry in found.report] == ["in-place-gradient-wrong"]
