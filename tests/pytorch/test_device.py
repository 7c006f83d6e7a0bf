"""That a module computes where its weights and inputs are, on machines without a GPU.

PyTorch's meta device stands for the GPU: a tensor that was made on the processor and meets one of
the bottoms would be refused there, as it would be by CUDA.
"""

import pytest
import torch
from torch.fx.experimental import _config
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from caffegen import pytorch
from caffegen.errors import CaffegenError
from caffegen.loader import loads
from tests.pytorch.golden_case import layer_cases


class OneDevice(TorchDispatchMode):
    """Refuse operations over tensors of two devices; numbers may come from the processor."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if func is not torch.ops.aten.copy_.default:
            assert len({each.device.type for each in operands if each.dim()}) < 2, func
        return func(*args, **(kwargs or {}))


def runnable():
    return [
        pytest.param(case, id=case.id)
        for case in layer_cases()
        if not case.case.get("shape_only") and case.type != "MemoryData"
    ]


@pytest.mark.parametrize("case", runnable())
def test_both_passes_stay_on_the_device(case):
    module = case.build().to("meta")
    bottoms = {
        name: value.detach().to("meta").requires_grad_(value.is_floating_point())
        for name, value in case.inputs(1).items()
    }
    # what Filter keeps is known from values alone, and here there are none
    with OneDevice(), _config.patch(meta_nonzero_assume_all_nonzero=True):
        tops = module(**bottoms)
        assert {top.device.type for top in tops.values()} <= {"meta"}
        total = [top.sum() for top in tops.values() if top.requires_grad]
        if total:
            sum(total).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is None or parameter.grad.device.type == "meta", name


def test_a_tensor_of_the_processor_would_be_found(monkeypatch):
    module = pytorch.build(
        loads(
            'layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 2 dim: 3 } } }'
            'layer { name: "b" type: "Power" bottom: "a" top: "b" power_param { scale: 2 } }'
        )
    ).to("meta")
    monkeypatch.setattr(type(module.b), "forward", lambda self, bottom: bottom + torch.ones(3))
    with OneDevice(), pytest.raises(AssertionError, match="add"):
        module(torch.empty(2, 3, device="meta"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("meta", "the device `meta` has shapes and no values: nothing is computed there"),
        (torch.device("meta"), "the device `meta` has shapes and no values: nothing is computed there"),
        ("gpu0", "`gpu0` names no device; PyTorch knows `cpu`, `cuda`, `mps` ..."),
        ("cuda:99", "the device `cuda:99` is not there: "),
    ],
    ids=["meta", "meta itself", "no name", "no GPU"],
)  # fmt: skip
def test_devices_that_are_not_there_or_compute_nothing(name, sentence):
    with pytest.raises(CaffegenError) as refusal:
        pytorch.find_device(name)
    assert str(refusal.value).startswith(sentence)


def test_a_device_that_is_there():
    assert pytorch.find_device("cpu") == torch.device("cpu")
