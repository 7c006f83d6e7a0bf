"""Data layers of rarer forks: what their text says of their tops."""

import pytest

LIST = "source: 's' batch_size: 4"


@pytest.mark.parametrize(
    ("kind", "tops", "text", "shapes"),
    [
        (
            "MultiLabelData", 2,
            f"multi_label_data_param {{ {LIST} label_num: 81 new_height: 9 new_width: 8 }}",
            ((4, 3, 9, 8), (4, 81)),
        ),
        (
            "MultiLabelData", 2, (f"multi_label_data_param {{ {LIST} is_color: false }}"
            " transform_param { crop_size: 5 }"), ((4, 1, 5, 5), (4, 1)),
        ),
        (
            "BboxData", 2, f"bbox_data_param {{ {LIST} }} transform_param {{ crop_size: 416 }}",
            ((4, 3, 416, 416), (4, 100, 1, 1)),
        ),
        ("BboxData", 2, f"bbox_data_param {{ {LIST} }}", (None, (4, 100, 1, 1))),
        (
            "LaneData", 3, (f"data_param {{ {LIST} }} annotated_data_param {{ seg_scales: 4 }}"
            " transform_param { mean_value: 1 mean_value: 2 mean_value: 3"
            " resize_param { height: 64 width: 80 prob: 1 } }"),
            ((4, 3, 64, 80), (4, 1, 1, 1), (4, 1, 16, 20)),
        ),
        (
            "LaneData", 3, (f"data_param {{ {LIST} }}"
            " annotated_data_param { seg_resize_height: 6 seg_resize_width: 7 }"),
            (None, (4, 1, 1, 1), (4, 1, 7, 6)),
        ),
        ("LaneData", 3, f"data_param {{ {LIST} }}", (None, (4, 1, 1, 1), None)),
        ("DocData", 2, f"data_param {{ {LIST} }}", (None, (4,))),
        ("DocData", 3, "doc_data_param { sources: 's' batch_size: 4 }", (None, None, None)),
        ("SparseData", 2, f"sparse_data_param {{ {LIST} }}", (None, (4,))),
        (
            "SparseData", 1,
            "sparse_data_param { source_file: 's' batch_size: 4 mat_channels: 2 mat_width: 9 }",
            ((4, 2, 1, 9),),
        ),
    ],
)  # fmt: skip
def test_tops(layer, kind, tops, text, shapes):
    found = layer(kind, [], text, tops=tops)
    assert found.top_shapes == shapes
    assert not found.report.diagnostics


@pytest.mark.parametrize(
    ("kind", "text", "name", "message"),
    [
        (
            "MultiLabelData", f"multi_label_data_param {{ {LIST} new_height: 9 }}",
            "new-size-incomplete",
            "`new_height` is set without `new_width`; Caffe takes both or none",
        ),
        (
            "DocData", "doc_data_param { batch_size: 4 }", "source-missing",
            "DocData needs `sources`, the data bases to read",
        ),
        (
            "SparseData", "sparse_data_param { batch_size: 4 }", "source-missing",
            "SparseData needs `source`, the file or data base to read",
        ),
        (
            "SparseData", "sparse_data_param { source: 's' batch_size: 0 }", "batch-size-zero",
            "`batch_size` is 0; it must be at least 1",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, text, name, message):
    assert finding(kind, [], text, tops=2)[:3] == ("error", name, message)
