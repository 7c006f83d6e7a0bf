"""`caffegen init` and `caffegen verify`, as a user calls them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from caffegen import load
from caffegen.cli.init import command as init
from caffegen.cli.verify import command as verify
from caffegen.weights import open_weights
from caffegen.zoo import resnet


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    prototxt, caffemodel = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(resnet(depth=20, dataset="cifar10").to_prototxt())
    done = CliRunner().invoke(init, [str(prototxt), "-o", str(caffemodel), "--seed", "3"])
    assert done.exit_code == 0, done.output
    return str(prototxt), str(caffemodel)


def test_init_fills_every_blob(files, tmp_path):
    net = load(*files)
    assert not net.diagnostics
    convolution = net.params["conv1"][0]
    # msra: standard deviation sqrt(2 / fan_in), fan_in 3 * 3 * 3
    assert convolution.std() == pytest.approx((2 / 27) ** 0.5, rel=0.15)
    again = tmp_path / "again.caffemodel"
    CliRunner().invoke(init, [files[0], "-o", str(again), "--seed", "3"])
    with open(files[1], "rb") as first, open(again, "rb") as second:
        assert first.read() == second.read()
    other = tmp_path / "other.caffemodel"
    CliRunner().invoke(init, [files[0], "-o", str(other), "--seed", "4"])
    blobs = [
        next(found for found in open_weights(p).layers if found.name == "conv1").blobs[0].array()
        for p in (again, other)
    ]
    assert (blobs[0] != blobs[1]).any()


def test_init_puts_batch_statistics_in_a_sane_state(files):
    net = load(*files)
    for node in net.layers:
        if node.type == "BatchNorm":
            mean, variance, factor = net.params[node.name]
            assert factor.tolist() == [1.0]
            assert (mean == 0).all()
            assert (variance > 0).all()


def test_verify_agrees(files):
    done = CliRunner().invoke(verify, [*files])
    assert done.exit_code == 0, done.output
    assert "blobs agree across torch, onnxruntime, opencv" in done.output
    assert "largest relative difference" in done.output


def test_verify_json_and_page(files, tmp_path):
    page = tmp_path / "report.html"
    done = CliRunner().invoke(verify, [*files, "--format", "json", "--report", str(page)])
    document = json.loads(done.output)
    assert document["version"] == 1
    assert document["ok"] is True
    assert [run["name"] for run in document["runtimes"]] == ["torch", "onnxruntime", "opencv"]
    assert max(blob["relative"] for blob in document["blobs"]) <= 1e-4
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<tr>") + text.count("<tr ") == len(document["blobs"]) + 5


def test_names_are_escaped_in_the_page(tmp_path):
    from caffegen.verify import BlobDifference, RuntimeRun, VerifyReport
    from caffegen.verify.page import report_page

    evil = "<script>alert(1)</script>"
    row = BlobDifference(evil, evil, (1,), "torch", "opencv", 0.0, 0.0, 1.0, equal=True)
    runs = (RuntimeRun("torch", "1", True, 0.1), RuntimeRun("opencv", "1", True, 0.1, evil))
    page = report_page(VerifyReport(evil, 0, 1e-4, runs, (row,)))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_mismatch_exits_with_1(files):
    done = CliRunner().invoke(
        verify, [*files, "--tolerance", "0", "--runtime", "torch", "--runtime", "opencv"]
    )
    assert done.exit_code == 1
    assert "first difference: blob `" in done.output


@pytest.mark.parametrize("bound", ["nan", "inf"])
def test_a_tolerance_is_a_number(files, bound):
    done = CliRunner().invoke(verify, [*files, "--tolerance", bound])
    assert done.exit_code == 2
    assert f"{bound} is no bound" in done.output


def test_weights_of_another_net_are_refused(files, tmp_path):
    other = tmp_path / "other.prototxt"
    other.write_text(resnet(depth=20, dataset="cifar100").to_prototxt())
    done = CliRunner().invoke(verify, [str(other), files[1]])
    assert done.exit_code != 0
    assert "the weights hold nothing for layer `fc100`" in str(done.exception)
    assert "the weights of `fc10` ([10, 64], [10])" in str(done.exception)


def test_as_declared_fills_as_caffe_would(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }\n'
    )
    out = tmp_path / "net.caffemodel"
    assert CliRunner().invoke(init, [str(path), "-o", str(out), "--as-declared"]).exit_code == 0
    assert not np.any(load(path, out).params["ip"][0])
    assert CliRunner().invoke(init, [str(path), "-o", str(out)]).exit_code == 0
    assert np.any(load(path, out).params["ip"][0])
