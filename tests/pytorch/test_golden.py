"""Every golden layer case, forwards and backwards, in both phases, over several passes."""

import numpy as np
import pytest
import torch

from caffegen.layer_types import FED, known_types
from caffegen.pytorch.registry import lowering_of
from tests.pytorch.golden_case import close, layer_cases

# types without a lowering; the test of completeness wants this to be empty
WITHOUT_LOWERING = frozenset(
    name for name in known_types() if name not in FED and lowering_of(name) is None
)
# cases whose result Caffe makes by a rule that others don't have, and that we follow
FOLLOWED = {"LRN-within_k", "Pooling-max_empty_window"}


def runnable():
    cases = []
    for case in layer_cases():
        marks = []
        if case.case.get("shape_only"):
            marks.append(pytest.mark.skip(reason="Caffe sets this net up and can't run it"))
        elif case.case.get("random"):
            marks.append(pytest.mark.skip(reason="random: its properties are tested by family"))
        elif case.type == "MemoryData":
            marks.append(pytest.mark.skip(reason="its tops are the caller's own tensors"))
        cases.append(pytest.param(case, id=case.id, marks=marks))
    return cases


def tolerance(case):
    """Ten times the usual where the case's note speaks of large values or batch statistics."""
    note = case.case["note"]
    factor = 10 if "large" in note or "batch statistics" in note else 1
    return {"relative": 1e-4 * factor, "absolute": 1e-5 * factor}


@pytest.mark.parametrize("case", runnable())
def test_layer(case):
    module = case.build()
    forward_all(case, module)
    if case.case["backward"] and "gradient" not in case.quirk:
        backward(case)


def forward_all(case, module):
    exact = "output" not in case.quirk or case.id in FOLLOWED
    for number in range(1, case.passes + 1):
        blobs = module(**case.inputs(number))
        expected = case.values("out", number)
        assert set(blobs) - {"(automatic)"} == set(expected)
        for name, array in expected.items():
            if exact:
                close(blobs[name], array, f"{name}, pass {number}", **tolerance(case))
            else:
                assert tuple(blobs[name].shape) == array.shape
        compare_params(case, module, number)
        compare_inner(case, module, number)
    losses = case.case["total_loss"]
    if module.loss_weights and case.case["loss_weights"]:
        last = losses[-1] if isinstance(losses, list) else losses
        inner = [n for n in module.loss_weights if n not in blobs]
        if inner:
            blobs = blobs | module.run(case.inputs(case.passes), blobs=inner)
        close(module.total_loss(blobs), np.float32(last), "total loss")


def compare_params(case, module, number):
    for layer, blobs in case.params("param_after", number).items():
        for index, array in blobs.items():
            what = f"{layer}/{index} after pass {number}"
            close(module.caffe_blobs(layer)[index], array, what, **tolerance(case))


def compare_inner(case, module, number):
    inner = case.values("blob", number)
    known = {name: array for name, array in inner.items() if name in module._slots}
    if known and case.case["phase"] == "TEST" and case.passes == 1:
        blobs = module.run(case.inputs(number), blobs=known)
        for name, array in known.items():
            close(blobs[name], array, f"inner blob {name}", **tolerance(case))


def backward(case):
    module = case.build()
    for number in range(1, case.passes):
        module(**case.inputs(number))
    leaves = case.inputs(case.passes, gradients=True)
    # a module may work in place on what it makes itself, never on the caller's tensors
    before = {name: leaf.detach().clone() for name, leaf in leaves.items()}
    blobs = module(**leaves)
    for name, leaf in leaves.items():
        assert torch.equal(leaf.detach(), before[name]), f"the input `{name}` was overwritten"
    above = {name: torch.from_numpy(array) for name, array in case.values("topdiff").items()}
    # the loss that Caffe gives no name has no gradient from outside
    unnamed = {name: torch.tensor(w) for name, w in module.loss_weights.items() if name in blobs}
    total = [
        (blobs[name] * gradient).sum()
        for name, gradient in (unnamed | above).items()
        if blobs[name].requires_grad
    ]
    if total:
        sum(total).backward()
    for name, array in case.values("indiff").items():
        if leaves[name].requires_grad:
            close_gradient(leaves[name], array, f"gradient of {name}")
    for layer, gradients in case.params("paramdiff").items():
        blobs = module.caffe_blobs(layer)
        for index, array in gradients.items():
            close_gradient(blobs[index], array, f"gradient of {layer}/{index}")


def close_gradient(tensor, array, what):
    found = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
    close(found, array, what, relative=1e-3)


def test_nothing_is_without_a_lowering():
    assert not WITHOUT_LOWERING
