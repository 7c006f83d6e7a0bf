"""Accuracy and ArgMax in PyTorch beyond the golden cases."""

import pytest
import torch

from tests.pytorch.one_layer import one_layer


def scores(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# four items; the best two classes are 2 1, 0 1, 1 2, and 0 beside 1
SCORES = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.0, 0.9, 0.5], [0.5, 0.5, 0.0]]


@pytest.mark.parametrize(
    ("labels", "text", "expected"),
    [
        pytest.param([2, 0, 1, 2], "", 3 / 4, id="top 1"),
        pytest.param([1, 1, 2, 2], "top_k: 2", 3 / 4, id="top 2"),
        pytest.param([0, 2, 0, 2], "top_k: 3", 1, id="as many as classes"),
        pytest.param([2, 0, 1, 0], "", 3 / 4, id="a tie counts against"),
        pytest.param([2, 0, 1, 0], "top_k: 2", 1, id="a tie for the second place"),
        pytest.param([2, 7, 0, 7], "ignore_label: 7", 1 / 2, id="ignored"),
        pytest.param([7, 7, 7, 7], "ignore_label: 7", 0, id="all ignored"),
        pytest.param([2.9, 0.5, 1.1, 2.0], "", 3 / 4, id="fractions are cut"),
    ],
)
def test_accuracy(labels, text, expected):
    module = one_layer("Accuracy", [(4, 3), (4,)], f"accuracy_param {{ {text} }}")
    top = module(torch.tensor(SCORES), torch.tensor(labels))["top"]
    assert top.shape == ()
    assert top.item() == expected


def test_accuracy_per_class():
    text = "accuracy_param { ignore_label: 9 }"
    module = one_layer("Accuracy", [(4, 3), (4,)], text, tops=("top", "per_class"))
    blobs = module(torch.tensor(SCORES), torch.tensor([2, 2, 0, 9]))
    assert blobs["top"].item() == pytest.approx(1 / 3)
    assert blobs["per_class"].tolist() == [0, 0, 0.5]


def test_accuracy_where_the_axis_is_not_the_second():
    values, labels = scores(2, 3, 5), torch.arange(6) % 5
    module = one_layer("Accuracy", [(2, 3, 5), (6,)], "accuracy_param { axis: -1 }")
    expected = (values.argmax(-1).flatten() == labels).float().mean()
    assert module(values, labels)["top"] == expected


def test_accuracy_has_no_gradient():
    module = one_layer("Accuracy", [(4, 3), (4,)])
    assert not module(scores(4, 3).requires_grad_(), torch.zeros(4))["top"].requires_grad


def largest(row, count):
    """Pairs of value and place, sorted as Caffe sorts them."""
    return sorted(((value, place) for place, value in enumerate(row)), reverse=True)[:count]


@pytest.mark.parametrize("top_k", [1, 2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_arg_max_on_ties(top_k, seed):
    values = torch.randint(0, 3, (7, 5), generator=torch.Generator().manual_seed(seed)).float()
    text = f"argmax_param {{ top_k: {top_k} out_max_val: true }}"
    top = one_layer("ArgMax", [(7, 5)], text)(values)["top"]
    assert top.shape == (7, 2, top_k)
    for row, (places, best) in zip(values.tolist(), top.tolist(), strict=True):
        assert list(zip(best, places, strict=True)) == largest(row, top_k)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_arg_max_along_an_axis(axis):
    values = scores(3, 4, 5)
    top = one_layer("ArgMax", [(3, 4, 5)], f"argmax_param {{ axis: {axis} top_k: 2 }}")(values)[
        "top"
    ]
    assert torch.equal(top.long(), values.topk(2, axis).indices)
    text = f"argmax_param {{ axis: {axis} top_k: 2 out_max_val: true }}"
    top = one_layer("ArgMax", [(3, 4, 5)], text)(values)["top"]
    assert torch.equal(top, values.topk(2, axis).values)


def test_arg_max_keeps_large_places_exact_in_half_precision():
    values = torch.zeros(1, 5000, dtype=torch.bfloat16)
    values[0, 4321] = 1
    module = one_layer("ArgMax", [(1, 5000)]).to(torch.bfloat16)
    assert module(values)["top"].item() == 4321


def test_arg_max_has_no_gradient():
    module = one_layer("ArgMax", [(3, 4)], "argmax_param { out_max_val: true }")
    assert not module(scores(3, 4).requires_grad_())["top"].requires_grad


@pytest.mark.parametrize(
    ("kind", "shapes", "text", "tops"),
    [
        (
            "Accuracy",
            [(4, 3, 2), (4, 2)],
            "accuracy_param { ignore_label: 1 }",
            ("top", "per_class"),
        ),
        ("ArgMax", [(4, 3, 2)], "argmax_param { top_k: 2 out_max_val: true }", ("top",)),
        ("ArgMax", [(4, 3, 2)], "argmax_param { axis: 1 }", ("top",)),
    ],
    ids=["accuracy", "items", "axis"],
)
def test_compiles_and_exports_in_one_piece(kind, shapes, text, tops):
    module = one_layer(kind, shapes, text, tops=tops)
    inputs = [scores(*shapes[0]), *(torch.zeros(shape) for shape in shapes[1:])]
    expected = module(*inputs)
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")(*inputs)
    exported = torch.export.export(module, tuple(inputs)).module()(*inputs)
    for top in tops:
        assert torch.equal(compiled[top], expected[top])
        assert torch.equal(exported[top], expected[top])
    # the batch size is free
    more = [torch.cat([tensor] * 2) for tensor in inputs]
    assert module(*more)[tops[0]].shape[:1] == ((8,) if kind == "ArgMax" else ())
