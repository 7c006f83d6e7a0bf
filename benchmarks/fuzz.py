"""Fuzzing: mutated prototxt and broken caffemodels must end in a finding, never in anything else.

    python benchmarks/fuzz.py [--inputs 200000] [--seed 0] [FOLDER ...]

Folders are searched for further *.prototxt to mutate. Prints counts; exits 1 on an exception that is
not caffegen's own, an input that takes more than 2 s, or a peak of memory above 500 MB.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from caffegen.check import Options, check_source
from caffegen.errors import CaffegenError
from caffegen.text import Source
from caffegen.text.format import format_text
from caffegen.text.tokens import SyntaxFault
from caffegen.weights import open_weights

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
PIECES = [
    "{", "}", "<", ">", "[", "]", ":", ";", ",", '"', "'", "#", "\\", "-", "0x", "1e", "nan", "inf",
    "4294967298", "-1", "99999999999999999999", "layer {", "layers {", 'bottom: "data"',
    'top: "data"', 'type: "Convolution"', "dim: 0", "dim: -1", "kernel_size: 0", "stride: 0",
    "group: 0", "axis: -9", "num_output: 4294967295", "include { phase: TEST }", "\x00", "\ufeff",
    "é", "\udcff", 'param { name: "w" }', "${x}", "<<<<<<< HEAD\n",
]  # fmt: skip


def seeds(folders: list[str]) -> list[str]:
    texts = []
    for name in ("layers/index.json", "invalid.json", "tricky.json"):
        texts += [case["prototxt"] for case in json.loads((GOLDEN / name).read_text("utf-8"))]
    texts += [path.read_text("utf-8") for path in sorted((GOLDEN / "nets").glob("*.prototxt"))]
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.prototxt")):
            if path.stat().st_size < 60_000:
                texts.append(path.read_bytes().decode("utf-8", "surrogateescape"))
    return texts


def mutate(text: str, others: list[str], rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(text) + 1)
        span = rng.choice((1, 1, 3, 20, 200))
        how = rng.randrange(7)
        if how == 0:
            text = text[:at] + text[at + span :]
        elif how == 1:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif how == 2:
            text = text[:at]
        elif how == 3:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            text = text[:at] + other[start : start + span] + text[at:]
        elif how == 4:
            text = text[:at] + chr(rng.randrange(1, 256)) + text[at + 1 :]
        elif how == 5:
            lines = text.split("\n")
            rng.shuffle(lines)
            text = "\n".join(lines)
        else:
            digits = [i for i, char in enumerate(text) if char.isdigit()]
            if digits:
                i = rng.choice(digits)
                text = text[:i] + rng.choice("0123456789-") + text[i + 1 :]
    return text


def try_text(text: str) -> None:
    check_source(Source(text), Options())
    with contextlib.suppress(SyntaxFault):
        format_text(Source(text))


def try_weights(data: bytes, path: str) -> None:
    with open(path, "wb") as file:
        file.write(data)
    with contextlib.suppress(CaffegenError):
        for layer in open_weights(path).layers:
            for blob in layer.blobs:
                blob.array()


def break_bytes(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data[:20_000] if rng.random() < 0.5 else data)
    if rng.random() < 0.4:
        del broken[rng.randrange(len(broken)) :]
    for _ in range(rng.choice((0, 1, 3, 10))):
        if broken:
            broken[rng.randrange(min(len(broken), 4000))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("folders", nargs="*")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    texts = seeds(options.folders)
    models = [path.read_bytes() for path in sorted((GOLDEN / "nets").glob("*.caffemodel"))]
    small = [data[:4000] for data in models]
    failed = slow = 0
    slowest = 0.0
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.caffemodel")
        for number in range(options.inputs):
            binary = number % 10 == 0
            given = (
                break_bytes(rng.choice(small if rng.random() < 0.9 else models), rng)
                if binary
                else mutate(rng.choice(texts), texts, rng)
            )
            start = time.perf_counter()
            try:
                try_weights(given, path) if binary else try_text(given)
            except Exception:
                failed += 1
                if failed <= 10:
                    out = io.StringIO()
                    traceback.print_exc(file=out)
                    print(out.getvalue(), repr(given[:2000]), sep="\n", file=sys.stderr)
            spent = time.perf_counter() - start
            slowest = max(slowest, spent)
            slow += spent > 2
            if number % 5000 == 4999 and sys.stderr.isatty():
                print(f"\r{number + 1:,} inputs", end="", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.inputs:,} inputs from {len(texts)} texts and {len(models)} models, seed "
        f"{options.seed}, {time.time() - began:.0f} s: {failed} foreign exceptions, {slow} over 2 s, "
        f"slowest {slowest:.2f} s, peak memory {peak:.0f} MB"
    )
    return 1 if failed or slow or peak > 500 else 0


if __name__ == "__main__":
    sys.exit(main())
