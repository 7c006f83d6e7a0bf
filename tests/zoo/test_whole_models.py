from __future__ import annotations

import json

import pytest

from tests.zoo import whole_models
from tests.zoo.whole_models import Model

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "prob" type: "Softmax" bottom: "data" top: "prob" }
"""


@pytest.fixture
def clones(tmp_path, monkeypatch):
    """Clones in which one of two models is there."""
    models = {
        "here": Model("someone/nets", "models/net.prototxt", ("data=1,3,6,5",)),
        "elsewhere": Model("nobody/nets", "net.prototxt"),
    }
    monkeypatch.setattr(whole_models, "MODELS", models)
    file = tmp_path / "someone+nets" / "models" / "net.prototxt"
    file.parent.mkdir(parents=True)
    file.write_text(NET)
    return tmp_path


def test_a_row_a_model(clones, capsys):
    results = clones / "rows.jsonl"
    assert whole_models.main([str(clones), "--results", str(results)]) == 0
    (row,) = map(json.loads, results.read_text().splitlines())
    assert (row["model"], row["fault"]) == ("here", "")
    assert row["blobs"] == {"onnxruntime": 1, "opencv": 1}
    assert all(0 <= relative <= 1e-4 for relative in row["differences"].values())
    assert list(row["seconds"]) == [
        "check", "init", "verify", "opset 17", "checker 17", "opset 26", "checker 26",
    ]  # fmt: skip
    assert 0.01 < row["memory"] < 10
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith("here")
    assert printed[2].split(maxsplit=1) == ["elsewhere", "nobody/nets is not there"]


def test_the_step_that_fails_is_told(clones, capsys):
    file = clones / "someone+nets" / "models" / "net.prototxt"
    file.write_text(NET.replace("Softmax", "Sotfmax"))
    assert whole_models.main([str(clones), "here"]) == 1
    assert "check: " in capsys.readouterr().out


def test_an_unknown_model_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        whole_models.main([str(tmp_path), "SegNett"])
    assert "there is no model `SegNett`, only VGG16 Faster R-CNN" in capsys.readouterr().err
