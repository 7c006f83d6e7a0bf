# ruff: noqa: C408 - options are keywords
"""Every net of the zoo, as the tests and the full-size run take it: families, depths, variants.

`nets` gives the options of each net of a family: those of its depths, and what `VARIANTS` has
besides. `thin` gives what makes it small enough for a test: other options, and tables of its module
with fewer channels.
"""

from __future__ import annotations

from itertools import product

from caffegen.zoo import architecture, densenet

# options that no depth says
VARIANTS = {
    "resnet": [dict(depth=depth, style="torchvision") for depth in (18, 34, 50, 101, 152)],
    "vgg": [
        *(dict(depth=depth, batch_norm=True) for depth in (11, 13, 16, 19)),
        dict(configuration="A-LRN"),
        dict(configuration="C"),
    ],
    "squeezenet": [dict(version="1.1")],
    "mobilenet": [
        *(dict(version="1", width=width) for width in ("0.75", "0.5", "0.25")),
        *(dict(version="2", style="paper", width=w) for w in ("1.4", "1.0", "0.75", "0.5", "0.35")),
        dict(ssd=True),
    ],
    "shufflenet": [
        *(dict(groups=groups) for groups in "1248"),
        *(dict(groups=groups, width=w) for groups, w in product("38", ("0.5", "1.5", "2.0"))),
        *(dict(version="2", width=width) for width in ("0.5", "1.0", "1.5", "2.0")),
        *(dict(version=version, shuffle="fork") for version in "12"),
    ],
    "fcn": [
        *(dict(variant=variant) for variant in ("16s", "8s", "8s-atonce")),
        dict(variant="8s", upsampling="published"),
    ],
    "unet": [dict(style="released"), dict(padding="same")],
    "segnet": [
        dict(variant="basic"),
        dict(norm="batch_norm"),
        dict(variant="basic", norm="batch_norm"),
    ],
    "pspnet": [dict(norm="batch_norm")],
    "ssd300": [dict(heads="ssd")],
    "ssd512": [dict(heads="ssd")],
}
# what `check` finds in a published net, and rightly
_PADDED = {"fcn", "squeezenet"}
# families that take a fork
_OF_FORKS = {"pspnet", "segnet"}

_CIFAR = dict(input_size=8)
# images as small as a family takes them, where every layer is still there
_THIN = {
    "lenet": dict(input_size=28),
    "alexnet": dict(input_size=67),
    "caffenet": dict(input_size=67),
    "vgg": dict(input_size=32),
    "fcn": dict(input_size=8, classes=3),
    "pspnet": dict(input_size=89),
    # halved to an odd size more than once
    "segnet": dict(input_size=36),
    "ssd300": dict(input_size=257, classes=3),
    "ssd512": dict(input_size=385, classes=3),
    "unet": dict(input_size=188),
}
_FEW = (8, 16, 32, 64)
# tables of the modules with fewer channels
_NARROW = {
    "resnet": {"residual.WIDTHS": _FEW, "resnet.WIDTHS": _FEW},
    "preresnet": {"residual.WIDTHS": _FEW, "preresnet.WIDTHS": _FEW},
    "wideresnet": {
        "residual.WIDTHS": _FEW,
        "wideresnet.WIDTHS": _FEW,
        "wideresnet.CIFAR_WIDTHS": (4, 8, 16),
    },
    "senet": {"senet.WIDTHS": (32, 64, 128, 256)},
    "vgg": {"vgg.WIDTHS": (8, 16, 16, 24, 24), "vgg.FULLY_CONNECTED": (32, 32)},
    "densenet": {
        "densenet.TABLE_1": {
            depth: row._replace(growth=8) for depth, row in densenet.TABLE_1.items()
        }
    },
    "fcn": {"vgg.WIDTHS": (8, 16, 16, 24, 24), "fcn.FULLY_CONNECTED": (32, 32)},
    "pspnet": {"pspnet.STEM": (8, 8, 16), "pspnet.WIDTHS": (8, 8, 16, 16), "pspnet.SQUEEZED": 16},
    "segnet": {"segnet.WIDTHS": (8, 16, 16, 24, 24), "segnet.BASIC_WIDTH": 8},
    "ssd300": {"vgg.WIDTHS": (8, 16, 16, 24, 24), "ssd.FULLY_CONVOLUTIONAL": (32, 32)},
    "ssd512": {"vgg.WIDTHS": (8, 16, 16, 24, 24), "ssd.FULLY_CONVOLUTIONAL": (32, 32)},
    "unet": {"unet.WIDTHS": (4, 8, 12, 16, 24)},
    "alexnet": {"alexnet.FULLY_CONNECTED": (64, 64)},
    "caffenet": {"alexnet.FULLY_CONNECTED": (64, 64)},
}


def nets(family):
    """The options of every net of a family; CIFAR-100's differ from CIFAR-10's in classes alone."""
    facts = architecture(family)
    offered = {option.name for option in facts.options}
    found = []
    for dataset, depths in facts.depths.items():
        if dataset == "cifar100":
            continue
        chosen = {"dataset": dataset} if "dataset" in offered else {}
        for depth in depths.published if "depth" in offered else facts.variants or (None,):
            options = dict(depth=depth) if "depth" in offered else facts.variants.get(depth, {})
            found.append({**options, **chosen})
    return found + [options for options in VARIANTS.get(family, []) if options not in found]


def thin(family, options):
    """The options of a small net of the same layers, and `{"module.TABLE": fewer channels}`."""
    least = {"classes": 10, "input_size": 64}
    if options.get("dataset", "").startswith("cifar"):
        least |= _CIFAR
    elif options.get("dataset") == "mnist":
        least.pop("input_size")
    least |= _THIN.get(family, {})
    if options.get("padding") == "same":
        least["input_size"] = 32
    return {**options, **least}, _NARROW.get(family, {})


def stated(family, options):
    """What `check` finds in a net, and rightly: wide padding, and layers of the forks."""
    found = ["window-in-padding"] if family in _PADDED else []
    fork = family in _OF_FORKS or options.get("ssd") or {"fork", "ssd"} & set(options.values())
    return found + (["fork-schema"] if fork else [])


def name(family, options):
    """A net in a word: `vgg depth=11 batch_norm=True`."""
    return " ".join([family, *(f"{key}={value}" for key, value in options.items())])
