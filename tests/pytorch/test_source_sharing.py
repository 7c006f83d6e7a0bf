"""Readable source keeps what layers share, what does not learn, and what each phase does."""

import ast
import importlib.util

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.errors import CaffegenError
from caffegen.pytorch.save import save_tensors
from caffegen.pytorch.source import write_source
from tests.pytorch.test_source import assert_formatted

FC = 'inner_product_param { num_output: 4 weight_filler { type: "xavier" } }'
CONV = (
    'convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } '
    'bias_filler { type: "uniform" } }'
)


def data(*sizes, name="x"):
    dims = " ".join(f"dim: {size}" for size in sizes)
    return (
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ {dims} }} }} }}\n"
    )


def layer(name, kind, bottoms, fields=""):
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {reads} top: "{name}" {fields} }}\n'


def net_of(*layers, phase="TEST", dialect=None):
    net = caffegen.loads("".join(layers), phase=phase, dialect=dialect)
    net.fill(0)
    return net


def both(net, tmp_path):
    """The source's text, the model that it loads, and the built module, in the net's phase."""
    source = write_source(net)
    assert_formatted(source.text)
    path = tmp_path / "written.py"
    path.write_text(source.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written", path)
    file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file)
    if source.tensors:
        save_tensors(tmp_path / "written.safetensors", source.tensors)
    training = net.phase == "TRAIN"
    return source.text, file.load().train(training), pytorch.build(net).train(training)


def assert_trains_alike(model, built, *shapes, steps=3):
    """A few steps of gradient descent move the outputs of both alike."""
    runs = []
    for module in (model, built):
        generator = torch.Generator().manual_seed(0)
        rows = []
        for _ in range(steps):
            inputs = [torch.randn(shape, generator=generator) for shape in shapes]
            found = module(*inputs)
            found = list(found.values()) if isinstance(found, dict) else [found]
            module.zero_grad()
            sum(tensor.square().mean() for tensor in found).backward()
            with torch.no_grad():
                for parameter in module.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(parameter.grad, alpha=0.05)
            rows += [tensor.detach() for tensor in found]
        runs.append(rows)
    for one, other in zip(*runs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ("coeff: 0.5 coeff: 1", "self.residual(x) + 0.5 * self.shortcut(x)"),
        ("coeff: 1 coeff: -1", "-self.residual(x) + self.shortcut(x)"),
        ("", "self.residual(x) + self.shortcut(x)"),
    ],
)
def test_a_shortcut_that_stands_first_keeps_its_coefficient(coefficients, expected, tmp_path):
    text = data(2, 4, 6, 6)
    bottom = "x"
    for index in range(3):
        text += layer(f"a{index}", "Convolution", bottom, CONV)
        text += layer(f"r{index}", "ReLU", f"a{index}")
        text += layer(f"b{index}", "Convolution", f"r{index}", CONV)
        fields = f"eltwise_param {{ {coefficients} }}"
        text += layer(f"sum{index}", "Eltwise", f"{bottom} b{index}", fields)
        bottom = f"sum{index}"
    text, model, built = both(net_of(text), tmp_path)
    assert f"return {expected.replace('self.shortcut(x)', 'x')}" in text
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(model(x), built(x)["sum2"], rtol=1e-4, atol=1e-5)


def test_sums_of_other_coefficients_are_other_blocks(tmp_path):
    """A shortcut first with 0.5 and one last with 0.5 are one class; 0.5 on the other way is not."""
    rows = [("{x} {b}", "coeff: 0.5 coeff: 1"), ("{b} {x}", "coeff: 1 coeff: 0.5"),
            ("{b} {x}", "coeff: 0.5 coeff: 1")]  # fmt: skip
    rows = [row for row, count in zip(rows, (2, 2, 4), strict=True) for _ in range(count)]
    text = data(2, 4, 6, 6)
    bottom = "x"
    for index, (order, coefficients) in enumerate(rows):
        text += layer(f"a{index}", "Convolution", bottom, CONV)
        text += layer(f"r{index}", "ReLU", f"a{index}")
        text += layer(f"b{index}", "Convolution", f"r{index}", CONV)
        reads = order.format(x=bottom, b=f"b{index}")
        fields = f"eltwise_param {{ {coefficients} }}"
        text += layer(f"sum{index}", "Eltwise", reads, fields)
        bottom = f"sum{index}"
    text, model, built = both(net_of(text), tmp_path)
    kinds = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    assert len(kinds) == 3
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(model(x), built(x)["sum7"], rtol=1e-4, atol=1e-5)


STATISTICS = 'param { name: "m" } param { name: "v" } param { name: "f" }'
GLOBAL = "batch_norm_param { use_global_stats: false moving_average_fraction: 0.5 }"
TRAINED = {
    "its own": layer("n", "BatchNorm", "x", "batch_norm_param { eps: 0.1 }"),
    "fraction": layer("n", "BatchNorm", "x", "batch_norm_param { moving_average_fraction: 0.5 }"),
    "scale behind": layer("n", "BatchNorm", "x")
    + layer("s", "Scale", "n", "scale_param { bias_term: true }"),
    "scale without bias": layer("n", "BatchNorm", "x") + layer("s", "Scale", "n"),
    "the batch's": layer("n", "BatchNorm", "x", GLOBAL),
    "shared": layer("n", "BatchNorm", "x", STATISTICS) + layer("n2", "BatchNorm", "n", STATISTICS),
    "pspnet": layer("n", "BN", "x", "bn_param { momentum: 0.75 slope_filler { value: 1 } }"),
}


@pytest.mark.parametrize("kind", TRAINED)
def test_statistics_in_train_are_caffe_s(kind, tmp_path):
    """From nothing on, where the factor has not converged, and whatever is said afterwards."""
    dialect = kind if kind == "pspnet" else None
    net = net_of(data(3, 2, 4, 4), TRAINED[kind], phase="TRAIN", dialect=dialect)
    text, model, built = both(net, tmp_path)
    assert "nn.BatchNorm" not in text
    assert len(list(model.parameters())) == len(list(built.parameters()))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x = torch.randn(3, 2, 4, 4, generator=generator) * 3 + 5
        (expected,) = built(x).values()
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    mine, theirs = (
        [buffer for name, buffer in module.named_buffers() if "running" in name]
        for module in (model, built)
    )
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    model.eval()
    built.eval()
    (expected,) = built(x).values()
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_training_goes_on_where_the_file_of_weights_stands(tmp_path):
    """The factor of a net that has been trained comes along; the proof leaves no trace in it."""
    text = data(3, 2, 4, 4) + TRAINED["the batch's"]
    weights = {"n": [np.zeros(2), np.ones(2), np.full(1, 1.75)]}
    net = caffegen.loads(text, weights, phase="TRAIN")
    source = write_source(net)
    assert [float(t) for key, t in source.tensors.items() if key.endswith("factor")] == [1.75]
    _, model, built = both(net, tmp_path)
    x = torch.randn(3, 2, 4, 4) + 1
    model(x)
    built(x)
    (factor,) = (t for key, t in model.state_dict().items() if key.endswith("factor"))
    assert float(factor) == pytest.approx(0.5 * 1.75 + 1)
    torch.testing.assert_close(factor, built.n.factor)


def test_in_test_batch_norm_is_torch_nn_s():
    text = write_source(net_of(data(3, 2, 4, 4), TRAINED["scale behind"])).text
    assert "nn.BatchNorm2d(2)" in text
    assert "class BatchNorm" not in text


@pytest.mark.parametrize("kind", ["Dropout"])
def test_a_dropout_of_phase_test_is_none_in_train(kind, tmp_path):
    net = net_of(
        data(2, 4), layer("a", "InnerProduct", "x", FC), layer("d", kind, "a", "phase: TEST"),
        phase="TRAIN",
    )  # fmt: skip
    text, model, built = both(net, tmp_path)
    assert "Dropout" not in text
    x = torch.randn(2, 4)
    torch.testing.assert_close(model(x), built(x)["d"])


@pytest.mark.parametrize(
    ("kind", "own", "whole"),
    [("BatchNorm", "TEST", "TRAIN"), ("BatchNorm", "TRAIN", "TEST"), ("Dropout", "TRAIN", "TEST")],
)
def test_a_layer_of_another_phase_is_refused(kind, own, whole):
    net = net_of(data(2, 4), layer("mine", kind, "x", f"phase: {own}"), phase=whole)
    with pytest.raises(CaffegenError) as caught:
        write_source(net)
    assert str(caught.value) == (
        f"no readable source for `mine` ({kind}: its `phase` is {own} in a net of {whole}, and a "
        "model has one mode for all); `-o model.pt2` writes what torch.export takes"
    )


def test_another_phase_is_nothing_to_a_layer_that_has_one_way(tmp_path):
    net = net_of(data(2, 4), layer("a", "InnerProduct", "x", f"phase: TEST {FC}"), phase="TRAIN")
    _, model, built = both(net, tmp_path)
    x = torch.randn(2, 4)
    torch.testing.assert_close(model(x), built(x)["a"])


SLOPE = 'prelu_param { channel_shared: true } param { name: "t" }'
TRANSPOSED = FC.replace("num_output: 4", "num_output: 4 transpose: true")
WEIGHT = 'param { name: "w" }'
TIED = {
    "slopes of one value": layer("a", "PReLU", "x", SLOPE) + layer("b", "PReLU", "a", SLOPE),
    "a transpose": layer("a", "InnerProduct", "x", f"{WEIGHT} {FC}")
    + layer("b", "InnerProduct", "a", f"{WEIGHT} {TRANSPOSED}"),
    "two transposes": layer("a", "InnerProduct", "x", f"{WEIGHT} {TRANSPOSED}")
    + layer("b", "InnerProduct", "a", f"{WEIGHT} {TRANSPOSED}"),
}


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("kind", TIED)
def test_shared_weights_stay_one_in_another_form(kind, phase, tmp_path):
    net = net_of(data(2, 4), TIED[kind], phase=phase)
    text, model, built = both(net, tmp_path)
    assert len(list(model.parameters())) == len(list(built.parameters()))
    assert ("TransposedLinear" in text) is (kind == "a transpose")
    x = torch.randn(2, 4)
    torch.testing.assert_close(model(x), built(x)["b"])
    assert_trains_alike(model, built, (2, 4))


def test_shared_weights_in_forms_that_do_not_agree_are_refused():
    net = net_of(
        data(2, 4), layer("slope", "PReLU", "x", SLOPE),
        layer("scale", "Scale", "slope", 'scale_param { num_axes: 0 } param { name: "t" }'),
    )  # fmt: skip
    with pytest.raises(CaffegenError) as caught:
        write_source(net)
    assert str(caught.value).startswith(
        "no readable source for `slope` (PReLU: it sees the weights that it shares with `scale` "
        "otherwise); "
    )


# all taps read the same value
TAPS = """convolution_param { num_output: 4 kernel_size: 3 dilation: 0 bias_term: false
          weight_filler { type: "msra" } }"""


@pytest.mark.parametrize(
    ("fields", "phase", "reason"),
    [
        (WEIGHT, "TEST", "it shares its weights with `b`, and its form here has new ones instead"),
        (
            "param { lr_mult: 0 }", "TRAIN",
            "its weights do not learn (`lr_mult: 0`), and its form here has new ones instead",
        ),
    ],
    ids=["shared", "frozen"],
)  # fmt: skip
def test_weights_that_a_form_makes_anew_are_refused(fields, phase, reason):
    net = net_of(
        data(2, 4, 6, 6), layer("a", "Convolution", "x", f"{fields} {TAPS}"),
        layer("b", "Convolution", "a", f"{fields} {TAPS}"), phase=phase,
    )  # fmt: skip
    with pytest.raises(CaffegenError) as caught:
        write_source(net)
    assert str(caught.value).startswith(f"no readable source for `a` (Convolution: {reason})")


FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"
HALF = "param { lr_mult: 1 } param { lr_mult: 0 }"


def convs(*fields):
    text = data(1, 4, 6, 6)
    bottom = "x"
    for index, said in enumerate(fields):
        text += layer(f"c{index}", "Convolution", bottom, f"{said} {CONV}")
        text += layer(f"r{index}", "ReLU", f"c{index}")
        bottom = f"r{index}"
    return text


@pytest.mark.parametrize("forced", ["", "force_backward: true\n"], ids=["", "force_backward"])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ([FROZEN, FROZEN], ["        self.requires_grad_(False)"]),
        ([FROZEN, FROZEN, "", ""], ["        self.stem[:3].requires_grad_(False)"]),
        (["", FROZEN, ""], ["        self.stem[2].requires_grad_(False)"]),
        (
            ["", HALF, FROZEN, FROZEN],
            [
                "        for part in [self.stem[2].bias, self.stem[4:7]]:",
                "            part.requires_grad_(False)",
            ],
        ),
    ],
    ids=["all", "first", "one", "some"],
)
def test_frozen_layers_stay_frozen(fields, lines, phase, forced, tmp_path):
    """A gradient that `force_backward` asks for moves them in Caffe no more than any other."""
    net = net_of(forced, convs(*fields), phase=phase)
    text, model, built = both(net, tmp_path)
    assert "\n".join(["        # lr_mult 0 in Caffe", *lines, ""]) in text
    learns = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    rates = built._facts.multipliers
    expected = [name for name, _ in built.named_parameters() if rates.get(name, (1, 1))[0]]
    assert len(learns) == len(expected)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if not learns:
        return
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model(torch.randn(1, 4, 6, 6)).square().sum().backward()
    optimizer.step()
    moved = [name for name, tensor in model.state_dict().items() if not tensor.equal(before[name])]
    assert moved == learns


def test_a_slice_of_frozen_layers_holds_none_that_learns(tmp_path):
    """Not even one whose weight is made anew: here of taps that read the same value."""
    fields = f"{FROZEN} {CONV}"
    net = net_of(
        data(1, 4, 6, 6), layer("a", "Convolution", "x", fields),
        layer("b", "Convolution", "a", TAPS), layer("c", "Convolution", "b", fields),
        phase="TRAIN",
    )  # fmt: skip
    _, model, _ = both(net, tmp_path)
    assert sum(parameter.requires_grad for parameter in model.parameters()) == 1


def test_what_learns_needs_no_words():
    text = write_source(net_of(convs("", "param { lr_mult: 2 }"), phase="TRAIN")).text
    assert "requires_grad_" not in text


def test_frozen_modules_inside_blocks(tmp_path):
    text = data(1, 4, 6, 6)
    bottom = "x"
    for index in range(4):
        said = FROZEN if index < 2 else ""
        text += layer(f"a{index}", "Convolution", bottom, f"{said} {CONV}")
        text += layer(f"r{index}", "ReLU", f"a{index}")
        text += layer(f"b{index}", "Convolution", f"r{index}", CONV)
        text += layer(f"sum{index}", "Eltwise", f"{bottom} b{index}")
        bottom = f"sum{index}"
    text, model, built = both(net_of(text), tmp_path)
    found = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert len(found) == sum(not parameter.requires_grad for parameter in built.parameters()) == 4
    assert "for part in [self.blocks[0].residual[0], self.blocks[1].residual[0]]:" in text


def test_the_batch_s_statistics_of_single_pixels(tmp_path):
    """Of one value for each channel torch.nn makes none: the proof takes the file's batch then."""
    own = "batch_norm_param { use_global_stats: false }"
    net = net_of(data(2, 4), layer("a", "InnerProduct", "x", FC), layer("n", "BatchNorm", "a", own))
    text, model, built = both(net, tmp_path)
    assert "track_running_stats=False" in text
    x = torch.randn(5, 4)
    torch.testing.assert_close(model(x), built(x)["n"], rtol=1e-4, atol=1e-5)


def test_no_gradient_for_the_weights_of_pairs(tmp_path):
    text = data(2, 4, name="scores") + data(2, name="labels")
    text += (
        'layer { name: "H" type: "Parameter" top: "H" '
        "parameter_param { shape { dim: 1 dim: 1 dim: 4 dim: 4 } } }\n"
    )
    net = net_of(text, layer("loss", "InfogainLoss", "scores labels H"), phase="TRAIN")
    _, model, built = both(net, tmp_path)
    scores = torch.randn(2, 4, requires_grad=True)
    for module in (model, built):
        found = module(scores, torch.zeros(2))
        (found["loss"] if isinstance(found, dict) else found).backward()
        assert all(parameter.grad is None for parameter in module.parameters())


def test_the_names_of_the_small_classes_are_taken():
    for name in ("BatchNorm", "BN", "TransposedLinear"):
        net = net_of(f'name: "{name}"\n', data(3, 2, 4, 4), TRAINED["its own"], phase="TRAIN")
        tree = ast.parse(write_source(net).text)
        kinds = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        assert kinds == ["BatchNorm", f"{name}Net"]
