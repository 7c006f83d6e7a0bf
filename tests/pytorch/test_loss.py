"""The losses in PyTorch beyond the golden cases: labels of any type, floors, files, exporting."""

import math

import numpy as np
import pytest
import torch

from caffegen import CaffegenError
from caffegen.errors import FileError
from caffegen.weights import write_binaryproto
from tests.pytorch.golden_case import close, layer_cases
from tests.pytorch.one_layer import one_layer


def build(kind, shapes, text="", tops=1):
    return one_layer(kind, shapes, text, tops=("loss", "prob")[:tops])


def loss_of(module, *bottoms):
    return module(*bottoms)["loss"]


def scores(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


LABELLED = [
    pytest.param("SoftmaxWithLoss", (4, 3, 2), (4, 2), "", id="softmax"),
    pytest.param("HingeLoss", (4, 3), (4,), "", id="hinge"),
    pytest.param("MultinomialLogisticLoss", (4, 3), (4, 1), "", id="multinomial"),
]


@pytest.mark.parametrize(("kind", "first", "second", "text"), LABELLED)
def test_labels_of_any_type(kind, first, second, text):
    module = build(kind, [first, second], text)
    labels = torch.arange(math.prod(second)).reshape(second) % 3
    values = scores(*first).softmax(1)
    expected = loss_of(module, values, labels.float())
    for dtype in (torch.int64, torch.int32, torch.uint8, torch.float64):
        assert torch.equal(loss_of(module, values, labels.to(dtype)), expected)
    # cut to integers, not rounded
    assert torch.equal(loss_of(module, values, labels + 0.9), expected)


@pytest.mark.parametrize(("kind", "first", "second", "text"), LABELLED)
def test_a_label_past_the_classes_is_named(kind, first, second, text):
    module = build(kind, [first, second], text)
    with pytest.raises(
        CaffegenError, match=r"layer `layer` can't run on `a` .* 7 is out of bounds"
    ):
        module(scores(*first), torch.full(second, 7))


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "expected"),
    [
        pytest.param(
            "SoftmaxWithLoss", [[[0.0] * 4, [0.0] * 4]], "", math.log(4), id="softmax"
        ),
        # 1 - 2 < 0; 1 + 0.5; 1 - (-1)
        pytest.param("HingeLoss", [[[2.0, 0.5], [-1.0, -3.0]]], "", (1.5 + 2) / 2, id="hinge"),
        pytest.param(
            "HingeLoss", [[[2.0, 0.5], [-1.0, -3.0]]], "hinge_loss_param { norm: L2 }",
            (2.25 + 4) / 2, id="hinge, L2",
        ),
        pytest.param(
            "MultinomialLogisticLoss", [[[0.5, 0.5], [0.25, 0.75]]], "",
            (math.log(2) + math.log(4)) / 2, id="multinomial",
        ),
        pytest.param(
            "SigmoidCrossEntropyLoss", [[[0.0, 3.0], [0.0, 3.0]], [[1, 1], [0, 0]]], "",
            (2 * math.log(2) + 2 * math.log(1 + math.exp(-3)) + 3) / 2, id="sigmoid",
        ),
        pytest.param(
            "SigmoidCrossEntropyLoss", [[[0.0, 3.0], [0.0, 3.0]], [[0.5, 1], [0.9, 0]]],
            "loss_param { ignore_label: 0 normalization: VALID }",
            math.log(1 + math.exp(-3)), id="sigmoid, all targets below 1 ignored",
        ),
        pytest.param(
            "EuclideanLoss", [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 4.0]]], "", 13 / 4,
            id="euclidean",
        ),
        # d = 5, similar: 25; d = 0.5, not similar: (1 - 0.5)^2
        pytest.param(
            "ContrastiveLoss", [[[3.0, 4.0], [0.0, 0.5]], [[0.0, 0.0], [0.0, 0.0]], [2, 0]], "",
            25.25 / 4, id="contrastive",
        ),
        # d^2 = 0.25, not similar: 1 - 0.25
        pytest.param(
            "ContrastiveLoss", [[[3.0, 4.0], [0.0, 0.5]], [[0.0, 0.0], [0.0, 0.0]], [1, 0.9]],
            "contrastive_loss_param { legacy_version: true }", 25.75 / 4, id="contrastive, legacy",
        ),
    ],
)  # fmt: skip
def test_worked_by_hand(kind, bottoms, text, expected):
    tensors = [torch.tensor(bottom, dtype=torch.float32) for bottom in bottoms]
    if len(tensors) == 1:
        tensors.append(torch.tensor([0.0, 0.0]))
    module = build(kind, [tensor.shape for tensor in tensors], text)
    assert loss_of(module, *tensors).item() == pytest.approx(expected, rel=1e-6)


DIFFERENTIABLE = [
    pytest.param("SoftmaxWithLoss", [(3, 4, 2), (3, 2)], "loss_param { ignore_label: 1 }", id="softmax"),
    pytest.param("InfogainLoss", [(3, 4, 2), (3, 2), (4, 4)], "", id="infogain"),
    pytest.param("SigmoidCrossEntropyLoss", [(3, 4), (3, 4)], "", id="sigmoid"),
    pytest.param("EuclideanLoss", [(3, 4), (3, 4)], "", id="euclidean"),
    pytest.param("HingeLoss", [(3, 4), (3,)], "", id="hinge"),
    pytest.param("HingeLoss", [(3, 4), (3,)], "hinge_loss_param { norm: L2 }", id="hinge, L2"),
    pytest.param("MultinomialLogisticLoss", [(3, 4), (3,)], "", id="multinomial"),
    pytest.param(
        "ContrastiveLoss", [(3, 4), (3, 4), (3,)], "contrastive_loss_param { legacy_version: true margin: 9 }",
        id="contrastive, legacy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "shapes", "text"), DIFFERENTIABLE)
def test_gradient_is_that_of_the_loss(kind, shapes, text):
    module = build(kind, shapes, text)
    first = scores(*shapes[0]).double().abs().add(0.1).requires_grad_()
    others = [torch.arange(math.prod(shape)).reshape(shape) % 3 for shape in shapes[1:]]
    if kind in ("EuclideanLoss", "ContrastiveLoss"):
        others[0] = scores(*shapes[1], seed=1).double()
    if kind == "InfogainLoss":
        others[1] = scores(*shapes[2], seed=1).double()
    assert torch.autograd.gradcheck(lambda x: loss_of(module, x, *others), first)


def test_an_automatic_top_counts_in_the_loss():
    case = next(case for case in layer_cases() if case.id == "EuclideanLoss-auto_top")
    leaves = case.inputs(gradients=True)
    module = case.build()
    module.total_loss(module(**leaves)).backward()
    for name, array in case.values("indiff").items():
        close(leaves[name].grad, array, name, relative=1e-3)


def test_contrastive_gradient_adds_to_the_distance():
    """Caffe's gradient of a pair that is not similar: -(margin - d) / (d + 1e-4) times a - b."""
    module = build("ContrastiveLoss", [(2, 2), (2, 2), (2,)])
    first = torch.tensor([[0.003, 0.004], [0.0, 0.0]], requires_grad=True)
    loss_of(module, first, torch.zeros(2, 2), torch.zeros(2)).backward()
    factor = -(1 - 0.005) / (0.005 + 1e-4) / 2
    np.testing.assert_allclose(first.grad[0], [factor * 0.003, factor * 0.004], 1e-5)
    assert first.grad[1].tolist() == [0, 0]


@pytest.mark.parametrize("low", [-1000.0, -1e9])
def test_softmax_floor_is_not_in_the_gradient(low):
    module = build("SoftmaxWithLoss", [(1, 3), (1,)])
    values = torch.tensor([[low, 0.0, 0.0]], requires_grad=True)
    loss = loss_of(module, values, torch.tensor([0]))
    # -log(FLT_MIN)
    assert loss.item() == pytest.approx(87.336544, rel=1e-6)
    loss.backward()
    assert values.grad.tolist() == [[-1.0, 0.5, 0.5]]


def test_softmax_floor_holds_for_a_class_that_is_ruled_out():
    module = build("SoftmaxWithLoss", [(1, 3), (1,)])
    values = torch.tensor([[-math.inf, 0.0, 0.0]], requires_grad=True)
    loss = loss_of(module, values, torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(87.336544, rel=1e-6)
    assert values.grad.isfinite().all()


def test_infogain_floor_is_not_in_the_gradient():
    module = build("InfogainLoss", [(1, 2), (1,), (2, 2)])
    values = torch.tensor([[-100.0, 0.0]], requires_grad=True)
    loss = loss_of(module, values, torch.tensor([1]), torch.tensor([[0.0, 0.0], [2.0, 1.0]]))
    assert loss.item() == pytest.approx(-2 * math.log(1e-20), rel=1e-6)
    loss.backward()
    np.testing.assert_allclose(values.grad, [[-2.0, 2.0]], atol=1e-6)


def test_multinomial_floor_has_no_gradient_below():
    module = build("MultinomialLogisticLoss", [(2, 2), (2,)])
    values = torch.tensor([[1e-30, 1.0], [0.5, 0.5]], requires_grad=True)
    loss = loss_of(module, values, torch.tensor([0, 0]))
    assert loss.item() == pytest.approx((math.log(2) - math.log(1e-20)) / 2, rel=1e-6)
    loss.backward()
    assert values.grad.tolist() == [[0, 0], [-1, 0]]


@pytest.mark.parametrize("normalization", ["FULL", "VALID", "BATCH_SIZE", "NONE"])
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_nothing_but_ignored_labels(kind, normalization):
    labels = (3, 2) if kind == "SoftmaxWithLoss" else (3, 4, 2)
    text = f"loss_param {{ ignore_label: -1 normalization: {normalization} }}"
    module = build(kind, [(3, 4, 2), labels], text)
    values = scores(3, 4, 2).requires_grad_()
    loss = loss_of(module, values, torch.full(labels, -1))
    loss.backward()
    assert loss.item() == 0
    assert not values.grad.any()


@pytest.mark.parametrize(
    ("normalization", "divisor"), [("FULL", 12), ("VALID", 10), ("BATCH_SIZE", 6), ("NONE", 1)]
)
def test_batch_size_counts_every_axis_before_the_classes(normalization, divisor):
    """The scores are 2 x 3 x classes x 2, and two of the labels are ignored."""
    text = f"softmax_param {{ axis: 2 }} loss_param {{ ignore_label: 9 normalization: {normalization} }}"
    module = build("SoftmaxWithLoss", [(2, 3, 4, 2), (2, 6)], text)
    labels = torch.tensor([[9, 9, 0, 0, 1, 1], [2, 2, 3, 3, 0, 0]])
    loss = loss_of(module, torch.zeros(2, 3, 4, 2), labels)
    assert loss.item() == pytest.approx(10 * math.log(4) / divisor, rel=1e-6)


def test_second_top_is_the_softmax_and_has_a_gradient():
    text = "loss_weight: 1 loss_weight: 0"
    module = build("InfogainLoss", [(2, 3), (2,), (3, 3)], text, tops=2)
    values = scores(2, 3).requires_grad_()
    blobs = module(values, torch.tensor([0, 2]), torch.eye(3))
    assert torch.equal(blobs["prob"], values.softmax(1))
    blobs["prob"][:, 0].sum().backward()
    assert values.grad.any()


def test_infogain_with_the_identity_is_softmax_with_loss():
    values, labels = scores(5, 4, 2), torch.arange(10).reshape(5, 2) % 4
    plain = build("SoftmaxWithLoss", [(5, 4, 2), (5, 2)])
    weighted = build("InfogainLoss", [(5, 4, 2), (5, 2), (4, 4)])
    torch.testing.assert_close(
        loss_of(weighted, values, labels, torch.eye(4)), loss_of(plain, values, labels)
    )


def test_infogain_matrix_from_a_file(tmp_path):
    matrix = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    path = tmp_path / "H.binaryproto"
    write_binaryproto(path, matrix)
    text = f'infogain_loss_param {{ source: "{path}" }}'
    module = build("InfogainLoss", [(5, 4), (5,)], text)
    given = build("InfogainLoss", [(5, 4), (5,), (4, 4)])
    values, labels = scores(5, 4), torch.arange(5) % 4
    expected = loss_of(given, values, labels, torch.from_numpy(matrix[0, 0]))
    assert torch.equal(loss_of(module, values, labels), expected)
    assert not module.state_dict()
    assert module.to(torch.float64).get_submodule("layer").H.dtype == torch.float64


def test_infogain_matrix_of_the_wrong_size(tmp_path):
    path = tmp_path / "H.binaryproto"
    write_binaryproto(path, np.zeros((3, 3), np.float32))
    with pytest.raises(CaffegenError) as refused:
        build("InfogainLoss", [(5, 4), (5,)], f'infogain_loss_param {{ source: "{path}" }}')
    assert str(refused.value) == (
        f"`{path}` holds 9 values; 4 classes take an infogain matrix of 16"
    )


def test_infogain_matrix_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match=r"missing\.binaryproto"):
        build(
            "InfogainLoss", [(5, 4), (5,)],
            f'infogain_loss_param {{ source: "{tmp_path / "missing.binaryproto"}" }}',
        )  # fmt: skip


def test_batch_size_is_free():
    module = build("SoftmaxWithLoss", [(4, 3, 2, 2), (4, 2, 2)])
    values, labels = scores(9, 3, 5, 1), torch.ones(9, 5, 1)
    expected = torch.nn.functional.cross_entropy(values, labels.long())
    torch.testing.assert_close(loss_of(module, values, labels), expected)


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("SoftmaxWithLoss", [(4, 3), (4,)]),
        ("InfogainLoss", [(4, 3), (4,), (3, 3)]),
        ("SigmoidCrossEntropyLoss", [(4, 3), (4, 3)]),
        ("EuclideanLoss", [(4, 3), (4, 3)]),
        ("HingeLoss", [(4, 3), (4,)]),
        ("MultinomialLogisticLoss", [(4, 3), (4,)]),
        ("ContrastiveLoss", [(4, 3), (4, 3), (4,)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_compiles_and_exports_in_one_piece(kind, shapes):
    text = "loss_param { ignore_label: 2 }" if "Cross" in kind or "Softmax" in kind else ""
    module = build(kind, shapes, text)
    inputs = [scores(*shapes[0]).softmax(1), *(torch.ones(shape) for shape in shapes[1:])]
    expected = loss_of(module, *inputs)
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(loss_of(compiled, *inputs), expected)
    exported = torch.export.export(module, tuple(inputs))
    torch.testing.assert_close(loss_of(exported.module(), *inputs), expected)
    leaf = inputs[0].clone().requires_grad_()
    loss_of(compiled, leaf, *inputs[1:]).backward()
    other = inputs[0].clone().requires_grad_()
    loss_of(module, other, *inputs[1:]).backward()
    torch.testing.assert_close(leaf.grad, other.grad)
