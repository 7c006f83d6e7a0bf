"""Parts of a net: against dominators by brute force on random graphs, and what links are left out."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caffegen.analysis.flow import find_parts, has_weights
from caffegen.loader import examine
from caffegen.text import Source

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }'


def layer(name, type_name, *bottoms, body=""):
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "{name}" type: "{type_name}" {reads} top: "{name}" {body} }}'


def parts_of(*lines):
    graph = examine(Source("\n".join((INPUT, *lines)))).graph
    return graph, find_parts(graph)


def names(parts):
    return [tuple(node.name for node in part.nodes) for part in parts]


@st.composite
def dags(draw):
    """For each layer the earlier ones that it reads; 0 is the input."""
    size = draw(st.integers(1, 14))
    return [
        sorted(draw(st.sets(st.integers(max(0, index - 5), index), min_size=1, max_size=3)))
        for index in range(size)
    ]


def reaches(edges, start, end, without):
    """Whether a way leads from one node to another that does not go through a third."""
    todo, seen = [start], set()
    while todo:
        here = todo.pop()
        if here == end:
            return True
        if here in seen or here == without:
            continue
        seen.add(here)
        todo += edges[here]
    return False


@settings(max_examples=200, deadline=None)
@given(dags())
def test_parts_end_where_all_ways_meet(dag):
    lines = []
    for index, reads in enumerate(dag, 1):
        bottoms = ["data" if read == 0 else f"n{read}" for read in reads]
        lines.append(layer(f"n{index}", "Eltwise" if len(reads) > 1 else "ReLU", *bottoms))
    graph, parts = parts_of(*lines)
    assert sorted(node.index for part in parts for node in part.nodes) == list(
        range(len(graph.nodes))
    )
    edges = {node.index: [r.index for v in node.outputs for r in v.readers] for node in graph.nodes}
    chains = {}
    for part in parts:
        chains.setdefault(part.chain, []).append(part)
    for chain in chains.values():
        ends = [part.nodes[-1].index for part in chain]
        assert ends == sorted(ends)
        for before, part in itertools.pairwise(chain):
            first, last = before.nodes[-1].index, part.nodes[-1].index
            # no way from the input to the end goes round the end of the part before
            assert not reaches(edges, 0, last, without=first)
            # and inside the part there is no other such place
            for node in part.nodes[:-1]:
                assert reaches(edges, first, last, without=node.index)
    # the first chain goes from the input to the last layer that nobody reads
    assert ends_of(parts, 0)[0] == 0
    assert not edges[ends_of(parts, 0)[-1]]


def ends_of(parts, chain):
    return [part.nodes[-1].index for part in parts if part.chain == chain]


CONVOLUTION = "convolution_param { num_output: 4 kernel_size: 1 }"
HALVED = "pooling_param { kernel_size: 2 stride: 2 }"
DOUBLED = "convolution_param { num_output: 4 kernel_size: 2 stride: 2 }"


def convolutions(number):
    return [
        layer(f"c{n}", "Convolution", f"c{n - 1}" if n > 1 else "data", body=CONVOLUTION)
        for n in range(1, number + 1)
    ]


@pytest.mark.parametrize(("number", "whole"), [(5, True), (6, True), (7, False), (20, False)])
def test_a_link_past_many_layers_is_left_out(number, whole):
    _, parts = parts_of(*convolutions(number), layer("sum", "Eltwise", "data", f"c{number}"))
    members = tuple(f"c{n}" for n in range(1, number + 1))
    wanted = [("data",), (*members, "sum")]
    if not whole:
        wanted = [("data",), *((name,) for name in members), ("sum",)]
    assert names(parts) == wanted


def test_a_link_past_a_layer_that_enlarges_is_left_out():
    """A U-Net's: down and up again, then side by side with what was before."""
    _, parts = parts_of(
        layer("pool", "Pooling", "data", body=HALVED),
        layer("up", "Deconvolution", "pool", body=DOUBLED),
        layer("both", "Concat", "up", "data"),
    )
    assert names(parts) == [("data",), ("pool",), ("up",), ("both",)]
    assert [value.name for value in parts[-1].links] == ["up"]


def test_labels_hold_nothing_together():
    """Another input, also of the same layer, and what is made of it."""
    _, parts = parts_of(
        'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 } } }',
        *convolutions(2),
        layer("fc", "InnerProduct", "c2", body="inner_product_param { num_output: 3 }"),
        layer("loss", "SoftmaxWithLoss", "fc", "label"),
    )
    assert names(parts) == [("data",), ("c1",), ("c2",), ("fc",), ("loss",), ("label",)]


def test_a_side_branch_is_a_chain_of_its_own():
    _, parts = parts_of(
        *convolutions(4),
        layer("left", "ReLU", "c2"),
        layer("right", "TanH", "c2"),
        layer("side", "Eltwise", "left", "right"),
    )
    chains = {}
    for part in parts:
        chains.setdefault(part.chain, []).append(tuple(node.name for node in part.nodes))
    assert list(chains.values()) == [
        [("data",), ("c1",), ("c2",), ("c3",), ("c4",)],
        [("left", "right", "side")],
    ]


@pytest.mark.parametrize(
    ("type_name", "weighted"),
    [
        ("Convolution", True), ("Deconvolution", True), ("ConvolutionDepthwise", True),
        ("DepthwiseConvolution", True), ("InnerProduct", True), ("LSTM", True), ("Scale", False),
        ("BatchNorm", False), ("Pooling", False),
    ],
)  # fmt: skip
def test_layers_that_count_in_the_depth(type_name, weighted):
    graph = examine(Source(f'layer {{ name: "x" type: "{type_name}" top: "x" }}')).graph
    assert has_weights(graph.nodes[0]) is weighted


def test_faulty_nets_have_parts_too():
    graph, parts = parts_of(
        layer("lost", "Eltwise", "data", "nowhere"),
        layer("alone", "ReLU", "nowhere"),
        layer("strange", "Mystery", "lost", "alone"),
        'layer { name: "end" type: "Silence" bottom: "strange" }',
    )
    assert sorted(node.name for part in parts for node in part.nodes) == sorted(
        node.name for node in graph.nodes
    )
