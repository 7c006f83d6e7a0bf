"""Detections of equal scores may trade places; nothing else may."""

import numpy as np
import pytest

from caffegen.verify.deciding import paired_detections

ROWS = np.array(
    [
        [0, 1, 0.9, 0.1, 0.1, 0.2, 0.2],
        [0, 1, 0.5, 0.3, 0.3, 0.4, 0.4],
        [0, 1, 0.5, 0.6, 0.6, 0.7, 0.7],
        [0, 2, 0.5, 0.1, 0.6, 0.2, 0.7],
    ],
    np.float32,
).reshape(1, 1, 4, 7)


def test_equal_scores_trade_places():
    swapped = ROWS[:, :, [0, 2, 1, 3]]
    np.testing.assert_array_equal(paired_detections(ROWS, swapped, 1e-4), ROWS)


@pytest.mark.parametrize(
    ("order", "change"),
    [([1, 0, 2, 3], None), ([0, 1, 3, 2], None), ([0, 2, 1, 3], (1, 2, 0.4))],
    ids=["other scores", "other classes", "a score that is wrong"],
)
def test_what_is_not_equal_stays_as_it_is(order, change):
    theirs = ROWS[:, :, order].copy()
    if change:
        row, column, value = change
        theirs[0, 0, row, column] = value
    found = paired_detections(ROWS, theirs, 1e-4)
    assert np.abs(found - ROWS).max() > 0.05


def test_a_wrong_box_is_not_hidden():
    theirs = ROWS[:, :, [0, 2, 1, 3]].copy()
    theirs[0, 0, 1, 3] += 0.1
    assert np.abs(paired_detections(ROWS, theirs, 1e-4) - ROWS).max() == pytest.approx(0.1)


def test_another_number_of_rows_is_left_alone():
    assert paired_detections(ROWS, ROWS[:, :, :3], 1e-4).shape == (1, 1, 3, 7)
