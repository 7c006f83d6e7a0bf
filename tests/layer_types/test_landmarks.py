"""Hotspot and SubRegion: shapes, and what is refused."""

import pytest

SPOT = "data_height: 40 data_width: 60"
PIECE = f"{SPOT} region_height: 3 region_width: 2"


@pytest.mark.parametrize(
    ("bottoms", "body", "top"),
    [
        ([(2, 6)], "output_height: 4 output_width: 5", (2, 3, 4, 5)),
        ([(2, 6), (2, 1, 7, 8)], "", (2, 3, 7, 8)),
        ([(2, 6), (2, 1, 7, 8)], "output_height: 4", (2, 3, 7, 8)),
    ],
)
def test_hotspot(layer, bottoms, body, top):
    assert layer("Hotspot", bottoms, f"hotspot_param {{ {SPOT} {body} }}").top_shapes == (top,)


def test_sub_region(layer):
    bottoms = [(2, 3, 6, 7), (2, 8), (2, 8)]
    found = layer("SubRegion", bottoms, f"sub_region_param {{ {PIECE} }}", tops=3)
    assert found.top_shapes == ((2, 12, 3, 2), (2, 8), (2, 8))
    found = layer("SubRegion", bottoms, f"sub_region_param {{ {PIECE} as_dim: 0 }}")
    assert found.top_shapes == ((8, 3, 3, 2),)


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        (
            "Hotspot", [(2, 6)], "hotspot_param { data_height: 4 }", "size-not-positive",
            "`data_width` is 0; it must be at least 1",
        ),
        (
            "Hotspot", [(2, 6)], f"hotspot_param {{ {SPOT} }}", "new-size-incomplete",
            "Hotspot needs `output_height` and `output_width`, or a bottom 1 of the size",
        ),
        (
            "Hotspot", [(2, 5)], f"hotspot_param {{ {SPOT} output_height: 1 output_width: 1 }}",
            "rows-of-wrong-length", "bottom 0 has an x and a y for each point; it is [2, 5]",
        ),
        (
            "Hotspot", [(2, 6), (2, 1, 3, 3)], f"hotspot_param {{ {SPOT} gaussian_std: 0 }}",
            "std-not-positive", "`gaussian_std` is 0; it divides",
        ),
        (
            "SubRegion", [(2, 3, 6, 7), (2, 8), (2, 6)], f"sub_region_param {{ {PIECE} }}",
            "bottom-counts-differ",
            "bottom 2 has an x and a y of 4 points for each of 2 items; it is [2, 6]",
        ),
        (
            "SubRegion", [(2, 3, 6, 7), (2, 8), (2, 8)], f"sub_region_param {{ {SPOT} }}",
            "size-not-positive", "`region_height` is 0; it must be at least 1",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)


def test_two_tops_are_refused(finding):
    bottoms = [(2, 3, 6, 7), (2, 8), (2, 8)]
    found = finding("SubRegion", bottoms, f"sub_region_param {{ {PIECE} }}", tops=2)
    assert found[1:3] == ("wrong-number-of-tops", "SubRegion makes 1 top or 3, `l` has 2")
