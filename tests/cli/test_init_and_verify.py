"""`caffegen init` and `caffegen verify`, as a user calls them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from caffegen import load
from caffegen.cli.init import command as init
from caffegen.cli.verify import command as verify
from caffegen.weights import open_weights
from caffegen.zoo import lenet, resnet


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


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("net.prototxt", "`net.prototxt` is the file that is read; write to another"),
        ("./net.prototxt", "`./net.prototxt` is `net.prototxt`, which is read; write to another"),
        ("link.caffemodel", "`link.caffemodel` is `net.prototxt`, which is read; write to another"),
        ("hard.caffemodel", "`hard.caffemodel` is `net.prototxt`, which is read; write to another"),
        ("-", "--output: `-` ends in none of .caffemodel, .h5, .hdf5"),
        ("net.onnx", "--output: `net.onnx` ends in none of .caffemodel, .h5, .hdf5"),
    ],
)
def test_init_refuses_what_is_no_file_of_weights(program, write, tmp_path, output, sentence):
    text = lenet().to_prototxt()
    write(text)
    (tmp_path / "link.caffemodel").symlink_to("net.prototxt")
    (tmp_path / "hard.caffemodel").hardlink_to(tmp_path / "net.prototxt")
    before = sorted(tmp_path.iterdir())
    assert program("init", "net.prototxt", "-o", output) == (2, "", f"caffegen: {sentence}\n")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "net.prototxt").read_text() == text


@pytest.mark.parametrize("name", ["net.h5", "net.caffemodel.h5", "net.HDF5"])
def test_init_writes_hdf5(program, write, tmp_path, name):
    net = write(lenet().to_prototxt())
    assert program("init", net, "-o", name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(b"\x89HDF")
    assert program("init", net, "-o", "net.caffemodel")[0] == 0
    stored, plain = (
        load(tmp_path / net, tmp_path / each).params for each in (name, "net.caffemodel")
    )
    assert list(stored) == list(plain) == ["conv1", "conv2", "ip1", "ip2"]
    for layer in plain:
        for first, second in zip(stored[layer], plain[layer], strict=True):
            np.testing.assert_array_equal(first, second)


def test_verify_on_a_device_that_computes_nothing_is_refused(program, files):
    code, out, err = program("verify", *files, "--device", "meta")
    assert (code, out) == (2, "")
    told = "the device `meta` has shapes and no values: nothing is computed there"
    assert err == f"caffegen: {told}\n"


@pytest.mark.parametrize("target", ["net.prototxt", "./net.prototxt", "net.caffemodel"])
def test_a_report_is_not_written_over_what_is_verified(program, tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text('layer { name: "x" type: "Input" top: "x" }')
    (tmp_path / "net.caffemodel").write_bytes(b"weights")
    before = (tmp_path / target).read_bytes()
    code, _, err = program("verify", "net.prototxt", "net.caffemodel", "--report", target)
    assert code == 2
    assert "which is read; write to another" in err or "the file that is read" in err
    assert (tmp_path / target).read_bytes() == before
