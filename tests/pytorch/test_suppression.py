"""Suppression of overlapping boxes: one by one, and as a loop in a program of torch.export."""

import pytest
import torch

from caffegen.pytorch.suppression import _in_a_graph, _one_by_one


def boxes_of(seed, number):
    generator = torch.Generator().manual_seed(seed)
    middle = torch.rand(number, 2, generator=generator) * 10
    half = torch.rand(number, 2, generator=generator) * 3
    return torch.cat([middle - half, middle + half], 1)


@pytest.mark.parametrize("most", [None, 1, 7, 500])
@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_both_ways_keep_the_same(threshold, reached, most):
    for seed in range(8):
        boxes = boxes_of(seed, 60)
        # boxes that are the same, and one without area
        boxes[10:13] = boxes[4]
        boxes[20, 2:] = boxes[20, :2]
        expected = _one_by_one(boxes, threshold, most, reached=reached)
        found = _in_a_graph(boxes, threshold, most, reached=reached)
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("number", [0, 1])
def test_few_boxes(number):
    boxes = boxes_of(0, number)
    assert _in_a_graph(boxes, 0.5, None, reached=False).tolist() == list(range(number))
    assert _one_by_one(boxes, 0.5).tolist() == list(range(number))


YOLO = """input: "data" input_shape { dim: 1 dim: 16 dim: 4 dim: 4 }
layer { name: "found" type: "YoloDetectionOutput" bottom: "data" top: "found"
  yolo_detection_output_param { num_classes: 3 num_box: 2 confidence_threshold: 0.2
    nms_threshold: 0.4 biases: 1 biases: 1.5 biases: 2 biases: 1 } }
"""
PROPOSAL = """input: "scores" input_shape { dim: 1 dim: 18 dim: 6 dim: 7 }
input: "deltas" input_shape { dim: 1 dim: 36 dim: 6 dim: 7 }
input: "info" input_shape { dim: 1 dim: 3 }
layer { name: "rois" type: "Python" bottom: "scores" bottom: "deltas" bottom: "info" top: "rois"
  python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" } }
"""


# regions that a Proposal finds are cut out of a map; how many there are, no program knows
POOLED = """input: "map" input_shape { dim: 1 dim: 18 dim: 6 dim: 7 }
layer { name: "pool" type: "%s" bottom: "map" bottom: "rois" top: "pool" %s }
"""
ROI = POOLED % ("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.0625 }")
PSROI = POOLED % (
    "PSROIPooling",
    "psroi_pooling_param { output_dim: 2 group_size: 3 spatial_scale: 0.0625 }",
)


@pytest.mark.parametrize(
    "text",
    [YOLO, PROPOSAL, PROPOSAL + ROI, PROPOSAL + PSROI],
    ids=["YOLO", "Proposal", "ROIPooling", "PSROIPooling"],
)
def test_a_program_gives_what_the_module_gives(text):
    from caffegen import loads
    from caffegen.pytorch import build
    from caffegen.pytorch.program import export_program

    net = loads(text)
    module = build(net).eval()
    program = export_program(module)
    torch.manual_seed(0)
    for scale in (0.2, 1, 2):
        inputs = [
            torch.tensor([[96.0, 112, 1]])
            if name == "info"
            else torch.randn(net.shapes[name]) * scale
            for name in net.inputs
        ]
        expected = next(iter(module(*inputs).values()))
        found = next(iter(program.exported.module()(*inputs).values()))
        torch.testing.assert_close(found, expected)
