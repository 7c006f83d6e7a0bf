"""Parameter in PyTorch, and Python layers whose class the caller gives."""

import numpy as np
import pytest
import torch
from torch import nn

import caffegen
from caffegen import CaffegenError, pytorch
from caffegen.pytorch import Refusal
from caffegen.pytorch.python import python_layer

TEXT = """
layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }
layer {
  name: "own" type: "Python" bottom: "a" bottom: "b" top: "c"
  python_param { module: "roi.layers" layer: "Scaled" param_str: "{'factor': 2}" }
}
"""


def definition():
    return caffegen.loads(TEXT).layers[1].definition


class Module(nn.Module):
    def __init__(self, param_str):
        super().__init__()
        self.param_str = param_str
        self.weight = nn.Parameter(torch.full((), 2.0))

    def forward(self, first, second):
        return first * self.weight + second


class Plain(nn.Module):
    def forward(self, first, second):
        return first - second


class Scaled:
    """A layer written for pycaffe: factor * a * b, with a gradient for a alone."""

    def setup(self, bottom, top):
        assert len(top) == 1
        self.factor = float(self.param_str.split(":")[1].strip(" }"))
        self.phases = []

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        self.phases.append(self.phase)
        top[0].data[...] = self.factor * bottom[0].data * bottom[1].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * top[0].diff * bottom[1].data


def test_code_named_by_a_file_is_not_run():
    with pytest.raises(Refusal) as refused:
        pytorch.build(caffegen.loads(TEXT))
    assert str(refused.value) == (
        "layer `own` (Python) has no PyTorch form: the code of `roi.layers` is not imported because "
        'a file names it; give the class by `allow_python={"roi.layers.Scaled": ...}`'
    )


@pytest.mark.parametrize("name", ["roi", "Scaled", "roi.layers.Other"])
def test_a_class_for_another_name_does_not_count(name):
    with pytest.raises(Refusal, match="is not imported"):
        python_layer(definition(), {name: Module})


@pytest.mark.parametrize("name", ["roi.layers", "roi.layers.Scaled"])
def test_a_module_class_is_given_the_parameter_string(name):
    with torch.device("meta"):
        module = python_layer(definition(), {name: Module}).module
    assert module.param_str == "{'factor': 2}"
    assert module(torch.ones(2), torch.ones(2)).tolist() == [3, 3]


def test_the_layers_own_name_counts_first():
    allowed = {"roi.layers": Module, "roi.layers.Scaled": Plain}
    assert isinstance(python_layer(definition(), allowed).module, Plain)


def test_a_module_without_parameters_and_one_that_is_made():
    assert isinstance(python_layer(definition(), {"roi.layers": Plain}).module, Plain)
    made = Plain()
    assert python_layer(definition(), {"roi.layers": made}).module is made


def test_a_pycaffe_class_runs_forwards_and_backwards():
    module = python_layer(definition(), {"roi.layers": Scaled}).module
    first = torch.tensor([[1.0, 2.0]], requires_grad=True)
    second = torch.tensor([[5.0, 7.0]], requires_grad=True)
    (top,) = module(first, second)
    assert top.tolist() == [[10, 28]]
    (top * torch.tensor([[1.0, 3.0]])).sum().backward()
    assert first.grad.tolist() == [[10, 42]]
    assert second.grad.tolist() == [[0, 0]]


def test_a_pycaffe_class_is_set_up_once_and_knows_the_phase():
    module = python_layer(definition(), {"roi.layers": Scaled}).module
    module.train()
    module(torch.ones(1), torch.ones(1))
    module.eval()
    module(torch.ones(4), torch.ones(4))
    assert module.layer.phases == [0, 1]


def test_a_pycaffe_gradient_in_finite_differences():
    module = python_layer(definition(), {"roi.layers": Scaled}).module
    first = torch.tensor([[0.5, -1.0]], requires_grad=True)
    second = torch.tensor([[2.0, 3.0]])
    module(first, second)[0].sum().backward()
    step = torch.tensor([[0.01, 0.0]])
    with torch.no_grad():
        above, below = (module(first + sign * step, second)[0].sum() for sign in (1, -1))
    assert first.grad[0, 0].item() == pytest.approx(((above - below) / 0.02).item(), rel=1e-4)


def test_a_pycaffe_class_may_have_no_bottoms():
    class Source:
        def setup(self, bottom, top):
            top[0].reshape(2, 3)

        def reshape(self, bottom, top):
            pass

        def forward(self, bottom, top):
            top[0].data[...] = 4

        def backward(self, top, propagate_down, bottom):
            raise AssertionError

    text = """layer { name: "own" type: "Python" top: "c"
        python_param { module: "roi.layers" layer: "Source" } }"""
    bound = caffegen.loads(text).layers[0].definition
    module = python_layer(bound, {"roi.layers": Source}).module
    for _ in range(2):
        (top,) = module()
        assert top.tolist() == [[4] * 3] * 2


def test_blobs_are_shown_as_pycaffe_shows_them():
    blob = pytorch.python.PycaffeBlob(np.ones((2, 3, 4), np.float32))
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 4, 1)
    assert (blob.shape, blob.count) == ((2, 3, 4), 24)
    blob.reshape(1, 2)
    assert blob.data.shape == blob.diff.shape == (1, 2)
    assert not blob.data.any()


def test_a_class_that_is_no_layer_is_refused():
    with pytest.raises(CaffegenError) as refused:
        python_layer(definition(), {"roi.layers": dict})
    assert str(refused.value) == (
        "`allow_python` has <class 'dict'> for `roi.layers`; it takes a torch.nn.Module class or one "
        "with `setup`, `reshape`, `forward`, `backward`"
    )


def test_a_class_that_takes_more_is_refused():
    with pytest.raises(CaffegenError) as refused:
        python_layer(definition(), {"roi.layers": nn.Linear})
    assert str(refused.value) == (
        "the class for `roi.layers` takes `in_features`; layer `own` has only `param_str` to give"
    )


PARAMETER = """
layer {
  name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 2 dim: 3 } }
}
"""


def test_parameter_is_learned_and_begins_with_its_weights():
    weights = {"w": [np.arange(6, dtype=np.float32).reshape(2, 3)]}
    module = pytorch.build(caffegen.loads(PARAMETER, weights))
    assert list(module.state_dict()) == ["w.value"]
    top = module()["w"]
    assert top.tolist() == [[0, 1, 2], [3, 4, 5]]
    (top * top).sum().backward()
    assert module.caffe_blobs("w")[0].grad.tolist() == [[0, 2, 4], [6, 8, 10]]
