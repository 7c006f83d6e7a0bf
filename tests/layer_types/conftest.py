"""One layer at a time: its text made, bound to its definition, and its shapes inferred."""

from __future__ import annotations

import pytest

from caffegen.diagnostics import Report
from caffegen.layer_types import definition_class
from caffegen.schema import message_type
from caffegen.text import Source, parse


def summed_up(filler):
    """What a filler fills with."""
    return None if filler is None else (filler.type, filler.value)


@pytest.fixture
def layer():
    """`layer(type, bottom shapes, rest of the text, number of tops)` gives the definition."""

    def define(kind, bottoms=(), text="", tops=1, phase="TEST", dialect=""):
        names = [f'bottom: "b{index}"' for index in range(len(bottoms))]
        names += [f'top: "t{index}"' for index in range(tops)]
        source = Source("\n".join(["layer {", f'name: "l" type: "{kind}"', *names, text, "}"]))
        parsed = parse(source, message_type("NetParameter"))
        assert parsed.faults == []
        definition = definition_class(kind)(parsed.message.layer[0], phase, Report(), dialect)
        definition.infer(bottoms)
        if definition.shaped and not definition.refused:
            told = [(name, summed_up(filler)) for name, filler in definition.weight_fillers()]
            assert told == [(blob.name, summed_up(blob.filler)) for blob in definition.blobs]
        return definition

    return define


@pytest.fixture
def finding(layer):
    """As `layer`, for a layer with one finding: (severity, name, message, text at its place)."""

    def define(*args, **kwargs):
        (found,) = layer(*args, **kwargs).report
        assert found.layer == "l"
        return found.severity, found.name, found.message, found.span.text

    return define
