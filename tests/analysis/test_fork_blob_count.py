"""Numbers of bottoms and tops that only forks take: known in their nets, refused in BVLC's."""

import pytest

from caffegen import CaffegenError, NetError, loads

INPUT = 'layer { name: "in" type: "Input" top: "a" top: "b" top: "c" input_param { %s } }\n'
FOREIGN = 'layer { name: "flip" type: "Flip" bottom: "a" top: "flip" }\n'
UNHEARD = 'layer { name: "u" type: "Unheard" bottom: "a" top: "u" unheard_param { x: 1 } }\n'

CASES = {
    "Eltwise that scales": (
        [(2, 3, 4, 5)], 'type: "Eltwise" bottom: "a" top: "t" eltwise_param { coeff: 2 }',
        {"t": (2, 3, 4, 5)}, "Eltwise with 1 bottom is for FlowNet's Caffe",
    ),
    "Softmax loss of each region": (
        [(6, 4), (6,)],
        'type: "SoftmaxWithLoss" bottom: "a" bottom: "b" top: "t" top: "p" top: "l" loss_weight: [1, 0, 0]',
        {"t": (), "p": (6, 4), "l": (6,)}, "SoftmaxWithLoss with 3 tops is for R-FCN's Caffe",
    ),
    "smooth L1 loss of each region": (
        [(6, 8, 2, 2), (6, 8, 2, 2)],
        'type: "SmoothL1Loss" bottom: "a" bottom: "b" top: "t" top: "l" loss_weight: 1 loss_weight: 0',
        {"t": (), "l": (6, 1, 2, 2)}, "SmoothL1Loss with 2 tops is for R-FCN's Caffe",
    ),
    "weighted masks": (
        [(6, 8), (6, 8), (6, 8)],
        'type: "SigmoidCrossEntropyLoss" bottom: "a" bottom: "b" bottom: "c" top: "t"',
        {"t": ()}, "SigmoidCrossEntropyLoss with 3 bottoms is for MNC's Caffe",
    ),
    "a product of two bottoms": (
        [(6, 8), (5, 8)],
        'type: "InnerProduct" bottom: "a" bottom: "b" top: "t" inner_product_param { bias_term: false }',
        {"t": (6, 5)}, "InnerProduct with 2 bottoms is for happynear's Caffe",
    ),
}  # fmt: skip


def text(shapes, layer, other):
    given = " ".join(
        f"shape {{ {' '.join(f'dim: {d}' for d in shape)} }}" for shape in (shapes * 3)[:3]
    )
    return f'{INPUT % given}{other}layer {{ name: "x" {layer} }}\n'


@pytest.mark.parametrize("other", [FOREIGN, UNHEARD], ids=["known fork", "unknown fork"])
@pytest.mark.parametrize(("shapes", "layer", "tops", "said"), CASES.values(), ids=CASES.keys())
def test_a_net_of_a_fork_has_them(shapes, layer, tops, said, other):
    net = loads(text(shapes, layer, other), phase="TRAIN")
    assert {top: net.shapes[top] for top in tops} == tops
    (found,) = [d for d in net.diagnostics if d.name == "fork-blob-count"]
    assert found.severity == "warning"
    assert found.message.startswith(said)
    assert net.layers[-1].definition.obstacle == f"{said} alone"


@pytest.mark.parametrize(
    ("shapes", "layer"),
    [case[:2] for name, case in CASES.items() if "smooth" not in name],
    ids=[name for name in CASES if "smooth" not in name],
)
def test_a_net_of_bvlc_may_not(shapes, layer):
    with pytest.raises(NetError, match="wrong-number-of-"):
        loads(text(shapes, layer, ""), phase="TRAIN")


def test_it_is_not_computed():
    from caffegen.pytorch import build

    shapes, layer, _, said = CASES["Eltwise that scales"]
    with pytest.raises(CaffegenError, match=said):
        build(loads(text(shapes, layer, FOREIGN)))


def test_a_layer_with_a_field_that_is_not_known_may_take_others():
    layer = 'type: "Filter" bottom: "a" top: "t" filter_param { by: "file" }'
    net = loads(text([(2, 3)], layer, ""))
    assert [d.name for d in net.diagnostics if "number" in d.name] == []
    assert net.shapes["t"] is None
