"""A net of one layer behind Input layers, for tests of single layer types."""

from caffegen.loader import loads
from caffegen.pytorch import build


def net_text(type_name, shapes, body="", *, tops=("top",), in_place=False, old=False):
    """The prototxt: Inputs `a`, `b` ... of these shapes, and one layer named `layer`.

    `old` gives the inputs as the older forks take them, without layers.
    """
    names = "abcdefgh"[: len(shapes)]
    lines = ["force_backward: true"]
    for name, shape in zip(names, shapes, strict=True):
        dims = " ".join(f"dim: {size}" for size in shape)
        lines.append(
            f'input: "{name}" input_shape {{ {dims} }}'
            if old
            else f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        )
    bottoms = " ".join(f'bottom: "{name}"' for name in names)
    made = ["a"] if in_place else tops
    lines.append(
        f'layer {{ name: "layer" type: "{type_name}" {bottoms} '
        + " ".join(f'top: "{top}"' for top in made)
        + f" {body} }}"
    )
    return "\n".join(lines)


def one_layer(
    type_name, shapes, body="", *, weights=None, phase="TEST", seed=0, dialect="", **options
):
    """The module of such a net, with the layer's weights given or filled."""
    given = None if weights is None else {"layer": weights}
    text = net_text(type_name, shapes, body, old=bool(dialect), **options)
    net = loads(text, given, phase=phase, dialect=dialect)
    return build(net, seed=seed)
