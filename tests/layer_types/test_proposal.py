"""Region proposals: the anchors of each kind of Caffe, and what can't be read."""

import pytest

from caffegen.layer_types.proposal import read_param_str

MAPS = [(1, 18, 4, 5), (1, 36, 4, 5), (1, 3)]
PYTHON = "rpn.proposal_layer.ProposalLayer"


def python_param(text):
    return f'python_param {{ module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "{text}" }}'


def test_python_layer(layer):
    found = layer(PYTHON, MAPS, python_param("'feat_stride': 16"), tops=2)
    assert list(found.report) == []
    assert found.top_shapes == ((1, 5), (1, 1))
    assert (found.feat_stride, found.pre_nms, found.post_nms) == (16, 6000, 300)
    # generate_anchors.py, run by hand: 23 x 12, 16 x 16 and 11 x 22 times 8, 16 and 32
    assert [tuple(anchor) for anchor in found.anchors] == [
        (-84, -40, 99, 55), (-176, -88, 191, 103), (-360, -184, 375, 199),
        (-56, -56, 71, 71), (-120, -120, 135, 135), (-248, -248, 263, 263),
        (-36, -80, 51, 95), (-80, -168, 95, 183), (-168, -344, 183, 359),
    ]  # fmt: skip


def test_python_layer_in_train(layer):
    found = layer(PYTHON, MAPS, python_param("'feat_stride': 16"), phase="TRAIN")
    assert (found.pre_nms, found.post_nms) == (12000, 2000)


def test_scales_of_a_tuple(layer):
    text = python_param("'feat_stride': 16 \\n'scales': !!python/tuple [4, 8, 16, 32]")
    found = layer(PYTHON, [(1, 24, 4, 5), (1, 48, 4, 5), (1, 3)], text)
    assert list(found.report) == []
    assert len(found.anchors) == 12
    assert tuple(found.anchors[4]) == (-24, -24, 39, 39)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'feat_stride': 16", {"feat_stride": (16,)}),
        ("feat_stride: 16", {"feat_stride": (16,)}),
        ('{"feat_stride": 8, "ratios": [0.5, 1]}', {"feat_stride": (8,), "ratios": (0.5, 1)}),
        ("'a': 1 \n'b': !!python/tuple [4, 8]", {"a": (1,), "b": (4, 8)}),
        ("'a': (1, 2.5,)", {"a": (1, 2.5)}),
        ("", {}),
    ],
)
def test_param_str(text, found):
    assert read_param_str(text) == found


@pytest.mark.parametrize("text", ["16", "'a': b", "'a': [", "'a': 1.2.3", "'a': []"])
def test_param_str_that_is_none(text):
    with pytest.raises(ValueError, match="can't read"):
        read_param_str(text)


@pytest.mark.parametrize(
    ("bottoms", "text", "name", "message", "place"),
    [
        pytest.param(
            MAPS, "'feat_stride'", "param-str-not-read",
            "can't read `'feat_stride'` in the `param_str` of a ProposalLayer", "param_str",
            id="no value",
        ),
        pytest.param(
            MAPS, "'stride': 16", "param-str-not-read",
            "py-faster-rcnn's ProposalLayer reads no `stride` from its `param_str`", "param_str",
            id="another key",
        ),
        pytest.param(
            MAPS, "'feat_stride': 0.5", "param-str-not-read",
            "a ProposalLayer needs `feat_stride`, the pixels from cell to cell, in its `param_str`",
            "param_str", id="half a pixel",
        ),
        pytest.param(
            [(2, 18, 4, 5), (2, 36, 4, 5), (1, 3)], "'feat_stride': 16", "proposals-of-one-image",
            "a ProposalLayer takes one image; bottom 0 has 2", 'bottom: "b0"', id="two images",
        ),
        pytest.param(
            [(1, 12, 4, 5), (1, 24, 4, 5), (1, 3)], "'feat_stride': 16, 'scales': [8, 16, 32]",
            "channels-differ-from-parameters",
            "9 anchors ask for [1, 18, 4, 5], 2 channels each; bottom 0 is [1, 12, 4, 5]",
            'bottom: "b0"', id="six anchors",
        ),
        pytest.param(
            [(1, 18, 4, 5), (1, 36, 5, 5), (1, 3)], "'feat_stride': 16",
            "channels-differ-from-parameters",
            "9 anchors ask for [1, 36, 4, 5], 4 channels each; bottom 1 is [1, 36, 5, 5]",
            'bottom: "b1"', id="another height",
        ),
        pytest.param(
            [*MAPS[:2], (1, 2)], "'feat_stride': 16", "image-info-incomplete",
            "bottom 2 holds the image's height, width and scale; it is [1, 2]", 'bottom: "b2"',
            id="no scale",
        ),
    ],
)  # fmt: skip
def test_python_layer_faults(finding, bottoms, text, name, message, place):
    severity, found, said, at = finding(PYTHON, bottoms, python_param(text))
    assert (severity, found, said) == ("error", name, message)
    assert at.startswith(place)


def test_a_copy_of_the_python_layer_with_other_anchors(layer):
    bottoms = [(1, 24, 4, 5), (1, 48, 4, 5), (1, 3)]
    found = layer(PYTHON, bottoms, python_param("'feat_stride': 16"))
    (warning,) = found.report
    assert (warning.severity, warning.name) == ("warning", "anchors-of-its-own")
    assert warning.message == found.obstacle == (
        "the maps are for 12 anchors, py-faster-rcnn's ProposalLayer has 9: the net's own is another"
    )  # fmt: skip
    assert found.top_shapes == ((1, 5),)


@pytest.mark.parametrize("stride", ["1e999", "[8, 16]", "0", "1.5"])
def test_python_layer_with_no_such_stride(finding, stride):
    said = "a ProposalLayer needs `feat_stride`, the pixels from cell to cell, in its `param_str`"
    found = finding(PYTHON, MAPS, python_param(f"'feat_stride': {stride}"))
    assert found[:3] == ("error", "param-str-not-read", said)


@pytest.mark.parametrize(
    "more", ["'base_size': [8, 16]", "'base_size': 1e999", "'ratios': [0, 1]", "'scales': [-8]"]
)
def test_python_layer_without_anchors(finding, more):
    said = (
        "the `base_size` of a ProposalLayer is a whole number of pixels, its `ratios` and `scales` "
        "are above 0"
    )
    found = finding(PYTHON, MAPS, python_param(f"'feat_stride': 16, {more}"))
    assert found[:3] == ("error", "param-str-not-read", said)


RATIOS = "ratio: 0.5 ratio: 1 ratio: 2"


@pytest.mark.parametrize(
    ("values", "scale", "dialect", "anchor"),
    [
        # sqrt(256 / 0.5) is 22.63: rounded to 23 first, or 181.02 - 1 rounded last
        pytest.param(3, 8, "", (-84, -40, 99, 55), id="three numbers: py-faster-rcnn's"),
        pytest.param(4, 8, "", (-82.5, -37.5, 97.5, 52.5), id="four: PVANet's"),
        pytest.param(6, 8, "happynear", (-82.5, -37.5, 97.5, 52.5), id="too few for pixels"),
        pytest.param(4, 128, "happynear", (-82.5, -37.5, 97.5, 52.5), id="happynear's pixels"),
        pytest.param(3, 8, "happynear", (-84, -40, 99, 55), id="what the layer shows comes first"),
    ],
)
def test_anchors(layer, values, scale, dialect, anchor):
    bottoms = [(1, 6, 4, 5), (1, 12, 4, 5), (1, values)]
    text = f"proposal_param {{ {RATIOS} scale: {scale} post_nms_topn: 7 }}"
    found = layer("Proposal", bottoms, text, tops=2, dialect=dialect)
    assert list(found.report) == []
    assert tuple(found.anchors[0]) == anchor
    assert found.top_shapes == ((7, 5), (7,))
    assert found.scales_at == ((2, 3) if values > 3 else (2, 2))


def test_scales_that_two_forks_read_in_two_ways(finding):
    bottoms = [(1, 6, 4, 5), (1, 12, 4, 5), (1, 4)]
    text = f"proposal_param {{ {RATIOS} scale: 32 }}"
    said = (
        "happynear's Caffe reads `scale` (32) as pixels, PVANet's as so many times `base_size` "
        "(16), and nothing here tells which is meant"
    )
    found = finding("Proposal", bottoms, text)
    assert found == ("error", "dialect-undecided", said, "scale: 32")


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("scale: 8", "anchors-missing", "Proposal has no `ratio`, and so no anchors"),
        ("ratio: 1", "anchors-missing", "Proposal has no `scale`, and so no anchors"),
        ("ratio: 1 ratio: 0 scale: 8", "size-not-positive", "`ratio` is 0.0; it must be above 0"),
        ("ratio: inf scale: 8", "size-not-positive", "`ratio` is inf; it must be finite"),
        ("ratio: 1 scale: nan", "size-not-positive", "`scale` is nan; it must be above 0"),
        (
            "ratio: 1 scale: 8 feat_stride: 0", "size-not-positive",
            "`feat_stride` is 0; it must be at least 1",
        ),
        (
            "ratio: 1 scale: 8 post_nms_topn: 0", "size-not-positive",
            "`post_nms_topn` is 0; it must be at least 1",
        ),
    ],
)  # fmt: skip
def test_proposal_faults(finding, text, name, message):
    found = finding(
        "Proposal", [(1, 2, 4, 5), (1, 4, 4, 5), (1, 3)], f"proposal_param {{ {text} }}"
    )
    assert found[:3] == ("error", name, message)
