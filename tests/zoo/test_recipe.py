from __future__ import annotations

import pytest

from caffegen.check import Options, check_source
from caffegen.schema import message_type
from caffegen.text import Message, Source, parse
from caffegen.zoo import FAMILIES, ZooError, architecture
from caffegen.zoo.architecture import dataset_of, recipe_of
from caffegen.zoo.recipe import TrainingRecipe, data_batches, solver_text


def solver(name, path="net.prototxt", **options):
    """The solver of a net as text and as a message, which `check` has found clean."""
    family = architecture(name)
    net = family.build(phase="train_val", **options).to_message()
    depth = options.get("depth") or family.depths[dataset_of(family, options)].usual
    recipe = recipe_of(family, options)
    text = solver_text(recipe, net, path, f"caffegen {name}", depth)
    found = check_source(Source(text), Options(pedantic=True)).diagnostics
    assert [d.name for d in found] == (["fork-schema"] if recipe.fields else [])
    parsed = parse(Source(text), message_type("SolverParameter"))
    assert parsed.faults == []
    return text, parsed.message


def fields(message):
    return {field.name: value for field, value in message.set_fields()}


def test_cifar():
    text, message = solver("resnet", depth=20, dataset="cifar10")
    assert fields(message) == {
        "net": "net.prototxt", "snapshot_prefix": "net",
        "test_iter": [100], "test_interval": 500,
        "type": "SGD", "base_lr": pytest.approx(0.1), "lr_policy": "multistep",
        "gamma": pytest.approx(0.1), "stepvalue": [32000, 48000], "max_iter": 64000,
        "momentum": pytest.approx(0.9), "weight_decay": pytest.approx(1e-4),
        "display": 100, "snapshot": 8000, "solver_mode": "GPU",
    }  # fmt: skip
    assert "# The recipe of He et al. 2015, section 4.2.\n" in text
    assert "padded with 4 pixels" in text
    assert "0.01" not in text


def test_the_warm_up_of_deep_nets_is_said():
    text, _ = solver("resnet", depth=110, dataset="cifar10")
    assert "`base_lr: 0.01` until" in text
    assert "about 400" in text
    assert text.count("base_lr") == 2  # and once as the field


def test_imagenet():
    _, message = solver("resnet", depth=18)
    assert (message.base_lr, message.gamma) == (pytest.approx(0.1), pytest.approx(0.1))
    assert list(message.stepvalue) == [150000, 300000, 450000]
    assert (message.max_iter, list(message.test_iter)) == (600000, [1000])
    assert message.weight_decay == pytest.approx(1e-4)
    assert message.iter_size == 1


# The published solvers, field by field but for paths
PUBLISHED = {
    "alexnet": "test_iter: 1000 test_interval: 1000 base_lr: 0.01 lr_policy: 'step' gamma: 0.1 "
               "stepsize: 100000 display: 20 max_iter: 450000 momentum: 0.9 weight_decay: 0.0005 "
               "snapshot: 10000 solver_mode: GPU",
    "googlenet": "test_iter: 1000 test_interval: 4000 test_initialization: false display: 40 "
                 "average_loss: 40 base_lr: 0.01 lr_policy: 'poly' power: 0.5 max_iter: 2400000 "
                 "momentum: 0.9 weight_decay: 0.0002 snapshot: 40000 solver_mode: GPU",
    "lenet": "test_iter: 100 test_interval: 500 base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 "
             "lr_policy: 'inv' gamma: 0.0001 power: 0.75 display: 100 max_iter: 10000 "
             "snapshot: 5000 solver_mode: GPU",
    "squeezenet": "test_iter: 2000 test_interval: 1000 base_lr: 0.04 display: 40 max_iter: 170000 "
                  "iter_size: 16 lr_policy: 'poly' power: 1.0 momentum: 0.9 weight_decay: 0.0002 "
                  "snapshot: 1000 solver_mode: GPU random_seed: 42 test_initialization: false "
                  "average_loss: 40",
}  # fmt: skip
PUBLISHED["caffenet"] = PUBLISHED["alexnet"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_solvers(name):
    parsed = parse(Source(PUBLISHED[name]), message_type("SolverParameter"))
    assert parsed.faults == []
    expected = fields(parsed.message) | {
        "net": "net.prototxt", "snapshot_prefix": "net", "type": "SGD",
    }  # fmt: skip
    assert fields(solver(name)[1]) == expected


# what these learn by is no layer of BVLC Caffe
TRAINED_BY_FORKS = {"ssd300": {"heads": "ssd"}, "ssd512": {"heads": "ssd"}}
CASES = [(name, dataset) for name in FAMILIES for dataset in architecture(name).depths]


@pytest.mark.parametrize(("name", "dataset"), CASES, ids=lambda value: value)
def test_every_family_has_a_recipe_whose_tests_cover_the_validation_set(name, dataset):
    family = architecture(name)
    options = dict(TRAINED_BY_FORKS.get(name, {}))
    if any(o.name == "dataset" for o in family.options):
        options["dataset"] = dataset
    recipe = recipe_of(family, options)
    assert recipe.source
    assert "  " not in " ".join(recipe.notes)
    _, message = solver(name, **options)
    net = family.build(phase="train_val", **options).to_message()
    train, test = data_batches(net)
    (test_iter,) = message.test_iter
    assert test_iter * test >= recipe.test_images > (test_iter - 1) * test
    assert train * message.iter_size == pytest.approx(recipe.batch * recipe.iter_size, rel=1.7)
    # the statistics are no parameters to learn: three blobs, three rates of 0
    norms = [layer for layer in net.layer if layer.type == "BatchNorm"]
    assert all([spec.lr_mult for spec in layer.param] == [0, 0, 0] for layer in norms)
    scales = [layer for layer in net.layer if layer.type == "Scale" and len(layer.bottom) == 1]
    scales = [layer for layer in scales if layer.scale_param.bias_term]
    decays = {spec.decay_mult for layer in scales for spec in layer.param}
    assert decays <= ({1} if recipe.scale_decay else {0})
    assert recipe.scale_decay or all(len(layer.param) == 2 for layer in scales)


@pytest.mark.parametrize(
    ("batch", "iter_size", "note"),
    [(128, 1, False), (64, 2, False), (32, 4, False), (100, 1, True), (48, 3, True), (256, 1, True)],
    ids=str,
)  # fmt: skip
def test_a_smaller_batch_is_made_up_for(batch, iter_size, note):
    text, message = solver("resnet", depth=20, dataset="cifar10", batch=batch)
    assert message.iter_size == iter_size
    said = f"mini-batches of 128 images; the net has {iter_size * batch}."
    assert (said in text) == note
    assert list(message.test_iter) == [-(-10000 // batch)]


@pytest.mark.parametrize(
    ("path", "net", "prefix"),
    [
        ("models/r20/train_val.prototxt", "models/r20/train_val.prototxt", "models/r20/train_val"),
        ("./net", "./net", "./net"),
        ('a "b".prototxt', 'a "b".prototxt', 'a "b"'),
    ],
    ids=["folder", "no suffix", "quotes"],
)
def test_paths(path, net, prefix):
    _, message = solver("lenet", path=path)
    assert (message.net, message.snapshot_prefix) == (net, prefix)


@pytest.mark.parametrize(
    ("text", "batches"),
    [
        ('type: "Data" include { phase: TRAIN } data_param { batch_size: 5 }', (5, 1)),
        ('type: "HDF5Data" hdf5_data_param { batch_size: 6 }', (6, 6)),
        ('type: "MemoryData" include { phase: TEST } memory_data_param { batch_size: 7 }', (1, 7)),
        ('type: "Input" input_param { shape { dim: 8 dim: 3 } }', (8, 8)),
        ('type: "Input"', (1, 1)),
        ('type: "Python"', (1, 1)),
    ],
    ids=["Data", "HDF5Data", "MemoryData", "Input", "no shape", "none"],
)
def test_batches_of_data_layers(text, batches):
    parsed = parse(Source(f"layer {{ {text} }}"), message_type("NetParameter"))
    assert parsed.faults == []
    assert data_batches(parsed.message) == batches


def test_no_recipe():
    family = architecture("lenet")._replace(recipes={})
    with pytest.raises(ZooError, match="no recipe is known for LeNet; write the solver by hand"):
        recipe_of(family, {})


def test_the_recipe_of_an_option():
    one = TrainingRecipe("one", 1, 1, 1.0, "fixed", {}, 1, 0.0)
    two = one._replace(source="two")
    family = architecture("squeezenet")._replace(recipes={"1.0": one, "1.1": two})
    assert recipe_of(family, {}) is one
    assert recipe_of(family, {"version": "1.1"}) is two
    text = solver_text(one, Message(message_type("NetParameter")), "n", "c")
    assert 'lr_policy: "fixed"' in text
