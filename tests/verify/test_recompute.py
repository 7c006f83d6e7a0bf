"""Behind layers that sort, cut off or round: what differs there is computed again on equal values."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from caffegen import loads, verify
from caffegen.cli.verify import command
from caffegen.verify.deciding import cut_before, deciding_layers, made_from
from caffegen.verify.inputs import seeded_inputs
from caffegen.verify.page import report_page
from caffegen.verify.runtimes import CannotRun, Job, Outcome, _Runtime, runtime
from caffegen.zoo import segnet


def layer(name, kind, bottoms, body="", top=""):
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "{name}" type: "{kind}" {reads} top: "{top or name}" {body} }}\n'


def given(name, *shape):
    dims = " ".join(f"dim: {size}" for size in shape)
    return layer(name, "Input", [], f"input_param {{ shape {{ {dims} }} }}")


# two-stage detection, small; its boxes are of equal scores
DETECTOR = (
    given("scores", 1, 4, 16, 16)
    + given("moves", 1, 8, 16, 16)
    + given("im_info", 1, 3)
    + given("image", 1, 3, 16, 16)
    + layer("prob", "Power", ["scores"])
    + layer("box", "Power", ["moves"])
    + layer("map", "TanH", ["image"])
    + layer(
        "rois", "Proposal", ["prob", "box", "im_info"],
        "proposal_param { ratio: 1 scale: 4 scale: 8 feat_stride: 4 base_size: 4 min_size: 0 "
        "nms_thresh: 0.5 }",
    )
    + layer(
        "pool", "ROIPooling", ["map", "rois"],
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.25 }",
    )
    + layer("relu", "ReLU", ["pool"], top="pool")
    + layer(
        "fc", "InnerProduct", ["pool"],
        'inner_product_param { num_output: 5 weight_filler { type: "xavier" } }',
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def detector():
    net = loads(DETECTOR)
    net.fill(0)
    inputs = verify.seeded_inputs(net)
    inputs["scores"][...] = 0.5
    inputs["moves"] *= 0.2
    inputs["im_info"][...] = [64, 64, 1]
    return net, inputs


@pytest.fixture
def another(monkeypatch):
    """`another(net, inputs, off)`: compare with a PyTorch whose first input is off by a share.

    `spoil` changes its blobs. The first input alone is off, not what layers that decide are given.
    """

    def compare(net, inputs, off=1e-6, spoil=None, seen=None):
        real = sys.modules["caffegen.verify.compare"].runtime

        def run(job):
            if seen is not None:
                seen.append(job)
            first = next(iter(inputs))
            value = job.inputs[first]
            share = np.random.default_rng(1).uniform(0, 1, value.shape) * off
            moved = (value * (1 + share)).astype(np.float32)
            blobs = real("torch").run(job._replace(inputs={**job.inputs, first: moved})).blobs
            if spoil is not None:
                spoil(job, blobs)
            return Outcome(blobs)

        def choose(name):
            return _Runtime(lambda: "1", run) if name == "onnxruntime" else real(name)

        for module in ("compare", "recompute"):
            monkeypatch.setattr(sys.modules[f"caffegen.verify.{module}"], "runtime", choose)
        return verify.compare(net, ("torch", "onnxruntime"), inputs=inputs)

    return compare


def rows_of(report):
    return {row.blob: row for row in report.rows}


def test_boxes_of_nearly_equal_scores(detector, another):
    report = another(*detector)
    rows = rows_of(report)
    assert report.ok, report.first_difference
    for blob in ("prob", "box", "map"):
        assert rows[blob].equal
        assert rows[blob].recomputed is None
    for blob in ("rois", "pool", "fc"):
        assert not rows[blob].equal
        assert rows[blob].recomputed.equal
        assert rows[blob].agrees
    assert "; 3 of them once the layers that decide read torch's values" in report.verdict
    (note,) = report.notes
    assert note == (
        "`rois` (Proposal) sorts boxes by their scores and cuts them off, `pool` (ROIPooling) rounds "
        "regions to cells, where small differences can become large: onnxruntime computed from there "
        "on again, on torch's values of what such layers read"
    )


def test_the_real_runtimes_on_the_same(detector):
    net, inputs = detector
    report = verify.compare(net, ("torch", "onnxruntime"), inputs=inputs)
    assert report.ok, report.first_difference
    assert rows_of(report)["fc"].agrees


def test_corners_half_way_between_cells(another):
    text = (
        given("corners", 2, 5)
        + given("map", 1, 2, 8, 8)
        + layer("rois", "Power", ["corners"])
        + layer(
            "pool", "ROIPooling", ["map", "rois"],
            "roi_pooling_param { pooled_h: 1 pooled_w: 1 spatial_scale: 1 }",
        )
    )  # fmt: skip
    inputs = {
        "corners": np.array([[0, 1.5, 1.5, 3, 3], [0, 2.5, 1, 4.5, 2.5]], np.float32),
        "map": np.arange(128, dtype=np.float32).reshape(1, 2, 8, 8),
    }
    report = another(loads(text), inputs, off=-4e-7)
    rows = rows_of(report)
    assert report.ok
    assert rows["rois"].equal
    assert rows["pool"].relative > 1e-2
    assert rows["pool"].recomputed == (0.0, 0.0, True)


def test_a_wrong_layer_that_decides_is_found(detector, another):
    def spoil(_, blobs):
        blobs["rois"] = blobs["rois"] * np.float32(1.01)

    report = another(*detector, spoil=spoil)
    assert not report.ok
    assert report.first_difference.blob == "rois"
    assert not report.first_difference.recomputed.equal


def test_a_wrong_layer_behind_is_found(detector, another):
    def spoil(_, blobs):
        blobs["fc"] = blobs["fc"] + np.float32(0.01)

    report = another(*detector, spoil=spoil)
    assert not report.ok
    assert report.first_difference.blob == "fc"


def test_what_the_layer_reads_has_to_agree_as_it_is(detector, another):
    report = another(*detector, off=0.01)
    assert not report.ok
    assert report.first_difference.blob == "prob"
    assert rows_of(report)["fc"].recomputed.equal


def test_bottoms_that_were_not_held_against_each_other_are_not_given(detector, another):
    def spoil(_, blobs):
        for name in ("prob", "box"):
            blobs.pop(name, None)

    seen = []
    report = another(*detector, spoil=spoil, seen=seen)
    assert not report.ok
    assert report.first_difference.blob == "rois"
    assert set(seen[-1].inputs) == {*detector[1], "map/given", "rois/given"}


def test_one_that_can_not_compute_again_says_so(detector, another):
    def spoil(job, _):
        if any(name.endswith("/given") for name in job.inputs):
            raise CannotRun("there are too many inputs")

    report = another(*detector, spoil=spoil)
    assert not report.ok
    assert report.first_difference.recomputed is None
    (note,) = report.notes
    assert note.endswith(
        "that may be why onnxruntime differs, but it could not compute the layer again on torch's "
        "values: there are too many inputs"
    )


def test_no_layer_that_decides_no_second_run(another):
    seen = []
    net = loads(given("data", 1, 4) + layer("tanh", "TanH", ["data"]))
    report = another(net, {"data": np.ones((1, 4), np.float32)}, off=1, seen=seen)
    assert not report.ok
    assert len(seen) == 1
    assert report.notes == ()


def test_json_and_page(detector, another):
    report = another(*detector)
    document = json.loads(json.dumps(report.to_json()))
    assert document["ok"] is True
    found = {blob["blob"]: blob for blob in document["blobs"]}
    assert found["map"]["recomputed"] is None
    assert found["rois"]["equal"] is False
    assert set(found["rois"]["recomputed"]) == {"absolute", "relative", "equal"}
    assert document["notes"] == list(report.notes)
    page = report_page(report)
    assert "on torch&#39;s values" in page
    assert "rounds regions to cells" in page
    assert '<tr class="differs">' not in page


def test_on_the_command_line(tmp_path, monkeypatch):
    """A net whose two scores tie: what differs plainly stands beside what differs on equal values."""
    from caffegen.verify.report import BlobDifference, Recomputed, RuntimeRun, VerifyReport

    row = BlobDifference(
        "pool", "pool", (2, 2), "torch", "onnxruntime", 3.0, 0.5, 6.0, equal=False,
        recomputed=Recomputed(0.0, 1e-7, equal=True),
    )  # fmt: skip
    runs = tuple(RuntimeRun(name, "1", True, 0.1) for name in ("torch", "onnxruntime"))
    report = VerifyReport("net", 0, 1e-4, runs, (row,), ("`pool` (ROIPooling) rounds",))
    monkeypatch.setattr(verify, "compare", lambda *_, **__: report)
    path = tmp_path / "net.prototxt"
    path.write_text(given("data", 1, 4) + layer("tanh", "TanH", ["data"]))
    done = CliRunner().invoke(command, [str(path)])
    assert done.exit_code == 0, done.output
    assert "5.00e-01  differs; 1.00e-07 on torch's values\n" in done.output
    assert "\n`pool` (ROIPooling) rounds\n" in done.output
    assert "without that they differ by up to 5.00e-01 (`pool`)" in done.output


def test_what_decides_and_what_is_behind_it(detector):
    net, _ = detector
    deciding = deciding_layers(net)
    assert [node.name for node in deciding] == ["rois", "pool"]
    behind = made_from(deciding)
    names = {value.name for value in net.graph.values if id(value) in behind}
    assert names == {"rois", "pool", "fc"}


@pytest.mark.parametrize(
    ("tops", "decides"),
    [('top: "y"', False), ('top: "y" top: "mask"', True)],
    ids=["plain", "mask"],
)
def test_a_pooling_decides_by_its_mask(tops, decides):
    text = given("x", 1, 1, 4, 4) + (
        f'layer {{ name: "pool" type: "Pooling" bottom: "x" {tops} '
        "pooling_param { kernel_size: 2 stride: 2 } }"
    )
    assert bool(deciding_layers(loads(text))) is decides


def test_the_net_that_is_cut(detector):
    net, inputs = detector
    rng = np.random.default_rng(0)
    values = {"rois": rng.random((7, 5)).astype(np.float32), "pool": np.ones((7, 3, 2, 2))}
    cut = cut_before(net, deciding_layers(net), values, inputs)
    assert set(cut.inputs) == {"rois/given"}
    layers = {node.name: node for node in cut.net.layers}
    assert layers["pool"].bottom == ("map", "rois/given")
    assert layers["rois"].bottom == ("prob", "box", "im_info")
    assert cut.net.shapes["fc"] == (7, 5)
    assert cut.net.weights is net.weights
    # the net itself is as it was
    assert [node.bottom for node in net.layers if node.name == "pool"] == [("map", "rois")]


def test_an_input_that_takes_the_name_is_left_alone():
    text = (
        given("x/given", 1, 4, 2, 2)
        + layer("x", "TanH", ["x/given"])
        + layer("argmax", "ArgMax", ["x"])
    )
    net = loads(text)
    inputs = {"x/given": np.ones((1, 4, 2, 2), np.float32)}
    cut = cut_before(net, deciding_layers(net), {"x": inputs["x/given"]}, inputs)
    assert set(cut.inputs) == {"x/given'"}


def test_a_net_that_mixes_forks_is_cut_as_it_was_loaded():
    """SegNet's own Caffe has no BatchNorm; a net with both is of it all the same."""
    net = loads(segnet(variant="basic", norm="batch_norm", input_size=64))
    net.fill()
    inputs = seeded_inputs(net, 0)
    blobs = runtime("torch").run(Job(net, inputs)).blobs
    cut = cut_before(net, deciding_layers(net), blobs, inputs)
    assert set(cut.inputs) >= {f"conv{n}/given" for n in (1, 2, 3, 4)}
    again = runtime("torch").run(Job(cut.net, {**inputs, **cut.inputs})).blobs
    np.testing.assert_array_equal(again["pool3_mask"], blobs["pool3_mask"])
