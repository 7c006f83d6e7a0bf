"""Region proposals: random settings in three runtimes, and the algorithm box by box."""

import numpy as np
import pytest

from caffegen.errors import CaffegenError
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.verify.side_by_side import assert_agree, by_onnxruntime, by_opencv, by_torch, prototxt

F32 = np.float32
TOPS = ("rois", "scores")
PYTHON = (
    'python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
    "param_str: \"'feat_stride': 16\" }"
)


def maps(rng, anchors, height, width, info, images=1, spread=0.4):
    """Scores, moves and the image's size for a layer with so many anchors."""
    return {
        "cls": rng.random((images, 2 * anchors, height, width)).astype(F32),
        "moves": (rng.standard_normal((images, 4 * anchors, height, width)) * spread).astype(F32),
        "im_info": np.array([info], F32),
    }


def by_hand(arrays, anchors, stride, *, drops, min_size, pre, post, thresh, scales_at=(2, 2)):
    """Box by box, as the layer is documented."""
    info = arrays["im_info"].ravel()
    least = min_size * info[scales_at[0]], min_size * info[scales_at[1]]
    rois, scores = [], []
    for image, (likely, moves) in enumerate(zip(arrays["cls"], arrays["moves"], strict=True)):
        found = []
        for y, x, a in np.ndindex(*likely.shape[1:], len(anchors)):
            x1, y1, x2, y2 = np.add(anchors[a], [x * stride, y * stride] * 2).astype(F32)
            width, height = x2 - x1 + 1, y2 - y1 + 1
            dx, dy, dw, dh = moves[4 * a : 4 * a + 4, y, x]
            cx, cy = x1 + width / 2 + dx * width, y1 + height / 2 + dy * height
            width, height = width * np.exp(dw), height * np.exp(dh)
            box = np.array([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2])
            box = np.clip(box, 0, [info[1] - 1, info[0] - 1] * 2)
            large = box[3] - box[1] + 1 >= least[0] and box[2] - box[0] + 1 >= least[1]
            score = likely[len(anchors) + a, y, x]
            if large or not drops:
                found.append((score if large else F32(0), box))
        found.sort(key=lambda pair: -pair[0])
        kept = []
        for score, box in found[:pre]:
            if all(overlap(box, other) <= thresh for _, other in kept) and len(kept) < post:
                kept.append((score, box))
        rois += [[image, *box] for _, box in kept]
        scores += [score for score, _ in kept]
    return np.array(rois, F32).reshape(-1, 5), np.array(scores, F32)


def overlap(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1
    shared = np.prod(np.maximum(sides, 0))
    return shared / (np.prod(a[2:] - a[:2] + 1) + np.prod(b[2:] - b[:2] + 1) - shared)


def settings():
    rng = np.random.default_rng(7)
    found = []
    for index in range(24):
        height, width = (int(v) for v in rng.integers(2, 9, 2))
        ratios = [(0.5, 1, 2), (1,), (0.25, 1, 4), (0.4, 1.7)][index % 4]
        scales = [(8,), (2, 4), (1, 3, 8), (0.5,)][index // 4 % 4]
        limits = (int(rng.choice([20, 100, 6000])), int(rng.choice([5, 50, 300])))
        thresh = float(rng.choice([0.3, 0.5, 0.7]))
        found.append((index, height, width, ratios, scales, limits, thresh))
    return found


def proposal_param(ratios, scales, limits, thresh, min_size=0):
    listed = " ".join([f"ratio: {r}" for r in ratios] + [f"scale: {s}" for s in scales])
    return (
        f"proposal_param {{ min_size: {min_size} {listed} pre_nms_topn: {limits[0]} "
        f"post_nms_topn: {limits[1]} nms_thresh: {thresh} }}"
    )


@pytest.mark.parametrize("setting", settings(), ids=str)
def test_proposal_agrees_with_opencv(setting):
    # OpenCV reads no `min_size`, and fills up with zeros to `post_nms_topn`
    index, height, width, ratios, scales, limits, thresh = setting
    rng = np.random.default_rng(index)
    info = (height * 16 - int(rng.integers(0, 8)), width * 16 - int(rng.integers(0, 8)), 1.6)
    arrays = maps(rng, len(ratios) * len(scales), height, width, info)
    body = proposal_param(ratios, scales, limits, thresh)
    rois, scores = assert_agree(
        "Proposal", arrays, body, tops=TOPS, opset=(13, 17, 18, 26)[index % 4], opencv=False
    )
    assert scores.shape == rois.shape[:1]
    there = by_opencv(prototxt("Proposal", arrays, body, TOPS), arrays)
    np.testing.assert_allclose(there[: len(rois)], rois, rtol=1e-4, atol=1e-4)
    assert not there[len(rois) :].any()


def anchors_by_hand(rounded):
    """py-faster-rcnn's comment has one table of 9 anchors; these are those of its own code."""
    widths = {0.5: (23, 12), 1: (16, 16), 2: (11, 22)}
    return [
        [7.5 - (w * s - 1) / 2, 7.5 - (h * s - 1) / 2, 7.5 + (w * s - 1) / 2, 7.5 + (h * s - 1) / 2]
        for w, h in (widths[ratio] for ratio in rounded)
        for s in (8, 16, 32)
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("opset", [13, 26])
def test_python_layer_box_by_box(seed, opset):
    rng = np.random.default_rng(seed)
    arrays = maps(rng, 9, 5, 6, (80, 96, 1.5), spread=0.7)
    # some boxes are below 16 pixels times the scale of 1.5
    arrays["moves"][:, 2::4] -= 1.5
    text = prototxt("Python", arrays, PYTHON, TOPS)
    expected = by_hand(
        arrays, anchors_by_hand((0.5, 1, 2)), 16,
        drops=True, min_size=16, pre=6000, post=300, thresh=0.7,
    )  # fmt: skip
    assert 0 < len(expected[0]) < 270
    for rois, scores in (by_torch(text, arrays, TOPS), by_onnxruntime(text, arrays, TOPS, opset)):
        np.testing.assert_allclose(rois, expected[0], rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(scores, expected[1][:, None])


@pytest.mark.parametrize(
    ("values", "scales_at"), [((100, 90, 1.5, 2.0), (2, 3)), ((100, 90, 1.5, 2.0, 0, 0), (2, 3))]
)
def test_small_boxes_score_nothing_but_stay(values, scales_at):
    # PVANet: 4 numbers in im_info, anchors rounded once they are scaled: 16 * sqrt(2) * 2 = 45.25
    rng = np.random.default_rng(3)
    arrays = maps(rng, 2, 4, 5, values, images=2)
    arrays["moves"][:, 2::4] -= 0.6
    body = proposal_param((0.5, 1), (2,), (60, 40), 0.6, min_size=10)
    half = [(45 - 1) / 2, (23 - 1) / 2]
    anchors = [[7.5 - half[0], 7.5 - half[1], 7.5 + half[0], 7.5 + half[1]], [-8, -8, 23, 23]]
    expected = by_hand(
        arrays, anchors, 16,
        drops=False, min_size=10, pre=60, post=40, thresh=F32(0.6), scales_at=scales_at,
    )  # fmt: skip
    assert (expected[1] == 0).any()
    assert (expected[0][:, 0] == 1).any()
    rois, scores = assert_agree("Proposal", arrays, body, tops=TOPS, opencv=False)
    np.testing.assert_allclose(rois, expected[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(scores, expected[1])


def test_nothing_large_enough():
    arrays = maps(np.random.default_rng(0), 9, 2, 2, (32, 32, 40))
    text = prototxt("Python", arrays, PYTHON, TOPS)
    for tops in (by_torch(text, arrays, TOPS), by_onnxruntime(text, arrays, TOPS)):
        assert [top.shape for top in tops] == [(0, 5), (0, 1)]


def test_of_equal_scores_the_first_is_the_better():
    arrays = maps(np.random.default_rng(0), 1, 1, 12, (64, 512, 1), spread=0)
    arrays["cls"][:] = 0.5
    body = proposal_param((1,), (4,), (6000, 300), 0.1)
    rois, _ = assert_agree("Proposal", arrays, body, tops=TOPS, opencv=False)
    # boxes of 64 pixels lie 16 apart, the first cut off at 0: those that overlap by less stay
    assert rois[:, 1].tolist() == [0, 40, 104]


def test_train_keeps_more():
    text = prototxt("Python", maps(np.random.default_rng(0), 9, 2, 2, (32, 32, 1)), PYTHON, TOPS)
    test, train = (build(loads(text, phase=phase)) for phase in ("TEST", "TRAIN"))
    assert (test.layer.pre_nms, test.layer.post_nms) == (6000, 300)
    assert (train.layer.pre_nms, train.layer.post_nms) == (12000, 2000)


def test_a_free_size():
    rng = np.random.default_rng(1)
    small = maps(rng, 9, 2, 3, (32, 48, 1))
    large = maps(rng, 9, 6, 5, (96, 80, 1))
    written = prototxt("Python", small, PYTHON, TOPS)
    found = by_onnxruntime(written, large, TOPS, dynamic_size=True)
    for mine, other in zip(by_torch(written, large, TOPS), found, strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-4, atol=1e-4)


def test_a_free_batch_is_refused():
    arrays = maps(np.random.default_rng(1), 9, 2, 3, (32, 48, 1))
    text = prototxt("Python", arrays, PYTHON, TOPS)
    with pytest.raises(CaffegenError, match="a ProposalLayer takes one image; bottom 0 has 4"):
        by_onnxruntime(text, arrays, TOPS, dynamic_batch=True)
