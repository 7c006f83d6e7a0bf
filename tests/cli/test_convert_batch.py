"""`caffegen convert ... -o folder/`: many nets, paired with their weights by name."""

import os
import shutil
import signal
import subprocess
import sys
import time

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


def test_a_net_named_twice_is_one_and_a_folder_that_is_not_there_ends_nothing(nets, capsys):
    paths = ["zoo/bottleneck.prototxt", "./zoo/bottleneck.prototxt", "nofolder/x.prototxt"]
    code, out, err = run(capsys, "convert", *paths, "-o", "out/")
    assert code == 1
    assert err.splitlines()[-1] == "2 nets: 1 converted, 0 up to date, 1 failed"
    assert "`nofolder/x.prototxt`: it can't be read: no such file or directory" in out


def test_a_dot_in_a_folder_is_no_suffix(nets):
    os.makedirs("v1.0")
    shutil.copy("zoo/bottleneck.prototxt", "v1.0/net")
    jobs = plan(["v1.0/net", "zoo/bottleneck.prototxt"], "out", ".onnx")
    assert jobs[0].output == os.path.join("out", "v1.0", "net.onnx")


def test_solvers_and_label_maps_in_a_folder_are_no_nets(nets, capsys):
    os.remove("zoo/broken.prototxt")
    with open("zoo/solver.prototxt", "w") as file:
        file.write('net: "bottleneck.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    with open("zoo/labels.prototxt", "w") as file:
        file.write('item { name: "a" label: 1 display_name: "a" }')
    code, _, err = run(capsys, "convert", "zoo", "-o", "out/")
    assert (code, err.splitlines()[-1]) == (0, "3 nets: 3 converted, 0 up to date, 0 failed")
    code, out, _ = run(capsys, "convert", "zoo/solver.prototxt", "-o", "out/")
    assert code == 1
    assert "it is a solver, not a net" in out


def test_a_record_of_options_that_is_no_text_is_written_anew(nets, capsys):
    os.makedirs("out")
    with open("out/.caffegen.onnx.txt", "wb") as file:
        file.write(b"\xff")
    code, _, _ = run(capsys, "convert", "zoo/bottleneck.prototxt", "-o", "out/")
    assert code == 0
    with open("out/.caffegen.onnx.txt", encoding="utf-8") as file:
        assert file.readline().startswith("caffegen ")


@pytest.mark.skipif(os.name != "posix", reason="signals go to a group of processes")
def test_an_interrupt_ends_all_processes(nets):
    for number in range(150):
        for suffix in (".prototxt", ".caffemodel"):
            os.link(f"zoo/bottleneck{suffix}", f"zoo/n{number}{suffix}")
    running = subprocess.Popen(
        [sys.executable, "-m", "caffegen", "convert", "zoo", "-o", "out/", "--jobs", "2"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not list((nets / "out").glob("n*.onnx")):
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told.splitlines()[-1] == "caffegen: interrupted"
    assert len(list((nets / "out").glob("n*.onnx"))) < 100
