"""Pooling over regions: the shapes of its tops, and what it does not take."""

import pytest

ROIS = (6, 5)


@pytest.mark.parametrize(
    ("kind", "bottom", "rois", "text", "top"),
    [
        pytest.param(
            "ROIPooling", (2, 4, 9, 8), ROIS, "roi_pooling_param { pooled_h: 3 pooled_w: 2 }",
            (6, 4, 3, 2), id="rows and columns",
        ),
        pytest.param(
            "ROIPooling", (2, 4, 9, 8), (6, 5, 1, 1), "roi_pooling_param { pooled_h: 3 pooled_w: 2 }",
            (6, 4, 3, 2), id="regions with four axes",
        ),
        pytest.param(
            "ROIPooling", (2, 4, 9, 8), ROIS, "roi_pooling_param { pooled_size: 3 pooled_h: 9 }",
            (6, 4, 3, 3), id="pooled_size once",
        ),
        pytest.param(
            "ROIPooling", (2, 4, 9, 8, 7), (6, 7), "roi_pooling_param { pooled_size: 2 }",
            (6, 4, 2, 2, 2), id="volumes",
        ),
        pytest.param(
            "ROIPooling", (2, 4, 9, 8, 7), (6, 7),
            "roi_pooling_param { pooled_size: 2 pooled_size: 3 pooled_size: 4 }",
            (6, 4, 2, 3, 4), id="volumes, per axis",
        ),
        pytest.param(
            "PSROIPooling", (1, 27, 9, 8), ROIS,
            "psroi_pooling_param { spatial_scale: 1 output_dim: 3 group_size: 3 }", (6, 3, 3, 3),
            id="groups of channels",
        ),
        pytest.param(
            "ROIAlign", (2, 4, 9, 8), ROIS,
            "roi_align_param { pooled_h: 3 pooled_w: 2 sampling_ratio: 2 }", (6, 4, 3, 2),
            id="means of samples",
        ),
        pytest.param(
            "ROIAlign", (2, 4, 9, 8), ROIS, "roi_pooling_param { pooled_h: 3 pooled_w: 2 }",
            (6, 4, 4, 3), id="samples at corners",
        ),
    ],
)  # fmt: skip
def test_shapes(layer, kind, bottom, rois, text, top):
    found = layer(kind, [bottom, rois], text)
    assert list(found.report) == []
    assert found.top_shapes == (top,)
    assert found.cost().ops > 0


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message", "place"),
    [
        pytest.param(
            "ROIPooling", [(1, 4, 9, 8), ROIS], "roi_pooling_param { pooled_w: 2 }",
            "size-not-positive", "`pooled_h` is 0; it must be at least 1",
            "roi_pooling_param { pooled_w: 2 }", id="no height",
        ),
        pytest.param(
            "ROIPooling", [(1, 4, 9, 8), (6, 4)], "roi_pooling_param { pooled_h: 2 pooled_w: 2 }",
            "roi-values-count",
            "a region is 5 numbers (image, x1, y1, x2, y2); bottom 1 is [6, 4]", 'bottom: "b1"',
            id="four numbers",
        ),
        pytest.param(
            "ROIPooling", [(1, 4, 9, 8, 7), ROIS], "roi_pooling_param { pooled_size: 2 }",
            "roi-values-count",
            "a region is 7 numbers (image, d1, x1, y1, d2, x2, y2); bottom 1 is [6, 5]",
            'bottom: "b1"', id="flat regions of volumes",
        ),
        pytest.param(
            "ROIPooling", [(1, 4, 9, 8), ROIS],
            "roi_pooling_param { pooled_size: 2 pooled_size: 2 pooled_size: 2 }",
            "pooled-size-count",
            "`pooled_size` is given 3 times; it is given once or, for 4 axes, 2 times",
            "pooled_size: 2", id="one size too many",
        ),
        pytest.param(
            "ROIPooling", [(1, 4, 9), ROIS], "roi_pooling_param { pooled_h: 2 pooled_w: 2 }",
            "wrong-number-of-axes", "ROIPooling takes 4 to 5 axes; the bottom is [1, 4, 9]",
            'bottom: "b0"', id="no columns",
        ),
        pytest.param(
            "PSROIPooling", [(1, 26, 9, 8), ROIS],
            "psroi_pooling_param { spatial_scale: 1 output_dim: 3 group_size: 3 }",
            "channels-differ-from-parameters",
            "`output_dim` (3) and `group_size` (3) ask for 27 channels; bottom 0 has 26",
            'bottom: "b0"', id="channels",
        ),
        pytest.param(
            "PSROIPooling", [(1, 27, 9, 8), ROIS],
            "psroi_pooling_param { spatial_scale: 1 output_dim: 0 group_size: 3 }",
            "size-not-positive", "`output_dim` is 0; it must be at least 1", "output_dim: 0",
            id="no outputs",
        ),
        pytest.param(
            "ROIAlign", [(1, 4, 9, 8), ROIS], "roi_align_param { pooled_h: 2 sampling_ratio: 1 }",
            "size-not-positive", "`pooled_w` is 0; it must be at least 1",
            "roi_align_param { pooled_h: 2 sampling_ratio: 1 }", id="no width",
        ),
    ],
)  # fmt: skip
def test_faults(finding, kind, bottoms, text, name, message, place):
    assert finding(kind, bottoms, text) == ("error", name, message, place)


def test_roi_align_says_that_it_may_be_another(finding):
    text = "roi_align_param { pooled_h: 2 pooled_w: 2 }"
    said = (
        "without `sampling_ratio` this may be the ROIAlign of one of two kinds of Caffe; it is "
        "taken as Mask R-CNN defines it"
    )
    found = finding("ROIAlign", [(1, 4, 9, 8), ROIS], text)
    assert found == ("warning", "roi-align-unsure", said, text)
