"""`caffegen run`, as a user calls it: what it shows of images, folders and arrays."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from caffegen import load
from caffegen.weights import write_binaryproto

NET = """name: "mean_of_channels"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 10 dim: 3 dim: 8 dim: 6 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 4 } }
"""
SOFTMAX = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'
WEIGHT = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]], np.float32) / 64
BIAS = np.array([0, 0, 0, -0.25], np.float32)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture
def net(write, tmp_path):
    """Scores that are means over blue, green and red: any slip in the channels' order shows."""
    write(NET, "scores.prototxt")
    prototxt = write(NET + SOFTMAX)
    loaded = load(tmp_path / prototxt, {"fc": [WEIGHT, BIAS]})
    loaded.save(caffemodel=tmp_path / "net.caffemodel")
    return prototxt, "net.caffemodel"


@pytest.fixture
def picture(tmp_path):
    def call(name="cat.png", size=(9, 13), seed=0, mode="RGB"):
        shape = (*size, {"RGB": 3, "RGBA": 4, "L": 1}[mode])
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.squeeze(), mode=mode).save(path)
        return name

    return call


def expected_input(path, mean=0.0, scale=1.0):
    """The example's preprocessing, by OpenCV itself."""
    image = cv2.resize(cv2.imread(str(path)), (6, 8)).astype(np.float32)
    return ((image - mean) * scale).transpose(2, 0, 1)


def scores_of(values):
    return WEIGHT @ values.mean((1, 2)) + BIAS


def test_scores_of_an_image_are_those_of_caffes_example(program, net, picture, tmp_path):
    name = picture()
    code, out, err = program("run", *net, name, "--format", "json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["version"] == 1
    assert document["net"] == "mean_of_channels"
    assert document["unread"] == []
    (item,) = document["items"]
    assert (item["path"], item["index"]) == (name, None)
    (told,) = item["outputs"]
    expected = softmax(scores_of(expected_input(tmp_path / name)))
    order = np.argsort(-expected)
    assert (told["blob"], told["shape"]) == ("prob", [4])
    assert [line["class"] for line in told["top"]] == order.tolist()
    assert [line["score"] for line in told["top"]] == pytest.approx(expected[order].tolist(), 1e-5)
    assert told["max"] == pytest.approx(expected.max(), 1e-5)
    assert told["not_finite"] == 0


def test_text_shows_labels_as_asked(program, net, picture, write, tmp_path):
    name = picture()
    labels = write("ant\nbee\ncat, feline\ndog\n\n", "words.txt")
    code, out, _ = program("run", *net, name, "--labels", labels, "--top", 2)
    assert code == 0
    scores = softmax(scores_of(expected_input(tmp_path / name)))
    names = ["ant", "bee", "cat, feline", "dog"]
    best = np.argsort(-scores)[:2]
    lines = [f"  {scores[index]:6.4f}  {index}  {names[index]}" for index in best]
    assert out.splitlines() == [name, *lines]


def test_mean_values_and_scale(program, net, picture, tmp_path):
    name = picture()
    mean = [104.0, 117.0, 123.0]
    _, out, _ = program(
        "run", *net, name, "--mean", "104,117,123", "--scale", 0.5, "--blob", "fc", "--top", 4,
        "--format", "json",
    )  # fmt: skip
    told = json.loads(out)["items"][0]["outputs"][0]
    scores = scores_of(expected_input(tmp_path / name, np.array(mean), 0.5))
    by_class = {line["class"]: line["score"] for line in told["top"]}
    assert [by_class[index] for index in range(4)] == pytest.approx(scores.tolist(), abs=1e-4)


def test_rgb_and_deviations_as_other_frameworks_train(program, net, picture, tmp_path):
    name = picture()
    _, out, _ = program(
        "run", *net, name, "--rgb", "--mean", "123.675,116.28,103.53", "--std",
        "58.395,57.12,57.375", "--scale", 2, "--blob", "fc", "--top", 4, "--format", "json",
    )  # fmt: skip
    image = cv2.cvtColor(cv2.imread(str(tmp_path / name)), cv2.COLOR_BGR2RGB)
    image = cv2.resize(image, (6, 8)).astype(np.float32)
    values = (image - np.array([123.675, 116.28, 103.53])) * 2 / np.array([58.395, 57.12, 57.375])
    top = json.loads(out)["items"][0]["outputs"][0]["top"]
    by_class = {line["class"]: line["score"] for line in top}
    expected = scores_of(values.transpose(2, 0, 1)).tolist()
    assert [by_class[i] for i in range(4)] == pytest.approx(expected, abs=1e-4)


def test_one_deviation_divides_all_channels_in_bgr(program, net, picture, tmp_path):
    name = picture()
    _, out, _ = program(
        "run", *net, name, "--std", 255, "--blob", "fc", "--top", 4, "--format", "json"
    )
    top = json.loads(out)["items"][0]["outputs"][0]["top"]
    by_class = {line["class"]: line["score"] for line in top}
    expected = scores_of(expected_input(tmp_path / name, scale=1 / 255)).tolist()
    assert [by_class[i] for i in range(4)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--std", "1,2"), "2 deviations are given for 3 channels; give one, or one per channel"),
        (("--std", "58,0,57"), "the deviation `0` is not above 0; values are divided by it"),
        (("--std", "nan"), "the deviation `nan` is not above 0; values are divided by it"),
        (("--std", "a"), "the deviation `a` is not a number, or numbers with commas between them"),
    ],
    ids=["two", "zero", "nan", "word"],
)
def test_deviations_that_do_not_fit(program, net, picture, options, sentence):
    code, out, err = program("run", *net, picture(), *options)
    assert (code, out) == (2, "")
    assert sentence in err


def test_one_channel_has_no_rgb_order(program, net, write, picture):
    write(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 4 '
        'dim: 4 } } } layer { name: "p" type: "Pooling" bottom: "x" top: "p" '
        "pooling_param { global_pooling: true } }",
        "grey.prototxt",
    )
    code, _, err = program("run", "grey.prototxt", net[1], picture(mode="L"), "--rgb")
    assert code == 2
    assert "the input blob `x` has one channel: there is no RGB order" in err


@pytest.mark.parametrize("kind", ["binaryproto", "npy"])
def test_a_larger_mean_image_is_cut_to_its_centre(program, net, picture, tmp_path, kind):
    name = picture()
    mean = np.random.default_rng(1).uniform(0, 200, (1, 3, 11, 10)).astype(np.float32)
    if kind == "npy":
        np.save(tmp_path / "mean.npy", mean[0])
    else:
        write_binaryproto(tmp_path / "mean.binaryproto", mean)
    _, out, _ = program(
        "run", *net, name, "--mean", f"mean.{kind}", "--blob", "fc", "--top", 4, "--format", "json"
    )
    top = json.loads(out)["items"][0]["outputs"][0]["top"]
    values = expected_input(tmp_path / name) - mean[0, :, 1:9, 2:8]
    by_class = {line["class"]: line["score"] for line in top}
    assert [by_class[i] for i in range(4)] == pytest.approx(scores_of(values).tolist(), abs=1e-4)


def test_a_blob_without_a_softmax_is_told_by_shape_and_statistics(program, net, picture):
    code, out, _ = program("run", "scores.prototxt", net[1], picture(), "--blob", "pool")
    assert code == 0
    assert "  pool  3x1x1  min " in out
    _, out, _ = program("run", "scores.prototxt", net[1], "cat.png")
    assert "  fc  4  min " in out


def test_arrays_are_taken_as_they_are(program, net, tmp_path):
    values = np.random.default_rng(2).normal(0, 50, (5, 3, 4, 4))
    np.save(tmp_path / "many.npy", values)
    np.save(tmp_path / "one.npy", values[3].astype(np.float32))
    _, out, _ = program(
        "run",
        *net,
        "many.npy",
        "one.npy",
        "--mean",
        "104,117,123",
        "--batch",
        2,
        "--format",
        "json",
    )
    items = json.loads(out)["items"]
    assert [(item["path"], item["index"]) for item in items] == [
        *(("many.npy", index) for index in range(5)), ("one.npy", 0),
    ]  # fmt: skip
    found = [item["outputs"][0]["max"] for item in items]
    expected = [softmax(scores_of(value)).max() for value in values]
    assert found == pytest.approx([*expected, expected[3]], 1e-5)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_folder_in_order_whatever_the_batch(program, net, picture, tmp_path, batch):
    names = [
        picture(f"pets/{index}.{end}", seed=index)
        for index, end in enumerate(["png", "bmp", "PNG"])
    ]
    (tmp_path / "pets" / "notes.txt").write_text("no image")
    _, out, _ = program("run", *net, "pets", "--batch", batch, "--format", "json")
    items = json.loads(out)["items"]
    assert [item["path"] for item in items] == names
    expected = [softmax(scores_of(expected_input(tmp_path / name))).max() for name in names]
    assert [item["outputs"][0]["max"] for item in items] == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_grey_and_transparent_images_become_three_channels(program, net, picture, tmp_path, mode):
    name = picture(mode=mode)
    _, out, _ = program("run", *net, name, "--format", "json")
    expected = softmax(scores_of(expected_input(tmp_path / name)))
    assert json.loads(out)["items"][0]["outputs"][0]["max"] == pytest.approx(expected.max(), 1e-5)


def test_a_broken_image_does_not_stop_the_others(program, net, picture, tmp_path):
    good = picture()
    data = (tmp_path / good).read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.jpg").write_text("no image at all")
    code, out, err = program("run", *net, "cut.png", good, "text.jpg", "gone.png")
    assert code == 3
    assert out.splitlines()[0] == good
    first, second, third = err.splitlines()
    assert first.startswith("caffegen: `cut.png`: the image is damaged: ")
    assert second == "caffegen: `text.jpg`: it is no image of a format that Pillow reads"
    assert third == "caffegen: `gone.png`: it can't be read: no such file or directory"
    code, out, err = program("run", *net, "text.jpg", "--format", "json")
    assert (code, err) == (3, "")
    assert json.loads(out)["unread"] == [
        {"path": "text.jpg", "reason": "it is no image of a format that Pillow reads"}
    ]


REFUSALS = {
    "labels": (["--labels", "two.txt"], 2, "`two.txt` has 2 labels; the blob `prob` has 4 classes"),
    "no labels": (["--labels", "empty.txt"], 3, "`empty.txt`: it holds no labels"),
    "labels gone": (["--labels", "gone.txt"], 3, "`gone.txt`: it can't be read: no such file or directory"),
    "means": (["--mean", "1,2"], 2, "2 mean values are given for 3 channels; give one, or one per channel"),
    "mean gone": (["--mean", "gone.binaryproto"], 3, "`gone.binaryproto`: it can't be read: no such file or directory"),
    "mean small": (
        ["--mean", "small.binaryproto"], 3,
        "`small.binaryproto`: the mean is 3 x 4 x 4, smaller than or unlike the input blob `data`: 3 x 8 x 6",
    ),
    "blob": (["--blob", "porb"], 2, "--blob: the net has no blob `porb`; did you mean `prob`?"),
    "device": (["--device", "cuda:99"], 2, "the device `cuda:99` is not there: "),
    "channels": (
        ["--input", "data=1,4,8,8", "--mean", "1"], 2,
        "the input blob `data` has 4 channels; an image has 1 or 3: give arrays as .npy",
    ),
    "batch": (["--batch", "0"], 2, "--batch: 0 is not in the range x>=1"),
    "mean of no number": (["--mean", "nan"], 2, "the mean `nan` is not made of finite numbers"),
    "means without end": (["--mean", "1,inf,3"], 2, "the mean `1,inf,3` is not made of finite numbers"),
    "scale": (["--scale", "nan"], 2, "the scale `nan` is not a finite number"),
    "scale large": (["--scale", "1e39"], 2, "the scale `1e+39` is too large for a value of single precision"),
    "scale small": (["--scale", "1e-46"], 2, "the scale `1e-46` is too small for a value of single precision"),
    "mean large": (["--mean", "1,-1e39,3"], 2, "the mean `-1e+39` is too large for a value of single precision"),
    "std small": (["--std", "1e-46"], 2, "the deviation `1e-46` is too small for a value of single precision"),
    "std large": (["--std", "1e39"], 2, "the deviation `1e+39` is too large for a value of single precision"),
    "mean with a letter": (["--mean", "1,2,x"], 2, "the mean `1,2,x` is not a file, a number, or numbers with commas between them"),
    "mean with a gap": (["--mean", "1,,2"], 2, "the mean `1,,2` is not a file, a number, or numbers with commas between them"),
    "mean of nothing": (["--mean", ""], 2, "the mean `` is not a file, a number, or numbers with commas between them"),
    "meta": (["--device", "meta"], 2, "the device `meta` has shapes and no values: nothing is computed there"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "code", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_one_sentence(program, net, picture, write, tmp_path, options, code, sentence):
    write("a\nb\n", "two.txt")
    write("\n", "empty.txt")
    write_binaryproto(tmp_path / "small.binaryproto", np.zeros((1, 3, 4, 4), np.float32))
    if "data=1,4,8,8" in options:
        # the weights fix the channels: a net that has none is asked
        text = NET.splitlines()[1] + '\nlayer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n'
        write(text)
    found, out, err = program("run", *net, picture(), *options)
    assert (found, out) == (code, "")
    assert err.startswith(f"caffegen: {sentence}")
    assert len(err.splitlines()) == 1


def test_folders_without_images_are_refused(program, net, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = program("run", *net, "empty")
    assert code == 3
    assert err.startswith("caffegen: `empty`: the folder holds no images (.bmp, .gif, .jpeg, ")


POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)

IMAGES = {
    "pointer": (POINTER, "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    "page": (b"\n<!DOCTYPE html><html>", "it is a web page (some sites send one in place of a download), not an image"),
    "array": (b"\x93NUMPY\x01\x00", "it is a numpy array (.npy), not an image"),
    "weights": (b"\n\x01n\xa2\x06\x03\n\x01a", "it is a .caffemodel, not an image"),
    "net": (NET.encode(), "it is a prototxt, the net in words, not an image"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), IMAGES.values(), ids=IMAGES)
def test_files_that_only_bear_an_images_name(program, net, tmp_path, content, sentence):
    (tmp_path / "x.jpg").write_bytes(content)
    code, out, err = program("run", *net, "x.jpg")
    assert (code, out, err) == (3, "", f"caffegen: `x.jpg`: {sentence}\n")


ARRAYS = {
    "text": (b"no array", "it is no .npy file of numbers"),
    "empty": (b"", "it is empty"),
    "pointer": (POINTER, "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    "picture": (b"\x89PNG\r\n\x1a\n", "it is a PNG picture, not a .npy file"),
    "archive cut": (b"PK\x03\x04" + bytes(26) + b"x", "it is a zip archive, not a .npy file"),
    "axes": (np.zeros((3, 8)), "it has 2 axes ([3, 8]); the input blob `data` has 4, of which the first, the items, may be left out"),
    "type": (np.array(["a"]), "it holds values of type <U1, not real numbers"),
    "objects": (np.array([{}], dtype=object), "it is no .npy file of numbers"),
    "no items": (np.zeros((0, 3, 8, 6)), "it holds no items"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_are_none(program, net, tmp_path, content, sentence):
    path = tmp_path / "x.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    code, out, err = program("run", *net, "x.npy")
    assert (code, out, err) == (3, "", f"caffegen: `x.npy`: {sentence}\n")


def test_labels_that_no_layer_reads_are_not_asked_for(program, write, picture):
    data = 'type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 2 channels: 3 height: 8 width: 6 }'
    write(
        f'layer {{ name: "data" {data} }} layer {{ name: "r" type: "ReLU" bottom: "data" top: "r" }}'
    )
    code, out, _ = program("run", "net.prototxt", picture(), picture("b.png"), picture("c.png"))
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line[0] == " "] == ["r"] * 3


def test_nets_with_several_inputs_are_refused(program, net, write, picture):
    second = NET.splitlines()[1].replace('"data"', '"label"')
    write(NET + second + '\nlayer { name: "s" type: "Silence" bottom: "label" }\n')
    code, _, err = program("run", *net, picture())
    assert code == 2
    assert "the net has 2 inputs (`data`, `label`); only a net with one can be run" in err


def test_a_net_without_its_weights_is_refused(program, net, write, picture):
    write(NET.replace('"fc"', '"other"'))
    code, _, err = program("run", *net, picture())
    assert code == 1
    assert "layer `other`" in err


def test_a_net_that_mixes_its_batch_is_refused(program, net, write, picture):
    layers = (
        NET
        + 'layer { name: "r" type: "Reshape" bottom: "fc" top: "r" reshape_param { shape { dim: -1 dim: 2 dim: 2 dim: 2 } } }\n'
    )
    write(layers.replace("dim: 10", "dim: 2"))
    code, _, err = program("run", *net, picture(), picture("b.png"))
    assert code == 2
    assert "the blob `r` has the shape [1, 2, 2, 2] for 2 images" in err


def test_scores_that_are_no_numbers(program, net, tmp_path):
    np.save(tmp_path / "nan.npy", np.full((1, 3, 8, 6), np.nan, np.float32))
    code, out, _ = program("run", *net, "nan.npy", "--format", "json")
    assert code == 0
    told = json.loads(out)["items"][0]["outputs"][0]
    assert (told["not_finite"], told["min"], told["top"][0]["score"]) == (4, None, None)
    _, out, _ = program("run", *net, "nan.npy", "--blob", "pool")
    assert out.splitlines()[1] == "  pool  3x1x1  no finite values"


def test_a_net_without_weights_takes_none(program, write, tmp_path):
    pool = write(NET.partition('layer { name: "fc"')[0], "pool.prototxt")
    values = np.random.default_rng(0).random((2, 3, 8, 6), dtype=np.float32)
    np.save(tmp_path / "batch.npy", values)
    code, out, err = program("run", pool, "batch.npy", "--format", "json")
    assert code == 0, err
    found = [item["outputs"][0]["mean"] for item in json.loads(out)["items"]]
    np.testing.assert_allclose(found, values.mean((1, 2, 3)), rtol=1e-5)


def test_weights_that_are_needed_are_asked_for(program, net, tmp_path):
    np.save(tmp_path / "batch.npy", np.zeros((1, 3, 8, 6), np.float32))
    code, _, err = program("run", net[0], "batch.npy")
    assert code == 2
    told = "the layer `fc` has weights; give a CAFFEMODEL before what is to be run"
    assert err == f"caffegen: {told}\n"


def test_what_to_run_on_is_asked_for(program, net):
    code, _, err = program("run", *net)
    assert code == 2
    assert err == "caffegen: what is the net to be run on? Give an IMAGE, FOLDER or ARRAY.npy\n"


def test_numbers_beyond_single_precision_are_infinite(program, net, tmp_path):
    np.save(tmp_path / "large.npy", np.full((1, 3, 8, 6), 1e300))
    code, out, err = program("run", *net, "large.npy", "--blob", "data")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "  data  3x8x6  no finite values"


def test_a_learned_blob_is_shown(program, write, tmp_path):
    """It is a parameter of the module, which has a gradient."""
    text = (
        NET.splitlines()[1]
        + """
        layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 1 dim: 3 } } }
    """
    )
    prototxt = write(text)
    loaded = load(tmp_path / prototxt, {"p": [np.array([[1, 2, 3]], np.float32)]})
    loaded.save(caffemodel=tmp_path / "p.caffemodel")
    np.save(tmp_path / "one.npy", np.zeros((1, 3, 8, 6), np.float32))
    code, out, err = program("run", prototxt, "p.caffemodel", "one.npy", "--blob", "p")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "  p  3  min 1  max 3  mean 2  std 0.816497"


DETECTOR = """
layer { name: "data" type: "Input" top: "data" top: "im_info"
        input_param { shape { dim: 1 dim: 3 dim: 32 dim: 48 } shape { dim: 1 dim: 3 } } }
layer { name: "map" type: "Pooling" bottom: "data" top: "map"
        pooling_param { pool: AVE kernel_size: 16 stride: 16 } }
layer { name: "scores" type: "Convolution" bottom: "map" top: "scores"
        convolution_param { num_output: 18 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "moves" type: "Convolution" bottom: "map" top: "moves"
        convolution_param { num_output: 36 kernel_size: 1 } }
layer { name: "proposal" type: "Python" bottom: "scores" bottom: "moves" bottom: "im_info" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer"
                       param_str: "'feat_stride': 16" } }
"""


def test_a_detector_is_told_the_size_of_its_input(program, write, picture):
    prototxt = write(DETECTOR, "detector.prototxt")
    code, _, err = program("init", prototxt, "-o", "detector.caffemodel", "--as-declared")
    assert code == 0, err
    found = []
    for size in ((32, 48), (32, 32)):
        shape = f"data=1,3,{size[0]},{size[1]}"
        words = ("--input", shape, "--format", "json")
        code, out, err = program(
            "run", prototxt, "detector.caffemodel", picture("a.png"), picture("b.png"), *words
        )
        assert code == 0, err
        items = json.loads(out)["items"]
        assert [item["path"] for item in items] == ["a.png", "b.png"]
        (rois,) = items[0]["outputs"]
        assert rois["shape"][-1] == 5
        found.append(rois["max"])
    # no box ends behind the last pixel
    assert found == [47, 31]


FIXED = f"""{NET.splitlines()[1]}
layer {{ name: "all" type: "InnerProduct" bottom: "data" top: "all"
        inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
"""


@pytest.fixture
def fixed(program, write):
    """A net whose weights fix the height and width of its input."""
    prototxt = write(FIXED, "fixed.prototxt")
    code, _, err = program("init", prototxt, "-o", "fixed.caffemodel")
    assert code == 0, err
    return prototxt, "fixed.caffemodel"


def test_arrays_of_other_shapes_do_not_stop_the_others(program, fixed, picture, tmp_path):
    shapes = {
        "fits": (3, 3, 8, 6), "one": (3, 8, 6), "high": (20, 3, 9, 6), "wide": (3, 8, 7),
        "four": (1, 4, 8, 6), "last": (8, 6, 3), "again": (2, 3, 9, 6),
    }  # fmt: skip
    for name, shape in shapes.items():
        np.save(tmp_path / f"{name}.npy", np.ones(shape, np.float32))
    words = [f"{name}.npy" for name in shapes]
    code, out, err = program(
        "run", *fixed, *words, picture(), "--batch", 4, "--format", "json"
    )  # fmt: skip
    assert (code, err) == (3, "")
    document = json.loads(out)
    found = [(item["path"], item["index"]) for item in document["items"]]
    assert found == [
        *(("fits.npy", index) for index in range(3)),
        ("one.npy", 0),
        ("cat.png", None),
    ]
    reasons = {entry["path"]: entry["reason"] for entry in document["unread"]}
    assert list(reasons) == ["high.npy", "wide.npy", "four.npy", "last.npy", "again.npy"]
    told = "the net takes no items of shape [3, 9, 6]: layer `all` can't run on `data` of shape [1, 3, 9, 6]"
    assert reasons["high.npy"].startswith(told)
    assert reasons["again.npy"] == reasons["high.npy"]
    assert reasons["wide.npy"].startswith("the net takes no items of shape [3, 8, 7]: ")
    given = "those of the input blob `data` have [3, 8, 6]"
    assert reasons["four.npy"] == f"its items have the shape [4, 8, 6]; {given}"
    assert reasons["last.npy"] == f"its items have the shape [8, 6, 3]; {given}"


def test_text_names_the_array_that_does_not_fit(program, fixed, tmp_path):
    np.save(tmp_path / "high.npy", np.ones((1, 3, 9, 6), np.float32))
    np.save(tmp_path / "fits.npy", np.ones((1, 3, 8, 6), np.float32))
    code, out, err = program("run", *fixed, "high.npy", "fits.npy")
    assert code == 3
    assert [line for line in out.splitlines() if line[0] != " "] == ["fits.npy[0]"]
    assert err.startswith("caffegen: `high.npy`: the net takes no items of shape [3, 9, 6]: ")
    assert len(err.splitlines()) == 1


def test_what_is_no_matter_of_the_shape_still_ends_it(program, write, tmp_path):
    """The net can't run on its own shape either."""
    crop = 'layer { name: "r" type: "Reshape" bottom: "data" top: "r" reshape_param { shape { dim: 3 dim: 96 } } }'
    write(NET.splitlines()[1].replace("dim: 10", "dim: 2") + crop)
    np.save(tmp_path / "one.npy", np.ones((1, 3, 8, 6), np.float32))
    code, _, err = program("run", "net.prototxt", "one.npy")
    assert code == 2
    assert err.startswith("caffegen: layer `r` can't run on `data` of shape [1, 3, 8, 6]")


def test_a_detector_is_told_the_size_of_each_array(program, write, tmp_path):
    prototxt = write(DETECTOR, "detector.prototxt")
    code, _, err = program("init", prototxt, "-o", "detector.caffemodel", "--as-declared")
    assert code == 0, err
    for name, width in (("wide.npy", 48), ("narrow.npy", 32)):
        np.save(tmp_path / name, np.ones((1, 3, 32, width), np.float32))
    words = ["run", prototxt, "detector.caffemodel", "wide.npy", "narrow.npy"]
    code, out, err = program(*words, "--format", "json")
    assert code == 0, err
    # no box ends behind the last pixel
    assert [item["outputs"][0]["max"] for item in json.loads(out)["items"]] == [47, 31]


UNUSED = {
    "rgb": (["--rgb"], "--rgb is for images"),
    "two": (["--mean", "1", "--scale", "2"], "--mean and --scale are for images"),
    "all": (
        ["--mean", "1", "--scale", "2", "--std", "3", "--rgb"],
        "--mean, --scale, --std and --rgb are for images",
    ),
}


@pytest.mark.parametrize(("options", "told"), UNUSED.values(), ids=UNUSED)
def test_options_that_have_nothing_to_do_are_named(program, net, picture, tmp_path, options, told):
    np.save(tmp_path / "one.npy", np.ones((1, 3, 8, 6), np.float32))
    plain = program("run", *net, "one.npy")
    code, out, err = program("run", *net, "one.npy", *options)
    assert (code, out) == plain[:2]
    assert err == f"caffegen: {told}; arrays are taken as they are\n"
    assert program("run", *net, "one.npy", picture(), *options)[2] == ""


def test_values_beyond_single_precision_are_infinite_without_a_word(program, net, picture):
    code, out, err = program("run", *net, picture(), "--scale", "1e38", "--blob", "data")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "  data  3x8x6  no finite values"


def test_a_mean_file_beyond_single_precision_is_infinite(program, net, picture, tmp_path):
    np.save(tmp_path / "mean.npy", np.array([0, 1e300, 0]))
    words = ["run", *net, picture(), "--mean", "mean.npy", "--blob", "data", "--format", "json"]
    code, out, err = program(*words)
    assert (code, err) == (0, "")
    assert json.loads(out)["items"][0]["outputs"][0]["not_finite"] == 8 * 6
