"""Which Caffe a file is for, and what gives it away."""

from __future__ import annotations

import pytest

from caffegen import NetError, load, loads
from caffegen.analysis.dialect import check_dialect, find_dialect, report_dialect
from caffegen.check import Options, check_source
from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.schema import message_type
from caffegen.text import Source, parse

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }\n'
PERMUTE = 'layer { name: "p" type: "Permute" bottom: "x" top: "p" permute_param { order: 0 order: 2 order: 3 order: 1 } }\n'
CEIL = 'layer { name: "m" type: "Pooling" bottom: "x" top: "m" pooling_param { kernel_size: 3 stride: 2 ceil_mode: false } }\n'


def found(text, asked="", message="NetParameter"):
    return find_dialect(parse(Source(text), message_type(message)).message, asked)


def told(text, asked=""):
    report = Report()
    report_dialect(found(text, asked), report)
    return [(d.severity, d.name, d.message) for d in report]


@pytest.mark.parametrize(
    ("text", "forks"),
    [
        (INPUT, ()),
        ("layer { permute_param { } }", ("ssd", "intel", "nvidia", "mobilenet-yolo", "happynear")),
        ("layer { permute_param { } norm_param { } }", ("ssd", "intel", "nvidia", "mobilenet-yolo")),
        ('layer { type: "PriorBox" } layer { proposal_param { } }', ()),
        ("layer { upsample_param { } }", ("segnet", "mobilenet-yolo")),
        ("layer { upsample_param { pad_out_h: true } }", ("segnet",)),
        ("layer { convolution_param { engine: MKLDNN } }", ("intel",)),
        ("layers { type: LOCAL }", ("happynear",)),
        ("layer { roi_pooling_param { } }", ("fast-rcnn", "yjxiong", "intel", "happynear")),
        # what came later than an older fork leaves that fork out
        ("layer { roi_pooling_param { } } layer { crop_param { } }", ("intel", "happynear")),
        ("layer { pooling_param { ceil_mode: true } }", ()),
    ],
    ids=["bvlc", "several", "fewer", "none", "ambiguous", "by a field within", "word", "v1 word",
         "old", "newer", "unheard of"],
)  # fmt: skip
def test_the_forks_that_a_file_fits(text, forks):
    assert found(text).forks == forks


def test_one_fork_alone_is_its_name():
    assert found("layer { bn_param { bn_mode: INFERENCE } }").name == "segnet"
    assert found("layer { permute_param { } }").name == ""
    assert found(INPUT).name == ""
    assert found(INPUT, "ssd").name == "ssd"


def test_a_solver_tells_too():
    assert found('eval_type: "detection" ap_version: "11point"', message="SolverParameter").forks == (
        "ssd", "intel", "nvidia", "mobilenet-yolo",
    )  # fmt: skip


def test_the_fork_is_told_once_with_what_gives_it_away():
    text = INPUT + PERMUTE + PERMUTE.replace('"p"', '"q"') + CEIL.replace("ceil_mode: false", "")
    assert told(text) == [
        ("warning", "fork-schema",
         ("BVLC Caffe refuses this file: it fits the schema of ssd, intel, nvidia, mobilenet-yolo and "
         "happynear, by `Permute` (line 2) and `permute_param` (line 2)")),
    ]  # fmt: skip


def test_what_no_fork_has():
    assert told(CEIL) == [
        ("warning", "fork-schema",
         "BVLC Caffe refuses this file: no fork that caffegen knows has `ceil_mode` (line 1)"),
    ]  # fmt: skip
    assert told(CEIL + PERMUTE)[0][2] == (
        "BVLC Caffe refuses this file: `Permute` (line 2) and `permute_param` (line 2) are of forks, "
        "and no fork that caffegen knows has `ceil_mode` (line 1)"
    )


def test_what_no_one_fork_has_all_of():
    mixed = 'layer { type: "PriorBox" prior_box_param { } } layer { bn_param { bn_mode: LEARN } }'
    assert told(mixed) == [
        ("warning", "fork-schema",
         ("BVLC Caffe refuses this file: no fork has all of it; `bn_mode` is of segnet, `PriorBox` of "
         "ssd, intel, nvidia and mobilenet-yolo")),
    ]  # fmt: skip


STRAY = "layer { force_backward: true } layer { force_backward: true pooling_param { norm_region: WITHIN_CHANNEL } }"


def test_a_field_that_nobody_reads_is_told_of_once_and_says_nothing_of_forks():
    assert told(STRAY + PERMUTE) == [
        (
            "error", "field-without-reader",
            "no Caffe reads `force_backward` in LayerParameter: it is one of the net (2 times)",
        ),
        (
            "error", "field-without-reader",
            "no Caffe reads `norm_region` in PoolingParameter: it is one of `lrn_param`",
        ),
        (
            "warning", "fork-schema",
            ("BVLC Caffe refuses this file: it fits the schema of ssd, intel, nvidia, mobilenet-yolo "
            "and happynear, by `Permute` (line 1) and `permute_param` (line 1)"),
        ),
    ]  # fmt: skip
    assert found(STRAY).forks == ()
    assert [name for _, name, _ in told(STRAY, "ssd")] == ["field-without-reader"] * 2


def test_a_net_with_such_a_field_loads_and_carries_it(tmp_path):
    net = loads(INPUT.replace("}\n", "force_backward: true }\n"))
    (found,) = net.diagnostics
    assert (found.severity, found.name) == ("warning", "field-without-reader")
    assert "force_backward: true" in net.to_prototxt()
    assert net.shapes == {"x": (1, 4, 8, 8)}


def test_a_solver_s_misspelt_field_is_told_of():
    text = 'net: "n" test_intervall: 1000'
    report = Report()
    report_dialect(found(text, message="SolverParameter"), report)
    (one,) = report
    assert one.name == "field-without-reader"
    assert one.help == "write `test_interval`"


def test_the_dialect_that_is_asked_for_is_not_told_of():
    assert told(INPUT + PERMUTE, "ssd") == []
    assert told(INPUT, "bvlc") == []


def test_what_is_foreign_to_the_dialect_asked_for():
    forks = "ssd, intel, nvidia, mobilenet-yolo and happynear have it"
    assert told(PERMUTE * 2, "bvlc") == [
        ("error", "not-in-dialect", f"the Caffe of `bvlc` has no `Permute`; {forks} (2 times)"),
        (
            "error",
            "not-in-dialect",
            f"the Caffe of `bvlc` has no `permute_param`; {forks} (2 times)",
        ),
    ]
    assert told("layer { scale_param { } }", "segnet")[0][2].startswith(
        "the Caffe of `segnet` has no `scale_param`; bvlc, ssd, "
    )
    assert told(CEIL, "bvlc") == [
        ("error", "not-in-dialect", "the Caffe of `bvlc` has no `ceil_mode`")
    ]
    assert told("layer { convolution_param { engine: MKLDNN } }", "ssd") == [
        ("error", "not-in-dialect", "the Caffe of `ssd` has no `engine: MKLDNN`; intel has it")
    ]


def test_a_dialect_that_there_is_not():
    assert check_dialect("ssd") == "ssd"
    with pytest.raises(
        CaffegenError, match=r"no dialect is called `segne`; did you mean `segnet`\?"
    ):
        check_dialect("segne")
    with pytest.raises(CaffegenError, match="no dialect is called `x`; there are bvlc, "):
        loads(INPUT, dialect="x")


def test_check_takes_the_dialect():
    def names(dialect):
        options = Options(dialect=dialect)
        return {d.name for d in check_source(Source(INPUT + CEIL), options).diagnostics}

    assert "fork-schema" in names("")
    assert "not-in-dialect" in names("bvlc")


def test_load_takes_the_dialect(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_text(INPUT + CEIL)
    assert [d.name for d in load(path).diagnostics] == ["fork-schema"]
    with pytest.raises(NetError, match="not-in-dialect"):
        load(path, dialect="bvlc")


NORM = 'layer { name: "n" type: "BatchNorm" bottom: "%s" top: "n" batch_norm_param { %s } }\n'


@pytest.mark.parametrize(
    ("dialect", "fraction"), [("", 0.999), ("bvlc", 0.999), ("intel", 0.999), ("happynear", 0.99)]
)
def test_a_default_is_the_fork_s(dialect, fraction):
    net = loads(INPUT + NORM % ("x", ""), phase="TRAIN", dialect=dialect)
    assert net.layers[1].definition.moving_average_fraction == pytest.approx(fraction)


def test_a_default_that_forks_differ_in_is_asked_for():
    rois = 'layer { name: "r" type: "Input" top: "r" input_param { shape { dim: 1 dim: 5 } } }\n'
    rois += 'layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "r" top: "p" roi_pooling_param { pooled_h: 2 pooled_w: 2 } }\n'
    text = INPUT + rois + NORM % ("p", "%s")
    with pytest.raises(NetError) as caught:
        loads(text % "", phase="TRAIN")
    (asked,) = [d for d in caught.value.diagnostics if d.name == "dialect-undecided"]
    assert asked.message == (
        "`moving_average_fraction` is not set, and its default is 0.99 in happynear and 0.999 in yjxiong and intel"
    )
    assert "--dialect" in asked.help
    assert loads(text % "").phase == "TEST"
    for way in ({"dialect": "happynear"}, {}):
        given = "" if way else "moving_average_fraction: 0.9"
        norm = loads(text % given, phase="TRAIN", **way).layers[-1].definition
        assert norm.moving_average_fraction == pytest.approx(0.99 if way else 0.9)
