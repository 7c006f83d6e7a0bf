"""Time per layer of residual networks of depth 56, 1,202 and 10,004: it must not grow.

Prints microseconds per layer of depth for emitting the text, for loading it (text to a graph with shapes) and
for the shapes alone; ends with exit code 1 where a deeper net costs over 20% more per layer than the
shallowest.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from caffegen.analysis import infer
from caffegen.collection import collection_paused
from caffegen.diagnostics import Report
from caffegen.loader import examine
from caffegen.net import Graph, build_graph
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Source, parse
from caffegen.zoo import resnet

BUDGET = 1.2
# depth -> runs; the shallow nets are done in no time, so the best of many runs is needed
RUNS = {56: 60, 1202: 10, 10004: 5}


def emit(depth: int) -> str:
    return resnet(depth, dataset="cifar10").to_prototxt()


def load(text: str) -> Graph:
    return examine(Source(text)).graph


def graph_of(text: str) -> Graph:
    message = parse(Source(text), message_type("NetParameter"), nearest).message
    return build_graph(message.name, list(message.layer), Report(), nearest)


def shapes(graph: Graph) -> None:
    with collection_paused():
        infer(graph, "TEST", Report())


# what is timed, and what makes its argument from the depth outside the timing
STAGES: dict[str, tuple[Callable[[Any], Any], Callable[[int], Any]]] = {
    "emit": (emit, int),
    "load": (load, emit),
    "shapes": (shapes, lambda depth: graph_of(emit(depth))),
}


def best(stage: str, depth: int) -> float:
    """The least processor time, in seconds, that a stage took for a depth."""
    work, prepare = STAGES[stage]
    least = float("inf")
    for _ in range(RUNS[depth]):
        argument = prepare(depth)
        gc.collect()
        started = time.process_time()
        work(argument)
        least = min(least, time.process_time() - started)
    return least


def main() -> int:
    failed = 0
    print("microseconds per layer  " + "".join(f"{depth:>10,}" for depth in RUNS) + "    growth")
    for stage in STAGES:
        per_layer = [1e6 * best(stage, depth) / depth for depth in RUNS]
        growth = max(per_layer[1:]) / per_layer[0]
        failed |= growth > BUDGET
        times = "".join(f"{time:10.1f}" for time in per_layer)
        print(f"{stage:24}{times}{growth:9.2f}x, at most {BUDGET}x")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
