"""InnerDistance and ChannelScale: shapes, blobs, and what is refused."""

import pytest


@pytest.mark.parametrize(
    ("bottoms", "body", "top", "blobs"),
    [
        ([(4, 3, 2)], "num_output: 5", (4, 5), [(5, 6)]),
        ([(4, 3, 2)], "num_output: 5 axis: 2", (4, 3, 5), [(5, 2)]),
        ([(4, 3)], "num_output: 5 transpose: true", (4, 5), [(3, 5)]),
        ([(4, 3), (7, 3)], "", (4, 7), []),
    ],
)
def test_inner_distance(layer, bottoms, body, top, blobs):
    found = layer("InnerDistance", bottoms, f"inner_distance_param {{ {body} }}")
    assert found.top_shapes == (top,)
    assert [blob.shape for blob in found.blobs] == blobs


@pytest.mark.parametrize(
    ("bottoms", "body", "name", "message"),
    [
        ([(4, 3)], "", "num-output-zero", "InnerDistance needs a `num_output` of at least 1"),
        (
            [(4, 3)], "num_output: 2 distance_type: 'L3'", "unknown-norm",
            'there is no `distance_type: "L3"`; there are "L1" and "L2"',
        ),
        (
            [(4, 3), (7, 2)], "", "bottom-counts-differ",
            "an item has 3 values, a row of bottom 1 has 2",
        ),
    ],
)  # fmt: skip
def test_inner_distance_refuses(finding, bottoms, body, name, message):
    found = finding("InnerDistance", bottoms, f"inner_distance_param {{ {body} }}")
    assert found[:3] == ("error", name, message)


def test_centres_that_are_labels_are_not_computed(layer):
    body = "inner_distance_param { update_center_only: true num_output: 3 }"
    found = layer("InnerDistance", [(4, 3), (4,)], body)
    assert found.obstacle == "with `update_center_only` bottom 1 is read as labels and as centres"


def test_channel_scale(layer, finding):
    assert layer("ChannelScale", [(2, 3, 4, 5), (2, 20)]).top_shapes == ((2, 3, 4, 5),)
    assert finding("ChannelScale", [(2, 3, 4, 5), (2, 3)])[:3] == (
        "error",
        "bottom-counts-differ",
        "bottom 1 has a number for each place of bottom 0, 40 for 2 items; it is [2, 3]",
    )
