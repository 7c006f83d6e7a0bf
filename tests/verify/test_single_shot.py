"""Single-shot detectors across PyTorch, onnxruntime and OpenCV, layer by layer and whole."""

import numpy as np
import pytest

from caffegen import NetSpec, loads, verify
from caffegen import layers as L
from caffegen import params as P
from caffegen.analysis.fill import fill_params
from caffegen.verify.runtimes import Job, runtime
from tests.verify.single_shot import input_layer, random_case

RUNTIMES = ("torch", "onnxruntime", "opencv")


def prior_text(seed, *, whole=True):
    """A net of one PriorBox with random sizes and parameters."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, 4))
    # OpenCV does not cut sizes to whole pixels, as all of the forks do (prior_box_layer.cpp)
    sizes = rng.integers(5, 60, number) if whole else rng.uniform(5, 60, number).round(2) + 0.5
    fields = [f"min_size: {size}" for size in sizes]
    if rng.random() < 0.5:
        fields += [f"max_size: {size + rng.integers(1, 40)}" for size in sizes]
    ratios = rng.choice([1, 2, 3, 1.5, 0.4], int(rng.integers(0, 4)), replace=False)
    fields += [f"aspect_ratio: {ratio}" for ratio in ratios]
    fields.append(f"flip: {str(rng.random() < 0.5).lower()}")
    fields.append(f"clip: {str(rng.random() < 0.5).lower()}")
    fields += [f"variance: {v:.2f}" for v in rng.uniform(0.05, 0.5, rng.choice([1, 4]))]
    if rng.random() < 0.3:
        fields.append(f"step: {rng.integers(4, 20)}")
    if rng.random() < 0.3:
        fields.append(f"offset: {rng.random():.2f}")
    cells, image = rng.integers(1, 9, 2), rng.integers(20, 200, 2)
    layer = (
        'layer { name: "prior" type: "PriorBox" bottom: "map" bottom: "image" top: "prior" '
        f"prior_box_param {{ {' '.join(fields)} }} }}"
    )
    inputs = input_layer("map", (1, 2, *cells)), input_layer("image", (1, 3, *image))
    return "\n".join((*inputs, layer))


@pytest.mark.parametrize("seed", range(40))
def test_priors(seed):
    report = verify.compare(loads(prior_text(seed)), RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference


@pytest.mark.parametrize("seed", range(5))
def test_priors_of_broken_sizes_are_cut_before_opencv_reads_them(seed):
    report = verify.compare(loads(prior_text(seed, whole=False)), RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference
    assert "PriorBox's `min_size`" in report.runtimes[2].note


# What OpenCV's importer takes: no `eta` (it goes by 1), no CORNER_SIZE, and priors without
# variances where these are in the target. It needs `keep_top_k`, and a threshold above 0.
TAKEN = {"variance_encoded_in_target": False, "eta": None}


@pytest.mark.parametrize("code", ["CORNER", "CENTER_SIZE"])
@pytest.mark.parametrize("seed", range(30))
def test_detections(seed, code):
    net, inputs, expected, _ = random_case(
        seed, **TAKEN, code_type=code, keep_top_k=1 + 3 * seed, confidence_threshold=0.03 * seed,
        nms_threshold=0.02 + seed / 35,
    )  # fmt: skip
    for name in RUNTIMES:
        found = runtime(name).run(Job(net, inputs)).blobs["found"]
        np.testing.assert_allclose(found, expected, 1e-4, 1e-5, err_msg=name)


def small_detector():
    """A detector of two maps, three classes and 176 priors."""
    net = NetSpec()
    net.data = L.Input(shape={"dim": [2, 3, 48, 64]})
    body = net.data
    tops = {"loc": [], "conf": [], "prior": []}
    fill = {"type": "xavier"}
    for index, (width, sizes) in enumerate(((8, (10, 20)), (12, (24, 40)))):
        conv = L.Convolution(
            body, num_output=width, kernel_size=3, stride=4 if index == 0 else 2, pad=1,
            weight_filler=fill, bias_filler={"type": "gaussian", "std": 0.1},
        )  # fmt: skip
        net[f"conv{index}"] = conv
        body = net[f"relu{index}"] = L.ReLU(conv, in_place=True)
        if index == 0:
            scale = {"type": "constant", "value": 5}
            norm = {"across_spatial": False, "channel_shared": False, "scale_filler": scale}
            body = net.norm = L.Normalize(body, norm_param=norm)
        for word, outputs in (("loc", 4), ("conf", 3)):
            head = L.Convolution(
                body, num_output=4 * outputs, kernel_size=3, pad=1, weight_filler=fill
            )
            net[f"{word}{index}"] = head
            turned = net[f"{word}{index}_perm"] = L.Permute(head, order=[0, 2, 3, 1])
            flat = net[f"{word}{index}_flat"] = L.Flatten(turned, axis=1)
            tops[word].append(flat)
        prior = L.PriorBox(
            body, net.data, min_size=sizes[0], max_size=sizes[1], aspect_ratio=[2], flip=True,
            clip=False, variance=[0.1, 0.1, 0.2, 0.2], offset=0.5,
        )  # fmt: skip
        net[f"prior{index}"] = prior
        tops["prior"].append(prior)
    net.loc = L.Concat(*tops["loc"], axis=1)
    net.conf = L.Concat(*tops["conf"], axis=1)
    net.prior = L.Concat(*tops["prior"], axis=2)
    net.conf_rows = L.Reshape(net.conf, shape={"dim": [0, -1, 3]})
    net.conf_softmax = L.Softmax(net.conf_rows, axis=2)
    net.conf_flat = L.Flatten(net.conf_softmax, axis=1)
    options = {
        "num_classes": 3,
        "share_location": True,
        "background_label_id": 0,
        "nms_param": {"nms_threshold": 0.45, "top_k": 40},
        "keep_top_k": 20,
        "code_type": P.PriorBox.CENTER_SIZE,
        "confidence_threshold": 0.35,
    }
    net.detection_out = L.DetectionOutput(
        net.loc, net.conf_flat, net.prior, detection_output_param=options
    )
    return net.to_prototxt()


def test_a_whole_detector():
    text = small_detector()
    net = loads(text, fill_params(loads(text).graph, 1))
    report = verify.compare(net, RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference
    (row,) = {row.shape for row in report.rows if row.blob == "detection_out"}
    assert row[2] > 10


def test_opencv_says_nothing_where_nothing_is_found():
    net, inputs, _, _ = random_case(2, **TAKEN, keep_top_k=5, code_type="CORNER")
    inputs["conf"][...] = 0
    images = inputs["loc"].shape[0]
    found = runtime("opencv").run(Job(net, inputs)).blobs["found"]
    assert found.tolist() == [[[[image, *[-1] * 6] for image in range(images)]]]
