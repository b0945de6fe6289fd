"""Folders of pictures of all modes, depths and sizes, as the stated rules have them."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import matches
from tfvae import datasets
from tfvae.datasets import pictures
from tfvae.errors import InputError


def write_images(folder, sizes=((6, 5),) * 8, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate(sizes):
        shape = (height, width) if mode == "L" else (height, width, 3)
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{i:02}.png")
    return folder


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_images_is_read_in_the_order_of_their_names(tmp_path, mode, channels):
    folder = write_images(tmp_path / "images", mode=mode)
    pixels = {path.name: np.asarray(Image.open(path)) for path in folder.iterdir()}
    (folder / "notes.txt").write_text("not an image")
    (folder / "aa").mkdir()
    (folder / "04.png").rename(folder / "aa" / "00.PNG")  # after those of the folder itself
    names = ["00.png", "01.png", "02.png", "03.png", "05.png", "06.png", "07.png", "04.png"]
    expected = np.stack([pixels[name].reshape(5, 6, channels) for name in names])
    images = pictures.read(folder).x
    assert images.dtype == np.float32
    assert np.array_equal(images, expected.astype(np.float32) / np.float32(255))
    found = datasets.load(folder)
    assert (found.x_train.shape, found.x_test.shape) == ((7, 5, 6, channels), (1, 5, 6, channels))
    assert found.note == "values from 0 to 1; a random sixth held out, seed 0"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_an_image_of_any_8_bit_mode_is_read_as_grey_or_colour(tmp_path, mode):
    """One pixel of each: black, white, and red where there are colours; opaque."""
    colours = Image.new("RGB", (3, 1))
    for i, colour in enumerate([(0, 0, 0), (255, 255, 255), (255, 0, 0)]):
        colours.putpixel((i, 0), colour)
    colours.convert(mode).save(tmp_path / "x.tif")
    (found,) = pictures.read(tmp_path).x
    if mode in ("1", "L", "LA"):
        assert found.shape == (1, 3, 1)
        assert found[0, :2, 0].tolist() == [0, 1]
    else:
        assert found.tolist() == [[[0, 0, 0], [1, 1, 1], [1, 0, 0]]]


def test_grey_images_among_colours_become_colours(tmp_path):
    Image.new("L", (2, 1), 51).save(tmp_path / "a.png")
    Image.new("RGB", (2, 1), (0, 51, 255)).save(tmp_path / "b.png")
    found = pictures.read(tmp_path).x
    assert np.allclose(found, [[[[0.2] * 3] * 2], [[[0, 0.2, 1]] * 2]])


def test_an_unreadable_image_is_named(tmp_path):
    folder = write_images(tmp_path / "images")
    (folder / "05.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=matches("05.png")):
        datasets.load(folder)


def test_a_truncated_image_is_named(tmp_path):
    folder = write_images(tmp_path / "images", sizes=((60, 50),) * 3)
    whole = (folder / "01.png").read_bytes()
    (folder / "01.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=matches("01.png")):
        datasets.load(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=matches("images in")):
        datasets.load(tmp_path)


# Depth, orientation, transparency, frames


def test_grey_of_16_bits_keeps_its_depth(tmp_path):
    levels = np.array([[0, 1, 300, 60_000, 65_535]], np.uint16)
    for name in ("a.png", "b.tif"):
        Image.fromarray(levels).save(tmp_path / name)
    found = pictures.read(tmp_path).x
    assert found[..., 0] == pytest.approx(np.stack([levels, levels]) / 65_535, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "channels"),
    [(0, 1), (2, 3), (4, 2), (6, 4)],
    ids=["grey", "colours", "grey with alpha", "colours with alpha"],
)
def test_colours_or_alpha_of_16_bits_are_read_as_of_8_and_that_is_said(tmp_path, kind, channels):
    """Which Pillow reads so. The file is made by hand, since Pillow writes none (PNG, 11.2.2)."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", 2, 1, 16, kind, 0, 0, 0)
    row = b"\0" + np.full(2 * channels, 0xFFFF, ">u2").tobytes()
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    found = pictures.read(tmp_path)
    assert np.all(found.x == 1)
    assert found.note == ("" if kind == 0 else "colours or alpha of 16 bits read as of 8: 1")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_whose_white_is_zero_is_as_bright_as_it_looks(tmp_path, dtype):
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    Image.fromarray(np.array([[0, white]], dtype)).save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(struct.pack("<HHI", 262, 3, 1)) + 8  # the tag: one number of 16 bits
    data[at] = 0
    (tmp_path / "a.tif").write_bytes(data)
    (found,) = pictures.read(tmp_path).x
    assert found[..., 0].tolist() == [[1, 0]]


def test_floats_are_kept_and_those_beyond_white_are_refused(tmp_path):
    values = np.array([[0.0, 0.123456, 1.0]], np.float32)
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert pictures.read(tmp_path).x[0, ..., 0] == pytest.approx(values, rel=1e-6)
    for wrong in (values * 300, values - 0.5, values * np.nan):
        Image.fromarray(wrong).save(tmp_path / "x.tif")
        with pytest.raises(ValueError, match=matches("x.tif", "0 to 1", "npy")):
            pictures.read(tmp_path)


def test_whole_numbers_of_32_bits_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 300]], np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=matches("x.tif", "32 bits", "npy")):
        pictures.read(tmp_path)


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    """Orientation 6 is a picture whose right side is up; 3 one that stands on its head."""
    pixels = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
    for number, orientation in enumerate((6, 6)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / f"{number}.png", exif=exif)
    found = pictures.read(tmp_path)
    assert np.array_equal(np.round(found.x[0, ..., 0] * 255), np.rot90(pixels, -1))
    assert "turned as the camera says: 2" in found.note


def test_what_is_transparent_lies_on_white(tmp_path):
    colours = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "x.png")
    found = pictures.read(tmp_path)
    expected = [[1, 0, 0], [1, 1, 1], [127 / 255] * 3]
    assert found.x[0, 0] == pytest.approx(np.array(expected), abs=0.005)
    assert "transparent, put on white: 1" in found.note


def test_a_palette_with_a_transparent_colour_and_grey_with_alpha(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.png", transparency=1)
    assert pictures.read(tmp_path).x[0, 0].tolist() == [[1, 0, 0], [1, 1, 1]]
    (tmp_path / "a.png").unlink()
    Image.fromarray(np.array([[[0, 255], [0, 0]]], np.uint8), "LA").save(tmp_path / "b.png")
    assert pictures.read(tmp_path).x[0, 0].tolist() == [[0], [1]]


def test_of_an_animation_the_first_frame_counts_and_that_is_said(tmp_path):
    first, second = (Image.new("L", (2, 2), level) for level in (0, 255))
    first.save(tmp_path / "x.gif", save_all=True, append_images=[second])
    found = pictures.read(tmp_path)
    assert (found.x == 0).all() and "first frame of several: 1" in found.note


# Sizes


def test_pictures_of_several_sizes_are_cropped_at_the_centre_and_said(tmp_path):
    """A white square in a black margin: of a wide picture only the middle stays."""
    for name, (width, height) in {"a": (40, 20), "b": (24, 24), "c": (20, 50)}.items():
        pixels = np.full((height, width), 255, np.uint8)
        if width > height:
            pixels[:, :10] = pixels[:, -10:] = 0
        if height > width:
            pixels[:15] = pixels[-15:] = 0
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    found = pictures.read(tmp_path)
    assert found.x.shape == (3, 20, 20, 1) and (found.x == 1).all()
    assert found.note == "cropped at the centre and resized to 20x20"
    assert datasets.load(tmp_path).note.startswith(f"values from 0 to 1; {found.note}; a random")


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((8, 12), (8, 12))])
def test_the_size_that_is_asked_for(tmp_path, size, shape):
    write_images(tmp_path, sizes=((30, 20), (16, 16)), mode="RGB")
    assert pictures.read(tmp_path, size).x.shape == (2, *shape, 3)
    assert datasets.load(tmp_path, image_size=size).event_shape == (*shape, 3)


def test_padding_keeps_the_whole_picture(tmp_path):
    Image.new("L", (8, 4), 255).save(tmp_path / "x.png")
    found = pictures.read(tmp_path, 8, fit="pad").x[0, ..., 0]
    assert (found[2:6] == 1).all() and (found[:2] == 0).all() and (found[6:] == 0).all()
    x, _ = datasets.joined(datasets.load(tmp_path, image_size=8, least=1, image_fit="pad"))
    assert np.array_equal(x[0, ..., 0], found)
    stream = datasets.stream(tmp_path, 1, 8, image_fit="pad")
    assert np.array_equal(next(stream.as_numpy_iterator())[0, ..., 0], found)


def test_another_way_to_fit_is_refused(tmp_path):
    write_images(tmp_path)
    for load in (datasets.load, lambda path, **how: datasets.stream(path, 1, **how)):
        with pytest.raises(ValueError, match=matches("'crop' or 'pad'", "'stretch'")):
            load(tmp_path, image_fit="stretch")


def test_shrinking_averages_and_keeps_the_depth(tmp_path):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 65_536, (40, 40)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "x.png")
    found = pictures.read(tmp_path, 4).x
    assert found.mean() == pytest.approx(levels.mean() / 65_535, abs=0.02)
    assert 0 < found.std() < 0.15 and len(np.unique(np.round(found * 255, 3) % 1)) > 2


def test_a_size_of_a_large_folder_is_a_multiple_of_four_up_to_64(tmp_path):
    write_images(tmp_path, sizes=((31, 40), (33, 31), (35, 90)))
    assert pictures.read(tmp_path).x.shape == (3, 28, 28, 1)
    write_images(tmp_path, sizes=((300, 200), (210, 220), (400, 201)))
    assert pictures.read(tmp_path).x.shape == (3, 64, 64, 1)


# Labels


def test_folders_of_pictures_are_labels(tmp_path):
    for name, level in (("dogs", 255), ("cats", 0)):
        (tmp_path / name / "deep").mkdir(parents=True)
        for i in range(6):
            Image.new("L", (2, 2), level).save(tmp_path / name / "deep" / f"{i}.png")
    found = datasets.load(tmp_path)
    assert found.classes == ("cats", "dogs")
    for x, y in found:
        assert y.dtype == np.int32 and np.array_equal(x[:, 0, 0, 0], y)


def test_pictures_of_one_folder_or_beside_folders_have_no_labels(tmp_path):
    write_images(tmp_path / "only")
    assert datasets.load(tmp_path).y_train is None
    write_images(tmp_path / "other")
    write_images(tmp_path)
    assert datasets.load(tmp_path).y_train is None


# Refused by name


def test_a_pipe_among_the_pictures_is_refused_and_not_waited_for(tmp_path):
    write_images(tmp_path)
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=matches("a.png", "regular")):
        pictures.read(tmp_path)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_read(tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=matches("bomb.png", "10000x10000")):
        pictures.read(tmp_path)


@pytest.mark.parametrize("orientation", [0, 8, 9, 65_535])
def test_an_orientation_that_there_is_not_turns_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in "ab":
        Image.new("RGB", (12, 8)).save(tmp_path / f"{name}.jpg", exif=exif)
    found = pictures.read(tmp_path)
    assert found.x.shape == ((2, 12, 8, 3) if orientation == 8 else (2, 8, 12, 3))
    assert ("turned" in found.note) == (orientation == 8)


def test_hidden_files_and_folders_are_none_of_the_pictures(tmp_path):
    for place in ("cats/a.png", "dogs/b.png", ".thumbs/c.png", "cats/.d.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / place)
    (tmp_path / "cats" / "._a.png").write_bytes(b"what a system keeps about a file")
    found = pictures.read(tmp_path)
    assert found.classes == ("cats", "dogs") and len(found.x) == 2


@pytest.mark.parametrize("size", ["8", 0, -4, 8.5, (8, 8, 3), (8, 0), None])
def test_a_size_is_one_or_two_whole_numbers(tmp_path, size):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    if size is None:
        assert pictures.read(tmp_path, [4, 6]).x.shape == (1, 4, 6, 1)
        return
    with pytest.raises(InputError, match=matches("image_size", "height, width")):
        pictures.read(tmp_path, size)
