"""Numbers whose differences float32 cannot hold are told of, and no others."""

import numpy as np
import pandas
import pytest

import tfvae
from tfvae import datasets
from tfvae.validation import lost_digits

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(40, 3))
SECONDS = 1_700_000_000
LOST = {
    "an offset": NORMAL + [0, 1e9, 0],
    "identifiers": RNG.integers(10**9, 10**9 + 1000, (40, 2)),
    "nanoseconds": SECONDS * 10**9 + RNG.integers(0, 3600 * 10**9, (40, 1)),
    "whole numbers": np.array([[2**24], [2**24 + 1]]),
    "beside missing ones": np.where(NORMAL > 1, np.nan, NORMAL + 1e9),
}
KEPT = {
    "standardized": NORMAL,
    "float32": (NORMAL + 1e9).astype(np.float32),
    "seconds in a year": SECONDS + RNG.integers(0, 365 * 86_400, (40, 1)),
    "large whole numbers": 10**6 + RNG.integers(0, 10, (40, 2)),
    "constants": np.full((40, 2), 1e9 + 1),
    "noise of arithmetic": np.array([[0.3], [0.1 + 0.2]]),
    "bytes": RNG.integers(0, 256, (40, 8)).astype(np.uint8),
    "one example": np.array([[1e9 + 1.5]]),
    "no example": np.empty((0, 3)),
    "none but missing ones": np.full((40, 2), np.nan),
    "infinite ones": np.where(NORMAL > 1, np.inf, NORMAL),
}


@pytest.mark.parametrize("name", LOST)
def test_lost_digits_are_told_with_their_place(name, caplog):
    lost_digits.tell(LOST[name], "heights")
    (record,) = caplog.records
    place = 1 if name == "an offset" else 0
    assert record.getMessage().startswith(f"heights[:, {place}] lies between ")
    assert "subtract an offset first" in record.getMessage()


@pytest.mark.parametrize("name", KEPT)
def test_nothing_is_told_of_numbers_that_are_kept(name, caplog):
    lost_digits.tell(KEPT[name])
    assert not caplog.records


def test_the_step_is_that_of_float32(caplog):
    lost_digits.tell(LOST["an offset"])
    assert "has a number every 64:" in caplog.text
    assert np.float32(1e9) + np.float32(31) == np.float32(1e9)
    assert np.float32(1e9) + np.float32(33) == np.float32(1e9 + 64)


def test_fit_tells_of_them(caplog):
    vae = tfvae.mlp_vae((3,), 2, (4,), likelihood=tfvae.likelihoods.Normal())
    vae.compile("adam", jit_compile=False)
    vae.fit(NORMAL * 1e-4 + [0, 1e3, 0], verbose=0)
    assert "x[:, 1] lies between" in caplog.text


def test_files_and_tables_tell_of_them(tmp_path, caplog):
    np.save(tmp_path / "x.npy", LOST["an offset"])
    datasets.load(tmp_path / "x.npy")
    assert "x.npy[:, 1] lies between" in caplog.text

    frame = pandas.DataFrame({"a": NORMAL[:, 0], "time": 1e9 + NORMAL[:, 1]})
    datasets.Table.of(frame).to_array(frame)
    assert "column 'time' [:, 0] lies between" in caplog.text


def test_of_a_stream_the_first_batch_tells_and_later_ones_say_nothing(caplog):
    def batches():
        for first in range(0, 40, 10):
            yield (NORMAL[first : first + 10] * 1e-4 + [0, 1e3, 0],)

    vae = tfvae.mlp_vae((3,), 2, (4,), likelihood=tfvae.likelihoods.Normal())
    vae.compile("adam", jit_compile=False)
    vae.fit(batches(), steps_per_epoch=4, verbose=0)
    told = [record.getMessage() for record in caplog.records if "lies between" in record.message]
    assert len(told) == 1 and told[0].startswith("a batch of x[:, 1]")
