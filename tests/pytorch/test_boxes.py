"""Boxes as corners: coded and decoded, compared, and thinned out, against plain loops."""

import pytest
import torch

from caffegen.pytorch.boxes import areas, decode, encode, overlaps, survivors
from tests.verify.single_shot import decoded, overlap

CODES = ("CORNER", "CENTER_SIZE", "CORNER_SIZE")


def random_boxes(*shape, seed=0, size=0.3):
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand((*shape, 2), generator=generator)
    half = torch.rand((*shape, 2), generator=generator) * size
    return torch.cat((centre - half, centre + half), -1)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_decode(code, encoded):
    priors, variances = random_boxes(6), torch.rand(6, 4)
    said = torch.randn(6, 4)
    expected = [
        decoded(*(x.tolist() for x in row), code, encoded)
        for row in zip(said, priors, variances, strict=True)
    ]
    found = decode(said, priors, variances, code, encoded=encoded)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_encode_is_the_way_back(code, encoded):
    priors, boxes = random_boxes(6).double(), random_boxes(6, seed=1).double()
    variances = torch.rand(6, 4, dtype=torch.float64)
    said = encode(boxes, priors, variances, code, encoded=encoded)
    torch.testing.assert_close(decode(said, priors, variances, code, encoded=encoded), boxes)


def test_overlaps_of_boxes_without_area():
    boxes = torch.tensor([
        [0.0, 0.0, 1.0, 1.0],
        [0.5, 0.0, 1.5, 1.0],
        # touches the first, a point in it, and swapped corners
        [1.0, 0.0, 2.0, 1.0],
        [0.5, 0.5, 0.5, 0.5],
        [0.9, 0.9, 0.1, 0.1],
    ])  # fmt: skip
    assert areas(boxes).tolist() == [1, 1, 1, 0, 0]
    table = overlaps(boxes, boxes)
    assert table[0].tolist() == pytest.approx([1, 1 / 3, 0, 0, 0])
    assert table[3].tolist() == table[4].tolist() == [0, 0, 0, 0, 0]


def one_by_one(boxes, alive, threshold, eta=1.0):
    """Who stays, box after box."""
    kept = []
    for index, box in enumerate(boxes.tolist()):
        if alive[index] and all(overlap(box, boxes[k].tolist()) <= threshold for k in kept):
            kept.append(index)
            if eta < 1 and threshold > 0.5:
                threshold *= eta
    return [index in kept for index in range(len(boxes))]


@pytest.mark.parametrize("eta", [1.0, 0.9])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("number", [0, 1, 2, 40, 700])
def test_survivors(number, threshold, eta):
    # 700 is more than a block
    boxes = random_boxes(2, number, seed=number, size=0.2 if number > 100 else 0.5).double()
    alive = torch.rand(2, number, generator=torch.Generator().manual_seed(7)) < 0.9
    found = survivors(boxes, alive, threshold, eta)
    for lane in range(2):
        assert found[lane].tolist() == one_by_one(boxes[lane], alive[lane], threshold, eta)


def test_survivors_of_a_chain():
    # each box drives out the next alone: every other one stays
    left = torch.arange(600, dtype=torch.float64) * 0.5
    boxes = torch.stack((left, left * 0, left + 1, left * 0 + 1), 1)[None]
    found = survivors(boxes, torch.ones(1, 600, dtype=torch.bool), 0.3)
    assert found[0].tolist() == [index % 2 == 0 for index in range(600)]
