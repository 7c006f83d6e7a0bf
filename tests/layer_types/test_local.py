"""Local and SparseInnerProduct: shapes, blobs, and what is refused."""

import pytest

PICTURE = (2, 3, 6, 5)


def text(more):
    return f"local_param {{ num_output: 4 kernel_size: 3 {more} }}"


@pytest.mark.parametrize(
    ("more", "grid"), [("", (4, 3)), ("pad: 1 stride: 2", (3, 3)), ("stride: 4", (1, 1))]
)
def test_shape(layer, more, grid):
    found = layer("Local", [PICTURE], text(more))
    assert found.top_shapes == ((2, 4, *grid),)
    places = grid[0] * grid[1]
    assert [(blob.name, blob.shape) for blob in found.blobs] == [
        ("weight", (4, 1, 27, places)),
        ("bias", (1, 1, 4, places)),
    ]
    assert found.cost() == (2 * 4 * places * 27, 2 * 4 * places)
    assert found.window.kernel == (3, 3)


def test_no_bias(layer):
    assert len(layer("Local", [PICTURE], text("bias_term: false")).blobs) == 1


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        ("kernel_size: 3", "num-output-zero", "Local needs a `num_output` of at least 1"),
        ("num_output: 3", "kernel-size-zero", "Local needs a `kernel_size` of at least 1"),
        (
            "num_output: 3 kernel_size: 3 stride: 0", "stride-zero",
            "`stride` is 0; it must be at least 1",
        ),
        (
            "num_output: 3 kernel_size: 6 pad: 3", "kernel-exceeds-input",
            ("`kernel_size` (6) is above the width of the bottom, 5; Local asks for that before it "
            "pads"),
        ),
    ],
)  # fmt: skip
def test_refused(finding, body, name, message):
    assert finding("Local", [PICTURE], f"local_param {{ {body} }}")[:3] == ("error", name, message)


def test_a_sparse_product_has_the_shape_of_a_product(layer):
    found = layer("SparseInnerProduct", [PICTURE], "inner_product_param { num_output: 7 }")
    assert found.top_shapes == ((2, 7),)
    assert [blob.shape for blob in found.blobs] == [(7, 90), (7,)]
