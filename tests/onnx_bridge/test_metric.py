"""Accuracy and ArgMax, against Caffe's loops in plain Python: ties, several places, free sizes."""

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from tests.onnx_bridge.golden_case import run

OPSETS = (13, 18, 26)


def written(shapes, kind, text="", tops=("y",), **options):
    """The model of one layer whose bottoms `b0`, `b1` are inputs."""
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


def results(model, *arrays):
    return run(model, {f"b{index}": np.float32(array) for index, array in enumerate(arrays)})


def steps(*shape):
    """Scores with many ties."""
    return np.random.default_rng(4).integers(-2, 3, shape).astype(np.float32)


def accuracy(scores, labels, axis, top_k, ignore):
    """accuracy_layer.cpp, Forward_cpu: the share of all, and per class."""
    classes = scores.shape[axis]
    rows = np.moveaxis(scores, axis, -1).reshape(-1, classes)
    hits, seen = np.zeros(classes), np.zeros(classes)
    for row, label in zip(rows, labels.reshape(-1).astype(int), strict=True):
        if label != ignore:
            seen[label] += 1
            hits[label] += sum(score >= row[label] for score in row) - 1 < top_k
    return hits.sum() / max(1, seen.sum()), hits / np.maximum(1, seen)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("per_class", [False, True], ids=["all", "classes"])
@pytest.mark.parametrize("ignore", [None, 1, 255, -1], ids=lambda label: f"ignore{label}")
@pytest.mark.parametrize("top_k", [1, 2, 5])
@pytest.mark.parametrize("axis", [1, -1])
def test_accuracy(axis, top_k, ignore, per_class, opset):
    scores = steps(3, 5, 4, 5)
    labels = np.random.default_rng(2).integers(0, 5, (3, 4, 5) if axis == 1 else (3, 5, 4))
    if ignore is not None:
        labels[1] = ignore
    text = f"accuracy_param {{ top_k: {top_k} axis: {axis} "
    text += "}" if ignore is None else f"ignore_label: {ignore} }}"
    tops = ("y", "classes") if per_class else ("y",)
    model = written([scores.shape, labels.shape], "Accuracy", text, tops, opset=opset)
    found = results(model, scores, labels)
    share, shares = accuracy(scores, labels, axis, top_k, ignore)
    np.testing.assert_allclose(found["y"], share, 1e-6)
    if per_class:
        np.testing.assert_allclose(found["classes"], shares, 1e-6)


@pytest.mark.parametrize("per_class", [False, True], ids=["all", "classes"])
def test_accuracy_of_no_labels(per_class):
    tops = ("y", "classes") if per_class else ("y",)
    model = written([(3, 4), (3,)], "Accuracy", "accuracy_param { ignore_label: 9 }", tops)
    found = results(model, steps(3, 4), np.full(3, 9))
    assert all((array == 0).all() for array in found.values())


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("labels", [(5,), (5, 1, 1)], ids=str)
@pytest.mark.parametrize("ignore", ["", "ignore_label: 1"])
def test_accuracy_of_any_batch(ignore, labels, opset):
    text = f"accuracy_param {{ {ignore} }}"
    model = written(
        [(2, 4), (2, *labels[1:])], "Accuracy", text, ("y", "c"), opset=opset, dynamic_batch=True
    )
    scores, targets = steps(5, 4), np.arange(5).reshape(labels) % 4
    found = results(model, scores, targets)
    share, shares = accuracy(scores, targets, 1, 1, 1 if ignore else None)
    np.testing.assert_allclose(found["y"], share, 1e-6)
    np.testing.assert_allclose(found["c"], shares, 1e-6)


def test_classes_that_are_free_have_no_shares():
    shapes = [(1, 3, 4, 5), (1, 3, 4, 1)]
    text = "accuracy_param { axis: 3 }"
    free = written(shapes, "Accuracy", text, dynamic_size=True)
    scores, labels = steps(1, 3, 6, 9), np.full((1, 3, 6, 1), 7)
    found = results(free, scores, labels)
    np.testing.assert_allclose(found["y"], accuracy(scores, labels, 3, 1, None)[0], 1e-6)
    with pytest.raises(onnx_bridge.Refusal) as caught:
        written(shapes, "Accuracy", text, ("y", "c"), dynamic_size=True)
    assert str(caught.value) == (
        "layer `l` (Accuracy) has no ONNX form: axis 3 of its bottom is free, but top 1 has a "
        "share for each class"
    )


def best(values, k):
    """argmax_layer.cpp, Forward_cpu: the places of the k largest, of equal ones the last first."""
    order = sorted(range(len(values)), key=lambda place: (values[place], place), reverse=True)[:k]
    return np.float32(order), np.float32([values[place] for place in order])


def argmax(x, axis, k, with_values):
    if axis is None:
        pairs = [best(item, k) for item in x.reshape(len(x), -1)]
        rows = np.stack([np.stack(pair[: 1 + with_values]) for pair in pairs])
        return rows.reshape(*rows.shape, *(1,) * (x.ndim - 3))
    return np.apply_along_axis(lambda line: best(line, k)[with_values], axis, x)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("with_values", [False, True], ids=["places", "values"])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("axis", [None, 1, -1], ids=lambda axis: f"axis{axis}")
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (2, 4, 3, 6)], ids=str)
def test_argmax(shape, axis, k, with_values, opset):
    text = f"argmax_param {{ top_k: {k} out_max_val: {str(with_values).lower()} "
    text += "}" if axis is None else f"axis: {axis} }}"
    x = steps(*shape)
    found = results(written([shape], "ArgMax", text, opset=opset), x)["y"]
    expected = argmax(x, axis, k, with_values)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("axis", [None, 1, 3], ids=lambda axis: f"axis{axis}")
def test_argmax_of_any_size(axis, k):
    text = f"argmax_param {{ top_k: {k} "
    text += "}" if axis is None else f"axis: {axis} }}"
    model = written([(1, 3, 4, 4)], "ArgMax", text, dynamic_batch=True, dynamic_size=True)
    x = steps(2, 3, 5, 7)
    np.testing.assert_array_equal(results(model, x)["y"], argmax(x, axis, k, False))


def test_the_largest_value_takes_one_argmax():
    model = written([(2, 5)], "ArgMax", "argmax_param { axis: 1 }")
    assert [node.op_type for node in model.graph.node] == ["ArgMax", "Cast"]
