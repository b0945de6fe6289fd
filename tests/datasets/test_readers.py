"""Files of data: what is read of them, and the name of the one that cannot be read."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from tests.conftest import matches
from tests.datasets.test_datasets import write_mnist
from tfvae import datasets
from tfvae.datasets import readers


def write_images(folder, sizes=((6, 5),) * 8, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate(sizes):
        shape = (height, width) if mode == "L" else (height, width, 3)
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{i:02}.png")
    return folder


# IDX


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")],
)
@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 3, 2)])
def test_an_idx_file_of_each_type_is_read(tmp_path, code, dtype, shape):
    """Numbers with another value in the other order of bytes."""
    array = np.array([1, -2, 3, 100, 7, 0]).astype(dtype).reshape(shape)
    header = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
    (tmp_path / "x.gz").write_bytes(gzip.compress(header + array.tobytes()))
    found = readers.read_idx(tmp_path / "x.gz")
    assert found.shape == shape
    assert found.tolist() == array.tolist()


NO_SIZES, TOO_SHORT = b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x09abc"
DAMAGED = {
    "empty": b"",
    "not gzip": b"not gzip",
    "no sizes": gzip.compress(NO_SIZES),
    "too short": gzip.compress(TOO_SHORT),
    "too long": gzip.compress(TOO_SHORT + b"defghij"),
    "another kind": gzip.compress(b"\1" + TOO_SHORT[1:] + b"defghi"),
    "unknown type": gzip.compress(b"\0\0\x0a" + TOO_SHORT[3:] + b"defghi"),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_idx_file_is_named(tmp_path, damage):
    write_mnist(tmp_path, "mnist")
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(damage)
    with pytest.raises(ValueError, match=matches("train-labels-idx1-ubyte.gz")):
        datasets.load("mnist", tmp_path)


# Images


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_images_is_read_in_the_order_of_their_names(tmp_path, mode, channels):
    folder = write_images(tmp_path / "images", mode=mode)
    pixels = {path.name: np.asarray(Image.open(path)) for path in folder.iterdir()}
    (folder / "notes.txt").write_text("not an image")
    (folder / "aa").mkdir()
    (folder / "04.png").rename(folder / "aa" / "00.PNG")  # after those of the folder itself
    names = ["00.png", "01.png", "02.png", "03.png", "05.png", "06.png", "07.png", "04.png"]
    expected = np.stack([pixels[name].reshape(5, 6, channels) for name in names])
    images = readers.read_images(folder)
    assert images.dtype == np.float32
    assert np.array_equal(images, expected.astype(np.float32) / np.float32(255))
    found = datasets.load(folder)
    assert (found.x_train.shape, found.x_test.shape) == ((7, 5, 6, channels), (1, 5, 6, channels))
    assert found.note == "8-bit images divided by 255; a random sixth held out, seed 0"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_an_image_of_any_8_bit_mode_is_read_as_grey_or_colour(tmp_path, mode):
    """One pixel of each: black, white, and red where there are colours; opaque."""
    colours = Image.new("RGB", (3, 1))
    for i, colour in enumerate([(0, 0, 0), (255, 255, 255), (255, 0, 0)]):
        colours.putpixel((i, 0), colour)
    colours.convert(mode).save(tmp_path / "x.tif")
    (found,) = readers.read_images(tmp_path)
    if mode in ("1", "L", "LA"):
        assert found.shape == (1, 3, 1)
        assert found[0, :2, 0].tolist() == [0, 1]
    else:
        assert found.tolist() == [[[0, 0, 0], [1, 1, 1], [1, 0, 0]]]


def test_grey_images_among_colours_become_colours(tmp_path):
    Image.new("L", (2, 1), 51).save(tmp_path / "a.png")
    Image.new("RGB", (2, 1), (0, 51, 255)).save(tmp_path / "b.png")
    found = readers.read_images(tmp_path)
    assert np.allclose(found, [[[[0.2] * 3] * 2], [[[0, 0.2, 1]] * 2]])


@pytest.mark.parametrize(
    ("dtype", "file"),
    [(np.uint16, "x.png"), (np.int32, "x.tif"), (np.float32, "x.tif")],
)
def test_an_image_of_more_than_8_bits_is_refused_and_not_cut_off(tmp_path, dtype, file):
    Image.fromarray(np.array([[0, 300, 60000]], dtype)).save(tmp_path / file)
    with pytest.raises(ValueError, match=matches("8 bits", file, "npy")):
        readers.read_images(tmp_path)


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


def test_images_of_two_sizes_are_refused_by_name(tmp_path):
    folder = write_images(tmp_path / "images", sizes=((6, 5), (6, 5), (7, 5)))
    with pytest.raises(ValueError, match=matches("02.png", r"\(5, 7\)", r"\(5, 6\)")):
        datasets.load(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=matches("images in")):
        datasets.load(tmp_path)


# NumPy


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_that_is_no_array_is_named(tmp_path, suffix):
    (tmp_path / f"text{suffix}").write_text("hello")
    with pytest.raises(ValueError, match=matches(f"text{suffix}")):
        datasets.load(tmp_path / f"text{suffix}")
    with pytest.raises(ValueError, match=matches(f"gone{suffix}")):
        datasets.load(tmp_path / f"gone{suffix}")
