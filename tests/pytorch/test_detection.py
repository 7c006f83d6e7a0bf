"""DetectionOutput in PyTorch: an example by hand, ties, images without a detection, random nets."""

import numpy as np
import pytest
import torch

from caffegen.loader import loads
from caffegen.pytorch import build
from tests.verify.single_shot import detection_text, random_case

# four priors, the first two nearly the same; CORNER locations of 0 leave them as they are
PRIORS = [[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.52], [0.6, 0.6, 0.9, 0.9], [0.0, 0.6, 0.2, 0.9]]


def detect(scores, *, classes=3, said=None, **options):
    scores = torch.tensor(scores)
    images = scores.shape[0]
    module = build(loads(detection_text(images, len(PRIORS), classes, **options)))
    priors = torch.stack((torch.tensor(PRIORS).flatten(), torch.full((16,), 0.1)))[None]
    said = torch.zeros(images, 16) if said is None else said
    return module(said, scores.reshape(images, -1), priors)["found"]


# of each prior: background, class 1, class 2
SCORES = [[[0.1, 0.8, 0.1], [0.0, 0.9, 0.1], [0.2, 0.3, 0.5], [0.3, 0.1, 0.6]]]


def test_worked_example():
    found = detect(SCORES, confidence_threshold=0.15, nms_threshold=0.5)
    # class 1: prior 1 drives out prior 0; class 2: two boxes that are far apart
    expected = [
        [0, 1, 0.9, *PRIORS[1]], [0, 1, 0.3, *PRIORS[2]],
        [0, 2, 0.6, *PRIORS[3]], [0, 2, 0.5, *PRIORS[2]],
    ]  # fmt: skip
    assert found.shape == (1, 1, 4, 7)
    torch.testing.assert_close(found[0, 0], torch.tensor(expected))


def test_the_best_of_all_classes_stay():
    found = detect(SCORES, confidence_threshold=0.15, nms_threshold=0.5, keep_top_k=2)
    torch.testing.assert_close(found[0, 0, :, 1:3], torch.tensor([[1, 0.9], [2, 0.6]]))


def test_candidates_are_cut_off_before_they_drive_each_other_out():
    # of class 1 the best two overlap: one is left
    found = detect(SCORES, confidence_threshold=0.15, nms_threshold=0.5, top_k=2)
    torch.testing.assert_close(found[0, 0, :, 1:3], torch.tensor([[1, 0.9], [2, 0.6], [2, 0.5]]))


def test_a_score_at_the_threshold_is_none():
    found = detect(SCORES, confidence_threshold=0.5, nms_threshold=0.5)
    assert found[0, 0, :, 1].tolist() == [1, 2]


def test_of_equal_scores_the_earlier_prior_and_the_lower_class_win():
    scores = [[[0.0, 0.5, 0.5]] * 4]
    found = detect(scores, nms_threshold=0.5)
    assert found[0, 0, :3, 3:].tolist() == [pytest.approx(PRIORS[i]) for i in (0, 2, 3)]
    found = detect(scores, nms_threshold=0.5, keep_top_k=4)
    assert found[0, 0, :, 1].tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "options", [{"confidence_threshold": 0.95}, {"keep_top_k": 0}, {"top_k": 0}]
)
def test_nothing_found_at_all(options):
    found = detect(SCORES * 2, **options)
    assert found.tolist() == [[[[0, *[-1] * 6], [1, *[-1] * 6]]]]


def test_nothing_found_in_one_image():
    empty = [[[1.0, 0.0, 0.0]] * 4]
    found = detect(empty + SCORES, confidence_threshold=0.55, nms_threshold=0.5)
    assert found[0, 0, :, :2].tolist() == [[1, 1], [1, 2]]


def test_boxes_with_swapped_corners_drive_out_none():
    said = torch.zeros(1, 4, 4)
    # prior 1 turned inside out
    said[0, 1] = torch.tensor([4.0, 4.0, -4.0, -4.2])
    found = detect(SCORES, said=said.reshape(1, 16), confidence_threshold=0.7, nms_threshold=0.5)
    assert found[0, 0, :, 2].tolist() == pytest.approx([0.9, 0.8])


def test_without_background_every_class_counts():
    found = detect(SCORES, background_label_id=-1, confidence_threshold=0.25, nms_threshold=0.5)
    assert found[0, 0, :, 1].tolist() == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("seed", range(60))
def test_random_nets(seed):
    net, inputs, expected, _ = random_case(seed)
    module = build(net)
    with torch.no_grad():
        found = module(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    np.testing.assert_allclose(found["found"].numpy(), expected, 1e-4, 1e-5)


def test_a_larger_batch_than_the_file_says():
    net, inputs, _, _ = random_case(3)
    module = build(net)
    twice = {
        name: torch.from_numpy(array).repeat(1 if name == "prior" else 2, *[1] * (array.ndim - 1))
        for name, array in inputs.items()
    }
    once = module(**{name: torch.from_numpy(array) for name, array in inputs.items()})["found"]
    found = module(**twice)["found"][0, 0]
    images = inputs["loc"].shape[0]
    torch.testing.assert_close(found[found[:, 0] < images], once[0, 0])
    assert found.shape[0] == 2 * once.shape[2]


def test_there_is_no_gradient():
    net, inputs, _, _ = random_case(3)
    tensors = {name: torch.from_numpy(a).requires_grad_() for name, a in inputs.items()}
    assert not build(net)(**tensors)["found"].requires_grad


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_exports_in_one_piece(seed):
    net, inputs, expected, _ = random_case(seed)
    module = build(net)
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    exported = torch.export.export(module, (), tensors).module()(**tensors)["found"]
    np.testing.assert_allclose(exported.numpy(), expected, 1e-4, 1e-5)
