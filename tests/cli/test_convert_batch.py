"""`caffegen convert ... -o folder/`: many nets, paired with their weights by name."""

import os
import shutil

import onnx
import pytest

from caffegen.cli.batch import convert_all, pair_weights, plan
from caffegen.cli.main import main
from caffegen.cli.targets import onnx_model
from tests.conftest import GOLDEN


@pytest.fixture
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("zoo/sub dir")
    for name in ("bottleneck", "legacy_v1"):
        for suffix in (".prototxt", ".caffemodel"):
            shutil.copy(GOLDEN / "nets" / (name + suffix), "zoo")
    shutil.copy(GOLDEN / "nets" / "plain20.prototxt", "zoo/sub dir/plain20_deploy.prototxt")
    shutil.copy(GOLDEN / "nets" / "plain20.caffemodel", "zoo/sub dir/plain20.caffemodel")
    with open("zoo/broken.prototxt", "w") as file:
        file.write('layer { name: "a" type: "Relu" bottom: "x" top: "y" }')
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_is_converted_past_its_failures_and_resumed(nets, capsys, jobs):
    code, out, err = run(capsys, "convert", "zoo", "-o", "out/", "--jobs", jobs)
    assert code == 1
    assert err.splitlines()[-1] == "4 nets: 3 converted, 0 up to date, 1 failed"
    assert "no layer type `Relu`; did you mean `ReLU`?" in out
    made = sorted(
        os.path.relpath(p, "out")
        for p in (nets / "out").rglob("*.onnx")
        for p in [p.relative_to(nets)]
    )
    assert made == [
        "bottleneck.onnx",
        "legacy_v1.onnx",
        os.path.join("sub dir", "plain20_deploy.onnx"),
    ]
    assert not list((nets / "out").rglob("*.part"))
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/")
    assert err.splitlines()[-1] == "4 nets: 0 converted, 3 up to date, 1 failed"
    os.utime("zoo/bottleneck.caffemodel", (2e9, 2e9))
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/")
    assert err.splitlines()[-1] == "4 nets: 1 converted, 2 up to date, 1 failed"
    os.remove("zoo/broken.prototxt")
    code, _, _ = run(capsys, "convert", "zoo/**/*.prototxt", "-o", "out/")
    assert code == 0


def test_other_options_convert_again(nets, capsys):
    os.remove("zoo/broken.prototxt")
    run(capsys, "convert", "zoo", "-o", "out/")
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/", "--opset", "13", "--jobs", "2")
    assert (code, err.splitlines()[-1]) == (0, "3 nets: 3 converted, 0 up to date, 0 failed")
    assert onnx.load("out/bottleneck.onnx").opset_import[0].version == 13
    # the number of processes and another format's options change nothing
    run(capsys, "convert", "zoo", "-o", "out/", "--to", ".safetensors")
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/", "--opset", "13")
    assert err.splitlines()[-1] == "3 nets: 0 converted, 3 up to date, 0 failed"


def test_a_run_ended_halfway_leaves_the_rest_to_do(nets, capsys):
    os.remove("zoo/broken.prototxt")
    run(capsys, "convert", "zoo", "-o", "out/")
    wrote = []

    def stop(net, output, settings):
        wrote.append(output)
        if len(wrote) == 2:
            raise KeyboardInterrupt
        return onnx_model.write(net, output, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caffegen.cli.convert.target_of", lambda _: stop)
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            main(["convert", "zoo", "-o", "out/", "--opset", "13"])
    _, _, err = run(capsys, "convert", "zoo", "-o", "out/", "--opset", "13")
    assert err.splitlines()[-1] == "3 nets: 2 converted, 1 up to date, 0 failed"


def test_what_is_converted_equals_a_conversion_by_hand(nets, capsys):
    run(capsys, "convert", "zoo/bottleneck.prototxt", "-o", "out/")
    main_output = run(
        capsys, "convert", "zoo/bottleneck.prototxt", "zoo/bottleneck.caffemodel", "-o", "one.onnx"
    )
    assert main_output[0] == 0
    with open("out/bottleneck.onnx", "rb") as first, open("one.onnx", "rb") as second:
        assert first.read() == second.read()


def test_pairing(nets):
    assert pair_weights("zoo/bottleneck.prototxt") == os.path.join("zoo", "bottleneck.caffemodel")
    assert pair_weights("zoo/sub dir/plain20_deploy.prototxt") == os.path.join(
        "zoo/sub dir", "plain20.caffemodel"
    )
    assert pair_weights("zoo/broken.prototxt") is None  # two might belong to it
    shutil.copy("zoo/bottleneck.prototxt", "zoo/sub dir/other.prototxt")
    assert pair_weights("zoo/sub dir/other.prototxt") == os.path.join(
        "zoo/sub dir", "plain20.caffemodel"
    )


def test_two_nets_for_one_output_are_refused(nets, capsys):
    shutil.copy("zoo/bottleneck.prototxt", "zoo/bottleneck.pt")
    code, _, err = run(
        capsys, "convert", "zoo/bottleneck.prototxt", "zoo/bottleneck.pt", "-o", "out/"
    )
    assert code == 2
    assert "would both become" in err
    assert not os.path.exists("out")


def test_an_empty_folder_and_weights_by_option_are_refused(nets, capsys):
    os.mkdir("empty")
    assert run(capsys, "convert", "empty", "-o", "out/")[:1] == (2,)
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/", "-w", "a.caffemodel")
    assert (code, err) == (2, "caffegen: a folder's weights are found by name; leave out -w\n")
    code, _, err = run(capsys, "convert", "zoo", "zoo/bottleneck.caffemodel", "-o", "out/")
    told = "`zoo/bottleneck.caffemodel` is no prototxt; the weights of a folder's nets are found by name"
    assert (code, err) == (2, f"caffegen: {told}\n")


def fails(job):
    raise RuntimeError(f"no memory for {job.prototxt}")


def test_whatever_fails_in_one_net_is_not_the_end(nets, capsys):
    jobs = plan(["zoo"], "out", ".onnx")
    assert convert_all(jobs, fails, 1, "") == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].endswith("  RuntimeError: no memory for zoo/bottleneck.prototxt")
    assert captured.err == "4 nets: 0 converted, 0 up to date, 4 failed\n"


class EndsTheProcess:
    """A conversion that ends the process that it is handed to, as the system does for memory."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_is_ended_is_told(nets, capsys):
    jobs = plan(["zoo"], "out", ".onnx")
    assert convert_all(jobs, EndsTheProcess(), 2, "") == 1
    captured = capsys.readouterr()
    assert captured.out.count("its process was ended by the system, as for memory; try again") == 4
    assert captured.err == "4 nets: 0 converted, 0 up to date, 4 failed\n"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_source_tells_its_command_line(nets, capsys, jobs):
    """In a process of its own as well."""
    options = ("--to", ".py", "--fill", "0", "--stage", "a b", "--fold", "--jobs", jobs)
    os.remove("zoo/broken.prototxt")
    assert run(capsys, "convert", "zoo", "-o", "out/", *options)[0] == 0
    text = (nets / "out" / "bottleneck.py").read_text()
    assert (
        "caffegen convert bottleneck.prototxt bottleneck.caffemodel -o bottleneck.py --fill 0 "
        "--stage 'a b' --fold" in text
    )


def test_plan_keeps_folders(nets):
    outputs = {job.output for job in plan(["zoo"], "out", ".onnx")}
    assert os.path.join("out", "sub dir", "plain20_deploy.onnx") in outputs
