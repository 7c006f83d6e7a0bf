"""Rules at their edges: what they pass over, and where they point. Their pages hold an example each."""

import re
from pathlib import Path

import pytest

from caffegen.check import Options, check_source
from caffegen.diagnostics.catalogue import flaw
from caffegen.lint import rule_names
from caffegen.text import Source
from caffegen.zoo import alexnet, caffenet, googlenet, lenet, resnet, squeezenet, vgg

RULES = Path(__file__).parents[2] / "caffegen" / "lint" / "rules"
GOLDEN = Path(__file__).parents[1] / "golden"


def optional(name):
    return "\nOPTIONAL = True\n" in (RULES / f"{name.replace('-', '_')}.py").read_text(
        encoding="utf-8"
    )


def layer(type, bottom, top, rest="", name=None):
    bottoms = " ".join(f'bottom: "{each}"' for each in bottom.split())
    tops = " ".join(f'top: "{each}"' for each in top.split())
    return f'layer {{ name: "{name or top}" type: "{type}" {bottoms} {tops} {rest} }}\n'


def data(*dims, name="data"):
    shape = " ".join(f"dim: {dim}" for dim in dims)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {shape} }} }} }}\n'


def found(text, *, pedantic=True, **options):
    checked = check_source(Source(text), Options(pedantic=pedantic, **options))
    return [(d.name, d.layer) for d in checked.diagnostics]


IMAGE = data(1, 4, 12, 12)


@pytest.mark.parametrize("name", rule_names())
def test_pages_say_which_rules_are_optional(name):
    assert ("`--pedantic`" in flaw(name).page) == optional(name)
    assert flaw(name).severity == "warning"


@pytest.mark.parametrize(
    "net",
    [
        *(lambda depth=depth: resnet(depth) for depth in (18, 34, 50, 101, 152)),
        lambda: resnet(20, dataset="cifar10"), lambda: vgg(16), alexnet, caffenet, googlenet, lenet,
    ],
    ids=["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet20", "vgg16",
         "alexnet", "caffenet", "googlenet", "lenet"],
)  # fmt: skip
def test_published_nets_give_no_warning(net):
    assert found(net().to_prototxt(), pedantic=False) == []


@pytest.mark.parametrize("net", [lambda **k: resnet(50, **k), lambda **k: vgg(16, **k), alexnet, googlenet, lenet],
                         ids=["resnet50", "vgg16", "alexnet", "googlenet", "lenet"])  # fmt: skip
def test_published_nets_with_data_and_loss_give_no_warning(net):
    assert found(net(phase="train_val").to_prototxt(), pedantic=False) == []


def test_squeezenet_of_2016_pads_a_kernel_of_one():
    assert found(squeezenet(version="1.0").to_prototxt(), pedantic=False) == [
        ("window-in-padding", "conv10")
    ]
    assert found(squeezenet(version="1.1").to_prototxt(), pedantic=False) == []


@pytest.mark.parametrize("path", sorted((GOLDEN / "nets").glob("*.prototxt")), ids=lambda p: p.stem)
def test_golden_nets(path):
    assert not [name for name, _ in found(path.read_text(encoding="utf-8"), pedantic=False)]


class TestBatchNormWithoutScale:
    name = "batch-norm-without-scale"

    def test_each_where_others_have_one(self):
        text = (
            IMAGE
            + layer("BatchNorm", "data", "a")
            + layer("Scale", "a", "s")
            + layer("BatchNorm", "s", "b")
        )
        assert (self.name, "b") in found(text)
        assert (self.name, "a") not in found(text)

    def test_once_where_none_has_one(self):
        text = IMAGE + layer("BatchNorm", "data", "a") + layer("BatchNorm", "a", "b")
        assert [entry for entry in found(text) if entry[0] == self.name] == [(self.name, "a")]

    @pytest.mark.parametrize("reader", ["Scale", "Bias", "ScaleOfAFork"])
    def test_what_counts_as_a_scale(self, reader):
        text = IMAGE + layer("BatchNorm", "data", "a") + layer(reader, "a", "b")
        assert self.name not in dict(found(text))

    def test_forks_have_them_inside(self):
        text = IMAGE + layer("BatchNorm", "data", "a", "batch_norm_param { %s }")
        assert found(text % "scale_bias: true") == [("fork-schema", "")]
        assert found(text % "of_a_fork: 1") == [("unknown-field", "")]
        assert self.name in dict(found(text % "scale_bias: false"))


class TestBlobNeverRead:
    name = "blob-never-read"

    def test_read_in_one_phase(self):
        text = (
            'layer { name: "d" type: "DummyData" top: "x" top: "label" dummy_data_param { shape { dim: 4 dim: 2 } shape { dim: 4 } } }\n'
            + layer("SoftmaxWithLoss", "x label", "loss", "include { phase: TRAIN }")
            + layer("Softmax", "x", "prob", "include { phase: TEST }")
        )
        assert found(text) == []
        assert (self.name, "d") in found(text, phases=("TEST",))

    def test_outputs_of_the_net_are_meant_to_be_unread(self):
        assert found(IMAGE + layer("Split", "data", "a b")) == []
        assert found(IMAGE + layer("ReLU", "data", "a")) == []
        assert found(IMAGE) == []

    def test_one_of_several(self):
        assert found(IMAGE + layer("Split", "data", "a b", name="s") + layer("ReLU", "a", "c")) == [
            (self.name, "s")
        ]


class TestLayerNameTwice:
    def test_only_where_weights_go_by_name(self):
        ip = "inner_product_param { num_output: 4 }"
        assert (
            found(IMAGE + layer("ReLU", "data", "a", name="x") + layer("TanH", "a", "b", name="x"))
            == []
        )
        text = (
            IMAGE
            + layer("ReLU", "data", "a", name="x")
            + layer("InnerProduct", "a", "b", ip, name="x")
        )
        assert found(text) == [("layer-name-twice", "x")]

    def test_phases_apart(self):
        ip = "inner_product_param {{ num_output: 4 }} include {{ phase: {} }}"
        text = (
            IMAGE + layer("InnerProduct", "data", "a", ip.format("TRAIN"), name="x")
            + layer("InnerProduct", "data", "a", ip.format("TEST"), name="x")
        )  # fmt: skip
        assert found(text) == []


class TestLearningRateOnStatistics:
    name = "learning-rate-on-statistics"
    scale = layer("Scale", "bn", "s")

    @pytest.mark.parametrize(
        ("specs", "told"),
        [
            ("param { lr_mult: 0 } " * 3, False),
            ("param { lr_mult: 0 decay_mult: 0 } " * 3, False),
            ("param { lr_mult: 0.0 } " * 3, False),
            ("param { lr_mult: 1 } " * 3, True),
            ("param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 2f }", True),
            ("param { decay_mult: 0 } " * 3, True),
            ("param { } " * 3, True),
            ("", False),
        ],
        ids=["zero", "both", "zero-float", "one", "last", "default", "empty", "none"],
    )
    def test_three_blocks(self, specs, told):
        text = IMAGE + layer("BatchNorm", "data", "bn", specs) + self.scale
        assert (self.name in dict(found(text))) == told

    def test_one_block_is_an_error_of_its_own(self):
        text = IMAGE + layer("BatchNorm", "data", "bn", "param { lr_mult: 1 }") + self.scale
        assert found(text) == [("statistics-learned", "bn")]


class TestWindows:
    @pytest.mark.parametrize(
        ("param", "names"),
        [
            ("kernel_size: 1 pad: 1", {"window-in-padding"}),
            ("kernel_size: 3 pad: 1", set()),
            ("kernel_size: 3 pad: 2", set()),
            ("kernel_size: 3 pad: 3", {"window-in-padding"}),
            ("kernel_size: 3 pad: 4 dilation: 2", set()),
            ("kernel_size: 3 pad: 5 dilation: 2", {"window-in-padding"}),
            ("kernel_h: 3 kernel_w: 1 pad_h: 1 pad_w: 1", {"window-in-padding"}),
            ("kernel_size: 3 pad: 1 stride: 2", {"dead-padding"}),
            ("kernel_size: 4 pad: 1 stride: 2", set()),
            ("kernel_size: 3 stride: 2", set()),
        ],
    )
    def test_convolution(self, param, names):
        text = IMAGE + layer(
            "Convolution", "data", "c", f"convolution_param {{ num_output: 4 {param} }}"
        )
        assert set(dict(found(text))) == names

    @pytest.mark.parametrize(
        ("param", "names"),
        [
            ("kernel_size: 3 stride: 2", {"rounding-trap"}),
            ("kernel_size: 2 stride: 2", set()),
            ("kernel_size: 3 stride: 2 round_mode: FLOOR", set()),
            ("kernel_size: 3 stride: 2 pad: 1", {"rounding-trap"}),
            ("kernel_size: 4 stride: 2 pad: 1", set()),
            ("kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR", {"dead-padding"}),
            ("pool: AVE global_pooling: true", set()),
        ],
    )
    def test_pooling(self, param, names):
        text = IMAGE + layer("Pooling", "data", "p", f"pooling_param {{ {param} }}")
        assert set(dict(found(text))) == names

    def test_three_axes(self):
        text = data(1, 2, 8, 8, 8) + layer(
            "Convolution", "data", "c",
            "convolution_param { num_output: 2 kernel_size: 3 kernel_size: 3 kernel_size: 1 pad: 1 }",
        )  # fmt: skip
        assert set(dict(found(text))) == {"window-in-padding"}


class TestLosses:
    scores = IMAGE + layer("InnerProduct", "data", "x", "inner_product_param { num_output: 4 }")
    label = 'layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 1 } } include { phase: TRAIN } }\n'

    def run(self, *layers):
        text = self.scores + self.label + "".join(layers)
        return [name for name, _ in found(text, phases=("TRAIN",))]

    def test_double_softmax_behind_a_reshape(self):
        soft = layer("Softmax", "x", "p") + layer(
            "Reshape", "p", "q", "reshape_param { shape { dim: 0 dim: -1 } }"
        )
        assert self.run(soft, layer("SoftmaxWithLoss", "q label", "loss")) == [
            "loss-on-probabilities"
        ]

    def test_softmax_beside_the_loss(self):
        assert (
            self.run(layer("Softmax", "x", "p"), layer("SoftmaxWithLoss", "x label", "loss")) == []
        )

    def test_sigmoid_before_a_euclidean_loss(self):
        quiet = 'layer { name: "quiet" type: "Silence" bottom: "label" }'
        assert (
            self.run(layer("Sigmoid", "x", "p"), layer("EuclideanLoss", "p x", "loss"), quiet) == []
        )

    @pytest.mark.parametrize("type", ["Softmax", "Sigmoid", "ReLU", "Power"])
    def test_what_may_be_probabilities(self, type):
        assert (
            self.run(layer(type, "x", "p"), layer("MultinomialLogisticLoss", "p label", "loss"))
            == []
        )

    def test_scores(self):
        assert self.run(layer("MultinomialLogisticLoss", "x label", "loss")) == ["loss-on-scores"]


class TestTrainOnlyLayer:
    name = "train-only-layer-in-deploy"
    net = IMAGE + layer("InnerProduct", "data", "x", "inner_product_param { num_output: 4 }")

    def test_a_label_that_is_an_input_is_meant(self):
        text = self.net + data(1, name="label") + layer("SoftmaxWithLoss", "x label", "loss")
        assert found(text) == []

    def test_in_training_alone(self):
        label = 'layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 1 } } %s }\n'
        rule = "include { phase: TRAIN }"
        text = self.net + label % rule + layer("SoftmaxWithLoss", "x label", "loss", rule)
        assert found(text) == []
        text = self.net + label % "" + layer("SoftmaxWithLoss", "x label", "loss")
        assert found(text) == [(self.name, "loss")]


def test_groups():
    def run(group, channels=12):
        text = data(1, channels, 8, 8) + layer(
            "Convolution",
            "data",
            "c",
            f"convolution_param {{ num_output: 12 kernel_size: 3 group: {group} }}",
        )
        return [name for name, _ in found(text)]

    assert run(3) == run(6) == ["group-not-power-of-two"]
    # one group per channel is what phones do
    assert run(12) == run(1) == run(2) == run(4) == []


def test_bias_read_by_others_too():
    conv = layer("Convolution", "data", "c", "convolution_param { num_output: 4 kernel_size: 3 }")
    norm = layer("BatchNorm", "c", "n") + layer("Scale", "n", "s")
    assert found(IMAGE + conv + norm) == [("bias-before-batch-norm", "c")]
    assert found(IMAGE + conv + norm + layer("ReLU", "c", "r")) == []


def test_broken_graphs_are_not_linted():
    text = IMAGE + layer("ReLU", "dta", "a") + layer("BatchNorm", "data", "b")
    assert [name for name, _ in found(text)] == ["unknown-bottom"]


def test_one_file_per_rule_named_for_the_flaw():
    for path in RULES.glob("[a-z]*.py"):
        text = path.read_text(encoding="utf-8")
        names = set(re.findall(r'report\.warning\(\s*"([a-z-]+)"', text))
        assert names == {path.stem.replace("_", "-")}
