"""`caffegen bench`: what it says, not how fast anything is."""

import json

import pytest
import torch
import torch._inductor.config

from caffegen import load

NET = """name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 bias_term: false weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "more" type: "ReLU" bottom: "conv" top: "more" }
layer { name: "fc" type: "InnerProduct" bottom: "more" top: "fc" inner_product_param { num_output: 5 } }
"""


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other are slow on a machine with other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bench(program, write):
    write(NET)

    def call(*options):
        code, out, err = program(
            "bench", "net.prototxt", "--repeat", 3, "--format", "json", *options
        )
        assert (code, err) == (0, "")
        return json.loads(out)

    return call


def test_json_holds_what_was_asked_and_found(bench):
    document = bench("--batch", "1,3")
    assert document["version"] == 1
    asked = {
        key: document[key]
        for key in ("net", "device", "dtype", "channels_last", "compile", "fuse", "repeat")
    }
    assert asked == {
        "net": "small", "device": "cpu", "dtype": "fp32", "channels_last": False, "compile": False,
        "fuse": False, "repeat": 3,
    }  # fmt: skip
    assert document["torch"] == torch.__version__
    assert [result["batch"] for result in document["results"]] == [1, 3]
    for result in document["results"]:
        rate = result["images_per_second"]
        assert 0 < rate["lower_quartile"] <= rate["median"] <= rate["upper_quartile"]
        # median of rates and of times are the same repeat
        assert rate["median"] * result["milliseconds_per_pass"] / 1000 == pytest.approx(
            result["batch"]
        )
        assert result["passes_per_repeat"] >= 1
        # at least the interpreter and PyTorch
        assert result["peak_memory_bytes"] > 50 << 20


def test_the_time_is_shared_among_all_layer_types(bench):
    (result,) = bench("--batch", 2)["results"]
    counts = {layer["type"]: layer["layers"] for layer in result["layers"]}
    assert counts == {"Convolution": 1, "BatchNorm+Scale": 1, "ReLU": 2, "InnerProduct": 1}
    assert sum(layer["share"] for layer in result["layers"]) == pytest.approx(1)
    times = [layer["milliseconds"] for layer in result["layers"]]
    assert times == sorted(times, reverse=True)
    assert all(time > 0 for time in times)


def test_fuse_leaves_fewer_layers(bench):
    (result,) = bench("--batch", 2, "--fuse")["results"]
    counts = {layer["type"]: layer["layers"] for layer in result["layers"]}
    assert sum(counts.values()) == 4
    assert "BatchNorm+Scale" not in counts


@pytest.mark.parametrize(
    "options", [["--dtype", "bf16"], ["--channels-last"]], ids=["bf16", "channels last"]
)
def test_types_and_layouts(bench, options):
    document = bench("--batch", 2, *options)
    assert document["results"][0]["images_per_second"]["median"] > 0


def test_the_module_sees_the_type_and_the_layout(program, write, monkeypatch):
    from caffegen.pytorch import CaffeModule

    write(NET)
    seen = []
    forward = CaffeModule.forward

    def spy(module, *args, **blobs):
        (x,) = blobs.values()
        weight = module.conv.weight
        seen.append((x.dtype, tuple(x.shape), x.is_contiguous(memory_format=torch.channels_last),
                     weight.dtype, weight.is_contiguous(memory_format=torch.channels_last)))  # fmt: skip
        return forward(module, *args, **blobs)

    monkeypatch.setattr(CaffeModule, "forward", spy)
    options = ["--batch", "4", "--repeat", 3, "--dtype", "bf16", "--channels-last"]
    assert program("bench", "net.prototxt", *options)[0] == 0
    assert set(seen) == {(torch.bfloat16, (4, 3, 12, 12), True, torch.bfloat16, True)}


def test_compile_measures_the_compiled_module_with_its_weights_frozen(bench, monkeypatch):
    options, frozen = [], []

    def fake(module, **given):
        options.append(given)
        calls = []

        def call(**inputs):
            if not calls:  # Dynamo reads the setting when it traces
                frozen.append(torch._inductor.config.freezing)
            calls.append(inputs)
            return module(**inputs)

        return call

    monkeypatch.setattr(torch, "compile", fake)
    document = bench("--batch", "1,2", "--compile")
    assert document["compile"] is True
    assert options == [{"dynamic": False}] * 2
    assert frozen == [True] * 2
    assert not torch._inductor.config.freezing


def test_what_can_not_be_compiled_is_one_sentence(program, write, monkeypatch):
    def fake(module, **options):
        def call(**inputs):
            raise RuntimeError("\nno compiler\nmore of it")

        return call

    write(NET)
    monkeypatch.setattr(torch, "compile", fake)
    code, out, err = program("bench", "net.prototxt", "--batch", 1, "--compile")
    assert (code, out) == (2, "")
    assert err == "caffegen: torch.compile can't compile the net here: no compiler\n"


def test_a_batch_too_large_does_not_end_the_others(program, write, monkeypatch):
    from caffegen.pytorch import measure

    real = measure.measure

    def fake(module, inputs, device, repeat):
        if inputs["data"].shape[0] == 8:
            raise torch.OutOfMemoryError
        return real(module, inputs, device, repeat)

    write(NET)
    monkeypatch.setattr(measure, "measure", fake)
    code, out, _ = program("bench", "net.prototxt", "--batch", "8,2", "--repeat", 3)
    assert code == 0
    lines = out.splitlines()
    assert lines[3] == "     8  the device's memory is too small"
    assert lines[4].startswith("     2  ")


def test_a_batch_that_no_memory_holds(program, write):
    write(NET)
    code, out, err = program("bench", "net.prototxt", "--batch", "999999999,2", "--repeat", 3)
    assert (code, err) == (0, "")
    assert out.splitlines()[3] == "999999999  the device's memory is too small"
    assert out.splitlines()[4].startswith("     2  ")


def test_text_is_two_tables(program, write):
    write(NET)
    code, out, _ = program("bench", "net.prototxt", "--batch", "1,2", "--repeat", 3, "--fuse")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("small: fp32, fuse on cpu (")
    assert lines[2].split() == ["batch", "images/s", "quartiles", "ms/pass", "peak", "memory"]
    assert [line.split()[0] for line in lines[3:5]] == ["1", "2"]
    assert lines[6].split() == ["layer", "type", "layers", "batch", "1", "batch", "2"]
    assert len(lines) == 10


def test_labels_keep_their_numbers(program, write):
    write(
        NET.replace("dim: 1 ", "dim: 2 ")
        + 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
        'layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" }\n'
    )
    assert program("bench", "net.prototxt", "--batch", 5, "--repeat", 3, "--dtype", "bf16")[0] == 0


def test_weights_of_a_file_are_taken_and_must_fit(program, write, tmp_path):
    import numpy as np

    write(NET)
    name = write(NET)
    net = load(tmp_path / name)
    shapes = {
        node.name: [blob.shape for blob in node.definition.blobs]
        for node in net.layers
        if node.definition.blobs
    }
    arrays = {
        layer: [np.ones(shape, np.float32) for shape in given] for layer, given in shapes.items()
    }
    load(tmp_path / name, arrays).save(caffemodel=tmp_path / "net.caffemodel")
    assert program("bench", name, "net.caffemodel", "--batch", 1, "--repeat", 3)[0] == 0
    write(NET.replace('"fc"', '"other"'))
    code, _, err = program("bench", name, "net.caffemodel", "--batch", 1)
    assert code == 1
    assert "layer `other`" in err


REFUSALS = {
    "device": (["--device", "cuda:99"], "the device `cuda:99` is not there: "),
    "meta": (
        ["--device", "meta"],
        "the device `meta` has shapes and no values: nothing is computed there",
    ),
    "unknown device": (["--device", "gpu"], "`gpu` names no device; PyTorch knows "),
    "batch": (["--batch", "1,two"], "--batch: `1,two` is not of the form 1,8,64"),
    "no batch": (["--batch", "0"], "--batch: `0` is not of the form 1,8,64"),
    "batch without end": (
        ["--batch", "9" * 20],
        f"--batch: `{'9' * 20}` is not of the form 1,8,64",
    ),
    "repeat": (["--repeat", "2"], "--repeat: 2 is not in the range x>=3"),
    "dtype": (
        ["--dtype", "fp61"],
        "--dtype: `fp61` is not one of fp32, fp16, bf16; did you mean `fp16`?",
    ),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_one_sentence(program, write, options, sentence):
    write(NET)
    code, out, err = program("bench", "net.prototxt", *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"caffegen: {sentence}")
    assert len(err.splitlines()) == 1


def test_a_net_without_inputs_is_refused(program, write):
    write(
        'layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } } }\n'
        'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }\n'
    )
    code, _, err = program("bench", "net.prototxt")
    assert (code, err) == (2, "caffegen: the net has no input whose batch size could be set\n")
