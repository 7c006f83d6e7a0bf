"""The losses, against Caffe's loops in plain Python."""

import math

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from caffegen.weights import write_binaryproto
from tests.onnx_bridge.golden_case import run

OPSETS = (13, 18, 26)
NORMALIZATIONS = ("", "FULL", "VALID", "BATCH_SIZE", "NONE")
IGNORED = 255


def written(shapes, kind, text="", tops=("loss",), **options):
    """The model of one loss whose bottoms `b0`, `b1` ... are inputs."""
    lines = []
    for index, shape in enumerate(shapes):
        dims = " ".join(f"dim: {size}" for size in shape)
        lines.append(
            f'layer {{ name: "b{index}" type: "Input" top: "b{index}" '
            f"input_param {{ shape {{ {dims} }} }} }}"
        )
    bottoms = " ".join(f'bottom: "b{index}"' for index in range(len(shapes)))
    names = " ".join(f'top: "{top}"' for top in tops)
    lines.append(f'layer {{ name: "l" type: "{kind}" {bottoms} {names} {text} }}')
    return onnx_bridge.to_model(caffegen.loads("\n".join(lines)), **options)


def loss_of(arrays, kind, text="", **options):
    """What the layer makes of the arrays."""
    model = written([array.shape for array in arrays], kind, text, **options)
    return run_on(model, arrays)


def run_on(model, arrays):
    found = run(model, {f"b{index}": np.float32(array) for index, array in enumerate(arrays)})
    assert found["loss"].shape == ()
    return found["loss"]


def loss_param(normalization="", ignore=None):
    fields = f"normalization: {normalization} " if normalization else ""
    fields += "" if ignore is None else f"ignore_label: {ignore}"
    return f"loss_param {{ {fields} }}"


def divisor(normalization, default, valid, full, batch):
    word = normalization or default
    return max(1, {"VALID": valid, "FULL": full, "BATCH_SIZE": batch, "NONE": 1}[word])


def softmax(x, axis):
    e = np.exp(np.float64(x) - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def scores(*shape):
    return np.random.default_rng(8).standard_normal(shape, np.float32) * 2


def labels(classes, *shape, ignored=0):
    rng = np.random.default_rng(9)
    found = rng.integers(0, classes, shape).astype(np.float32)
    found.reshape(-1)[:ignored] = IGNORED
    return found


def reference(x, target, axis, normalization, ignore, matrix=None):
    """softmax_loss_layer.cpp and infogain_loss_layer.cpp, Forward_cpu."""
    floor = np.finfo(np.float32).tiny if matrix is None else 1e-20
    matrix = np.eye(x.shape[axis]) if matrix is None else matrix
    p = np.maximum(np.moveaxis(softmax(x, axis), axis, -1), floor)
    flat = target.reshape(-1)
    rows = p.reshape(flat.size, -1)
    kept = [i for i in range(flat.size) if ignore is None or int(flat[i]) != ignore]
    total = -sum((matrix[int(flat[i])] * np.log(rows[i])).sum() for i in kept)
    batch = math.prod(x.shape[:axis])
    return total / divisor(normalization, "VALID", len(kept), flat.size, batch)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("ignored", [None, 0, 3, 12], ids=lambda n: f"ignored{n}")
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "InfogainLoss"])
def test_softmax_losses(kind, normalization, ignored, opset):
    ignore = None if ignored is None else IGNORED
    x, target = scores(2, 4, 3, 2), labels(4, 2, 3, 2, ignored=ignored or 0)
    arrays, matrix = [x, target], None
    if kind == "InfogainLoss":
        matrix = scores(4, 4)
        arrays.append(matrix)
    found = loss_of(arrays, kind, loss_param(normalization, ignore), opset=opset)
    expected = reference(x, target, 1, normalization, ignore, matrix)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("shape", "label_shape", "axis"),
    [
        ((3, 5), (3,), 1),
        ((3, 5), (3, 1), 1),
        ((3, 5, 1, 1), (3, 1, 1, 1), 1),
        ((3, 4, 2), (3, 2), 1),
        ((3, 4, 2), (3, 4), -1),
        ((3, 4, 2), (3, 2, 2), 2),
        ((3, 4, 2), (3, 1, 4), -1),
        ((3, 3), (3,), 0),
        ((2, 3, 2), (2, 3), 0),
        ((1,), (1,), 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("normalization", ["", "BATCH_SIZE"])
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "InfogainLoss"])
def test_labels_of_any_shape(kind, normalization, shape, label_shape, axis):
    x, target = scores(*shape), labels(shape[axis], *label_shape) + 0.75
    arrays, matrix = [x, target], None
    text = f"softmax_param {{ axis: {axis} }}"
    if kind == "InfogainLoss":
        matrix = scores(shape[axis], shape[axis])
        arrays.append(matrix.reshape(1, 1, -1))
        text = f"infogain_loss_param {{ axis: {axis} }}"
    found = loss_of(arrays, kind, text + loss_param(normalization))
    expected = reference(x, target, axis % len(shape), normalization, None, matrix)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_softmax_loss_is_floored_at_the_smallest_float():
    found = loss_of([np.float32([[0, 300]]), np.float32([0])], "SoftmaxWithLoss")
    np.testing.assert_allclose(found, -math.log(np.finfo(np.float32).tiny), 1e-6)


def test_softmax_as_the_second_top():
    arrays = [scores(3, 4), labels(4, 3), np.eye(4)]
    text = "loss_weight: 1 loss_weight: 0"
    model = written([array.shape for array in arrays], "InfogainLoss", text, tops=("loss", "prob"))
    found = run(model, {f"b{index}": np.float32(array) for index, array in enumerate(arrays)})
    np.testing.assert_allclose(found["prob"], softmax(arrays[0], 1), 1e-5)


FREE = {
    "softmax-valid": ("SoftmaxWithLoss", "", [(2, 4, 3), (2, 3)], [(5, 4, 3), (5, 3)]),
    "softmax-ignore": (
        "SoftmaxWithLoss", loss_param("", 1), [(2, 4, 3), (2, 3)], [(5, 4, 3), (5, 3)],
    ),
    "softmax-batch": (
        "SoftmaxWithLoss", loss_param("BATCH_SIZE"), [(2, 4, 3), (2, 3)], [(5, 4, 3), (5, 3)],
    ),
    "softmax-batch-axis2": (
        "SoftmaxWithLoss", loss_param("BATCH_SIZE") + "softmax_param { axis: 2 }",
        [(2, 4, 3), (2, 4)], [(5, 4, 3), (5, 4)],
    ),
    "softmax-image": (
        "SoftmaxWithLoss", loss_param("BATCH_SIZE"), [(2, 4, 3, 3), (2, 1, 3, 3)],
        [(5, 4, 6, 7), (5, 1, 6, 7)],
    ),
    "infogain": ("InfogainLoss", "", [(2, 4, 3), (2, 3), (4, 4)], [(5, 4, 3), (5, 3), (4, 4)]),
    "sigmoid": ("SigmoidCrossEntropyLoss", "", [(2, 4), (2, 4)], [(5, 4), (5, 4)]),
    "sigmoid-shapes": ("SigmoidCrossEntropyLoss", "", [(2, 4), (2, 2, 2)], [(5, 4), (5, 2, 2)]),
    "euclidean": ("EuclideanLoss", "", [(2, 4), (2, 2, 2)], [(5, 4), (5, 2, 2)]),
    "hinge": ("HingeLoss", "", [(2, 4), (2,)], [(5, 4), (5,)]),
    "hinge-labels": ("HingeLoss", "", [(2, 4), (2, 3)], [(5, 4), (5, 3)]),
    "multinomial": ("MultinomialLogisticLoss", "", [(2, 4), (2, 1, 1)], [(5, 4), (5, 1, 1)]),
    "contrastive": ("ContrastiveLoss", "", [(2, 4), (2, 4), (2,)], [(5, 4), (5, 4), (5,)]),
    "contrastive-labels": (
        "ContrastiveLoss", "", [(2, 4), (2, 4), (9,)], [(5, 4), (5, 4), (9,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", FREE)
def test_free_sizes(case, opset):
    kind, text, shapes, others = FREE[case]
    size = case.endswith("image")
    model = written(shapes, kind, text, opset=opset, dynamic_batch=True, dynamic_size=size)
    first = np.abs(scores(*others[0]))
    rest = [labels(3, *shape) for shape in others[1:]]
    found = run_on(model, [first, *rest])
    np.testing.assert_allclose(found, loss_of([first, *rest], kind, text), 1e-6)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("ignore", [None, -1, 0], ids=lambda label: f"ignore{label}")
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_sigmoid_cross_entropy(normalization, ignore, opset):
    x = scores(3, 4)
    x[0] = [0, -0.0, 90, -90]
    targets = np.float32([[0, 1, 0.25, 0.75], [1, -1, -1.5, 0], [1, 1, -1, -1]])
    found = loss_of(
        [x, targets], "SigmoidCrossEntropyLoss", loss_param(normalization, ignore), opset=opset
    )
    total, valid = 0.0, 0
    for s, t in zip(x.reshape(-1).astype(float), targets.reshape(-1).astype(float), strict=True):
        if ignore is None or int(t) != ignore:
            total -= s * (t - (s >= 0)) - math.log1p(math.exp(s - 2 * s * (s >= 0)))
            valid += 1
    expected = total / divisor(normalization, "BATCH_SIZE", valid, 12, 3)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


@pytest.mark.parametrize("norm", ["L1", "L2"])
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("label_shape", [(3,), (3, 1), (3, 2)], ids=str)
def test_hinge(label_shape, opset, norm):
    x, target = scores(3, 2, 2), labels(4, *label_shape)
    turned = x.reshape(3, 4).copy()
    for item in range(3):
        turned[item, int(target.reshape(-1)[item])] *= -1
    margins = np.maximum(0, 1 + turned)
    expected = (margins if norm == "L1" else margins**2).sum() / 3
    text = f"hinge_loss_param {{ norm: {norm} }}"
    np.testing.assert_allclose(loss_of([x, target], "HingeLoss", text, opset=opset), expected, 1e-5)


def test_multinomial_logistic_is_floored():
    x = np.float32([[0.5, 0], [0.25, 0.75], [1, 0]])
    found = loss_of([x, np.float32([1, 0, 0])], "MultinomialLogisticLoss")
    np.testing.assert_allclose(found, -(math.log(1e-20) + math.log(0.25)) / 3, 1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 1, 1)], ids=str)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("legacy", ["false", "true"])
def test_contrastive(legacy, opset, shape):
    a, b, similar = scores(*shape), scores(*shape)[::-1] / 2, np.float32([1, 0, 0.5, -2])
    expected = 0.0
    for item in range(4):
        squared = float(((a[item] - b[item]) ** 2).sum())
        if int(similar[item]):
            expected += squared
        elif legacy == "true":
            expected += max(1.5 - squared, 0)
        else:
            expected += max(1.5 - math.sqrt(squared), 0) ** 2
    text = f"contrastive_loss_param {{ margin: 1.5 legacy_version: {legacy} }}"
    found = loss_of([a, b, similar], "ContrastiveLoss", text, opset=opset)
    np.testing.assert_allclose(found, expected / 8, 1e-5)


def test_contrastive_without_enough_labels():
    with pytest.raises(CaffegenError) as caught:
        written([(4, 3), (4, 3), (3,)], "ContrastiveLoss")
    assert str(caught.value) == (
        "layer `l` (ContrastiveLoss) has no ONNX form: bottom 2 has 3 labels for 4 items; "
        "Caffe reads past them"
    )


def test_infogain_matrix_from_a_file(tmp_path):
    x, target, matrix = scores(3, 4), labels(4, 3), scores(1, 1, 4, 4)
    path = tmp_path / "H.binaryproto"
    write_binaryproto(path, matrix)
    model = written([(3, 4), (3,)], "InfogainLoss", f'infogain_loss_param {{ source: "{path}" }}')
    assert "l.H" in {tensor.name for tensor in model.graph.initializer}
    expected = reference(x, target, 1, "", None, matrix[0, 0])
    np.testing.assert_allclose(run_on(model, [x, target]), expected, 1e-5)


def test_infogain_matrix_of_another_size(tmp_path):
    path = tmp_path / "H.binaryproto"
    write_binaryproto(path, scores(3, 3))
    with pytest.raises(CaffegenError) as caught:
        written([(3, 4), (3,)], "InfogainLoss", f'infogain_loss_param {{ source: "{path}" }}')
    assert str(caught.value) == (
        f"`{path}` holds 9 values; 4 classes take an infogain matrix of 16"
    )


@pytest.mark.parametrize("items", [1, 4])
@pytest.mark.parametrize("features", [1, 6])
def test_euclidean(items, features):
    a, b = scores(items, features), scores(items, features, 1) / 3
    expected = ((a - b.reshape(a.shape)) ** 2).sum() / items / 2
    np.testing.assert_allclose(loss_of([a, b], "EuclideanLoss"), expected, 1e-5)


def test_a_loss_without_a_top_over_data_of_unknown_shape():
    net = caffegen.loads("""
        layer { name: "data" type: "ImageData" top: "x" top: "label" image_data_param { source: "x" } }
        layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
                inner_product_param { num_output: 3 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" }
    """)
    with pytest.raises(CaffegenError, match="the shape of the input blob `x` can't be told from"):
        onnx_bridge.to_model(net)


@pytest.mark.parametrize("normalization", ["FULL", "VALID", "BATCH_SIZE", "NONE"])
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_the_loss_of_no_items_is_0(kind, normalization):
    channels = 1 if kind == "SoftmaxWithLoss" else 3
    shapes = [(2, 3, 2), (2, channels, 2)]
    model = written(shapes, kind, loss_param(normalization), dynamic_batch=True)
    empty = [np.zeros((0, *shape[1:]), np.float32) for shape in shapes]
    assert run_on(model, empty) == 0
