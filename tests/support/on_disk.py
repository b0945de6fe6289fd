"""Arrays that lie on disk."""

from tfvae._files import mapped


def on_disk(x):
    """Returns a float32 array on disk with the values of x."""
    made = mapped.empty(x.shape)
    made[:] = x
    return made
