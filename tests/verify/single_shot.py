"""A single-shot detector's output in plain loops, written from the rules, and nets to try it on."""

from __future__ import annotations

import math

import numpy as np

import caffegen


def overlap(a, b):
    """Intersection over union of two boxes; 0 where one has no area or its corners swapped."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(sizes) - width * height)


def decoded(said, prior, variance, code, in_target):
    """One box from four numbers."""
    x = [
        float(v) if in_target else float(v) * float(s) for v, s in zip(said, variance, strict=True)
    ]
    left, top, right, bottom = map(float, prior)
    width, height = right - left, bottom - top
    if code == "CORNER":
        return [left + x[0], top + x[1], right + x[2], bottom + x[3]]
    if code == "CORNER_SIZE":
        return [
            left + x[0] * width, top + x[1] * height, right + x[2] * width, bottom + x[3] * height,
        ]  # fmt: skip
    middle = (left + right) / 2 + x[0] * width, (top + bottom) / 2 + x[1] * height
    half = width * math.exp(x[2]) / 2, height * math.exp(x[3]) / 2
    return [middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]]


def detections(
    said, scores, priors, *, classes, shared=True, background=0, code="CENTER_SIZE",
    in_target=False, confidence=None, threshold=0.3, top_k=None, eta=1.0, keep=-1,
):  # fmt: skip
    """The rows of DetectionOutput: image, class, score, corners."""
    number = priors.shape[2] // 4
    corners, variances = priors.reshape(2, number, 4)
    rows = []
    for image in range(said.shape[0]):
        locations = said[image].reshape(number, -1, 4)
        table = scores[image].reshape(number, classes)
        found = []
        for label in range(classes):
            if label == background:
                continue
            boxes = [
                decoded(
                    locations[p, 0 if shared else label], corners[p], variances[p], code, in_target
                )
                for p in range(number)
            ]
            candidates = [
                p for p in range(number) if confidence is None or table[p, label] > confidence
            ]
            candidates.sort(key=lambda p, label=label: -table[p, label])
            if top_k is not None and top_k > -1:
                candidates = candidates[:top_k]
            kept, limit = [], threshold
            for p in candidates:
                if all(overlap(boxes[p], boxes[q]) <= limit for q in kept):
                    kept.append(p)
                    if eta < 1 and limit > 0.5:
                        limit *= eta
            found += [[image, label, table[p, label], *boxes[p]] for p in kept]
        if -1 < keep < len(found):
            best = sorted(range(len(found)), key=lambda i, found=found: -found[i][2])[:keep]
            found = [found[i] for i in sorted(best)]
        rows += found
    if not rows:
        rows = [[image, *[-1] * 6] for image in range(said.shape[0])]
    return np.array(rows, np.float32).reshape(1, 1, -1, 7)


def input_layer(name, shape):
    """An Input layer as text."""
    dims = " ".join(f"dim: {size}" for size in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'


def detection_text(images, number, classes, *, shared=True, **options):
    """A net of one DetectionOutput on inputs `loc`, `conf` and `prior`."""
    fields = [f"num_classes: {classes}", f"share_location: {str(shared).lower()}"]
    nms = []
    for name, value in options.items():
        if value is None:
            continue
        word = str(value).lower() if isinstance(value, bool) else value
        (nms if name in ("nms_threshold", "top_k", "eta") else fields).append(f"{name}: {word}")
    fields.append(f"nms_param {{ {' '.join(nms)} }}")
    width = 1 if shared else classes
    layer = (
        'layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" '
        f'bottom: "prior" top: "found" detection_output_param {{ {" ".join(fields)} }} }}'
    )
    shapes = {
        "loc": (images, number * width * 4),
        "conf": (images, number * classes),
        "prior": (1, 2, number * 4),
    }
    return "\n".join([*(input_layer(name, shape) for name, shape in shapes.items()), layer])


def random_case(seed, images=None, **fixed):
    """A net, its inputs, and what the rules say of them; scores are all different.

    `fixed` are options that are not drawn.
    """
    rng = np.random.default_rng(seed)
    drawn, number = int(rng.integers(1, 4)), int(rng.integers(1, 60))
    images = images or drawn
    classes, shared = int(rng.integers(2, 6)), bool(rng.random() < 0.7)
    options = {
        "background_label_id": int(rng.integers(0, classes)) if rng.random() < 0.3 else 0,
        "code_type": str(rng.choice(["CORNER", "CENTER_SIZE", "CORNER_SIZE"])),
        "variance_encoded_in_target": bool(rng.random() < 0.3),
        "confidence_threshold": None if rng.random() < 0.2 else round(float(rng.random()), 2),
        "nms_threshold": round(float(rng.random()), 2),
        "top_k": None if rng.random() < 0.4 else int(rng.integers(1, 40)),
        "keep_top_k": None if rng.random() < 0.4 else int(rng.integers(1, 40)),
        "eta": round(float(rng.uniform(0.6, 1)), 2) if rng.random() < 0.3 else None,
    }
    options |= fixed
    centre, half = rng.random((number, 2)), rng.uniform(0.02, 0.3, (number, 2))
    priors = np.concatenate([centre - half, centre + half], 1).astype(np.float32)
    variances = np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (number, 1))
    inputs = {
        "loc": rng.standard_normal((images, number * (1 if shared else classes) * 4)),
        "conf": rng.permutation(images * number * classes).reshape(images, -1)
        / (images * number * classes),
        "prior": np.concatenate([priors.reshape(-1), variances.reshape(-1)]).reshape(1, 2, -1),
    }
    inputs = {name: array.astype(np.float32) for name, array in inputs.items()}
    net = caffegen.loads(detection_text(images, number, classes, shared=shared, **options))
    expected = detections(
        inputs["loc"], inputs["conf"], inputs["prior"], classes=classes, shared=shared,
        background=options["background_label_id"], code=options["code_type"],
        in_target=options["variance_encoded_in_target"],
        confidence=options["confidence_threshold"], threshold=options["nms_threshold"],
        top_k=options["top_k"], eta=options["eta"] or 1.0,
        keep=-1 if options["keep_top_k"] is None else options["keep_top_k"],
    )  # fmt: skip
    return net, inputs, expected, options
