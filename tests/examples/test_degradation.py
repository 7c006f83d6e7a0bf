"""What the degradation experiment is made of: images, recipe, training, deletion, figures."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import caffegen
from caffegen import NetSpec, pytorch
from caffegen import layers as L
from caffegen.analysis.fill import fill_params
from caffegen.zoo import highway, resnet
from caffegen.zoo.recipe import CIFAR

EXAMPLES = Path(__file__).parents[2] / "examples"
FILLED = {"type": "gaussian", "std": 0.1}


@pytest.fixture(autouse=True)
def _examples_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


def cifar_batches():
    random = np.random.default_rng(0)
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    for name in names:
        yield name, random.integers(0, 256, (3, 3072), np.uint8), random.integers(0, 10, 3)


@pytest.fixture
def binary(tmp_path):
    """A CIFAR-10 of three images a file, in the binary version."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, pixels, labels in cifar_batches():
        records = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture
def pickled(tmp_path):
    """The same in the Python version."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, pixels, labels in cifar_batches():
        batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return folder


def test_both_versions_of_cifar_are_read_alike(binary, pickled):
    from degradation.images import load_cifar10

    first, second = load_cifar10(str(binary)), load_cifar10(str(pickled))
    assert (first.title, first.size, first.pad, first.mirror) == ("CIFAR-10", 32, 4, True)
    assert (first.train.shape, first.test.shape) == ((15, 3, 32, 32), (3, 3, 32, 32))
    _, pixels, labels = next(cifar_batches())
    assert first.train_labels[:3].tolist() == labels.tolist()
    # one mean image and one deviation are all that stands between the bytes and the tensors
    difference = torch.from_numpy((pixels[0].astype(np.float32) - pixels[1]).reshape(3, 32, 32))
    ratio = difference / (first.train[0] - first.train[1])
    ratio = ratio[difference != 0]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=0)
    torch.testing.assert_close(first.train.mean(0), torch.zeros(3, 32, 32), rtol=0, atol=1e-5)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


class _Command:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_a_pickle_makes_arrays_alone(pickled, tmp_path, monkeypatch):
    from degradation.images import DataError, load_cifar10

    monkeypatch.chdir(tmp_path)
    (pickled / "data_batch_3").write_bytes(pickle.dumps({b"data": _Command()}, protocol=2))
    with pytest.raises(
        DataError, match=r"data_batch_3` is no batch of CIFAR-10: it holds `posix.mkdir`"
    ):
        load_cifar10(str(pickled))
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_a_short_file_is_named(binary):
    from degradation.images import DataError, load_cifar10

    (binary / "test_batch.bin").write_bytes(b"\0" * 3000)
    with pytest.raises(DataError, match=r"test_batch.bin` has 3000 bytes, no multiple of 3073"):
        load_cifar10(str(binary))


def test_a_folder_without_cifar_is_told(tmp_path):
    from degradation.images import DataError, load_cifar10

    sentence = "holds no CIFAR-10: neither data_batch_1.bin to data_batch_5.bin and test_batch.bin"
    with pytest.raises(DataError, match=sentence):
        load_cifar10(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet-19", "there is no ResNet-19 for CIFAR"),
        ("resnet20", "`resnet20` names no net; write a family and a depth, as in `resnet-20`"),
        ("resnte-20", "`resnte-20` names no net"),
        ("lenet-5", "the zoo has no `lenet` for CIFAR-10"),
    ],
)
def test_a_net_that_the_zoo_has_not_is_told(name, sentence):
    from degradation.images import load_digits
    from degradation.nets import net_to_train

    with pytest.raises(caffegen.CaffegenError, match=sentence):
        net_to_train(name, load_digits(), 4, 10)


def test_digits_are_grey_and_centred():
    from degradation.images import load_digits

    images = load_digits()
    assert (images.train.shape, images.test.shape) == ((1297, 3, 8, 8), (500, 3, 8, 8))
    assert torch.equal(images.train[:, 0], images.train[:, 2])
    assert set(images.test_labels.tolist()) == set(range(10))
    torch.testing.assert_close(images.train.mean(0), torch.zeros(3, 8, 8), rtol=0, atol=1e-5)


def test_a_batch_is_shifted_and_mirrored():
    from degradation.images import load_digits

    images = load_digits()._replace(mirror=True)
    taken = torch.tensor([3, 3, 3])
    shifts = torch.tensor([[1, 1], [0, 2], [1, 1]])
    mirrored = torch.tensor([False, False, True])
    found, labels = images.batch(taken, shifts, mirrored)
    image = images.train[3]
    assert torch.equal(found[0], image)
    assert torch.equal(found[1][:, 1:, :-1], image[:, :-1, 1:])
    assert not found[1][:, 0].any()
    assert not found[1][:, :, -1].any()
    assert torch.equal(found[2], image.flip(2))
    assert labels.tolist() == [int(images.train_labels[3])] * 3


@pytest.mark.parametrize("iterations", [64_000, 1500])
def test_the_rate_falls_where_the_paper_lets_it_fall(iterations):
    from degradation.training import Recipe

    recipe = Recipe.scaled(CIFAR, iterations, 128)
    assert (recipe.momentum, recipe.decay, recipe.nesterov) == (0.9, 1e-4, False)
    rates = {
        part: recipe.rate_at(int(part * iterations))
        for part in (0, 0.02, 0.49, 0.5, 0.74, 0.75, 0.99)
    }
    assert rates == pytest.approx(
        {0: 0.01, 0.02: 0.1, 0.49: 0.1, 0.5: 0.01, 0.74: 0.01, 0.75: 0.001, 0.99: 0.001}
    )


@pytest.mark.parametrize(
    ("iterations", "fraction"), [(64_000, 0.999), (1600, 0.96), (10, 0)], ids=str
)
def test_moving_averages_reach_over_the_same_part(iterations, fraction):
    from degradation.images import load_digits
    from degradation.nets import net_to_train

    net = net_to_train("resnet-8", load_digits(), 4, iterations)
    norms = [layer for layer in net.layers if layer.type == "BatchNorm"]
    assert len(norms) == 7
    for layer in norms:
        param = layer.message.batch_norm_param
        assert param.moving_average_fraction == pytest.approx(fraction)
    assert net.shapes["data"] == (4, 3, 8, 8)
    assert net.diagnostics == []


def small_net(**frozen):
    """Convolution, ReLU and scores, without what differs from process to process."""
    n = NetSpec("small")
    n.data, n.label = L.Input(ntop=2, shape=[{"dim": [8, 3, 8, 8]}, {"dim": [8]}])
    n.conv = L.Convolution(
        n.data, num_output=6, kernel_size=3, stride=2, weight_filler=FILLED, **frozen
    )
    n.relu = L.ReLU(n.conv, in_place=True)
    n.scores = L.InnerProduct(n.relu, num_output=10, weight_filler=FILLED)
    n.loss = L.SoftmaxWithLoss(n.scores, n.label)
    return caffegen.loads(n, phase="TRAIN")


def weights_after(net, iterations, **options):
    from degradation.images import load_digits
    from degradation.training import Place, Recipe, train, trained_weights

    recipe = Recipe.scaled(CIFAR._replace(**options), iterations, 8)
    place = Place(torch.device("cpu"))
    curve, module = train(net, load_digits(), recipe, place, every=5)
    return curve, trained_weights(net, module)


def test_training_learns_and_measures():
    curve, _ = weights_after(small_net(), 200, base_lr=0.02)
    assert curve.iterations == list(range(5, 201, 5))
    assert curve.training_loss[-1] < curve.training_loss[0] * 0.7
    assert curve.test_error[-1] < curve.test_error[0]
    assert all(0 <= x <= 1 for x in (*curve.training_error, *curve.test_error))


def test_the_multipliers_of_the_prototxt_count():
    def blob(net, layer):
        return pytorch.build(net).caffe_blobs(layer)[0].detach().numpy()

    frozen = small_net(param=[{"lr_mult": 0}, {"lr_mult": 1, "decay_mult": 0}])
    _, weights = weights_after(frozen, 10)
    np.testing.assert_array_equal(weights["conv"][0], blob(frozen, "conv"))
    assert np.abs(weights["scores"][0] - blob(frozen, "scores")).max() > 1e-3
    # a decay so strong that of what it works on next to nothing is left
    decayed = small_net(param=[{"decay_mult": 0}, {"decay_mult": 0}])
    _, weights = weights_after(decayed, 40, weight_decay=9.0, base_lr=0.05)
    assert np.abs(weights["scores"][0]).max() < np.abs(blob(decayed, "scores")).max() / 10
    assert np.abs(weights["conv"][0]).max() > np.abs(blob(decayed, "conv")).max() / 2


TWO_PROCESSES = """
import sys
sys.path[:0] = [{examples!r}, {tests!r}]
import numpy as np
from degradation.images import load_digits
from degradation.training import Recipe, find_place, train, trained_weights
from caffegen.zoo.recipe import CIFAR
from test_degradation import small_net

net = small_net()
with find_place("cpu") as place:
    assert place.processes == 2
    curve, module = train(net, load_digits(), Recipe.scaled(CIFAR, 20, 8), place, every=5)
    weights = trained_weights(net, module)
    flat = np.concatenate([array.ravel() for arrays in weights.values() for array in arrays])
    np.savez(f"rank{{place.rank}}.npz", flat=flat, losses=curve.training_loss, errors=curve.test_error)
"""


def torchrun(*arguments, folder):
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launch, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_processes_learn_what_one_learns(tmp_path):
    """Without BatchNorm and Dropout, which each process does for itself, the weights are the same."""
    script = tmp_path / "script.py"
    script.write_text(
        TWO_PROCESSES.format(examples=str(EXAMPLES), tests=str(Path(__file__).parent))
    )
    done = torchrun(str(script), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    curve, weights = weights_after(small_net(), 20)
    alone = np.concatenate([array.ravel() for arrays in weights.values() for array in arrays])
    for rank in (0, 1):
        found = np.load(tmp_path / f"rank{rank}.npz")
        np.testing.assert_allclose(found["flat"], alone, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["losses"], curve.training_loss, rtol=1e-4, atol=1e-5)


def test_the_experiment_runs_in_two_processes(tmp_path):
    options = ["--nets", "resnet-8", "--iterations", "4", "--batch", "8", "--every", "2"]
    done = torchrun(str(EXAMPLES / "05_degradation.py"), *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("resnet-8") == 1
    figures = json.loads((tmp_path / "figures" / "degradation.json").read_text())
    assert figures["nets"]["resnet-8"]["iterations"] == [2, 4]


@pytest.fixture(scope="module")
def trained():
    """A net with a transition in it and weights of some size, statistics included."""
    bare = caffegen.loads(resnet(14, "cifar10", input_size=8))
    return caffegen.loads(bare.message, fill_params(bare.graph, seed=3))


def prob(net, seed=0):
    data = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return pytorch.build(net)(data)["prob"]


def test_every_residual_block_can_go(trained):
    from degradation.deletion import removable_blocks, without

    blocks = removable_blocks(trained)
    assert [block.name for block in blocks] == [
        "res2a",
        "res2b",
        "res3a",
        "res3b",
        "res4a",
        "res4b",
    ]
    whole = prob(trained)
    for block in blocks:
        left = without(trained, [block])
        gone = {layer.name for layer in trained.layers} - {layer.name for layer in left.layers}
        assert gone == set(block.layers)
        assert f"{block.name}_branch2a" in gone
        assert block.name in gone
        assert f"{block.name}_branch1" not in gone
        assert prob(left).shape == whole.shape
        assert not torch.allclose(prob(left), whole)
    # what the stem makes goes to the pool, through the shortcuts that change its shape
    left = without(trained, blocks)
    assert [x.name for x in left.layers if x.type in ("Convolution", "InnerProduct")] == [
        "conv1",
        "fc10",
    ]
    assert prob(left).shape == whole.shape


def test_a_block_that_adds_nothing_is_not_missed(trained):
    """The net without a block is the net in which the block's main path gives 0, exactly."""
    from degradation.deletion import removable_blocks, without

    for index, block in enumerate(removable_blocks(trained)):
        params = {name: list(arrays) for name, arrays in trained.params.items()}
        scale = f"scale{block.name.removeprefix('res')}_branch2b"
        params[scale] = [np.zeros_like(array) for array in params[scale]]
        silent = caffegen.loads(trained.message, params)
        torch.testing.assert_close(
            prob(without(silent, [block]), index), prob(silent, index), rtol=1e-5, atol=1e-6
        )


def test_a_highway_layer_whose_gate_is_closed_is_not_missed():
    from degradation.deletion import removable_blocks, without

    bare = caffegen.loads(highway(11, "cifar10", input_size=8))
    params = fill_params(bare.graph, seed=3)
    for name in ("conv2_gate", "conv8_gate"):
        params[name] = [np.zeros_like(params[name][0]), np.full_like(params[name][1], -100)]
    net = caffegen.loads(bare.message, params)
    blocks = {block.name: block for block in removable_blocks(net)}
    assert list(blocks) == ["conv2", "conv3", "conv5", "conv6", "conv8", "conv9"]
    left = without(net, [blocks["conv2"], blocks["conv8"]])
    assert not {"conv2_transform", "conv2_gate", "conv8_gate"} & {x.name for x in left.layers}
    torch.testing.assert_close(prob(left), prob(net), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(prob(without(net, [blocks["conv3"]])), prob(net))


def test_of_a_plain_net_pairs_can_go():
    from degradation.deletion import removable_blocks, without

    bare = caffegen.loads(resnet(14, "cifar10", input_size=8, plain=True))
    net = caffegen.loads(bare.message, fill_params(bare.graph, seed=3))
    blocks = removable_blocks(net)
    assert [block.name for block in blocks] == [
        "res2a_branch2a", "res2b_branch2a", "res3b_branch2a", "res4b_branch2a"
    ]  # fmt: skip
    left = without(net, blocks[:2])
    convolutions = [x for x in left.layers if x.type == "Convolution"]
    assert len(convolutions) == 13 - 4
    assert convolutions[1].bottom == ("conv1",)
    assert prob(left).shape == (4, 10)


def test_figures_are_the_same_bytes_each_time(tmp_path):
    from degradation.figures import draw_curves, draw_deletions, read_figures, write_figures

    committed = EXAMPLES / "figures"
    drawn = {"degradation": draw_curves, "deleted_blocks": draw_deletions}
    for name, draw in drawn.items():
        figures = read_figures(str(committed / f"{name}.json"))
        write_figures(str(tmp_path / f"{name}.json"), figures)
        assert (tmp_path / f"{name}.json").read_text() == (committed / f"{name}.json").read_text()
        made = []
        for attempt in ("first", "second"):
            draw(str(tmp_path / attempt), figures)
            made.append([(tmp_path / f"{attempt}.{kind}").read_bytes() for kind in ("png", "svg")])
        assert made[0] == made[1]
        for kind in ("json", "svg"):
            text = (committed / f"{name}.{kind}").read_text(encoding="utf-8")
            assert "/tmp" not in text
            assert "/home" not in text
            assert "<dc:date>" not in text
        assert (committed / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def last_tenth(errors):
    return float(np.mean(errors[-max(1, len(errors) // 10) :]))


def test_the_committed_run_shows_the_degradation():
    nets = json.loads((EXAMPLES / "figures" / "degradation.json").read_text())["nets"]
    assert list(nets)[:4] == ["plain-20", "plain-56", "resnet-20", "resnet-56"]
    assert any(name.startswith("highway") for name in nets)
    training = {name: last_tenth(curve["training_error"]) for name, curve in nets.items()}
    test = {name: last_tenth(curve["test_error"]) for name, curve in nets.items()}
    assert training["plain-56"] > 2 * training["plain-20"]
    assert test["plain-56"] > test["plain-20"]
    assert training["resnet-56"] <= training["resnet-20"] + 0.002
    # on 500 images, within the standard error of the difference
    standard = np.sqrt(2 * test["resnet-20"] * (1 - test["resnet-20"]) / 500)
    assert test["resnet-56"] <= test["resnet-20"] + standard


def test_the_committed_run_shows_the_ensemble():
    nets = json.loads((EXAMPLES / "figures" / "deleted_blocks.json").read_text())["nets"]
    residual, plain = nets["resnet-56"], nets["plain-20"]
    assert len(residual["one"]) == 27
    assert np.median(residual["one"]) < residual["none"] + 0.02
    assert np.median(plain["one"]) > plain["none"] + 0.3
    means = [np.mean(row["errors"]) for row in residual["many"]]
    assert means[0] < means[9] < means[-1]
