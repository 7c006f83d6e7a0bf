"""Data layers as torch datasets, on small real files; OpenCV says what the pixels are."""

import cv2
import h5py
import lmdb
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from caffegen import CaffegenError, FileError, loads
from caffegen.pytorch import build
from caffegen.pytorch.datasets import dataset_of
from caffegen.schema import caffe_pb2
from caffegen.weights import write_binaryproto


def dataset(type_name, body, root, phase="TEST", tops=("data", "label"), seed=0):
    made = " ".join(f'top: "{top}"' for top in tops)
    net = loads(f'layer {{ name: "in" type: "{type_name}" {made} {body} }}', phase=phase)
    return dataset_of(net.layers[0], root, seed)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def images(tmp_path):
    """Four images of 12 x 10 and their list."""
    pixels = [noise(12, 10, 3, seed=seed) for seed in range(4)]
    for index, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"image {index}.png")
    (tmp_path / "list.txt").write_text("".join(f"image {i}.png {i * 7}\n" for i in range(4)))
    return [each[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) for each in pixels]


def image_data(root, transform="", param="", **options):
    body = f'image_data_param {{ source: "list.txt" batch_size: 2 {param} }}'
    return dataset("ImageData", f"{body} transform_param {{ {transform} }}", root, **options)


def test_image_data_gives_blue_green_red_and_the_label(images, tmp_path):
    data = image_data(tmp_path)
    assert len(data) == 4
    batches = list(DataLoader(data, batch_size=data.batch_size))
    assert [sorted(batch) for batch in batches] == [["data", "label"]] * 2
    assert [batch["label"].tolist() for batch in batches] == [[0, 7], [14, 21]]
    assert all(tensor.dtype == torch.float32 for tensor in batches[0].values())
    np.testing.assert_array_equal(torch.cat([b["data"] for b in batches]), np.stack(images))


def test_image_data_in_another_size_and_grey(images, tmp_path):
    found = image_data(tmp_path, param="new_height: 6 new_width: 8")[1]["data"]
    expected = cv2.resize(cv2.imread(str(tmp_path / "image 1.png")), (8, 6))
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1).astype(np.float32))
    grey = image_data(tmp_path, param="is_color: false")[1]["data"]
    expected = cv2.imread(str(tmp_path / "image 1.png"), cv2.IMREAD_GRAYSCALE)
    assert grey.shape == (1, 12, 10)
    assert np.abs(grey[0].numpy() - expected).max() <= 1


@pytest.mark.parametrize("field", ["root_folder", "root"])
def test_the_root_folder_is_put_before_the_paths(images, tmp_path, field):
    (tmp_path / "sub").mkdir()
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "sub" / "pre_x.png")
    (tmp_path / "list.txt").write_text(
        "x.png 1\n" if field == "root_folder" else "sub/pre_x.png 1\n"
    )
    param = 'root_folder: "sub/pre_"' if field == "root_folder" else ""
    assert image_data(tmp_path, param=param)[0]["data"].shape == (3, 4, 4)


def test_order_of_mean_crop_scale_and_mirror(images, tmp_path):
    mean = np.random.default_rng(5).uniform(0, 99, (1, 3, 12, 10)).astype(np.float32)
    write_binaryproto(tmp_path / "mean.binaryproto", mean)
    data = image_data(tmp_path, 'mean_file: "mean.binaryproto" crop_size: 6 scale: 0.5')
    expected = ((images[2] - mean[0]) * np.float32(0.5))[:, 3:9, 2:8]
    np.testing.assert_array_equal(data[2]["data"], expected)


@pytest.mark.parametrize("values", [[5.0], [1.0, 2.0, 3.0]], ids=["one", "per channel"])
def test_mean_values(images, tmp_path, values):
    data = image_data(tmp_path, " ".join(f"mean_value: {value}" for value in values))
    expected = images[0] - np.array(values, np.float32).reshape(-1, 1, 1)
    np.testing.assert_array_equal(data[0]["data"], expected)


def test_training_crops_anywhere_and_mirrors_half(images, tmp_path):
    data = image_data(tmp_path, "crop_size: 7 mirror: true", phase="TRAIN")
    windows = {}
    for top in range(12 - 7 + 1):
        for left in range(10 - 7 + 1):
            part = images[0][:, top : top + 7, left : left + 7]
            windows[part.tobytes()] = top, left, False
            windows[part[:, :, ::-1].tobytes()] = top, left, True
    found = []
    for epoch in range(200):
        data.set_epoch(epoch)
        found.append(windows[data[0]["data"].numpy().tobytes()])
    assert {top for top, _, _ in found} == set(range(6))
    assert {left for _, left, _ in found} == set(range(4))
    assert 60 < sum(mirrored for _, _, mirrored in found) < 140


def test_testing_mirrors_too_but_crops_the_centre(images, tmp_path):
    data = image_data(tmp_path, "crop_size: 4 mirror: true")
    centre = images[3][:, 4:8, 3:7]
    seen = set()
    for epoch in range(30):
        data.set_epoch(epoch)
        found = data[3]["data"].numpy()
        seen.add(bool((found == centre).all()))
        assert (found == centre).all() or (found == centre[:, :, ::-1]).all()
    assert seen == {True, False}


def test_shuffle_mixes_each_pass_anew_and_repeats_with_the_seed(tmp_path):
    Image.fromarray(noise(2, 2, 3)).save(tmp_path / "x.png")
    (tmp_path / "list.txt").write_text("".join(f"x.png {i}\n" for i in range(50)))

    def labels(data):
        return [int(data[index]["label"]) for index in range(len(data))]

    data = image_data(tmp_path, param="shuffle: true", seed=3)
    first = labels(data)
    assert sorted(first) == list(range(50))
    assert first != list(range(50))
    data.set_epoch(1)
    second = labels(data)
    assert sorted(second) == list(range(50))
    assert second != first
    assert labels(image_data(tmp_path, param="shuffle: true", seed=3)) == first
    assert labels(image_data(tmp_path, param="shuffle: true", seed=4)) != first


def test_rand_skip_moves_the_beginning(images, tmp_path):
    starts = set()
    for seed in range(30):
        data = image_data(tmp_path, param="rand_skip: 3", seed=seed)
        labels = [int(item["label"]) // 7 for item in (data[index] for index in range(4))]
        assert labels == [(labels[0] + step) % 4 for step in range(4)]
        starts.add(labels[0])
    assert starts == {0, 1, 2}


def test_worker_processes_choose_as_one_process_does(images, tmp_path):
    data = image_data(tmp_path, "crop_size: 5 mirror: true", "shuffle: true", phase="TRAIN")
    alone = [batch["data"] for batch in DataLoader(data, 2)]
    together = [batch["data"] for batch in DataLoader(data, 2, num_workers=2)]
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_net_runs_on_its_own_data(images, tmp_path):
    net = loads(
        'layer { name: "in" type: "ImageData" top: "data" top: "label" '
        'image_data_param { source: "list.txt" batch_size: 4 } transform_param { crop_size: 8 } }\n'
        'layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" '
        "pooling_param { pool: AVE global_pooling: true } }\n"
        'layer { name: "quiet" type: "Silence" bottom: "label" }'
    )
    data = dataset_of(net.layers[0], tmp_path)
    (batch,) = DataLoader(data, batch_size=data.batch_size)
    found = build(net)(**batch)["pool"]
    expected = np.stack(images)[:, :, 2:10, 1:9].mean((2, 3))
    np.testing.assert_allclose(found[:, :, 0, 0], expected, rtol=1e-5)


@pytest.fixture
def hdf5(tmp_path):
    rng = np.random.default_rng(0)
    for name, rows in (("a.h5", 3), ("b.h5", 2)):
        with h5py.File(tmp_path / name, "w") as file:
            file["data"] = rng.normal(size=(rows, 2, 4))
            file["label"] = np.arange(rows)
    (tmp_path / "list.txt").write_text("a.h5\nb.h5\n")
    return h5py


HDF5 = 'hdf5_data_param { source: "list.txt" batch_size: 2 }'


def test_hdf5_data_gives_the_rows_of_all_files(hdf5, tmp_path):
    data = dataset("HDF5Data", HDF5, tmp_path)
    assert len(data) == 5
    batches = list(DataLoader(data, batch_size=data.batch_size))
    assert torch.cat([b["label"] for b in batches]).tolist() == [0, 1, 2, 0, 1]
    rows = [hdf5.File(tmp_path / name)["data"][:] for name in ("a.h5", "b.h5")]
    found = torch.cat([b["data"] for b in batches])
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found, np.concatenate(rows).astype(np.float32))
    assert data[-1]["label"] == 1
    with pytest.raises(IndexError):
        data[5]


def test_hdf5_data_in_worker_processes_and_shuffled(hdf5, tmp_path):
    data = dataset(
        "HDF5Data", HDF5.replace("source", "shuffle: true source"), tmp_path, tops=["label"]
    )
    first = [float(item["label"]) for item in (data[i] for i in range(5))]
    assert sorted(first) == [0, 0, 1, 1, 2]
    found = torch.cat([b["label"] for b in DataLoader(data, 2, num_workers=2)])
    assert found.tolist() == first


def test_hdf5_data_that_does_not_fit(hdf5, tmp_path):
    with pytest.raises(FileError, match=r"it has no data set `mask` .* it has `data`, `label`"):
        dataset("HDF5Data", HDF5, tmp_path, tops=["mask"])
    with hdf5.File(tmp_path / "b.h5", "a") as file:
        del file["label"]
        file["label"] = np.arange(7)
    with pytest.raises(FileError, match=r"`label` has 7 rows, `data` has 2"):
        dataset("HDF5Data", HDF5, tmp_path)
    with hdf5.File(tmp_path / "b.h5", "a") as file:
        del file["label"]
        file["label"] = hdf5.ExternalLink("a.h5", "label")
    with pytest.raises(FileError, match="is a link to another file"):
        dataset("HDF5Data", HDF5, tmp_path)
    (tmp_path / "b.h5").write_text("text")
    with pytest.raises(FileError, match=r"b.h5`: it can't be read as HDF5"):
        dataset("HDF5Data", HDF5, tmp_path)


@pytest.fixture
def database(tmp_path):
    """Write Datum messages into an LMDB, under keys that are not in the order of writing."""

    def write(*datums, name="db"):
        environment = lmdb.open(str(tmp_path / name), map_size=1 << 24)
        with environment.begin(write=True) as transaction:
            for index, datum in reversed(list(enumerate(datums))):
                data = datum if isinstance(datum, bytes) else datum.SerializeToString()
                transaction.put(f"{index:08}_x".encode(), data)
        environment.close()

    return write


def datum(pixels, label=0, **more):
    channels, height, width = pixels.shape
    given = (
        {"data": pixels.tobytes()} if pixels.dtype == np.uint8 else {"float_data": pixels.ravel()}
    )
    return caffe_pb2.Datum(
        channels=channels, height=height, width=width, label=label, **given, **more
    )


LMDB = 'data_param { source: "db" batch_size: 2 backend: LMDB }'


def test_data_reads_bytes_and_floats_in_the_order_of_keys(database, tmp_path):
    values = [noise(3, 4, 5), np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)]
    database(datum(values[0], 5), datum(values[1], -2))
    data = dataset("Data", LMDB, tmp_path)
    assert len(data) == 2
    (batch,) = DataLoader(data, batch_size=data.batch_size)
    assert batch["label"].tolist() == [5, -2]
    np.testing.assert_array_equal(batch["data"][0], values[0].astype(np.float32))
    np.testing.assert_array_equal(batch["data"][1], values[1])
    assert list(dataset("Data", LMDB, tmp_path, tops=["data"])[0]) == ["data"]


def test_data_is_transformed(database, tmp_path):
    values = noise(1, 8, 6)
    database(datum(values))
    transform = "transform_param { crop_size: 4 mean_value: 10 scale: 0.25 }"
    found = dataset("Data", f"{LMDB} {transform}", tmp_path)[0]["data"]
    expected = (values[:, 2:6, 1:5].astype(np.float32) - 10) * np.float32(0.25)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("force", "channels"), [("", 1), ("force_color: true", 3), ("force_gray: true", 1)]
)
def test_encoded_images(database, tmp_path, force, channels):
    plane = noise(6, 5)
    data = cv2.imencode(".png", plane)[1].tobytes()
    database(caffe_pb2.Datum(data=data, encoded=True, label=3))
    item = dataset("Data", f"{LMDB} transform_param {{ {force} }}", tmp_path)[0]
    np.testing.assert_array_equal(item["data"], np.stack([plane.astype(np.float32)] * channels))
    assert item["label"] == 3


def test_encoded_colours_are_blue_green_red(database, tmp_path):
    pixels = noise(6, 5, 3)
    database(caffe_pb2.Datum(data=cv2.imencode(".png", pixels)[1].tobytes(), encoded=True))
    found = dataset("Data", LMDB, tmp_path)[0]["data"]
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1).astype(np.float32))


def test_one_data_base_serves_several_datasets_and_processes(database, tmp_path):
    database(*(datum(noise(1, 2, 2, seed=index), index) for index in range(6)))
    data, again = dataset("Data", LMDB, tmp_path), dataset("Data", LMDB, tmp_path)
    assert [float(each[4]["label"]) for each in (data, again)] == [4, 4]
    labels = torch.cat([batch["label"] for batch in DataLoader(data, 2, num_workers=2)])
    assert labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert data[5]["label"] == 5


def test_data_that_can_not_be_read(database, tmp_path):
    with pytest.raises(FileError, match="there is no such data base"):
        dataset("Data", LMDB, tmp_path)
    database()
    with pytest.raises(FileError, match="the data base is empty"):
        dataset("Data", LMDB, tmp_path)
    short = datum(noise(1, 2, 2))
    short.height = 3
    database(short, b"\xff\xff\xff")
    data = dataset("Data", LMDB, tmp_path)
    with pytest.raises(FileError, match="the entry `00000000_x` has 4 values for 1 x 3 x 2"):
        data[0]
    with pytest.raises(FileError, match="the entry `00000001_x` is no Datum message"):
        data[1]


def test_leveldb_is_refused_with_the_reason(database, tmp_path):
    with pytest.raises(
        CaffegenError, match=r"layer `in`: .* is a LevelDB by its `backend`; LevelDB has no reader"
    ):
        dataset("Data", LMDB.replace("backend: LMDB", ""), tmp_path)
    database(datum(noise(1, 2, 2)))
    with pytest.raises(CaffegenError, match="the source is an LMDB: add `backend: LMDB`"):
        dataset("Data", LMDB.replace("LMDB", "LEVELDB"), tmp_path)


WINDOWS = """# 0
0.png
3
12
10
3
4 0.9 2 3 7 8
0 0.1 0 0 4 5
2 0.4 1 1 9 9
# 1
1.png
3
12
10
2
6 0.6 5 1 9 11
0 0.05 3 3 6 6
"""


def window_data(root, param="", transform="", **options):
    body = f'window_data_param {{ source: "windows.txt" batch_size: 4 {param} }}'
    return dataset(
        "WindowData", f"{body} transform_param {{ crop_size: 8 {transform} }}", root, **options
    )


@pytest.fixture
def windows(images, tmp_path):
    for index in range(2):  # a path in a window file has no spaces
        (tmp_path / f"image {index}.png").rename(tmp_path / f"{index}.png")
    (tmp_path / "windows.txt").write_text(WINDOWS)
    return images


def warp(image, x1, y1, x2, y2, width=8, height=8):
    part = image.transpose(1, 2, 0).astype(np.uint8)[y1 : y2 + 1, x1 : x2 + 1]
    return cv2.resize(part, (width, height)).transpose(2, 0, 1).astype(np.float32)


def test_windows_are_drawn_as_background_then_objects(windows, tmp_path):
    # 0.4 lies between the thresholds: on neither side
    data = window_data(
        tmp_path, "fg_threshold: 0.5 bg_threshold: 0.3 fg_fraction: 0.25", "mean_value: 9"
    )
    assert len(data) == 4
    expected = {
        4: warp(windows[0], 2, 3, 7, 8), 6: warp(windows[1], 5, 1, 9, 11),
    }  # fmt: skip
    background = [warp(windows[0], 0, 0, 4, 5), warp(windows[1], 3, 3, 6, 6)]
    seen = set()
    for epoch in range(20):
        data.set_epoch(epoch)
        (batch,) = DataLoader(data, batch_size=data.batch_size)
        labels = batch["label"].tolist()
        assert labels[:3] == [0, 0, 0]
        seen.add(labels[3])
        np.testing.assert_array_equal(batch["data"][3], expected[labels[3]] - 9)
        for image in batch["data"][:3].numpy():
            assert any((image == each - 9).all() for each in background)
    assert seen == {4, 6}


def test_context_around_a_window_is_padded_with_zeros(windows, tmp_path):
    (tmp_path / "windows.txt").write_text(WINDOWS.replace("4 0.9 2 3 7 8", "4 0.9 0 0 3 3"))
    data = window_data(
        tmp_path,
        "context_pad: 2 fg_threshold: 0.7 bg_threshold: 0.3 fg_fraction: 1",
        "mean_value: 3",
    )
    # 4 x 4 in the corner, doubled: from -2 to 6, of which 7 of 9 pixels are in the image
    expected = np.zeros((3, 8, 8), np.float32)
    expected[:, 2:, 2:] = warp(windows[0], 0, 0, 6, 6, 6, 6) - 3
    np.testing.assert_array_equal(data[0]["data"], expected)
    mirrored = window_data(
        tmp_path,
        "context_pad: 2 fg_threshold: 0.7 bg_threshold: 0.3 fg_fraction: 1",
        "mean_value: 3 mirror: true",
    )
    seen = set()
    for epoch in range(20):
        mirrored.set_epoch(epoch)
        found = mirrored[0]["data"].numpy()
        flipped = (found == expected[:, :, ::-1]).all()
        seen.add(bool(flipped))
        assert flipped or (found == expected).all()
    assert seen == {True, False}


def test_square_windows(windows, tmp_path):
    (tmp_path / "windows.txt").write_text(WINDOWS.replace("4 0.9 2 3 7 8", "4 0.9 3 4 6 5"))
    data = window_data(
        tmp_path, 'crop_mode: "square" fg_threshold: 0.8 bg_threshold: 0.3 fg_fraction: 1'
    )
    np.testing.assert_array_equal(data[0]["data"], warp(windows[0], 3, 3, 7, 7))


def test_the_mean_image_of_windows_is_cut_to_its_centre(windows, tmp_path):
    mean = np.random.default_rng(2).uniform(0, 50, (1, 3, 12, 12)).astype(np.float32)
    write_binaryproto(tmp_path / "mean.binaryproto", mean)
    data = window_data(
        tmp_path,
        "fg_threshold: 0.8 bg_threshold: 0.3 fg_fraction: 1",
        'mean_file: "mean.binaryproto"',
    )
    expected = warp(windows[0], 2, 3, 7, 8) - mean[0, :, 2:10, 2:10]
    np.testing.assert_array_equal(data[0]["data"], expected)


WINDOW_FAULTS = {
    "cut": (WINDOWS[:60], "it breaks off within image 0"),
    "no hashtag": ("0 " + WINDOWS, "`0` stands where image 0 begins with `#`"),
    "word": (WINDOWS.replace("0.05", "much"), "`much` stands where image 1 has a number"),
    "class": (
        WINDOWS.replace("6 0.6", "0 0.6"),
        "a window on an object has the class 0, not above 0",
    ),
    "no objects": (WINDOWS.replace("0.9", "0.1").replace("0.6", "0.1"), "it has no object windows"),
    "empty": ("\n", "it is empty"),
}


@pytest.mark.parametrize(("text", "sentence"), WINDOW_FAULTS.values(), ids=WINDOW_FAULTS)
def test_window_files_that_are_wrong(windows, tmp_path, text, sentence):
    (tmp_path / "windows.txt").write_text(text)
    with pytest.raises(FileError) as refusal:
        window_data(tmp_path)
    assert f"windows.txt`: {sentence}" in str(refusal.value)


def test_windows_outside_their_image(windows, tmp_path):
    (tmp_path / "windows.txt").write_text(WINDOWS.replace("2 3 7 8", "2 3 70 8"))
    data = window_data(tmp_path, "fg_threshold: 0.8 bg_threshold: 0.3 fg_fraction: 1")
    with pytest.raises(
        FileError, match=r"the window 2 3 70 8 lies outside its image .* of 10 x 12"
    ):
        data[0]


def test_images_that_do_not_fit(images, tmp_path):
    with pytest.raises(
        CaffegenError, match=r"layer `in`: `crop_size` \(11\) is above the image of 12 x 10"
    ):
        image_data(tmp_path, "crop_size: 11")[0]
    write_binaryproto(tmp_path / "mean.binaryproto", np.zeros((1, 3, 4, 4), np.float32))
    with pytest.raises(CaffegenError, match=r"the mean image is 3 x 4 x 4, the image 3 x 12 x 10"):
        image_data(tmp_path, 'mean_file: "mean.binaryproto"')[0]
    (tmp_path / "image 0.png").write_bytes(b"")
    with pytest.raises(FileError, match="it is empty"):
        image_data(tmp_path)[0]
    (tmp_path / "list.txt").write_text("\n\n")
    with pytest.raises(FileError, match=r"list.txt`: it is empty"):
        image_data(tmp_path)


def test_rand_skip_that_leaves_nothing(images, tmp_path):
    with pytest.raises(CaffegenError, match=r"`rand_skip` leaves out \d+ images; .* has 4"):
        image_data(tmp_path, param="rand_skip: 100000")


def test_layers_without_files_have_no_dataset():
    net = loads('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    with pytest.raises(
        CaffegenError, match=r"layer `x` \(Input\) reads no files; those that do are Data, "
    ):
        dataset_of(net.layers[0])
