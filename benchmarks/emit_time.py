"""Whole-process time of `caffegen resnet --depth 101`, over importing click and the schema alone.

Prints the ratio; ends with exit code 1 above the budget of 1.5.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

BUDGET = 1.5
RUNS = 20
PEER = [sys.executable, "-c", "import click, caffegen.schema.caffe_pb2"]
# what the installed `caffegen` script does
EMIT = [
    sys.executable, "-c", "from caffegen.cli.main import main; main()", "resnet", "--depth", "101"
]  # fmt: skip


def seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        # both sides run from .pyc files, as installed packages do
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for command in (PEER, EMIT):
            seconds(command, environment)
        # turn by turn, so that a busy machine slows both; the fastest run is the least disturbed
        turns = [(seconds(PEER, environment), seconds(EMIT, environment)) for _ in range(RUNS)]
    peer, emit = (min(times) for times in zip(*turns, strict=True))
    print(f"import click and the schema  {1000 * peer:6.1f} ms")
    print(f"caffegen resnet --depth 101  {1000 * emit:6.1f} ms")
    print(f"ratio {emit / peer:.2f}, at most {BUDGET}")
    return int(emit / peer > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
