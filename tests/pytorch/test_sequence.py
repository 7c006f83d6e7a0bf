"""The losses over sequences against a sum over all paths, and what goes with them."""

from itertools import groupby, product

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import Refusal, build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text, one_layer
from tests.verify.fork_case import Case


def chance(probabilities, labels, blank):
    """The sum over all paths that read as the labels: repetitions merged, then blanks left out."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in product(range(classes), repeat=steps):
        if [key for key, _ in groupby(path) if key != blank] == list(labels):
            total += np.prod(probabilities[range(steps), path])
    return total


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def scores_of(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# three sequences of 4, 3 and 2 steps; the second says 1 twice
GOING_ON = np.array([[0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1]], np.float32)
TARGETS = np.array([[0, 1, 2], [2, 1, -1], [-1, -1, -1], [-1, -1, -1]], np.float32)
READ = (([0, 2], 4), ([1, 1], 3), ([2], 2))


def ctc(scores, text="", going_on=GOING_ON, targets=TARGETS):
    body = f"ctc_loss_param {{ {text} }}"
    shapes = [scores.shape, going_on.shape, targets.shape]
    module = one_layer("CTCLoss", shapes, body, phase="TRAIN")
    bottom = torch.from_numpy(scores).requires_grad_()
    top = module(bottom, torch.from_numpy(going_on), torch.from_numpy(targets))["top"]
    return top, bottom


@pytest.mark.parametrize(
    ("text", "blank", "read"),
    [
        pytest.param("", 3, READ, id="the last class is the blank"),
        pytest.param("blank_index: 3", 3, READ, id="named"),
        pytest.param(
            "preprocess_collapse_repeated: true", 3, (READ[0], ([1], 3), READ[2]), id="collapsed"
        ),
        # a label that is the blank ends the sequence
        pytest.param("blank_index: 2", 2, (([0], 4), ([1, 1], 3), ([], 2)), id="another blank"),
    ],
)
def test_ctc_loss_sums_over_all_paths(text, blank, read):
    scores = scores_of((4, 3, 4))
    top, _ = ctc(scores, text)
    probabilities = softmax(scores)
    losses = [
        -np.log(chance(probabilities[:steps, index], labels, blank))
        for index, (labels, steps) in enumerate(read)
        if labels
    ]
    assert top.item() == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_ctc_loss_with_a_delay_leaves_the_first_steps_out():
    scores = scores_of((4, 1, 3))
    going_on, targets = GOING_ON[:, :1], np.array([[0], [1], [-1], [-1]], np.float32)
    top, bottom = ctc(scores, "output_delay: 1", going_on, targets)
    expected = -np.log(chance(softmax(scores)[1:, 0], [0, 1], 2))
    assert top.item() == pytest.approx(expected, rel=1e-5)
    top.backward()
    assert not bottom.grad[0].any()
    assert bottom.grad[1:].all()


def test_the_gradient_of_ctc_loss_is_that_of_the_sum():
    scores = scores_of((4, 3, 4))
    top, bottom = ctc(scores)
    # whatever comes from above
    (5 * top).backward()
    numeric = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        sides = []
        for step in (1e-2, -1e-2):
            moved = scores.copy()
            moved[place] += step
            sides.append(ctc(moved)[0].item())
        numeric[place] = 3 * (sides[0] - sides[1]) / 2e-2
    np.testing.assert_allclose(bottom.grad.numpy(), numeric, atol=2e-3)
    # nothing reads what lies behind the end
    assert not bottom.grad[3, 1].any()
    assert not bottom.grad[2:, 2].any()


def test_ctc_loss_without_a_path_is_infinite_and_its_gradient_the_softmax():
    scores = scores_of((2, 1, 3))
    going_on = np.array([[0], [1]], np.float32)
    # twice the same label takes three steps
    top, bottom = ctc(scores, "", going_on, np.array([[1], [1]], np.float32))
    assert top.item() == np.inf
    top.backward()
    np.testing.assert_allclose(bottom.grad.numpy(), softmax(scores), rtol=1e-5)


def test_ctc_loss_of_no_labels_at_all():
    top, bottom = ctc(
        scores_of((2, 1, 3)), "", np.zeros((2, 1), np.float32), -np.ones((2, 1), "f4")
    )
    assert top.item() == 0
    top.backward()
    assert not bottom.grad.any()


def warp(scores, labels, text):
    body = f"ctc_loss_param {{ {text} }}"
    module = one_layer("CtcLoss", [scores.shape, labels.shape], body, phase="TRAIN")
    bottom = torch.from_numpy(scores).requires_grad_()
    return module(bottom, torch.from_numpy(labels))["top"], bottom


def test_warp_ctc_fills_labels_up_with_blanks():
    scores = scores_of((5, 3, 3), seed=1)
    # the last does not fit into 4 steps: three times 1 takes 5
    labels = np.array([[1, 0, 2], [0, 0, 2], [1, 1, 1]], np.float32)
    top, bottom = warp(scores, labels, "alphabet_size: 3 time_step: 4")
    probabilities = softmax(scores)[:4]
    first = -np.log(chance(probabilities[:, 0], [1, 2], 0))
    second = -np.log(chance(probabilities[:, 1], [2], 0))
    assert top.item() == pytest.approx((first + second) / 3, rel=1e-5)
    (2 * top).backward()
    grad = bottom.grad.numpy()
    # softmax minus the share of each label: rows sum to 0; times what comes from above, not over N
    np.testing.assert_allclose(grad.sum(2), 0, atol=1e-6)
    assert not grad[4].any()
    assert not grad[:, 2].any()
    again = torch.from_numpy(scores).requires_grad_()
    flat = torch.tensor([1, 2, 2])
    lengths = torch.tensor([4, 4]), torch.tensor([2, 1])
    rows = again[:4, :2].log_softmax(2)
    torch.nn.functional.ctc_loss(rows, flat, *lengths, reduction="sum").backward()
    np.testing.assert_allclose(grad, 2 * again.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_warp_ctc_of_labels_that_never_fit():
    labels = np.array([[1, 1, 1]], np.float32)
    top, bottom = warp(scores_of((3, 1, 2)), labels, "alphabet_size: 2 time_step: 3")
    assert top.item() == 0
    top.backward()
    assert not bottom.grad.any()


def test_other_paths_are_refused():
    text = net_text(
        "CTCLoss", [(4, 3, 4), (4, 3), (4, 3)], "ctc_loss_param { ctc_merge_repeated: false }"
    )
    with pytest.raises(Refusal, match="counts other paths than a CTC loss does"):
        build(loads(text))


@pytest.mark.parametrize(
    ("kind", "shapes", "body"),
    [
        ("CTCLoss", [(4, 3, 4), (4, 3), (4, 3)], ""),
        ("CtcLoss", [(4, 3, 4), (3, 2)], "ctc_loss_param { alphabet_size: 4 time_step: 4 }"),
    ],
)
def test_onnx_has_no_ctc_loss(kind, shapes, body):
    reason = "ONNX has no CTC loss; take the scores that it reads, `a`, as the output"
    with pytest.raises(onnx_bridge.Refusal, match=reason):
        onnx_bridge.to_model(loads(net_text(kind, shapes, body)))


@pytest.mark.parametrize(
    ("shapes", "text", "items"),
    [
        pytest.param([(3, 5)], "", 3, id="axis 0"),
        pytest.param([(7, 2, 5)], "axis: 1", 2, id="axis 1"),
        pytest.param([], "batch_size: 4", 4, id="no bottom"),
    ],
)
def test_continuation_indicator(shapes, text, items):
    body = f"continuation_indicator_param {{ time_step: 3 {text} }}"
    expected = np.ones((3, items), np.float32)
    expected[0] = 0
    Case("ContinuationIndicator", shapes, body).check(expected)


def test_continuation_indicator_of_any_batch():
    text = net_text(
        "ContinuationIndicator", [(3, 5)], "continuation_indicator_param { time_step: 2 }"
    )
    model = onnx_bridge.to_model(loads(text), dynamic_batch=True)
    top = run(model, {"a": np.zeros((4, 5), np.float32)})["top"]
    assert top.tolist() == [[0] * 4, [1] * 4]


def one_hot(rows, classes=4):
    return np.eye(classes, dtype=np.float32)[np.array(rows)]


@pytest.mark.parametrize(
    ("best", "labels", "share"),
    [
        pytest.param([[1, 1, 0, 2], [0, 3, 3, 0]], [[1, 2], [3, 0]], 1, id="both"),
        pytest.param([[1, 1, 0, 2], [0, 3, 0, 3]], [[1, 2], [3, 0]], 0.5, id="said twice"),
        pytest.param([[1, 2, 1, 0]], [[1, 2]], 0, id="one too many"),
        pytest.param([[0, 0]], [[0, 0]], 1, id="nothing to read"),
        pytest.param([[1, 0]], [[1, 0, 0, 0, 0]], 1, id="more room for labels than steps"),
        pytest.param([[2]], [[0, 2]], 1, id="a blank before"),
        pytest.param([[2, 1]], [[1, 2]], 0, id="the other way round"),
    ],
)
def test_labelsequence_accuracy(best, labels, share):
    scores, labels = one_hot(best), np.array(labels, np.float32)
    case = Case("LabelsequenceAccuracy", [scores.shape, labels.shape])
    case.feeds = {"a": scores, "b": labels}
    case.check(np.array(share, np.float32))


def test_labelsequence_accuracy_with_another_blank():
    scores, labels = one_hot([[3, 0, 0, 3]]), np.array([[0, 3]], np.float32)
    text = "labelsequence_accuracy_param { blank_label: 3 }"
    case = Case("LabelsequenceAccuracy", [scores.shape, labels.shape], text)
    case.feeds = {"a": scores, "b": labels}
    case.check(np.array(1, np.float32))
