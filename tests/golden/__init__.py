"""Files that were written once, by the versions in the names of their folders."""

import keras
import pytest

# Keras reads no `.keras` file of a later Keras.
WRITTEN_BY = (3, 15)
needs_their_keras = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < WRITTEN_BY,
    reason=f"the files are of Keras {WRITTEN_BY}",
)
