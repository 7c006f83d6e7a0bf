"""YOLO's outputs: the algorithm box by box against PyTorch and onnxruntime.

OpenCV has none of the types. Its own Region layer, which takes its priors from a weight blob, can be
reached through a Caffe file, and computes what RegionOutput does before boxes go to the image.
"""

import cv2
import numpy as np
import pytest
import torch

from caffegen.errors import CaffegenError
from tests.pytorch.one_layer import one_layer
from tests.verify.side_by_side import assert_agree, by_onnxruntime, by_torch, prototxt

F32 = np.float32
BIASES = (1.5, 2.0, 3.0, 1.0, 4.0, 5.0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def overlap(a, b):
    """Of boxes by centre and size."""
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def cells(bottom, boxes):
    """Image, row, column, box and its numbers, in Caffe's order."""
    images, channels, height, width = bottom.shape
    split = bottom.reshape(images, boxes, channels // boxes, height, width).astype(np.float64)
    for image, y, x, n in np.ndindex(images, height, width, boxes):
        yield y, x, n, split[image, n, :, y, x]


def suppressed(candidates, thresh, images):
    """Rows of what is left; a row for each image where that is nothing."""
    candidates.sort(key=lambda c: -c[1])
    kept = []
    for candidate in candidates:
        if all(overlap(candidate[2], other[2]) < thresh for other in kept):
            kept.append(candidate)
    if not kept:
        return np.array([[image, *[-1] * 6] for image in range(images)], F32)[None, None]
    return np.array(
        [
            [0, label, score, *(box[:2] - box[2:] / 2), *(box[:2] + box[2:] / 2)]
            for label, score, box in kept
        ]
    )[None, None]


def yolo2_by_hand(bottoms, boxes, conf, nms):
    found = []
    for bottom in bottoms[:2]:
        side = bottom.shape[3]
        for y, x, n, v in cells(bottom, boxes):
            likely = softmax(v[5:])
            score = sigmoid(v[4]) * likely.max()
            if score >= conf:
                size = np.exp(v[2:4]) * BIASES[2 * n : 2 * n + 2] / side
                box = np.array([(x + sigmoid(v[0])) / side, (y + sigmoid(v[1])) / side, *size])
                found.append((likely.argmax() + 1, score, box))
    return suppressed(found, nms, bottoms[0].shape[0])


def yolo3_by_hand(bottoms, boxes, conf, nms, mask, strides):
    found = []
    for index, bottom in enumerate(bottoms):
        height, width = bottom.shape[2:]
        net = np.array([width, height]) * strides[index]
        for y, x, n, v in cells(bottom, boxes):
            prior = mask[index * len(mask) // len(bottoms) + n]
            size = np.exp(v[2:4]) * BIASES[2 * prior : 2 * prior + 2] / net
            box = np.array([(x + sigmoid(v[0])) / width, (y + sigmoid(v[1])) / height, *size])
            for label, score in enumerate(sigmoid(v[4]) * sigmoid(v[5:]), 1):
                if score > conf:
                    found.append((label, score, box))
    return suppressed(found, nms, bottoms[0].shape[0])


def noise(seed, *shapes):
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(shape).astype(F32)
        for name, shape in zip("xyz", shapes, strict=False)
    }


@pytest.mark.parametrize("opset", [13, 17, 18, 26])
@pytest.mark.parametrize(
    ("images", "sides", "boxes", "classes", "conf", "nms"),
    [
        (1, (5,), 3, 4, 0.2, 0.45),
        (2, (4, 8), 2, 3, 0.1, 0.3),
        (1, (3, 6, 9), 3, 1, 0.3, 0.6),
        (2, (4,), 2, 3, 0.99, 0.45),
        (1, (4,), 2, 3, 0.0, 0.0),
        (1, (4,), 2, 3, 0.3, 1.5),
    ],
    ids=["one map", "two maps and images", "a third map", "nothing", "one box", "all boxes"],
)
def test_yolo2(images, sides, boxes, classes, conf, nms, opset):
    arrays = noise(len(sides), *((images, boxes * (5 + classes), s, s) for s in sides))
    listed = " ".join(f"biases: {bias}" for bias in BIASES)
    body = (
        f"yolo_detection_output_param {{ num_classes: {classes} num_box: {boxes} "
        f"confidence_threshold: {conf} nms_threshold: {nms} {listed} }}"
    )
    (top,) = assert_agree("YoloDetectionOutput", arrays, body, opset=opset, opencv=False)
    expected = yolo2_by_hand(list(arrays.values()), boxes, conf, nms)
    np.testing.assert_allclose(top, expected, rtol=1e-4, atol=1e-5)


def yolo3_param(classes, boxes, groups, mask, strides, conf, nms):
    lists = {"biases": BIASES, "mask": mask, "anchors_scale": strides}
    listed = " ".join(f"{name}: {value}" for name, values in lists.items() for value in values)
    return (
        f"yolov3_detection_output_param {{ num_classes: {classes} num_box: {boxes} "
        f"mask_group_num: {groups} confidence_threshold: {conf} nms_threshold: {nms} {listed} }}"
    )


@pytest.mark.parametrize("opset", [13, 17, 18, 26])
@pytest.mark.parametrize(
    ("images", "sizes", "boxes", "classes", "mask", "conf", "nms"),
    [
        (1, [(4, 5)], 2, 3, (2, 0), 0.3, 0.45),
        (1, [(3, 4), (6, 8)], 1, 4, (2, 1), 0.35, 0.3),
        (2, [(3, 3), (5, 5)], 2, 2, (1, 2, 0, 1), 0.4, 0.6),
        (2, [(3, 3)], 2, 2, (1, 2), 1.0, 0.45),
    ],
    ids=["one map", "two maps", "two images", "nothing"],
)
def test_yolo3(images, sizes, boxes, classes, mask, conf, nms, opset):
    arrays = noise(classes, *((images, boxes * (5 + classes), *size) for size in sizes))
    strides = (4, 2)[: len(sizes)]
    body = yolo3_param(classes, boxes, len(sizes), mask, strides, conf, nms)
    (top,) = assert_agree("Yolov3DetectionOutput", arrays, body, opset=opset, opencv=False)
    expected = yolo3_by_hand(list(arrays.values()), boxes, conf, nms, mask, strides)
    np.testing.assert_allclose(top, expected, rtol=1e-4, atol=1e-5)


def test_yolo3_at_a_free_size():
    body = yolo3_param(3, 2, 1, (2, 0), (4,), 0.3, 0.45)
    small, large = noise(0, (1, 16, 3, 4)), noise(1, (1, 16, 7, 6))
    text = prototxt("Yolov3DetectionOutput", small, body)
    (found,) = by_onnxruntime(text, large, ["top"], dynamic_size=True)
    np.testing.assert_allclose(found, by_torch(text, large, ["top"])[0], rtol=1e-4, atol=1e-5)


def test_gaussian_boxes_are_refused():
    body = yolo3_param(3, 2, 1, (2, 0), (4,), 0.3, 0.45).replace("}", "gaussian_box: true }")
    text = prototxt("Yolov3DetectionOutput", noise(0, (1, 24, 3, 4)), body)
    with pytest.raises(CaffegenError, match="memory that it never writes"):
        by_torch(text, {}, ["top"])
    with pytest.raises(CaffegenError, match="memory that it never writes"):
        by_onnxruntime(text, {}, ["top"])


def region_by_hand(bottom, info, boxes, thresh, nms, stride):
    """All boxes in the order of the priors; scores by class, and the best before suppression."""
    images, _, height, width = bottom.shape
    planes = bottom.astype(np.float64).reshape(images, boxes, -1, height, width)
    for image in planes:
        for box in image:
            box[[0, 1, 4]] = sigmoid(box[[0, 1, 4]])
            for y, x in np.ndindex(height, width):
                box[5:, y, x] = softmax(box[5:, y, x])
    if images == 2:
        mirrored = planes[1].reshape(-1, height, width)
        for z in range(len(mirrored)):
            for i in range(width // 2):
                j = width - 1 - i
                mirrored[z, :, [i, j]] = mirrored[z, :, [j, i]] * (-1 if z < boxes else 1)
        planes[0] = (planes[0] + planes[1]) / 2
    net_w, net_h = width * stride, height * stride
    h, w = (int(v) for v in info[:2])
    w, h = w or net_w, h or net_h
    fit_w, fit_h = (net_w, h * net_w // w) if net_w / w < net_h / h else (w * net_h // h, net_h)
    found, scores = [], []
    for n, y, x in np.ndindex(boxes, height, width):
        v = planes[0, n, :, y, x]
        size = np.exp(v[2:4]) * BIASES[2 * n : 2 * n + 2] / [width, height]
        cx, cy = (x + v[0]) / width, (y + v[1]) / height
        cx = (cx - (net_w - fit_w) / 2 / net_w) / (fit_w / net_w)
        cy = (cy - (net_h - fit_h) / 2 / net_h) / (fit_h / net_h)
        size = size * [net_w / fit_w, net_h / fit_h]
        found.append(np.array([cx * w, cy * h, size[0] * w, size[1] * h]))
        scores.append([*(v[4] * v[5:]), (v[4] * v[5:]).max()])
    scores = np.array(scores)
    scores[:, :-1][scores[:, :-1] <= thresh] = 0
    for k in range(scores.shape[1] - 1 if nms > 0 else 0):
        order = sorted(range(len(found)), key=lambda i: -scores[i, k])
        for at, i in enumerate(order):
            if scores[i, k]:
                for j in order[at + 1 :]:
                    if overlap(found[i], found[j]) > nms:
                        scores[j, k] = 0
    return np.array(found)[None], scores[None]


@pytest.mark.parametrize(
    ("images", "size", "info", "thresh", "nms"),
    [
        (1, (4, 5), (90, 200), 0.05, 0.3),
        (1, (5, 4), (200, 90), 0.0, 0.0),
        (1, (4, 4), (128, 128), 0.1, 0.45),
        (1, (4, 5), (0, 0), 0.1, 0.2),
        (2, (4, 5), (90, 200), 0.05, 0.3),
        (2, (4, 4), (90, 100), 0.05, 0.3),
    ],
    ids=["wide", "high, no suppression", "square", "no size", "mirrored, odd", "mirrored, even"],
)
def test_region_output(images, size, info, thresh, nms):
    arrays = noise(5, (images, 24, *size))
    arrays["info"] = np.array([info], F32)
    listed = " ".join(f"biases: {bias}" for bias in BIASES)
    body = f"region_output_param {{ classes: 3 thresh: {thresh} nms: {nms} {listed} }}"
    tops = ("boxes", "scores")
    text = prototxt("RegionOutput", arrays, body, tops)
    expected = region_by_hand(arrays["x"], info, 3, thresh, nms, 32)
    runs = [by_torch(text, arrays, tops)]
    if images == 1:
        runs += [by_onnxruntime(text, arrays, tops, opset) for opset in (13, 26)]
    for run in runs:
        np.testing.assert_allclose(run[0], expected[0], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(run[1], expected[1], rtol=1e-4, atol=1e-5)


def test_mask_loss_and_its_own_gradient():
    scores = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    masks = torch.randint(0, 2, (2, 3, 4, 4)).double()
    counts = masks.sum((2, 3))
    module = one_layer(
        "YoloSeg", [(2, 3, 4, 4)] * 2 + [(2, 3)], "yolo_seg_param { object_scale: 3 }"
    )
    loss = module(a=scores, b=masks, c=counts)["top"]
    (loss * 0.5).backward()
    # a class that fills a third of what it does not fill counts 3 * (2 - 1/3) where it is
    share = counts.sum(0) / (16 - counts).sum(0)
    scale = torch.where(masks > 0.5, 3 * (2 - share)[None, :, None, None], 3.0)
    delta = scale * (scores.detach().sigmoid() - masks)
    torch.testing.assert_close(loss.detach(), (delta**2).sum() / 2)
    torch.testing.assert_close(scores.grad, delta * 0.5 / 2)


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "by_torch_too"),
    [
        ("RegionLoss", [(1, 40, 4, 4), (1, 1, 300, 5)], "region_loss_param { num_class: 3 }", True),
        (
            "Yolov3", [(1, 8, 4, 4), (1, 1, 300, 5)],
            "yolov3_param { num_class: 3 num: 1 mask: 0 biases: 1 biases: 2 }", True,
        ),
        ("YoloSeg", [(1, 3, 4, 4), (1, 3, 4, 4), (1, 3)], "", False),
        (
            "EvalDetection", [(1, 16, 4, 4), (1, 1, 6, 8)],
            "eval_detection_param { side: 4 num_class: 3 num_object: 2 }", True,
        ),
    ],
)  # fmt: skip
def test_refusals_have_reasons(kind, shapes, body, by_torch_too):
    text = prototxt(kind, noise(0, *shapes), body)
    with pytest.raises(CaffegenError, match=r"is there for training alone|counts hits"):
        by_onnxruntime(text, {}, ["top"])
    if by_torch_too:
        with pytest.raises(CaffegenError, match=r"gradients written out by hand|hits and misses"):
            by_torch(text, {}, ["top"])


@pytest.mark.parametrize("seed", range(6))
def test_region_output_is_opencvs_region(seed, tmp_path):
    # square maps: of others, OpenCV divides widths by the height
    side, classes, thresh, nms = (
        3 + seed,
        2 + seed % 3,
        (0.05, 0.2)[seed % 2],
        (0.3, 0.5)[seed // 3],
    )
    arrays = noise(seed, (1, 3 * (5 + classes), side, side))
    arrays["info"] = np.array([[side * 32, side * 32]], F32)
    listed = " ".join(f"biases: {bias}" for bias in BIASES)
    body = f"region_output_param {{ classes: {classes} thresh: {thresh} nms: {nms} {listed} }}"
    (boxes, scores) = assert_agree(
        "RegionOutput", arrays, body, tops=("boxes", "scores"), opencv=False
    )
    by_cells = opencvs_region(arrays["x"], classes, thresh, nms, tmp_path)
    by_priors = by_cells.reshape(side, side, 3, -1).transpose(2, 0, 1, 3).reshape(len(by_cells), -1)
    np.testing.assert_allclose(boxes[0] / (side * 32), by_priors[:, :4], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[0, :, :-1], by_priors[:, 5:], rtol=1e-4, atol=1e-5)


def opencvs_region(bottom, classes, thresh, nms, folder):
    """The boxes of each cell after another, in parts of the image, objectness and scores."""
    from caffegen.schema.caffe_pb2 import NetParameter

    weights = NetParameter()
    layer = weights.layer.add(name="layer", type="Region")
    layer.blobs.add(data=BIASES).shape.dim.extend([len(BIASES)])
    (folder / "net.caffemodel").write_bytes(weights.SerializeToString())
    last = np.ascontiguousarray(bottom.transpose(0, 2, 3, 1))
    body = (
        f"region_param {{ classes: {classes} anchors: 3 softmax: 1 thresh: {thresh} "
        f"nms_threshold: {nms} }}"
    )
    (folder / "net.prototxt").write_text(prototxt("Region", {"x": last}, body))
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    net.setInput(last, "x")
    return net.forward()
