"""The nets of `published.py`, made small: every opset that counts, two batch sizes of one model."""

from __future__ import annotations

import pytest

from caffegen.zoo import architecture
from tests.onnx_bridge import published
from tests.zoo.nets import thin


@pytest.mark.parametrize("name", published.NETS)
def test_every_blob_agrees_at_every_opset_and_batch(name, tmp_path, monkeypatch):
    family, options = published.NETS[name]
    options, tables = thin(family, options)
    for table, value in tables.items():
        monkeypatch.setattr(f"caffegen.zoo.{table}", value)
    rows = list(published.rows(architecture(family).build(**options), tmp_path))
    assert [row[:3] for row in rows] == [
        (opset, batch, other)
        for opset in published.OPSETS
        for batch in published.BATCHES
        for other in ("torch", "opencv")
    ]
    assert min(blobs for *_, blobs, _ in rows) > 10
    assert max(worst for *_, worst in rows) <= published.TOLERANCE


def test_a_row_each_is_printed_and_a_difference_ends_with_1(capsys, monkeypatch):
    monkeypatch.setattr(published, "rows", lambda *_: [(13, 1, "torch", 7, 2e-4)])
    assert published.main(["alexnet"]) == 1
    expected = "alexnet      opset 13  batch 1  torch       7 blobs  2.0e-04  DIFFER\n"
    assert capsys.readouterr().out == expected


def test_an_unknown_net_is_refused(capsys):
    with pytest.raises(SystemExit):
        published.main(["vgg"])
    assert "there is no net `vgg`, only resnet-50" in capsys.readouterr().err
