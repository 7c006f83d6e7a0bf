"""Every net of the zoo at full size: check, shapes, and three runtimes on seeded weights.

    python -m tests.zoo.full_size [FAMILY ...] [--results FILE]

prints a row a net: learned parameters, multiply-accumulates, the largest difference between PyTorch,
onnxruntime and OpenCV over all blobs, and the seconds it took. With `--results` every row is added
to a file of JSON lines, and a net that is good there is not run again. Ends with exit code 1 if a
check found more than is stated, or a runtime differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import caffegen
from caffegen import verify
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.check import Options, check_source
from caffegen.errors import CaffegenError
from caffegen.text import Source
from caffegen.zoo import FAMILIES, architecture
from tests.zoo.nets import name, nets, stated


def run(family, options):
    """The row of a net: figures, and in `fault` what is not as it should be."""
    start = time.perf_counter()
    spec = architecture(family).build(**options)
    text = spec.to_prototxt()
    found = [d.name for d in check_source(Source(text), Options()).diagnostics]
    net = caffegen.loads(text)
    summary = summarize(net.graph)
    report = verify.compare(caffegen.loads(text, fill_params(net.graph, 0)))
    blobs = [row for row in report.rows if row.other == "onnxruntime"]
    others = [row for row in blobs if row.blob != "detection_out"]
    faults = [word for word in found if word not in stated(family, options)]
    if len(report.compared) < 3:
        faults += [f"{run.name}: {run.note}" for run in report.runtimes if not run.ran]
    elif not report.ok:
        faults.append(report.verdict)
    faults += [
        f"`{row.blob}` is {row.shape} where it is computed, {net.shapes[row.blob]} here"
        for row in others
        if row.shape != net.shapes[row.blob]
    ]
    return {
        "net": name(family, options),
        "layers": len(summary.rows),
        "parameters": summary.params,
        "macs": summary.macs,
        "blobs": len(others),
        "difference": max((row.counted for row in report.rows), default=None),
        "seconds": round(time.perf_counter() - start, 1),
        "fault": "; ".join(faults),
    }


def known(path):
    """The rows of a results file by net, those with a fault left out."""
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["net"]: row for row in rows if not row["fault"]}


def line(row):
    """A row as it is printed."""
    difference = "" if row["difference"] is None else f"{row['difference']:.1e}"
    figures = (
        f"{row['layers']:>6,}  {row['parameters']:>11,}  {row['macs']:>15,}  "
        f"{difference:>8}  {row['seconds']:>7.1f}"
    )
    return f"{row['net']:<52}  {figures}  {row['fault'] or 'agree'}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="all unless given")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="JSON lines, read and added to"
    )
    chosen = parser.parse_args(arguments)
    unknown = [family for family in chosen.families if family not in FAMILIES]
    if unknown:
        parser.error(f"there is no family `{unknown[0]}`, only {', '.join(FAMILIES)}")
    done = known(chosen.results)
    print(f"{'net':<52}  {'layers':>6}  {'parameters':>11}  {'MACs':>15}  {'largest':>8}  seconds")
    good = True
    for family in chosen.families or FAMILIES:
        for options in nets(family):
            row = done.get(name(family, options))
            if row is None:
                try:
                    row = run(family, options)
                except CaffegenError as error:
                    print(f"{name(family, options):<52}  {error}", flush=True)
                    good = False
                    continue
                if chosen.results is not None:
                    with chosen.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
            print(line(row), flush=True)
            good = good and not row["fault"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
