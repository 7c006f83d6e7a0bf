"""How fast a module runs: items a second with their spread, memory, and time by layer type."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .module import CaffeModule

__all__ = ["LayerTime", "Measured", "measure", "spread", "time_by_type"]

# one repeat lasts at least this long, so that the clock and the GPU's queue don't count
_SHORTEST = 0.05


class LayerTime(NamedTuple):
    """The time that all layers of a type take in one pass; layers run as one are named by `+`."""

    type: str
    layers: int
    seconds: float
    share: float


class Measured(NamedTuple):
    """Seconds of one pass in each repeat, and the highest memory while they ran.

    `memory` is what PyTorch held on a GPU, and the whole process on a CPU; None where the system
    does not say.
    """

    seconds: tuple[float, ...]
    passes: int
    memory: int | None


def measure(
    module: nn.Module, inputs: Mapping[str, Tensor], device: torch.device, repeat: int
) -> Measured:
    """Run forward passes without gradients: some to warm up, then `repeat` timed ones.

    Where a pass is short each repeat is a row of several, whose mean counts.
    """
    _reset_peak(device)
    with torch.inference_mode():
        first = _seconds(module, inputs, device, 1)
        for _ in range(2):
            first = min(first, _seconds(module, inputs, device, 1))
        passes = max(1, math.ceil(_SHORTEST / first))
        found = [_seconds(module, inputs, device, passes) / passes for _ in range(repeat)]
    return Measured(tuple(found), passes, _peak(device))


def _seconds(
    module: nn.Module, inputs: Mapping[str, Tensor], device: torch.device, passes: int
) -> float:
    _wait(device)
    begun = time.perf_counter()
    for _ in range(passes):
        module(**inputs)
    _wait(device)
    return time.perf_counter() - begun


def time_by_type(
    module: CaffeModule,
    types: Mapping[str, str],
    inputs: Mapping[str, Tensor],
    device: torch.device,
    passes: int = 5,
) -> list[LayerTime]:
    """The time in each type of layer, the longest first; `types` maps layer names to types.

    Every layer is timed on its own by hooks, so that the sum is a little longer than a whole pass.
    On a GPU the time is the device's own.
    """
    stamp, between = _clock(device)
    open_stamps: dict[int, Any] = {}
    spans: list[tuple[str, Any, Any]] = []
    counts: Counter[str] = Counter()
    handles = []
    for step in module._steps:
        kind = "+".join(types[layer] for layer in step.layers)
        counts[kind] += 1
        part = module.get_submodule(step.module)

        def before(part: nn.Module, _: Any) -> None:
            open_stamps[id(part)] = stamp()

        def after(part: nn.Module, _: Any, __: Any, kind: str = kind) -> None:
            spans.append((kind, open_stamps.pop(id(part)), stamp()))

        handles += [part.register_forward_pre_hook(before), part.register_forward_hook(after)]
    try:
        with torch.inference_mode():
            module(**inputs)
            spans.clear()
            for _ in range(passes):
                module(**inputs)
            _wait(device)
    finally:
        for handle in handles:
            handle.remove()
    totals: dict[str, float] = {}
    for kind, begun, ended in spans:
        totals[kind] = totals.get(kind, 0.0) + between(begun, ended) / passes
    whole = sum(totals.values()) or 1.0
    return [
        LayerTime(kind, counts[kind], seconds, seconds / whole)
        for kind, seconds in sorted(totals.items(), key=lambda item: -item[1])
    ]


def _clock(device: torch.device) -> tuple[Callable[[], Any], Callable[[Any, Any], float]]:
    """Takes a stamp; the seconds between two of them."""
    if device.type != "cuda":
        return time.perf_counter, lambda begun, ended: float(ended - begun)

    def stamp() -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        return event

    return stamp, lambda begun, ended: float(begun.elapsed_time(ended)) / 1000


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(low), float(middle), float(high)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _reset_peak(device: torch.device) -> None:
    """Forget the highest memory so far, where the system can: on a GPU, and on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # man proc(5): resets VmHWM
    except OSError:
        return


def _peak(device: torch.device) -> int | None:
    """The highest memory: since `_reset_peak`, or where that can't be, of the process's life."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ModuleNotFoundError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if os.uname().sysname == "Darwin" else most * 1024
