from __future__ import annotations

import pytest

import caffegen
from caffegen.check import Options, check_source
from caffegen.text import Source
from caffegen.zoo import FAMILIES, ZooError, architecture
from caffegen.zoo.dataset import DATA, DATA_OPTIONS


def ends(name, **options):
    """The data layers of a net to train, in TRAIN and in TEST."""
    layers = architecture(name).build(phase="train_val", **options).to_message().layer
    found = [layer for layer in layers if not layer.bottom]
    assert [rule.phase for layer in found for rule in layer.include] == ["TRAIN", "TEST"]
    assert [layer.top for layer in found] == [["data", "label"]] * 2
    assert len({layer.name for layer in found}) == 1
    return found


def fields(message):
    return {field.name: value for field, value in message.set_fields()}


def test_the_options_that_every_family_shares():
    names = [option.name for option in DATA_OPTIONS]
    assert names == ["classes", "input_size", "batch", "phase", "data"]
    for name in FAMILIES:
        options = {option.name: option for option in architecture(name).options}
        assert list(options)[-5:] == names, name
        assert options["data"].default == "lmdb"


def test_an_lmdb():
    train, test = ends("resnet", depth=20, dataset="cifar10")
    assert (train.type, test.type) == ("Data", "Data")
    assert fields(train.data_param) == {
        "source": "examples/cifar10/cifar10_train_lmdb", "batch_size": 128, "backend": "LMDB",
    }  # fmt: skip
    mean = "examples/cifar10/mean.binaryproto"
    assert fields(train.transform_param) == {"mirror": True, "crop_size": 32, "mean_file": mean}
    assert fields(test.transform_param) == {"crop_size": 32, "mean_file": mean}
    assert (test.data_param.source, test.data_param.batch_size) == (
        "examples/cifar10/cifar10_test_lmdb", 100,
    )  # fmt: skip


def test_image_files_of_imagenet_are_scaled_shuffled_cropped_and_mirrored():
    train, test = ends("resnet", depth=18, data="imagedata")
    assert (train.type, test.type) == ("ImageData", "ImageData")
    assert fields(train.image_data_param) == {
        "source": "data/ilsvrc12/train.txt", "batch_size": 256, "shuffle": True,
        "new_height": 256, "new_width": 256, "root_folder": "data/ilsvrc12/train/",
    }  # fmt: skip
    assert fields(test.image_data_param) == {
        "source": "data/ilsvrc12/val.txt", "batch_size": 50,
        "new_height": 256, "new_width": 256, "root_folder": "data/ilsvrc12/val/",
    }  # fmt: skip
    mean = "data/ilsvrc12/imagenet_mean.binaryproto"
    assert fields(train.transform_param) == {"mirror": True, "crop_size": 224, "mean_file": mean}
    assert fields(test.transform_param) == {"crop_size": 224, "mean_file": mean}


@pytest.mark.parametrize(
    ("name", "options", "scaled", "crop", "color"),
    [
        # the padded images of CIFAR must not be scaled
        ("resnet", {"depth": 20, "dataset": "cifar10"}, 0, 32, True),
        ("resnet", {"depth": 18, "input_size": 64}, 256, 64, True),
        ("resnet", {"depth": 18, "input_size": 256}, 256, 256, True),
        # 448 is to 512 as 224 is to 256
        ("resnet", {"depth": 18, "input_size": 448}, 512, 448, True),
        ("resnet", {"depth": 18, "input_size": 299}, 342, 299, True),
        ("alexnet", {}, 256, 227, True),
        # scaled to the size of the net, which crops nothing
        ("lenet", {}, 28, 0, False),
    ],
    ids=["cifar10", "64", "256", "448", "299", "alexnet", "lenet"],
)
def test_the_size_that_image_files_are_scaled_to(name, options, scaled, crop, color):
    for layer in ends(name, data="imagedata", **options):
        param = layer.image_data_param
        assert (param.new_height, param.new_width) == (scaled, scaled)
        assert (layer.transform_param.crop_size, param.is_color) == (crop, color)


def test_lists_beside_the_data_base_where_none_are_published():
    train, test = ends("lenet", data="imagedata")
    assert train.image_data_param.source == "examples/mnist/mnist_train.txt"
    assert test.image_data_param.root_folder == "examples/mnist/mnist_test/"
    assert train.name == "mnist"
    assert train.transform_param.scale == pytest.approx(1 / 256)


def test_hdf5_files_are_not_transformed():
    train, test = ends("resnet", depth=20, dataset="cifar10", data="hdf5")
    assert fields(train.hdf5_data_param) == {
        "source": "examples/cifar10/cifar10_train_h5.txt", "batch_size": 128, "shuffle": True,
    }  # fmt: skip
    assert fields(test.hdf5_data_param) == {
        "source": "examples/cifar10/cifar10_test_h5.txt", "batch_size": 100,
    }  # fmt: skip
    assert not train.has("transform_param")
    assert not test.has("transform_param")


def test_blobs_of_the_caller():
    train, test = ends("lenet", data="input")
    shapes = [[list(shape.dim) for shape in x.input_param.shape] for x in (train, test)]
    assert shapes == [[[64, 1, 28, 28], [64]], [[100, 1, 28, 28], [100]]]


def test_a_batch_that_is_given_is_that_of_both_phases():
    for data, param in (("lmdb", "data_param"), ("hdf5", "hdf5_data_param")):
        for layer in ends("googlenet", data=data, batch=7):
            assert layer.get(param).batch_size == 7


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet", {"depth": 20, "dataset": "cifar100"}), ("vgg", {"depth": 11}), ("lenet", {})],
    ids=["cifar", "vgg", "lenet"],
)
def test_what_is_emitted_is_clean_and_loads_in_both_phases(name, options, data):
    text = architecture(name).build(phase="train_val", data=data, **options).to_prototxt()
    assert check_source(Source(text), Options()).diagnostics == []
    if data == "input" or (data == "imagedata" and name != "resnet"):
        for phase in ("TRAIN", "TEST"):
            net = caffegen.loads(text, phase=phase)
            size = {"resnet": 32, "vgg": 224, "lenet": 28}[name]
            assert net.shapes["data"][2:] == (size, size)
            assert net.shapes["label"] == net.shapes["data"][:1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data": "imagdata"}, "there is no data `imagdata`; did you mean `imagedata`?"),
        ({"data": "hdf5"},
         "a net to deploy reads an Input, no data `hdf5`; that is for phase `train_val`"),
    ],
    ids=["unknown", "deploy"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["resnet", "lenet"])
def test_data_that_can_not_be(name, options, sentence):
    with pytest.raises(ZooError) as caught:
        architecture(name).build(**options)
    assert str(caught.value) == sentence
