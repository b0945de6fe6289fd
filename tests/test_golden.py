"""Files of earlier versions: each is read, and draws what it drew when it was written."""

import numpy as np
import pytest

import tfvae
from tests.golden import needs_their_keras
from tests.golden.__main__ import FOLDER, draws_of

READERS = {".keras": tfvae.load_model, ".tflite": tfvae.export.Sampler}
FILES = sorted(FOLDER.glob("*/*.keras"))


def expected_of(path):
    stored = dict(np.load(path.with_suffix(".npz")))
    return stored, stored.pop("y", None)


def test_there_are_files_of_every_kind_of_model():
    kinds = {path.stem for path in FILES}
    assert kinds >= {"plain", "conditional_vamp", "ladder", "colours"}


@needs_their_keras
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("suffix", READERS)
def test_a_file_of_an_earlier_version_draws_what_it_drew(path, suffix):
    expected, y = expected_of(path)
    drawn_by = READERS[suffix](path.with_suffix(suffix))
    for name, values in draws_of(drawn_by, y).items():
        # A uniform that falls between two values of one probability may draw the other.
        assert np.mean(np.abs(values - expected[name]) > 1e-5) < 0.02, name
