"""A built net is a module like any other: compiled, exported, copied, moved, quantised, distributed."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import caffegen
from caffegen.pytorch import build
from tests.pytorch.golden_case import GOLDEN

NETS = ["bottleneck", "inception", "mobilenet", "se_net"]


@pytest.fixture(params=NETS, scope="module")
def net(request):
    folder = GOLDEN / "nets"
    name = request.param
    return caffegen.load(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")


@pytest.fixture
def module(net):
    return build(net)


@pytest.fixture
def x(net):
    torch.manual_seed(0)
    return torch.randn(net.shapes["data"])


def same(module, other, x, **tolerance):
    with torch.no_grad():
        for name, tensor in module(x).items():
            torch.testing.assert_close(other(x)[name], tensor, **tolerance)


def test_compiles_whole(module, x):
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    same(module, compiled, x)


def test_compiles_a_training_step():
    folder = GOLDEN / "nets"
    net = caffegen.load(
        folder / "bottleneck.prototxt", folder / "bottleneck.caffemodel", phase="TRAIN"
    )
    plain, compiled = build(net), build(net)
    step = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    x, label = torch.randn(net.shapes["data"]), torch.tensor([1, 2])
    for _ in range(2):
        for module in (plain, step):
            module(x, label)["loss"].backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)
    for one, other in zip(plain.buffers(), compiled.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("strict", [False, True])
def test_exports_with_a_free_batch(module, x, strict):
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(module, (x,), dynamic_shapes=({0: batch},), strict=strict)
    same(module, exported.module(), torch.cat([x, x, x]))


def test_exports_by_name(module, x):
    exported = torch.export.export(module, (), {"data": x}).module()
    torch.testing.assert_close(exported(data=x)["prob"], module(x)["prob"])


def test_channels_last(module, x):
    other = copy.deepcopy(module).to(memory_format=torch.channels_last)
    last = x.contiguous(memory_format=torch.channels_last)
    assert other.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(other(last)["prob"], module(x)["prob"])


def test_autocast(module, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = module(x)["prob"]
    torch.testing.assert_close(found.float(), module(x)["prob"], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(module, x, dtype):
    other = copy.deepcopy(module).to(dtype)
    found = other(x.to(dtype))["prob"]
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), module(x)["prob"], rtol=0.1, atol=0.05)


def test_state_dict_makes_the_round(net, module, x):
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    other = build(caffegen.loads(net.message), seed=7)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue())))
    same(module, other, x, rtol=0, atol=0)


def test_copies(module, x):
    same(module, copy.deepcopy(module), x, rtol=0, atol=0)
    same(module, pickle.loads(pickle.dumps(module)), x, rtol=0, atol=0)


def test_compiles_fused(net, x):
    fused = build(net, fuse=True)
    same(fused, torch.compile(fused, fullgraph=True, backend="aot_eager"), x)
    torch.export.export(fused, (x,))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantises(module, x):
    from torch.ao.quantization import quantize_dynamic

    quantised = quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8)
    assert type(quantised.score) is not nn.Linear
    torch.testing.assert_close(quantised(x)["prob"], module(x)["prob"], rtol=0.2, atol=0.05)


def test_distributed(net, x):
    from torch.distributed import HashStore, destroy_process_group, init_process_group
    from torch.nn.parallel import DistributedDataParallel

    init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        plain, module = build(net), build(net)
        spread = DistributedDataParallel(module)
        spread(x)["prob"].square().sum().backward()
        plain(x)["prob"].square().sum().backward()
        for one, other in zip(plain.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
    finally:
        destroy_process_group()
