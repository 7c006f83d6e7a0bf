"""Every net of the zoo, made small: `check` finds nothing, and all runtimes compute the same."""

from __future__ import annotations

import pytest

import caffegen
from caffegen import verify
from caffegen.analysis.fill import fill_params
from caffegen.check import Options, check_source
from caffegen.text import Source
from caffegen.zoo import FAMILIES, architecture
from tests.zoo.nets import VARIANTS, name, nets, stated, thin

ALL = [(family, options) for family in FAMILIES for options in nets(family)]
IDS = [name(*row) for row in ALL]


@pytest.fixture
def small(monkeypatch):
    """The net of a family with these options, with few channels in its tables."""

    def build(family, options):
        options, tables = thin(family, options)
        for table, value in tables.items():
            monkeypatch.setattr(f"caffegen.zoo.{table}", value)
        return architecture(family).build(**options)

    return build


@pytest.mark.parametrize(("family", "options"), ALL, ids=IDS)
def test_check_finds_nothing_but_what_is_stated(small, family, options):
    text = small(family, options).to_prototxt()
    found = {d.name for d in check_source(Source(text), Options()).diagnostics}
    assert found <= set(stated(family, options))


@pytest.mark.parametrize(("family", "options"), ALL, ids=IDS)
def test_runtimes_agree(small, family, options):
    spec = small(family, options)
    net = caffegen.loads(spec)
    report = verify.compare(caffegen.loads(spec, fill_params(net.graph, 0)))
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert report.ok, report.verdict
    shapes = {row.blob: row.shape for row in report.rows if row.other == "onnxruntime"}
    # how many boxes are found is known when they are
    shapes.pop("detection_out", None)
    assert shapes
    assert shapes == {blob: net.shapes[blob] for blob in shapes}
    assert set(net.outputs) <= {*shapes, "detection_out"}


def test_every_family_and_published_depth_is_here():
    assert set(VARIANTS) <= set(FAMILIES)
    for family in FAMILIES:
        facts = architecture(family)
        if not any(option.name == "depth" for option in facts.options):
            assert nets(family)
            continue
        for dataset, depths in facts.depths.items():
            if dataset != "cifar100":
                found = {
                    row.get("depth")
                    for row in nets(family)
                    if row.get("dataset", dataset) == dataset
                }
                assert set(depths.published) <= found
