"""The PyTorch build against hand-written PyTorch: torchvision's resnet50, and torch.load.

Prints ratios measured in this run. The two sides of a ratio take turns, so that whatever else the
machine does falls on both. Options: --device cuda, --batch, --times, --dtype bf16, --channels-last,
--compile.
"""

import argparse
import os
import statistics
import tempfile
import time

import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import resnet


def torchvision_resnet50():
    # a torchvision built for another torch lacks its compiled operators, which no ResNet uses
    register = torch.library.register_fake
    torch.library.register_fake = lambda *_, **__: lambda function: function
    try:
        from torchvision.models import resnet50
    finally:
        torch.library.register_fake = register
    return resnet50()


def duel(ours, theirs, times, synchronize):
    """Median and best seconds of both, run in turns."""
    spent = {ours: [], theirs: []}
    for round_ in range(times + 2):
        for function in (ours, theirs) if round_ % 2 else (theirs, ours):
            start = time.perf_counter()
            function()
            synchronize()
            if round_ > 1:
                spent[function].append(time.perf_counter() - start)
    return [(statistics.median(spent[f]), min(spent[f])) for f in (ours, theirs)]


def show(what, ours, theirs, times, bound, synchronize):
    (middle, least), (other_middle, other_least) = duel(ours, theirs, times, synchronize)
    print(
        f"{what}: median {middle / other_middle:.3f}, best {least / other_least:.3f} "
        f"({least * 1e3:.1f} ms / {other_least * 1e3:.1f} ms){bound}"
    )


def against_torchvision(options):
    device = pytorch.find_device(options.device)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    net = caffegen.loads(resnet(depth=50, style="torchvision", batch=options.batch))
    modules = [pytorch.build(net).to(device, dtype), torchvision_resnet50().to(device, dtype)]
    x = torch.randn(options.batch, 3, 224, 224, device=device, dtype=dtype)
    if options.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
        modules = [module.to(memory_format=torch.channels_last) for module in modules]
    if options.compile:
        modules = [torch.compile(module) for module in modules]
    ours, theirs = modules

    def infer(module):
        with torch.no_grad():
            module(x)

    def step(module):
        top = module(x)
        top = next(iter(top.values())) if isinstance(top, dict) else top.softmax(1)
        top.float().square().sum().backward()
        module.zero_grad(set_to_none=True)

    bound = " (at most 1.05)" if device.type == "cpu" else " (at most 1.02)"
    for module in modules:
        module.eval()
    show("eval / torchvision", lambda: infer(ours), lambda: infer(theirs), options.times, bound,
         synchronize)  # fmt: skip
    for module in modules:
        module.train()
    times = max(3, options.times // 3)
    show("training step / torchvision", lambda: step(ours), lambda: step(theirs), times, bound,
         synchronize)  # fmt: skip


def against_torch_load():
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel, state = (os.path.join(folder, n) for n in ("p", "c.caffemodel", "s"))
        net = caffegen.loads(resnet(depth=152))
        net = caffegen.loads(net.message, fill_params(net.graph, 0))
        net.save(prototxt, caffemodel)
        torch.save(pytorch.build(net).state_dict(), state)
        show(
            "load and build ResNet-152 / torch.load of its state_dict",
            lambda: pytorch.build(caffegen.load(prototxt, caffemodel)),
            lambda: torch.load(state), 7, "", lambda: None,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    against_torchvision(options)
    against_torch_load()


if __name__ == "__main__":
    main()
