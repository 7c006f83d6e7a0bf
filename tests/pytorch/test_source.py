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
from caffegen.pytorch.source.names import Names, class_name, comment, identifier, prose
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


def assert_formatted(text):
    ruff = shutil.which("ruff", path=os.path.dirname(sys.executable)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not there")
    for words in (["format", "--isolated", "--diff", "-"], ["check", "--isolated", "-"]):
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


CASES = [case for case in layer_cases() if case.case["phase"] == "TEST"]


@pytest.mark.parametrize("kind", sorted({case.type for case in CASES}))
def test_every_layer_type_is_written_or_refused(kind):
    """`write_source` compares with the built module itself; here it must never fail otherwise."""
    for case in CASES:
        if case.type != kind:
            continue
        text, refusal = "", ""
        try:
            text = write_source(case.net()).text
        except CaffegenError as caught:
            refusal = str(caught)
        # "can't run on": a window outside its input, which the built module refuses as well
        assert text or "no readable source for `" in refusal or "can't run on" in refusal
        if text:
            assert_formatted(text)


def test_refusal_names_the_layers():
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "distance" type: "EuclideanLoss" bottom: "x" bottom: "y" top: "loss" }
    """)
    with pytest.raises(CaffegenError) as caught:
        write_source(net)
    assert str(caught.value) == (
        "no readable source for `distance` (EuclideanLoss); "
        "`-o model.pt2` takes every layer that PyTorch runs"
    )


def test_another_result_is_refused():
    net = golden_net("legacy_v0")
    source = write_source(net)
    wrong = source.text.replace("nn.ReLU(inplace=True)", "nn.Sigmoid()")
    wrong = wrong.replace("F.relu(", "torch.sigmoid(")
    assert wrong != source.text
    with pytest.raises(CaffegenError, match=r"gives other values for `prob`; nothing is written"):
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
    assert save_exported(tmp_path / "two.pt2", pytorch.build(net))
    program = torch.export.load(tmp_path / "two.pt2").module()
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(program(x, y)["sum"], x + y)


def test_program_of_a_fixed_batch(tmp_path):
    net = caffegen.loads("""
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
        layer { name: "r" type: "Reshape" bottom: "x" top: "r"
                reshape_param { shape { dim: 4 dim: 3 dim: 1 } } }
    """)
    assert not save_exported(tmp_path / "fixed.pt2", pytorch.build(net))


def test_refused_net_leaves_no_file(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 } } }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "loss" }'
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
