"""Blocks of nets of every make: where they begin and end, what they are, what they are called."""

from collections import Counter

import pytest

from caffegen import zoo
from caffegen.analysis.blocks import find_blocks
from caffegen.loader import examine, loads
from caffegen.text import Source


def blocks_of(spec, **options):
    net = loads(spec.to_prototxt() if hasattr(spec, "to_prototxt") else spec, **options)
    blocks = find_blocks(net.graph)
    inside = [node.index for block in blocks for node in block.nodes]
    assert sorted(inside) == list(range(len(net.graph.nodes)))
    firsts = [block.nodes[0].index for block in blocks]
    assert firsts == sorted(firsts)
    return blocks


def kinds(blocks):
    return dict(Counter(block.kind for block in blocks))


def walk(blocks):
    return [(block.name, block.kind) for block in blocks]


# what the papers' tables count: blocks of each kind, and the first block's name
ZOO = {
    "resnet-50": (lambda: zoo.resnet(50), {"residual block": 16}, "res2a"),
    "resnet-18-torchvision": (
        lambda: zoo.resnet(18, style="torchvision"), {"residual block": 8}, "layer1_0",
    ),
    "resnet-110": (lambda: zoo.resnet(110, "cifar10"), {"residual block": 54}, "res2a"),
    "resnet-50-shortcut-C": (
        lambda: zoo.resnet(50, shortcut="C"), {"residual block": 16}, "res2a",
    ),
    "googlenet": (zoo.googlenet, {"inception module": 9}, "inception_3a"),
    "squeezenet": (zoo.squeezenet, {"fire module": 8}, "fire2"),
}  # fmt: skip


@pytest.mark.parametrize(("net", "counted", "first"), ZOO.values(), ids=ZOO)
def test_blocks_that_the_paper_counts(net, counted, first):
    blocks = blocks_of(net())
    ((kind, number),) = counted.items()
    assert kinds(blocks)[kind] == number
    assert next(block.name for block in blocks if block.kind == kind) == first
    assert walk(blocks)[:2] == [
        ("data", "input"),
        ("conv1/7x7_s2" if kind[0] == "i" else "conv1", "stem"),
    ]
    assert walk(blocks)[-1][1] == "softmax"
    # no name twice
    assert len({block.name for block in blocks}) == len(blocks)


def test_shortcuts_of_each_option():
    """A pads without parameters, B projects where the shape changes, C always."""
    found = {}
    for option in "ABC":
        blocks = blocks_of(zoo.resnet(20, "cifar10", shortcut=option))
        found[option] = dict(Counter(b.shortcut_kind for b in blocks if b.kind == "residual block"))
    assert found == {
        "A": {"identity": 7, "weightless": 2},
        "B": {"identity": 7, "projection": 2},
        "C": {"projection": 9},
    }


def test_a_residual_block_from_its_bottom_to_its_relu():
    blocks = {block.name: block for block in blocks_of(zoo.resnet(50))}
    block = blocks["res3a"]
    assert [value.name for value in block.bottoms] == ["res2c"]
    assert [value.name for value in block.tops] == ["res3a"]
    assert block.join.name == "res3a"
    assert block.shortcut.name == "res3a_branch1"
    assert block.nodes[-1].name == "res3a_relu"
    identity = blocks["res3b"]
    assert [identity.shortcut] == list(identity.bottoms)
    # the second version of the blob: what the ReLU in place made of it
    assert identity.shortcut.producer.name == "res3a_relu"


VGG_16 = [
    ("data", "input"),
    *[(f"{kind}{n}", {"conv": "stage", "pool": "pooling"}[kind]) for n in range(1, 6) for kind in ("conv", "pool")],
    ("fc6", "fully connected"), ("fc7", "fully connected"), ("fc8", "fully connected"), ("prob", "softmax"),
]  # fmt: skip


def test_stages_of_a_plain_net():
    blocks = blocks_of(zoo.vgg(16))
    assert walk(blocks) == VGG_16
    convolutions = [
        sum(n.type == "Convolution" for n in b.nodes) for b in blocks if b.kind == "stage"
    ]
    assert convolutions == [2, 2, 3, 3, 3]


def test_stages_without_a_common_name():
    """Three layers in a row with tops of one shape are a stage, two only if their names say so."""
    assert walk(blocks_of(zoo.resnet(18, plain=True)))[3:7] == [
        (f"res{n}a_branch2a to res{n}b_branch2b", "stage") for n in range(2, 6)
    ]
    names = [name for name, kind in walk(blocks_of(zoo.alexnet())) if kind == "convolution"]
    assert names == ["conv1", "conv2", "conv3", "conv4", "conv5"]


def test_side_branches_stand_where_they_begin():
    """GoogLeNet's auxiliary classifiers, in TRAIN."""
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    spec = zoo.googlenet(phase="train_val")
    blocks = walk(blocks_of(spec, phase="TRAIN", inputs=inputs))
    start = blocks.index(("inception_4a", "inception module"))
    assert blocks[start + 1 : start + 7] == [
        ("loss1/ave_pool", "pooling"),
        ("loss1/conv", "convolution"),
        ("loss1/fc", "fully connected"),
        ("loss1/classifier", "fully connected"),
        ("loss1/loss", "loss"),
        ("inception_4b", "inception module"),
    ]


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 8 dim: 16 dim: 16 } } }'


def layer(name, type_name, *bottoms, body="", tops=None):
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    makes = " ".join(f'top: "{top}"' for top in (tops or [name]))
    return f'layer {{ name: "{name}" type: "{type_name}" {reads} {makes} {body} }}'


def conv(name, bottom, num_output=8, more="kernel_size: 3 pad: 1"):
    body = f"convolution_param {{ num_output: {num_output} {more} }}"
    return layer(name, "Convolution", bottom, body=body)


def in_place(name, type_name, blob):
    return layer(name, type_name, blob, tops=[blob])


PRODUCT = "eltwise_param { operation: PROD }"
POINT = "kernel_size: 1"
NETS = {
    "pre-activation": (
        [
            conv("stem", "data"), in_place("stem_relu", "ReLU", "stem"),
            layer("a_bn", "BatchNorm", "stem"), in_place("a_relu", "ReLU", "a_bn"), conv("a_1", "a_bn"),
            conv("a_2", "a_1"), layer("a", "Eltwise", "stem", "a_2"),
            layer("b_bn", "BatchNorm", "a"), in_place("b_relu", "ReLU", "b_bn"), conv("b_1", "b_bn", 16),
            conv("b_2", "b_1", 16), conv("b_3", "b_bn", 16), layer("b", "Eltwise", "b_2", "b_3"),
            layer("last_bn", "BatchNorm", "b"), in_place("last_relu", "ReLU", "last_bn"),
        ],
        [("data", "input", ""), ("stem", "stem", ""), ("a", "residual block", "identity"),
         ("b", "residual block", "projection"), ("last", "normalisation", "")],
    ),
    "highway": (
        [
            conv("y1_h", "data"), in_place("y1_relu", "ReLU", "y1_h"), conv("y1_t", "data"),
            in_place("y1_sigmoid", "Sigmoid", "y1_t"), layer("y1_ht", "Eltwise", "y1_h", "y1_t", body=PRODUCT),
            layer("y1_c", "Power", "y1_t", body="power_param { scale: -1 shift: 1 }"),
            layer("y1_xc", "Eltwise", "data", "y1_c", body=PRODUCT), layer("y1", "Eltwise", "y1_ht", "y1_xc"),
        ],
        [("data", "input", ""), ("y1", "highway block", "identity")],
    ),
    "squeeze-and-excitation": (
        [
            conv("a_1", "data"), layer("a_pool", "Pooling", "a_1", body="pooling_param { pool: AVE global_pooling: true }"),
            conv("a_down", "a_pool", 2, POINT), conv("a_up", "a_down", 8, POINT), in_place("a_sigmoid", "Sigmoid", "a_up"),
            layer("a_flat", "Flatten", "a_up"), layer("a_gated", "Scale", "a_1", "a_flat", body="scale_param { axis: 0 }"),
            layer("a", "Eltwise", "data", "a_gated"),
        ],
        [("data", "input", ""), ("a", "residual block", "identity")],
    ),
    "dense": (
        [
            layer("x1_bn", "BatchNorm", "data"), conv("x1_conv", "x1_bn", 4), layer("x1", "Concat", "data", "x1_conv"),
            layer("x2_bn", "BatchNorm", "x1"), conv("x2_conv", "x2_bn", 4), layer("x2", "Concat", "x1", "x2_conv"),
        ],
        [("data", "input", ""), ("x1_conv", "dense layer", ""), ("x2_conv", "dense layer", "")],
    ),
    "separable": (
        [
            conv("conv1", "data"), conv("conv2/dw", "conv1", 8, "kernel_size: 3 pad: 1 group: 8"),
            in_place("relu", "ReLU", "conv2/dw"), conv("conv2/sep", "conv2/dw", 16, POINT),
            conv("conv3/expand", "conv2/sep", 32, POINT), conv("conv3/dw", "conv3/expand", 32, "kernel_size: 3 group: 32"),
            conv("conv3/project", "conv3/dw", 16, POINT),
        ],
        [("data", "input", ""), ("conv1", "stem", ""), ("conv2", "separable convolution", ""),
         ("conv3", "inverted bottleneck", "")],
    ),
    "concatenated-relu": (
        [
            conv("conv1", "data"), layer("minus", "Power", "conv1", body="power_param { scale: -1 }"),
            layer("both", "Concat", "conv1", "minus"), in_place("relu", "ReLU", "both"), conv("conv2", "both"),
        ],
        [("data", "input", ""), ("conv1", "convolution", ""), ("conv2", "convolution", "")],
    ),
    "convolution-before-each-block": (
        [
            conv("down1", "data"), conv("a_1", "down1"), layer("a", "Eltwise", "down1", "a_1"),
            conv("down2", "a"), conv("b_1", "down2"), layer("b", "Eltwise", "down2", "b_1"),
        ],
        [("data", "input", ""), ("down1", "stem", ""), ("a_1", "residual block", "identity"),
         ("down2", "convolution", ""), ("b_1", "residual block", "identity")],
    ),
    "two-ways": (
        [conv("left", "data"), conv("right", "data"), layer("both", "Concat", "left", "right")],
        [("data", "input", ""), ("both", "branches", "")],
    ),
    "u-net": (
        [
            conv("d0_a", "data"), conv("d0_b", "d0_a"),
            layer("pool", "Pooling", "d0_b", body="pooling_param { kernel_size: 2 stride: 2 }"),
            conv("d1", "pool", 16), layer("up", "Deconvolution", "d1", body="convolution_param { num_output: 8 kernel_size: 2 stride: 2 }"),
            layer("both", "Concat", "up", "d0_b"), conv("u0", "both"),
        ],
        [("data", "input", ""), ("d0", "stage", ""), ("pool", "pooling", ""), ("d1", "convolution", ""),
         ("up", "deconvolution", ""), ("u0", "convolution", "")],
    ),
    "silenced": (
        [
            conv("conv1", "data"),
            layer("cut", "Slice", "conv1", tops=["kept", "rest"], body="slice_param { slice_point: 3 }"),
            'layer { name: "quiet" type: "Silence" bottom: "rest" }', conv("conv2", "kept"),
        ],
        [("data", "input", ""), ("conv1", "convolution", ""), ("conv2", "convolution", "")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "wanted"), NETS.values(), ids=NETS)
def test_blocks_of_small_nets(lines, wanted):
    blocks = blocks_of("\n".join((INPUT, *lines)))
    assert [(b.name, b.kind, b.shortcut_kind) for b in blocks] == wanted


def test_names_do_not_matter():
    """The same blocks when every layer is called by a number."""
    message = zoo.resnet(18).to_message()
    wanted = [(block.kind, len(block.nodes)) for block in blocks_of(zoo.resnet(18))]
    for index, one in enumerate(message.layer):
        one.set("name", f"n{index}")
    found = find_blocks(loads(message).graph)
    assert [(block.kind, len(block.nodes)) for block in found] == wanted


def test_a_net_with_faults_has_blocks():
    lines = [
        conv("conv1", "data"),
        conv("conv2", "nowhere"),
        layer("strange", "Mystery", "conv1"),
        conv("conv3", "strange"),
    ]
    graph = examine(Source("\n".join((INPUT, *lines)))).graph
    assert walk(find_blocks(graph)) == [
        ("data", "input"), ("conv1", "convolution"), ("conv2", "convolution"), ("conv3", "convolution"),
    ]  # fmt: skip


def test_very_deep_nets():
    blocks = blocks_of(zoo.resnet(1202, "cifar10"))
    assert kinds(blocks) == {
        "input": 1, "stem": 1, "residual block": 600, "global pooling": 1, "fully connected": 1, "softmax": 1,
    }  # fmt: skip


def test_convolutions_without_tops():
    text = INPUT + "".join(
        f'layer {{ name: "c{n}" type: "Convolution" bottom: "data" convolution_param '
        "{ num_output: 2 kernel_size: 1 } }\n"
        for n in range(3)
    )
    blocks = find_blocks(examine(Source(text)).graph)
    assert [block.kind for block in blocks] == [
        "input",
        "convolution",
        "convolution",
        "convolution",
    ]
