"""Image files and resizing: OpenCV says what the pixels are."""

import cv2
import numpy as np
import pytest
from PIL import Image

from caffegen import FileError
from caffegen.pytorch.images import decode_image, read_image, resize


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


SIZES = [
    ((37, 53), (24, 24)), ((10, 11), (24, 20)), ((1, 1), (4, 4)), ((48, 48), (24, 24)),
    ((48, 40), (24, 23)), ((375, 500), (227, 227)), ((5, 7), (64, 3)), ((1, 9), (5, 2)),
]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("old", "new"), SIZES, ids=str)
def test_resizing_is_opencvs_bit_for_bit(old, new, channels):
    image = noise(*old, channels)
    expected = cv2.resize(image, new[::-1]).reshape(*new, channels)
    np.testing.assert_array_equal(resize(image, *new), expected)


def test_resizing_to_the_same_size_changes_nothing():
    image = noise(5, 6, 3)
    np.testing.assert_array_equal(resize(image, 5, 6), image)


FORMS = {
    "rgb": ("x.png", noise(6, 5, 3)),
    "grey": ("x.png", noise(6, 5)),
    "alpha": ("x.png", noise(6, 5, 4)),
    "sixteen bits": ("x.png", noise(6, 5).astype(np.uint16) * 256 + 7),
    "bmp": ("x.bmp", noise(6, 5, 3)),
}


@pytest.mark.parametrize("flag", [cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE], ids=["color", "grey"])
@pytest.mark.parametrize(("name", "pixels"), FORMS.values(), ids=FORMS)
def test_images_are_read_as_opencv_reads_them(tmp_path, name, pixels, flag):
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    expected = cv2.imread(str(path), flag)
    found = read_image(path, color=flag == cv2.IMREAD_COLOR)
    # grey from colour is rounded differently
    bound = 1 if flag == cv2.IMREAD_GRAYSCALE and pixels.ndim == 3 else 0
    difference = np.abs(found.astype(int) - expected.reshape(found.shape).astype(int))
    assert difference.max() <= bound


@pytest.mark.parametrize("flag", [cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE], ids=["color", "grey"])
def test_photographs_are_turned_as_they_say(tmp_path, flag):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.tile(np.arange(0, 240, 5, dtype=np.uint8)[:, None, None], (1, 32, 3))).save(
        tmp_path / "x.jpg", exif=exif
    )
    expected = cv2.imread(str(tmp_path / "x.jpg"), flag)
    found = read_image(tmp_path / "x.jpg", color=flag == cv2.IMREAD_COLOR)
    assert found.shape[:2] == (32, 48)
    assert np.abs(found.squeeze().astype(int) - expected).max() <= 2


def test_unchanged_keeps_the_number_of_channels(tmp_path):
    for shape in ((6, 5), (6, 5, 3), (6, 5, 4)):
        data = cv2.imencode(".png", noise(*shape))[1]
        expected = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        found = decode_image(data.tobytes(), "x.png", color=None)
        np.testing.assert_array_equal(found.squeeze(), expected)


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(noise(6, 5, 3)).convert("P")
    image.save(tmp_path / "x.png", transparency=bytes(range(256)))
    expected = np.asarray(image.convert("RGB"))[:, :, ::-1]
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), expected)


def test_too_many_pixels_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.fromarray(noise(6, 5, 3)).save(tmp_path / "x.png")
    with pytest.raises(FileError, match="it has more pixels than Pillow reads"):
        read_image(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert read_image(tmp_path / "x.png").shape == (6, 5, 3)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(FileError, match="it can't be read: is a directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("color", [True, False, None])
def test_lab_colours_become_those_of_the_net(tmp_path, color):
    path = tmp_path / "x.tif"
    Image.fromarray(noise(6, 5, 3)).convert("LAB").save(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    if color is False:
        expected = np.asarray(Image.fromarray(expected).convert("L"))[:, :, None]
    np.testing.assert_array_equal(read_image(path, color=color), expected[:, :, ::-1])


def test_colours_that_can_not_be_converted_are_no_damage(tmp_path, monkeypatch):
    def convert(self, mode):
        raise ValueError(f"conversion from {self.mode} to {mode} not supported")

    Image.fromarray(noise(6, 5, 4), mode="CMYK").save(tmp_path / "x.tif")
    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(FileError) as refusal:
        read_image(tmp_path / "x.tif")
    sentence = "its colours are CMYK, which Pillow does not convert to RGB; save it as RGB"
    assert refusal.value.sentence == sentence
