"""Parameter and Python: a blob with a shape, and code of which nothing is known."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        pytest.param("parameter_param { shape { dim: 2 dim: 3 } }", (2, 3), id="shape"),
        pytest.param("", (), id="no shape: one number"),
    ],
)
def test_a_parameter_is_its_blob(layer, text, shape):
    found = layer("Parameter", [], text)
    assert (found.shape, found.top_shapes) == (shape, (shape,))
    assert [(blob.name, blob.shape, blob.filler) for blob in found.blobs] == [
        ("value", shape, None)
    ]


def test_parameter_refuses_a_negative_size(finding):
    assert finding("Parameter", [], "parameter_param { shape { dim: -1 } }") == (
        "error", "dimension-negative", "`dim` is -1; a size is 0 or more", "shape { dim: -1 }",
    )  # fmt: skip


def test_python_facts(layer):
    text = 'python_param { module: "layers" layer: "Pyloss" param_str: "{}" }'
    found = layer("Python", [(2, 3), (2,)], text, tops=2)
    assert (found.module, found.class_name, found.param_str) == ("layers", "Pyloss", "{}")
    assert found.top_shapes == (None, None)
    assert list(found.report) == []


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        pytest.param(
            'python_param { layer: "L" }', "python-module-missing",
            "a Python layer needs `module`, the module to import", id="module",
        ),
        pytest.param(
            'python_param { module: "m" }', "python-layer-missing",
            "a Python layer needs `layer`, the class in it", id="layer",
        ),
    ],
)  # fmt: skip
def test_python_needs_to_say_what_to_run(finding, text, name, message):
    assert finding("Python", [(2,)], text) == ("error", name, message, text)
