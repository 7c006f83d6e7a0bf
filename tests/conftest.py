"""What all tests share: where the golden values lie."""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden():
    """The folder of values computed by BVLC Caffe 1.0."""
    return GOLDEN


def golden_json(name):
    """A golden file as data."""
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))
