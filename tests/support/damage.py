"""Damages files in many ways, and reads them: `python -m tests.support.damage KIND FIRST COUNT`.

The command prints one JSON line for each damaged file. It may take 1 GB beyond its imports, and
a minute a file; what takes more ends it by a signal.
"""

import gzip
import hashlib
import json
import random
import re
import shutil
import signal
import struct
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfvae import datasets
from tfvae.errors import InputError, InputTypeError

GOLDEN = Path(__file__).parents[1] / "golden" / "0.1.0"
BYTES, SECONDS = 2**30, 60


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        make: writes a good file, and those beside it, in a folder, and returns its path.
        read: reads it, and returns what was read.
        named: names of which the message has one, beside its own.
        checked: True of a format with checksums: what is read is what was there.
    """

    make: object
    read: object
    named: tuple = ()
    checked: bool = False


# How a file is damaged: functions of its bytes, a source of random numbers, and foreign bytes


def flip(data, rng, _):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_start(data, rng, foreign):
    return flip(data[:200], rng, foreign) + data[200:]


def truncate(data, rng, _):
    return data[: rng.randrange(len(data))]


def number(data, rng, _):
    """Four bytes or eight become an extreme number."""
    place = rng.randrange(len(data))
    extreme = rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0" * 8))
    return data[:place] + extreme + data[place + len(extreme) :]


def noise(data, rng, _):
    place = rng.randrange(len(data))
    length = rng.randrange(1, 200)
    return data[:place] + rng.randbytes(length) + data[place + length :]


def move(data, rng, _):
    a, b, to = (rng.randrange(len(data)) for _ in range(3))
    piece = data[min(a, b) : max(a, b)]
    return data[:to] + piece + data[to:]


def drop(data, rng, _):
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randrange(1, 100) :]


def letters(data, rng, _):
    """What is text stays text: digits and letters become others."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        data[rng.randrange(len(data))] = rng.choice(b'0123456789-.,;:eE"{}[] ntf\n')
    return bytes(data)


def replaced(data, rng, foreign):
    return rng.choice((b"", b"\0" * 1000, rng.randbytes(1000), *foreign))


def joined(data, rng, foreign):
    other = rng.choice(foreign)
    return rng.choice((data + other, other[: len(other) // 2] + data, data + data))


WAYS = (
    flip, flip, flip_start, flip_start, truncate, truncate, number, number, noise, move, drop,
    letters, letters, replaced, joined,
)  # fmt: skip


# Kinds of files


def _arrays(path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    return np.save(path, x) if path.suffix == ".npy" else np.savez(path, x=x, y=np.arange(30))


def _packed(path):
    np.savez_compressed(path, x_train=np.zeros((60, 8), np.uint8), x_test=np.ones((20, 8)))


def _images(path):
    """MNIST's four files, of which the first images are the damaged ones."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 30), ("t10k", 10)):
        for name, x in (
            (f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28))),
            (f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, n)),
        ):
            header = struct.pack(f">HBB{x.ndim}I", 0, 8, x.ndim, *x.shape)
            path.with_name(name).write_bytes(gzip.compress(header + x.astype("u1").tobytes()))


def _picture(path):
    """A picture, and a good one beside it."""
    from PIL import Image

    x = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    Image.fromarray(x).save(path)
    Image.fromarray(x).save(path.with_name("a.png"))


def _deep(path):
    from PIL import Image

    x = np.random.default_rng(0).integers(0, 65_536, (12, 10)).astype(np.uint16)
    Image.fromarray(x).save(path)
    Image.fromarray(x).save(path.with_name("a.png"))


def _packed_picture(path):
    from PIL import Image

    x = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    frames = [Image.fromarray(x), Image.fromarray(x[::-1])]
    frames[0].save(path, save_all=True, append_images=frames[1:], compression="tiff_lzw")
    frames[0].save(path.with_name("a.png"))


def _table(path):
    import pandas as pd

    rng = np.random.default_rng(0)
    words = rng.choice(["red", "green", "blue"], 60)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": words, "c": rng.poisson(3, 60)})
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)


def _golden(path):
    for file in GOLDEN.glob("plain.*"):
        if file.suffix != ".npz":
            shutil.copy(file, path.with_suffix(file.suffix))


def _load(path, *folder):
    """A digest of the arrays that are read."""
    (x, y), (x_test, y_test) = datasets.load(path, *folder)
    found = [np.asarray(part) for part in (x, y, x_test, y_test) if part is not None]
    digests = [hashlib.sha256(part.tobytes()).hexdigest()[:8] for part in found]
    return [(part.dtype.str, part.shape) for part in found], digests


def _sampler(path):
    from tfvae.export import Sampler

    return np.asarray(Sampler(path.with_suffix(".tflite")).sample(5, seed=7)).tolist()


def _hashed_sampler(path):
    """Whoever damaged the file has written its new hash into the sidecar."""
    sidecar = path.with_suffix(".json")
    found = json.loads(sidecar.read_text())
    found["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar.write_text(json.dumps(found))
    return _sampler(path)


def _model(path):
    import tfvae

    return np.asarray(tfvae.load_model(path).sample(5, seed=7)).tolist()


def _member(path):
    """A part of a `.keras` file."""
    with zipfile.ZipFile(GOLDEN / "plain.keras") as archive:
        path.write_bytes(archive.read(path.name))


def _zipped_model(path):
    """The file with this part, and the checksum that the part has now."""
    parts = ("config.json", "metadata.json", "model.weights.h5")
    with zipfile.ZipFile(GOLDEN / "plain.keras") as good:
        content = {name: good.read(name) for name in parts} | {path.name: path.read_bytes()}
    with zipfile.ZipFile(path.with_name("m.keras"), "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return _model(path.with_name("m.keras"))


def _mnist(path):
    return _load("mnist", path.parent.parent)


def _beside(path):
    return _load(path.parent)


KINDS = {
    "x.npy": Kind(_arrays, _load),
    "x.npz": Kind(_arrays, _load, checked=True),
    "packed.npz": Kind(_packed, _load, checked=True),
    "mnist/train-images-idx3-ubyte.gz": Kind(_images, _mnist, checked=True),
    "mnist/train-labels-idx1-ubyte.gz": Kind(_images, _mnist, checked=True),
    "album/b.png": Kind(_picture, _beside),
    "album/deep.png": Kind(_deep, _beside),
    "album/b.jpg": Kind(_picture, _beside),
    "album/b.tiff": Kind(_picture, _beside),
    "album/packed.tif": Kind(_packed_picture, _beside),
    "x.csv": Kind(_table, _load),
    "x.parquet": Kind(_table, _load),
    "m.json": Kind(_golden, _sampler, ("m.tflite",), checked=True),
    "m.tflite": Kind(_golden, _sampler, checked=True),
    "m.keras": Kind(_golden, _model, checked=True),
}
# What a reader cannot know to be damaged before native code has read it.
NATIVE = {
    "m.tflite": Kind(_golden, _hashed_sampler),
    "config.json": Kind(_member, _zipped_model, ("m.keras",)),
    "metadata.json": Kind(_member, _zipped_model, ("m.keras",)),
    "model.weights.h5": Kind(_member, _zipped_model, ("m.keras",)),
}


def good(name, folder, kinds=KINDS):
    """Writes a good file of a kind, and returns its path."""
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds[name].make(path)
    return path


def damaged(data, number, foreign):
    """The bytes of a file, damaged in the way of this number, with the name of the way."""
    rng = random.Random(number)
    way = WAYS[number % len(WAYS)]
    return way(data, rng, foreign), way.__name__


def outcome(kind, path):
    """Reads a file: ("read", a result), ("refused", a message) or ("raw", a traceback)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = kind.read(path)
    except (InputError, InputTypeError) as error:
        told = str(error)
        whole = all(part in told for part in ("Expected ", " Received: ", " Fix: "))
        whole = whole and any(name in told for name in (path.name, *kind.named))
        return ("refused", told) if whole else ("not told", told)
    except Exception:
        return "raw", traceback.format_exc()
    return "read", repr(found)


def attempts(name, folder, first, count, kinds=KINDS):
    """Damages a file in many ways, and yields (number, way, what came of it, words)."""
    kind, path = kinds[name], good(name, folder, kinds)
    expected = repr(kind.read(path))
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    foreign = [file.read_bytes() for file in sorted(GOLDEN.glob("plain.*"))]
    for number in range(first, first + count):
        for file, data in before.items():
            file.write_bytes(data)
        data, way = damaged(before[path], number, foreign)
        path.write_bytes(data)
        came, words = outcome(kind, path)
        if came == "read" and kind.checked and words != expected:
            came = "read as something else"
        yield number, way, came, words


def _limit():
    import resource

    status = Path("/proc/self/status").read_text()
    limit = int(re.search(r"VmSize:\s+(\d+)", status)[1]) * 1024 + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(name, first, count, native=""):
    """Reads damaged files within limits, after one good one, which does the imports."""
    kinds = NATIVE if native else KINDS
    with tempfile.TemporaryDirectory() as folder:
        kinds[name].read(good(name, folder, kinds))
        _limit()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        for attempt in attempts(name, folder, first, count, kinds):
            print(json.dumps(attempt), flush=True)
            signal.alarm(SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
