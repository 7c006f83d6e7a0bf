"""Readable source: what is written, that it computes what the net computes, and what is refused."""

import ast
import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import caffegen
from caffegen import pytorch
from caffegen.cli.convert import command
from caffegen.errors import CaffegenError
from caffegen.pytorch.save import save_exported, save_tensors
from caffegen.pytorch.source import write_source
from caffegen.pytorch.source.check import check
from caffegen.pytorch.source.forms import FORMS, NEEDS
from caffegen.pytorch.source.names import Names, class_name, comment, identifier, prose
from caffegen.templating import template_folder
from caffegen.zoo import architecture
from tests.pytorch.golden_case import GOLDEN, layer_cases

NETS = GOLDEN / "nets"
# name -> the most lines, and classes that the file must and must not have
GOLDEN_NETS = {
    "bottleneck": (110, {"Bottleneck"}),
    "inception": (110, {"Inception"}),
    "legacy_v0": (60, set()),
    "legacy_v1": (65, set()),
    "mobilenet": (95, set()),
    "plain20": (90, {"ConvUnit"}),
    "preact": (115, {"PreactivationBlock", "ProjectionBlock"}),
    "resnet18": (115, {"BasicBlock"}),
    "se_net": (105, {"SqueezeExcitation", "BasicBlock"}),
}
ZOO = {
    "resnet-18": ("resnet", {"depth": 18}, 120, {"BasicBlock"}),
    "resnet-50": ("resnet", {"depth": 50}, 120, {"Bottleneck"}),
    "resnet-101": ("resnet", {"depth": 101}, 120, {"Bottleneck"}),
    "resnet-101-torchvision": (
        "resnet", {"depth": 101, "style": "torchvision"}, 120, {"Bottleneck"},
    ),
    "resnet-56-cifar": (
        "resnet", {"depth": 56, "dataset": "cifar10"}, 120, {"BasicBlock", "PadChannels"},
    ),
    "resnet-20-plain": (
        "resnet", {"depth": 20, "dataset": "cifar10", "plain": True}, 100, {"ConvUnit"},
    ),
    "googlenet": ("googlenet", {}, 135, {"Inception"}),
    "squeezenet": ("squeezenet", {}, 110, {"Fire"}),
}  # fmt: skip


def zoo_net(family, options):
    build = getattr(import_module(f"caffegen.zoo.{family}"), family)
    assert architecture(family)
    return caffegen.loads(build(phase="deploy", **options))


def golden_net(name, **options):
    return caffegen.load(NETS / f"{name}.prototxt", NETS / f"{name}.caffemodel", **options)


def module_of(text, tmp_path, name="written"):
    path = tmp_path / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classes_of(text):
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


def assert_formatted(text, but=""):
    ruff = shutil.which("ruff", path=os.path.dirname(sys.executable)) or shutil.which("ruff")
    assert ruff is not None, "ruff comes with `pip install caffegen[dev]`"
    linted = ["check", "--isolated", *(["--ignore", but] if but else []), "-"]
    for words in (["format", "--isolated", "--diff", "-"], linted):
        done = subprocess.run(
            [ruff, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def assert_equal(net, source, tmp_path):
    """The loaded file gives what the built module gives, for a batch of another size too."""
    file = module_of(source.text, tmp_path)
    save_tensors(tmp_path / "written.safetensors", source.tensors)
    model, built = file.load(), pytorch.build(net)
    assert not model.training
    shape = net.shapes[net.inputs[0]]
    for batch in (1, 3):
        x = torch.randn(batch, *shape[1:], generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            (expected,) = built(x).values()
            torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GOLDEN_NETS)
def test_golden_net(name, tmp_path):
    net = golden_net(name)
    source = write_source(net)
    most, classes = GOLDEN_NETS[name]
    found = classes_of(source.text)
    assert classes == set(found[:-1])
    assert len(found) == len(set(found))
    assert len(source.text.splitlines()) <= most
    assert_formatted(source.text)
    assert_equal(net, source, tmp_path)


@pytest.mark.parametrize("name", ZOO)
def test_architecture(name, tmp_path):
    family, options, most, classes = ZOO[name]
    net = zoo_net(family, options)
    source = write_source(net)
    assert set(classes_of(source.text)[:-1]) == classes
    assert len(source.text.splitlines()) <= most
    assert_formatted(source.text)
    if options.get("dataset"):
        assert_equal(net, source, tmp_path)
    if name == "resnet-101":
        assert "*(Bottleneck(1024, 256, 1024) for _ in range(22))," in source.text
        assert "Bottleneck(512, 256, 1024, stride=2)," in source.text
        assert "        if in_channels != out_channels:" in source.text


def test_vgg_is_a_plain_row():
    text = write_source(golden_net("legacy_v1")).text
    assert classes_of(text) == ["LegacyV1"]
    assert "self.features = " in text or "self.stem = " in text


# Caffe sets these nets up and can't run them; neither does the built module
IMPOSSIBLE = {"Pooling-kernel_gt_image_s1", "Pooling-kernel_gt_image_round_floor"}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in layer_cases()])
def test_every_golden_layer_is_written(case, tmp_path):
    """The file beside the built module on Caffe's own inputs, forwards, backwards, over all passes."""
    net = case.net()
    if case.id in IMPOSSIBLE:
        with pytest.raises(CaffegenError, match="can't run on"):
            write_source(net)
        return
    source = write_source(net)
    assert_formatted(source.text)
    model = loaded(source, tmp_path).train(case.case["phase"] == "TRAIN")
    built = pytorch.build(net)
    compare(case, model, built, passes=case.passes)


def loaded(source, tmp_path):
    """The model that `load` of the written file makes."""
    file = module_of(source.text, tmp_path)
    if source.tensors:
        save_tensors(tmp_path / "written.safetensors", source.tensors)
    return file.load()


def compare(case, model, built, *, passes):
    """Outputs of each pass, and in the last one what comes back to the inputs."""
    for number in range(1, passes + 1):
        given = {name: case.inputs(number, gradients=True) for name in ("built", "file")}
        for inputs in given.values():
            # one that DummyData makes is the file's own; one that MemoryData gives is not recorded
            for name in set(inputs) - set(built.input_names):
                del inputs[name]
            for name in set(built.input_names) - set(inputs):
                inputs[name] = torch.ones(case.net().shapes[name])
        torch.manual_seed(number)
        expected = built(**given["built"])
        torch.manual_seed(number)
        found = model(*(given["file"][name] for name in built.input_names))
        if not isinstance(found, dict):
            found = dict.fromkeys(expected, found)
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5, equal_nan=True)
    for blobs in (expected, found):
        rising = [b.square().sum() + b.sum() for b in blobs.values() if b.requires_grad]
        if rising:
            sum(rising).backward()
    for name, leaf in given["built"].items():
        gradient = given["file"][name].grad
        if leaf.grad is not None and gradient is not None:
            torch.testing.assert_close(gradient, leaf.grad, rtol=1e-3, atol=1e-5, equal_nan=True)
        else:
            assert all(g is None or not g.any() for g in (leaf.grad, gradient)), name


@pytest.mark.parametrize("name", GOLDEN_NETS)
def test_golden_net_in_train(name, tmp_path):
    """With its losses and measures, whose labels come second."""
    net = golden_net(name, phase="TRAIN")
    source = write_source(net)
    assert_formatted(source.text)
    model, built = loaded(source, tmp_path), pytorch.build(net).eval()
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(net.shapes["data"], generator=generator)]
    if "label" in built.input_names:
        inputs.append(torch.randint(0, 5, net.shapes["label"], generator=generator))
        assert "SoftmaxLoss()" in source.text
    expected, found = built(*inputs), model(*inputs)
    found = found if isinstance(found, dict) else dict.fromkeys(expected, found)
    for blob, tensor in expected.items():
        torch.testing.assert_close(found[blob], tensor, rtol=1e-4, atol=1e-5)


TEMPLATES = sorted((Path(template_folder()) / "pytorch_layers").glob("*.py.j2"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name.partition(".")[0])
def test_a_small_class_is_formatted_and_used(path):
    text = path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 88
    assert_formatted(f"import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
                     f"\n\n{text}\n\nprint(torch, nn, F)\n".replace("(Recurrent)", "(nn.Module)"),
                     but="F821")  # fmt: skip
    name = path.name.partition(".")[0]
    assert name in {form.file for form in FORMS.values()} | {
        n for row in NEEDS.values() for n in row
    }


@pytest.mark.parametrize("parts", [3, 6])
def test_parts_that_are_joined_again(parts):
    """Few parts have names; of many, all of them are one row."""
    tops = [f'top: "p{index}"' for index in range(parts)]
    net = caffegen.loads(f"""
        layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 12 dim: 3 }} }} }}
        layer {{ name: "cut" type: "Slice" bottom: "x" {" ".join(tops)} }}
        layer {{ name: "all" type: "Concat" {" ".join(tops).replace("top", "bottom")} top: "all"
                concat_param {{ axis: 2 }} }}
        layer {{ name: "turned" type: "Concat" bottom: "p1" bottom: "p0" top: "turned" }}
    """)
    text = write_source(net).text
    assert_formatted(text)
    assert ("torch.cat(parts, dim=2)" in text) is (parts == 6)
    assert ("torch.cat([parts[1], parts[0]], dim=1)" in text) is (parts == 6)


def fork(entry, prefix):
    """One way of an input, and two of what another layer makes of it, joined: RetinaFace's head."""

    def conv(bottom, name):
        return f"""
            layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
                    convolution_param {{ num_output: 4 kernel_size: 3 pad: 1
                                        weight_filler {{ type: "xavier" }} }} }}
            layer {{ name: "{name}_relu" type: "ReLU" bottom: "{name}" top: "{name}" }}"""

    ways = [conv(entry, f"{prefix}_a"), conv(entry, f"{prefix}_b")]
    ways += [conv(f"{prefix}_b", f"{prefix}_{way}") for way in "cd"]
    bottoms = " ".join(f'bottom: "{prefix}_{way}"' for way in "acd")
    return (
        "".join(ways)
        + f"""
        layer {{ name: "{prefix}" type: "Concat" {bottoms} top: "{prefix}" }}"""
    )


@pytest.mark.parametrize("depth", [1, 2], ids=["in the net", "in a class"])
def test_a_variable_stays_while_what_was_made_of_it_waits(depth, tmp_path):
    """The way that is written at the join reads the input after the other's name was given."""
    text = """
        layer { name: "x0" type: "Input" top: "x0" input_param { shape { dim: 1 dim: 12 dim: 5 dim: 5 } } }
    """
    for index in range(depth):
        text += fork(f"x{index}", f"x{index + 1}")
    net = caffegen.loads(text)
    source = write_source(net)
    assert ("Inception" in classes_of(source.text)) is (depth > 1)
    assert_formatted(source.text)
    net.fill(0)
    assert_equal(net, write_source(net), tmp_path)


@pytest.mark.parametrize("name", ["LSTM", "Recurrent", "divisor", "SoftmaxLoss"])
def test_a_net_may_bear_the_name_of_a_small_class(name):
    net = caffegen.loads(f"""
        name: "{name}"
        layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 4 dim: 2 dim: 3 }} }} }}
        layer {{ name: "marks" type: "Input" top: "marks" input_param {{ shape {{ dim: 4 dim: 2 }} }} }}
        layer {{ name: "{name}" type: "LSTM" bottom: "x" bottom: "marks" top: "h"
                recurrent_param {{ num_output: 5 weight_filler {{ type: "uniform" }} }} }}
        layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "h" bottom: "marks" top: "loss"
                softmax_param {{ axis: 2 }} }}
    """)
    found = classes_of(write_source(net).text)
    assert len(found) == len(set(found)) == 4


def test_several_losses_are_added_up_in_the_docstring():
    net = caffegen.loads(
        """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "near" type: "EuclideanLoss" bottom: "x" bottom: "y" top: "near"
                loss_weight: 0.3 }
        layer { name: "yes" type: "SigmoidCrossEntropyLoss" bottom: "x" bottom: "y" top: "yes" }
    """,
        phase="TRAIN",
    )
    head = ast.get_docstring(ast.parse(write_source(net).text))
    assert "Output: near, yes. The loss is 0.3 * near + yes." in " ".join(head.split())


def test_refusal_names_the_layers_and_the_reason():
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 8 dim: 8 } } }
        layer { name: "rois" type: "Input" top: "rois" input_param { shape { dim: 3 dim: 5 } } }
        layer { name: "one" type: "ROIAlign" bottom: "x" bottom: "rois" top: "one"
                roi_align_param { pooled_h: 2 pooled_w: 2 } }
        layer { name: "two" type: "ROIAlign" bottom: "x" bottom: "rois" top: "two"
                roi_align_param { pooled_h: 3 pooled_w: 3 } }
    """)
    with pytest.raises(CaffegenError) as caught:
        write_source(net)
    assert str(caught.value) == (
        "no readable source for `one` (ROIAlign: its samples between pixels follow rules at the "
        "edges that torch has no function for), `two` (ROIAlign); "
        "`-o model.pt2` writes what torch.export takes"
    )


def test_another_result_is_refused():
    net = golden_net("legacy_v0")
    source = write_source(net)
    wrong = source.text.replace("nn.ReLU(inplace=True)", "nn.Sigmoid()")
    wrong = wrong.replace("F.relu(", "torch.sigmoid(")
    assert wrong != source.text
    with pytest.raises(CaffegenError, match=r"gives other values for `prob`; nothing is written"):
        check(wrong, "LegacyV0", source.tensors, pytorch.build(net))


def test_source_that_does_not_run_is_refused():
    net = golden_net("legacy_v0")
    source = write_source(net)
    head = "def forward(self, x: torch.Tensor) -> torch.Tensor:\n"
    wrong = source.text.replace(head, f"{head}        x = x[:, :1]\n")
    assert wrong != source.text
    with pytest.raises(
        CaffegenError, match=r"does not run \(RuntimeError: .*\); nothing is written"
    ):
        check(wrong, "LegacyV0", source.tensors, pytorch.build(net))


@pytest.mark.parametrize("name", ["bottleneck", "inception", "se_net"])
def test_same_net_same_text(name):
    assert write_source(golden_net(name)).text == write_source(golden_net(name)).text


HOSTILE = [
    "\"'\"\"\"'''",
    'a"""\nimport os\nos.abort()\n"""',
    "__import__('os').abort()",
    "class",
    "self",
    "forward",
    "train",
    "torch",
    "нейрон",
    "\\",
    "\\x00\\N{DASH}",
    "{{ 7 * 7 }}{% raw %}",
    "# noqa\r\n",
    "0",
    "",
    "\u202ereversed",
]


def quoted(name):
    return '"' + "".join(f"\\{byte:03o}" for byte in name.encode()) + '"'


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_never_code(name, tmp_path):
    blob = quoted(name or "blob")
    net = caffegen.loads(f"""
        name: {quoted(name)}
        layer {{ name: "in" type: "Input" top: {blob}
                input_param {{ shape {{ dim: 1 dim: 3 dim: 8 dim: 8 }} }} }}
        layer {{ name: {quoted(name + "1")} type: "Convolution" bottom: {blob} top: "a"
                convolution_param {{ num_output: 4 kernel_size: 3 }} }}
        layer {{ name: {quoted(name)} type: "ReLU" bottom: "a" top: {quoted(name + "2")} }}
        layer {{ name: {quoted(name + "3")} type: "Pooling" bottom: "a" top: {quoted(name + "4")}
                pooling_param {{ kernel_size: 2 stride: 2 }} }}
    """)
    source = write_source(net, name=f"{name}.py")
    tree = ast.parse(source.text)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not used & {"__import__", "abort"}
    kinds = {type(node).__name__ for node in tree.body}
    assert kinds <= {"Expr", "ImportFrom", "Import", "ClassDef", "FunctionDef", "If"}
    assert [node.names[0].name for node in tree.body if isinstance(node, ast.Import)] == [
        "os",
        "torch",
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            assert node.attr.isascii()
            assert node.attr.isidentifier()
    assert_formatted(source.text)
    file = module_of(source.text, tmp_path)
    title = classes_of(source.text)[-1]
    model = getattr(file, title)()
    model.load_state_dict(source.tensors)
    x = torch.randn(2, 3, 8, 8)
    expected = pytorch.build(net)(x)
    found = model.eval()(x)
    assert found.keys() == expected.keys() == {name + "2", name + "4"}
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor)


def test_shared_weights_are_one_parameter(tmp_path):
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
        layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 1 dim: 3 } } }
        layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
                inner_product_param { num_output: 3 bias_term: false } }
        layer { name: "b" type: "InnerProduct" bottom: "y" top: "b" param { name: "w" }
                inner_product_param { num_output: 3 bias_term: false } }
        layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
    """)
    source = write_source(net)
    file = module_of(source.text, tmp_path)
    save_tensors(tmp_path / "written.safetensors", source.tensors)
    model = file.load()
    assert len(list(model.parameters())) == 1
    x, y = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(model(x, y), pytorch.build(net)(x, y)["sum"])


def test_growing_blocks_become_a_loop():
    text = """layer { name: "x0" type: "Input" top: "x0"
                      input_param { shape { dim: 1 dim: 8 dim: 6 dim: 6 } } }"""
    for index in range(6):
        text += f"""
            layer {{ name: "bn{index}" type: "BatchNorm" bottom: "x{index}" top: "n{index}" }}
            layer {{ name: "relu{index}" type: "ReLU" bottom: "n{index}" top: "n{index}" }}
            layer {{ name: "conv{index}" type: "Convolution" bottom: "n{index}" top: "c{index}"
                    convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 }} }}
            layer {{ name: "cat{index}" type: "Concat" bottom: "x{index}" bottom: "c{index}"
                    top: "x{index + 1}" }}"""
    text = write_source(caffegen.loads(text)).text
    assert "DenseLayer(8 + 4 * i) for i in range(6)" in text


@pytest.mark.parametrize("length", [500])
def test_a_long_net_is_no_problem(length):
    layers = ['layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }']
    layers += [
        f'layer {{ name: "p{i}" type: "Power" bottom: "x" top: "p{i}" power_param {{ power: 2 }} }}'
        f'layer {{ name: "s{i}" type: "Eltwise" bottom: "{"x" if i == 0 else f"s{i - 1}"}" '
        f'bottom: "p{i}" top: "s{i}" }}'
        for i in range(length)
    ]
    assert write_source(caffegen.loads("\n".join(layers))).text


def convert(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)])


def test_convert_to_source(tmp_path):
    prototxt, caffemodel = NETS / "bottleneck.prototxt", NETS / "bottleneck.caffemodel"
    done = convert(prototxt, caffemodel, "-o", tmp_path / "model.py")
    assert done.exit_code == 0, done.output
    assert "weights in `model.safetensors`" in done.output
    assert sorted(os.listdir(tmp_path)) == ["model.py", "model.safetensors"]
    text = (tmp_path / "model.py").read_text(encoding="utf-8")
    head = ast.get_docstring(ast.parse(text))
    for path in (prototxt, caffemodel):
        assert f"- {path.name}\n  sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" in head
    assert "caffegen convert bottleneck.prototxt bottleneck.caffemodel -o model.py" in head
    assert "Input: data (2, 3, 32, 32)." in head


def test_places_of_maxima_are_exact_in_half_precision():
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 64 dim: 64 } } }
layer { name: "p" type: "Pooling" bottom: "x" top: "y" top: "places" pooling_param { kernel_size: 2 stride: 2 } }
"""
    made: dict = {}
    exec(write_source(caffegen.loads(text)).text, made)
    (model,) = [made[name] for name in made if name.startswith("Net")]
    x = torch.randn(1, 1, 64, 64).bfloat16()
    _, expected = torch.nn.functional.max_pool2d(x, 2, 2, return_indices=True)
    assert torch.equal(model()(x)["places"], expected.float())


def test_a_source_and_a_module_do_not_take_each_other_s_weights(tmp_path):
    pair = NETS / "bottleneck.prototxt", NETS / "bottleneck.caffemodel"
    source, tensors = tmp_path / "model.py", tmp_path / "model.safetensors"
    for _ in range(2):
        assert convert(*pair, "-o", source).exit_code == 0
    written = tensors.read_bytes()
    done = convert(*pair, "-o", tensors)
    assert "`model.py` reads its weights from it; give these another name" in str(done.exception)
    assert tensors.read_bytes() == written
    source.unlink()
    for _ in range(2):
        assert convert(*pair, "-o", tensors).exit_code == 0
    for held in (tensors.read_bytes(), b"somebody's"):
        tensors.write_bytes(held)
        done = convert(*pair, "-o", source)
        assert "it holds other weights than those of `model.py`; move one" in str(done.exception)
        assert os.listdir(tmp_path) == ["model.safetensors"]
        assert tensors.read_bytes() == held


def test_source_needs_torch_alone(tmp_path):
    net = golden_net("resnet18")
    (tmp_path / "model.py").write_text(write_source(net).text, encoding="utf-8")
    code = (
        "import sys, model, torch\n"
        "assert 'caffegen' not in sys.modules and 'safetensors' not in sys.modules\n"
        "print(tuple(model.Resnet18().eval()(torch.zeros(1, *map(int, sys.argv[1:]))).shape))"
    )
    shape = [str(size) for size in net.shapes["data"][1:]]
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{code}", *shape],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str((1, *net.shapes["prob"][1:]))


def test_convert_to_tensors(tmp_path):
    from safetensors.torch import load_file

    path = tmp_path / "model.safetensors"
    done = convert(NETS / "inception.prototxt", NETS / "inception.caffemodel", "-o", path)
    assert done.exit_code == 0, done.output
    expected = pytorch.build(golden_net("inception")).state_dict()
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_convert_to_program(tmp_path):
    path = tmp_path / "model.pt2"
    done = convert(NETS / "se_net.prototxt", NETS / "se_net.caffemodel", "-o", path)
    assert done.exit_code == 0, done.output
    assert "batch size free" in done.output
    program = torch.export.load(path).module()
    x = torch.randn(5, 3, 12, 12)
    expected = pytorch.build(golden_net("se_net"))(x)["prob"]
    torch.testing.assert_close(program(x)["prob"], expected)


def test_program_of_two_inputs(tmp_path):
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "sum" }
    """)
    assert save_exported(tmp_path / "two.pt2", pytorch.build(net)).batch
    program = torch.export.load(tmp_path / "two.pt2").module()
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(program(x, y)["sum"], x + y)


def test_program_of_a_fixed_batch(tmp_path):
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "r" type: "Reshape" bottom: "x" top: "r"
                reshape_param { shape { dim: 4 dim: 3 dim: 1 } } }
    """)
    assert not save_exported(tmp_path / "fixed.pt2", pytorch.build(net)).batch


def test_refused_net_leaves_no_file(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }'
        'layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 5 } } }'
        'layer { name: "align" type: "ROIAlign" bottom: "x" bottom: "y" top: "align"'
        "roi_align_param { pooled_h: 2 pooled_w: 2 } }"
    )
    done = convert(tmp_path / "net.prototxt", "-o", tmp_path / "model.py")
    assert done.exit_code != 0
    assert os.listdir(tmp_path) == ["net.prototxt"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1/7x7_s2", "conv1_7x7_s2"),
        ("3a/1x1", "layer_3a_1x1"),
        ("Class", "class_"),
        ("print", "print_"),
        ("ä", "layer"),
        ("", "layer"),
        ("a" * 99, "a" * 40),
    ],
)
def test_identifier(name, expected):
    assert identifier(name, "layer") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ResNet-50", "ResNet50"), ("3d", "Net"), ("", "Net"), ("None", "NoneNet"), ("a b", "AB")],
)
def test_class_name(name, expected):
    assert class_name(name, "Net") == expected


def test_words_for_comments_and_docstrings():
    assert comment("conv1/7x7_s2") == "conv1/7x7_s2"
    assert comment("a\nb") == comment("noqa: E501 x") == comment("ä") == ""
    assert prose('a"""\\\n\u202e\udcff') == "a???????"
    names = Names(frozenset({"x"}))
    assert [names.take(n) for n in ("x", "x", "conv1", "conv1")] == ["x2", "x3", "conv1", "conv1_2"]
