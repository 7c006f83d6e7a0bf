"""MultiBoxLoss in PyTorch against plain loops written from the rules; gradients by differences."""

import math

import numpy as np
import pytest
import torch

from caffegen import CaffegenError
from caffegen.pytorch.multibox_loss import match
from tests.pytorch.one_layer import one_layer
from tests.verify.single_shot import decoded, overlap

OVERLAP, AREA = 1e-6, 1e-5


def encoded(box, prior, variance, code, in_target):
    """What a net shall say of a prior for it to mean the box."""
    width, height = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CENTER_SIZE":
        said = [
            ((box[0] + box[2]) / 2 - (prior[0] + prior[2]) / 2) / width,
            ((box[1] + box[3]) / 2 - (prior[1] + prior[3]) / 2) / height,
            math.log((box[2] - box[0]) / width),
            math.log((box[3] - box[1]) / height),
        ]
    else:
        sides = (width, height) * 2 if code == "CORNER_SIZE" else (1,) * 4
        said = [(b - p) / s for b, p, s in zip(box, prior, sides, strict=True)]
    return said if in_target else [s / v for s, v in zip(said, variance, strict=True)]


def matched(boxes, predictions, *, threshold, skip_outside):
    """For each prediction the number of its box, -1 for none, -2 where it is left out."""
    found = [-1] * len(predictions)
    table = {}
    best = [0.0] * len(predictions)
    for p, prediction in enumerate(predictions):
        if skip_outside and any(x < 0 or x > 1 for x in prediction):
            found[p] = -2
            continue
        for b, box in enumerate(boxes):
            value = overlap(prediction, box)
            if value > OVERLAP:
                table[p, b] = value
                best[p] = max(best[p], value)
    left = set(range(len(boxes)))
    while left:
        pairs = [(p, b) for p, b in sorted(table) if found[p] == -1 and b in left]
        if not pairs:
            break
        p, b = max(pairs, key=lambda pair: table[pair])
        found[p] = b
        left.remove(b)
    if threshold is not None:
        for p in range(len(predictions)):
            pairs = [b for b in range(len(boxes)) if table.get((p, b), -1) >= threshold]
            if found[p] == -1 and pairs:
                found[p] = max(pairs, key=lambda b, p=p: table[p, b])
    return found, best


def smooth(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def scores_loss(row, label, kind):
    """The loss of one prior's scores; label -1 is no class."""
    if kind == "SOFTMAX":
        top = max(row)
        return top + math.log(sum(math.exp(x - top) for x in row)) - row[label]
    return sum(
        math.log1p(math.exp(-abs(x))) + max(x, 0) - x * (c == label) for c, x in enumerate(row)
    )


def suppressed(order, boxes, threshold, top_k):
    """Of examples, the hardest first, those that overlap no harder one by more."""
    kept = []
    for m in order if top_k < 0 else order[:top_k]:
        box = boxes[m]
        if max(0, box[2] - box[0]) * max(0, box[3] - box[1]) < AREA:
            continue
        if all(overlap(box, boxes[k]) <= threshold for k in kept):
            kept.append(m)
    return kept


class Rules:
    """The loss, said in loops."""

    def __init__(self, priors, boxes, classes, **options):
        self.corners, self.variances = priors.reshape(2, -1, 4).tolist()
        self.rows = [row for row in boxes.reshape(-1, 8).tolist() if row[0] != -1]
        if not options.get("use_difficult_gt", True):
            self.rows = [row for row in self.rows if not row[7]]
        self.classes = classes
        self.o = options

    def get(self, name, default):
        return self.o.get(name, default)

    def loss(self, said, scores):
        number, priors = said.shape[0], len(self.corners)
        said = said.reshape(number, priors, -1, 4)
        scores = scores.reshape(number, priors, self.classes)
        where = what = matches = 0
        for image in range(number):
            rows = [row for row in self.rows if row[0] == image]
            found, negative, losses = self.image(said[image], scores[image], rows)
            matches += sum(len(boxes) for boxes in found)
            where += sum(losses)
            what += self.scores(scores[image], rows, found, negative)
        divisor = {
            "VALID": matches, "BATCH_SIZE": number, "FULL": number * priors, "NONE": 1,
            "PRE_FIXED": 7,
        }[self.get("normalization", "VALID")]  # fmt: skip
        return (self.get("loc_weight", 1) * where + what) / max(1, divisor)

    def image(self, said, scores, rows):
        """Per prior the boxes that count as (location class, number); background; loss of each."""
        code, in_target = (
            self.get("code_type", "CORNER"),
            self.get("encode_variance_in_target", False),
        )
        shared = self.get("share_location", True)
        shown = [
            [
                decoded(said[p, c], self.corners[p], self.variances[p], code, in_target)
                for p in range(len(self.corners))
            ]
            for c in range(said.shape[1])
        ]
        per = self.get("match_type", "PER_PREDICTION") == "PER_PREDICTION"
        options = {
            "threshold": self.get("overlap_threshold", 0.5) if per else None,
            "skip_outside": self.get("ignore_cross_boundary_bbox", False),
        }
        found = [[] for _ in self.corners]
        raw, best = [-1] * len(found), [0.0] * len(found)
        by_prior = self.get("use_prior_for_matching", True)
        if by_prior and rows:
            raw, best = matched([row[3:7] for row in rows], self.corners, **options)
            for p, b in enumerate(raw):
                if b >= 0:
                    found[p].append((0 if shared else int(rows[b][1]), b))
        elif rows:
            for c in range(said.shape[1]):
                if not shared and c == self.get("background_label_id", 0):
                    continue
                mine = [b for b, row in enumerate(rows) if shared or row[1] == c]
                raw, best = matched([rows[b][3:7] for b in mine], shown[c], **options)
                for p, b in enumerate(raw):
                    if b >= 0:
                        found[p].append((c, mine[b]))
        losses = [
            sum(self.location(said[p, c], p, rows[b][3:7], shown[c][p]) for c, b in boxes)
            for p, boxes in enumerate(found)
        ]
        mining = self.get("mining_type", "MAX_NEGATIVE")
        if mining == "NONE":
            return found, [not boxes for boxes in found], losses
        if not rows:
            return found, [False] * len(found), losses
        hard = mining == "HARD_EXAMPLE"
        kind = self.get("conf_loss_type", "SOFTMAX")
        hardness = []
        for p, boxes in enumerate(found):
            label = int(rows[boxes[0][1]][1]) if boxes else self.get("background_label_id", 0)
            hardness.append(scores_loss(scores[p], label, kind) + (losses[p] if hard else 0))
        candidates = [
            p for p in range(len(found))
            if hard or (raw[p] == -1 and best[p] < self.get("neg_overlap", 0.5))
        ]  # fmt: skip
        matches = sum(1 for boxes in found if boxes)
        most = self.get("sample_size", 64) if hard else int(matches * self.get("neg_pos_ratio", 3))
        order = sorted(candidates, key=lambda p: -hardness[p])
        if self.get("nms_threshold", 0) > 0:
            examples = self.corners if self.get("use_prior_for_nms", False) else shown[0]
            order = suppressed(order, examples, self.o["nms_threshold"], self.get("top_k", 0))
        picked = set(order[:most])
        if hard:
            found_now = [boxes if p in picked else [] for p, boxes in enumerate(found)]
            losses = [loss if p in picked else 0 for p, loss in enumerate(losses)]
            return found_now, [p in picked and raw[p] == -1 for p in range(len(raw))], losses
        return found, [p in picked for p in range(len(raw))], losses

    def location(self, said, p, box, shown):
        """The loss of what is said of a matched prior."""
        in_target = self.get("encode_variance_in_target", False)
        code = self.get("code_type", "CORNER")
        target = encoded(box, self.corners[p], self.variances[p], code, in_target)
        edge = self.corners[p] if self.get("use_prior_for_matching", True) else shown
        total = 0
        for k in range(4):
            difference = float(said[k]) - target[k]
            if in_target:
                difference /= self.variances[p][k]
            if self.get("bp_inside", False) and not 0 <= edge[k] <= 1:
                continue
            half = 0.5 * difference * difference
            total += half if self.get("loc_loss_type", "") == "L2" else smooth(difference)
        return total

    def scores(self, scores, rows, found, negative):
        """The loss of the scores of one image."""
        kind, mining = (
            self.get("conf_loss_type", "SOFTMAX"),
            self.get("mining_type", "MAX_NEGATIVE"),
        )
        background = self.get("background_label_id", 0)
        agnostic = self.get("map_object_to_agnostic", False)
        total = 0
        for p, boxes in enumerate(found):
            labels = [background + 1 if agnostic else int(rows[b][1]) for _, b in boxes]
            if kind == "LOGISTIC" and mining == "NONE":
                total += sum(
                    math.log1p(math.exp(-abs(x))) + max(x, 0) - x * (c in labels)
                    for c, x in enumerate(scores[p])
                )
            elif labels:
                total += scores_loss(scores[p], labels[-1], kind)
            elif negative[p]:
                total += scores_loss(scores[p], background, kind)
        return total


def case(seed, *, images=2, priors=14, classes=4, shared=True, boxes=5):
    """Arrays of double precision: locations, scores, priors and boxes."""
    rng = np.random.default_rng(seed)
    centre, half = rng.random((priors, 2)), rng.uniform(0.05, 0.3, (priors, 2))
    corners = np.concatenate([centre - half, centre + half], 1)
    variances = rng.uniform(0.1, 0.5, (priors, 4))
    rows = np.zeros((boxes, 8))
    rows[:, 0] = np.sort(rng.integers(0, images, boxes))
    rows[:, 1] = rng.integers(1, classes, boxes)
    rows[:, 7] = rng.integers(0, 2, boxes)
    near = corners[rng.integers(0, priors, boxes)]
    rows[:, 3:7] = near + rng.uniform(-0.04, 0.04, near.shape)
    said = rng.standard_normal((images, priors * (1 if shared else classes) * 4))
    scores = rng.standard_normal((images, priors * classes)) * 2
    return said, scores, np.stack([corners, variances]).reshape(1, 2, -1), rows[None, None]


def text(classes, options):
    fields, nms, rest = [f"num_classes: {classes}"], [], ""
    for name, value in options.items():
        word = str(value).lower() if isinstance(value, bool) else value
        if name == "normalization":
            rest = f"loss_param {{ normalization: {word} pre_fixed_normalizer: 7 }}"
        else:
            (nms if name in ("nms_threshold", "top_k") else fields).append(f"{name}: {word}")
    if nms:
        fields.append(f"nms_param {{ {' '.join(nms)} }}")
    return f"multibox_loss_param {{ {' '.join(fields)} }} {rest}"


def check(arrays, classes, options, *, gradients=0):
    """Hold the module against the rules, and some of its gradients against differences."""
    module = one_layer(
        "MultiBoxLoss", [a.shape for a in arrays], text(classes, options), phase="TRAIN"
    )
    tensors = [torch.from_numpy(a) for a in arrays]
    said, scores = (tensor.requires_grad_() for tensor in tensors[:2])
    found = module(*tensors)["top"]
    rules = Rules(arrays[2], arrays[3], classes, **options)
    assert found.shape == ()
    assert found.item() == pytest.approx(rules.loss(*arrays[:2]), rel=1e-6)
    if not gradients:
        return
    found.backward()
    rng = np.random.default_rng(1)
    for index, tensor in enumerate((said, scores)):
        slopes = tensor.grad.numpy()
        # where there is a gradient, and where there is none
        places = [tuple(p) for p in rng.permutation(np.argwhere(slopes))[:gradients]]
        places += [tuple(p) for p in rng.permutation(np.argwhere(slopes == 0))[:2]]
        for place in places:
            ends = []
            for step in (-1e-5, 1e-5):
                moved = [array.copy() for array in arrays[:2]]
                moved[index][place] += step
                ends.append(rules.loss(*moved))
            assert slopes[place] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-4, abs=1e-7)


OPTIONS = [
    {},
    {"code_type": "CENTER_SIZE"},
    {"code_type": "CORNER_SIZE", "loc_loss_type": "L2", "loc_weight": 2.5},
    {"code_type": "CENTER_SIZE", "encode_variance_in_target": True},
    {"match_type": "BIPARTITE"},
    {"overlap_threshold": 0.2, "neg_overlap": 0.1, "neg_pos_ratio": 1.5},
    {"use_difficult_gt": False},
    {"ignore_cross_boundary_bbox": True},
    {"bp_inside": True},
    {"bp_inside": True, "use_prior_for_matching": False},
    {"use_prior_for_matching": False, "overlap_threshold": 0.2},
    {"conf_loss_type": "LOGISTIC"},
    {"conf_loss_type": "LOGISTIC", "mining_type": "NONE"},
    {"mining_type": "NONE"},
    {"mining_type": "NONE", "share_location": False},
    {"mining_type": "NONE", "share_location": False, "use_prior_for_matching": False},
    {
        "mining_type": "NONE", "share_location": False, "conf_loss_type": "LOGISTIC",
        "use_prior_for_matching": False, "overlap_threshold": 0.1,
    },
    {"mining_type": "HARD_EXAMPLE", "sample_size": 6},
    {"mining_type": "HARD_EXAMPLE", "sample_size": 6, "ignore_cross_boundary_bbox": True},
    {"nms_threshold": 0.2, "top_k": -1},
    {"nms_threshold": 0.2, "top_k": 5, "use_prior_for_nms": True},
    {"nms_threshold": 0.3, "top_k": 20, "mining_type": "HARD_EXAMPLE", "sample_size": 4},
    {"nms_threshold": 0.2, "top_k": 0},
    {"normalization": "FULL"},
    {"normalization": "BATCH_SIZE"},
    {"normalization": "NONE"},
    {"normalization": "PRE_FIXED"},
]  # fmt: skip


@pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda o: " ".join(map(str, o.values())) or "plain"
)
@pytest.mark.parametrize("seed", range(3))
def test_the_rules(options, seed):
    arrays = case(seed, shared=options.get("share_location", True))
    check(arrays, 4, options, gradients=4 if seed == 0 else 0)


def test_one_class_for_all_objects():
    arrays = case(0, classes=2)
    check(arrays, 2, {"map_object_to_agnostic": True}, gradients=3)


def test_the_background_need_not_be_the_first_class():
    arrays = case(0)
    arrays[3][0, 0, :, 1] -= 1
    check(arrays, 4, {"background_label_id": 3}, gradients=3)


@pytest.mark.parametrize("mining", ["NONE", "MAX_NEGATIVE", "HARD_EXAMPLE"])
def test_images_without_boxes(mining):
    arrays = case(2, images=3)
    rows = arrays[3]
    rows[0, 0, :, 0] = 1
    check(arrays, 4, {"mining_type": mining}, gradients=3)
    rows[...] = -1
    check(arrays, 4, {"mining_type": mining})


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_reckoned_with_in_single(half):
    arrays = [torch.from_numpy(array).float() for array in case(0)]
    layer = one_layer("MultiBoxLoss", [a.shape for a in arrays], text(4, {}), phase="TRAIN")
    said, scores = (array.to(half) for array in arrays[:2])
    # priors are of single precision in such nets, too
    found = layer(said, scores, arrays[2], arrays[3].to(half))["top"]
    exact = layer(said.float(), scores.float(), arrays[2], arrays[3].to(half).float())["top"]
    assert found.item() == pytest.approx(exact.item())


def test_worked_example():
    # priors 0 and 1 on box 0 (overlaps 1 and 0.6), 2 and 3 away from it; scores all 0
    corners = [[0, 0, 0.5, 1], [0, 0, 0.3, 1], [0.6, 0, 0.8, 1], [0.8, 0, 1, 1]]
    priors = np.array([corners, [[1.0] * 4] * 4]).reshape(1, 2, 16)
    boxes = np.array([[[[0, 2, 0, 0, 0, 0.5, 1, 0]]]], float)
    said = np.zeros((1, 16))
    said[0, :4] = [0.5, 0, 0, 2]
    found = one_layer(
        "MultiBoxLoss", [(1, 16), (1, 12), (1, 2, 16), (1, 1, 1, 8)], text(3, {}), phase="TRAIN"
    )(*(torch.from_numpy(a) for a in (said, np.zeros((1, 12)), priors, boxes)))["top"]
    # two matches; 0.125 + 1.5 for prior 0, half the square of 0.2 for prior 1; both of the others
    # are background, less than three for each match; each of four costs log 3
    where = 0.5 * 0.5**2 + (2 - 0.5) + 0.5 * 0.2**2
    assert found.item() == pytest.approx((where + 4 * math.log(3)) / 2)


def test_what_gets_no_gradient_does_not_count():
    arrays = case(0)
    down = " ".join(f"propagate_down: {word}" for word in ("true", "false", "false", "false"))
    whole, part = (
        one_layer("MultiBoxLoss", [a.shape for a in arrays], body, phase="TRAIN")(
            *map(torch.from_numpy, arrays)
        )["top"].item()
        for body in (text(4, {}), f"{text(4, {})} {down}")
    )
    rules = Rules(arrays[2], arrays[3], 4)
    rules.scores = lambda *_: 0
    assert part == pytest.approx(rules.loss(*arrays[:2]))
    assert part < whole


@pytest.mark.parametrize("label", [0, 4])
def test_a_box_of_no_class(label):
    arrays = case(0)
    arrays[3][0, 0, 1, 1] = label
    module = one_layer("MultiBoxLoss", [a.shape for a in arrays], text(4, {}), phase="TRAIN")
    with pytest.raises(CaffegenError) as caught:
        module(*map(torch.from_numpy, arrays))
    assert str(caught.value) == (
        f"bottom 3 holds a box of class {label}; a box has one of the 4 classes, and not the "
        "background (0)"
    )


def test_of_equal_pairs_the_first_is_matched():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2)
    found, best = match(boxes[:1].repeat(3, 1), boxes)
    assert found.tolist() == [0, 1, -1]
    assert best.tolist() == [1, 1, 1]
    assert match(boxes[:1].repeat(3, 1), boxes, threshold=0.5)[0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("threshold", [None, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(8))
def test_match(seed, threshold):
    _, _, priors, rows = case(seed, priors=20, boxes=6)
    corners, boxes = priors[0, 0].reshape(-1, 4), rows[0, 0, :, 3:7]
    expected = matched(
        boxes.tolist(), corners.tolist(), threshold=threshold, skip_outside=seed % 2 == 1
    )
    found, best = match(
        torch.from_numpy(corners), torch.from_numpy(boxes), threshold=threshold,
        ignore_outside=seed % 2 == 1,
    )  # fmt: skip
    assert found.tolist() == expected[0]
    assert best.tolist() == pytest.approx(expected[1])
