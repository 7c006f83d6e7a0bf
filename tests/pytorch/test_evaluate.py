"""DetectionEvaluate in PyTorch: examples by hand, in shares of the image and in pixels."""

import pytest
import torch

from caffegen import CaffegenError
from caffegen.errors import FileError
from tests.pytorch.one_layer import one_layer

LEFT, RIGHT, BOTH = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)


def detection(image, label, score, box):
    return [image, label, score, *box]


def truth(image, label, box, difficult=0):
    return [image, label, 0, *box, difficult]


def evaluate(detections, boxes, text="", *, passes=1):
    shapes = [(1, 1, len(detections), 7), (1, 1, len(boxes), 8)]
    body = f"detection_evaluate_param {{ num_classes: 3 {text} }}"
    module = one_layer("DetectionEvaluate", shapes, body)
    inputs = [torch.tensor(rows, dtype=torch.float32)[None, None] for rows in (detections, boxes)]
    return [module(*inputs)["top"] for _ in range(passes)][-1]


def rows(top):
    assert top.shape[:2] == (1, 1)
    assert top.shape[3] == 5
    return [[round(value, 4) for value in row] for row in top[0, 0].tolist()]


def test_worked_example():
    detections = [
        detection(0, 1, 0.5, LEFT), detection(0, 1, 0.9, LEFT), detection(0, 1, 0.8, RIGHT),
        detection(0, 2, 0.7, LEFT), detection(1, 1, 0.6, LEFT),
    ]  # fmt: skip
    boxes = [truth(0, 1, LEFT), truth(0, 1, BOTH), truth(2, 2, LEFT)]
    assert rows(evaluate(detections, boxes, "overlap_threshold: 0.5")) == [
        [-1, 1, 2, -1, -1],
        [-1, 2, 1, -1, -1],
        # image 0, class 1, best first: the left box; the whole, half of which is right; left again
        [0, 1, 0.9, 1, 0],
        [0, 1, 0.8, 1, 0],
        [0, 1, 0.5, 0, 1],
        # no such class in image 0, nothing at all in image 1
        [0, 2, 0.7, 0, 1],
        [1, 1, 0.6, 0, 1],
    ]


def test_too_small_an_overlap():
    found = rows(
        evaluate([detection(0, 1, 0.9, BOTH)], [truth(0, 1, LEFT)], "overlap_threshold: 0.51")
    )
    assert found[2:] == [[0, 1, 0.9, 0, 1]]


@pytest.mark.parametrize(
    ("text", "number", "last"),
    [("", 1, [1, 0]), ("evaluate_difficult_gt: false", 0, [0, 0])],
    ids=["counted", "not counted"],
)
def test_difficult_boxes(text, number, last):
    found = rows(evaluate([detection(0, 1, 0.9, LEFT)], [truth(0, 1, LEFT, 1)], text))
    assert found[0] == [-1, 1, number, -1, -1]
    assert found[2] == [0, 1, 0.9, *last]


def test_no_detections_leave_the_classes():
    found = rows(evaluate([detection(0, -1, -1, [-1] * 4)], [truth(0, 1, LEFT)]))
    assert found == [[-1, 1, 1, -1, -1], [-1, 2, 0, -1, -1]]


def test_nothing_is_read_behind_a_row_of_minus_one():
    boxes = [truth(0, 1, LEFT), [-1] * 8, truth(0, 1, RIGHT)]
    assert rows(evaluate([detection(0, 1, 0.9, RIGHT)], boxes))[0] == [-1, 1, 1, -1, -1]


@pytest.mark.parametrize(
    ("detections", "boxes", "what"),
    [
        ([detection(0, 0, 0.9, LEFT)], [truth(0, 1, LEFT)], "detection"),
        ([detection(0, 1, 0.9, LEFT)], [truth(0, 0, LEFT)], "box"),
    ],
)
def test_the_background_is_refused(detections, boxes, what):
    with pytest.raises(CaffegenError) as caught:
        evaluate(detections, boxes)
    assert str(caught.value) == (
        f"the bottoms of DetectionEvaluate hold a {what} of the background class (0)"
    )


# Half of a box of 9 x 9 pixels that is 10 x 10 with its last ones: 10 x 5.5 of 100 + 55 - 55.
PIXELS = [detection(0, 1, 0.9, (0.0, 0.0, 0.5, 1.0))], [truth(0, 1, BOTH)]


def test_pixels_count_the_last_one(tmp_path):
    path = tmp_path / "sizes.txt"
    path.write_text("a 9 9\nb 1000 1000\n", encoding="utf-8")
    text = f'name_size_file: "{path}" overlap_threshold: 0.52'
    assert rows(evaluate(*PIXELS, text))[2][3:] == [1, 0]
    # the next image is large, and a pixel makes no difference
    assert rows(evaluate(*PIXELS, text, passes=2))[2][3:] == [0, 1]
    assert rows(evaluate(*PIXELS, text, passes=3))[2][3:] == [1, 0]
    assert rows(evaluate(*PIXELS, "overlap_threshold: 0.52"))[2][3:] == [0, 1]


@pytest.mark.parametrize(
    ("resize", "box"),
    [
        # a picture of 100 x 50 in the middle of 100 x 100: a quarter of padding above and below
        ("resize_mode: FIT_LARGE_SIZE_AND_PAD height: 100 width: 100", (0.0, 0.25, 1.0, 0.75)),
        ("resize_mode: WARP height: 100 width: 100", (0.0, 0.0, 1.0, 1.0)),
        ("resize_mode: FIT_SMALL_SIZE height: 50 width: 50", (0.0, 0.0, 1.0, 1.0)),
        (
            "resize_mode: FIT_SMALL_SIZE height: 50 width: 50 height_scale: 100 width_scale: 100",
            (0.0, 0.0, 1.0, 0.5),
        ),
    ],
    ids=["padded", "warped", "cropped", "scaled"],
)
def test_boxes_go_the_way_back_of_the_resize(tmp_path, resize, box):
    from caffegen.pytorch.evaluate import _in_pixels

    path = tmp_path / "sizes.txt"
    path.write_text("a 50 100", encoding="utf-8")
    body = f'detection_evaluate_param {{ num_classes: 3 name_size_file: "{path}" '
    module = one_layer(
        "DetectionEvaluate", [(1, 1, 1, 7), (1, 1, 1, 8)], f"{body} resize_param {{ {resize} }} }}"
    ).layer
    found = _in_pixels(torch.tensor([box]), module.size(), module.resize)
    assert found.tolist() == [[0, 0, 100, 50]]


def test_a_file_of_sizes_that_is_not_there_or_not_one(tmp_path):
    path = tmp_path / "sizes.txt"
    text = f'name_size_file: "{path}"'
    with pytest.raises(FileError, match="No such file"):
        evaluate(*PIXELS, text)
    path.write_text("a nine 9", encoding="utf-8")
    with pytest.raises(FileError, match="a line is not `name height width`"):
        evaluate(*PIXELS, text)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(FileError, match="it names no image"):
        evaluate(*PIXELS, text)
