"""The ranges of the options; all else that a user may get wrong is in test_wrong_commands.py."""

import pytest
import typer

from tests.app.test_options import COMMANDS, words_of


@pytest.mark.parametrize(
    ("command", "option", "last", "beyond"),
    [
        ("train", "latent_dim", 1, 0),
        ("train", "epochs", 1, 0),
        ("train", "batch_size", 1, 0),
        ("train", "learning_rate", 1e-9, 0.0),
        ("train", "num_samples", 1, 0),
        ("train", "num_examples", 0, -1),
        ("train", "seed", 0, -1),
        ("train", "seed", 2**31 - 1, 2**31),
        ("evaluate", "num_samples", 1, 0),
        ("evaluate", "num_examples", 0, -1),
        ("sample", "count", 1, 0),
        ("sample", "seed", -(2**31), -(2**31) - 1),
        ("sample", "seed", 2**32 - 1, 2**32),
        ("export", "batch_size", 1, 0),
        ("demo", "port", 65535, 65536),
    ],
)
def test_an_option_takes_its_last_value_and_none_beyond(command, option, last, beyond):
    def read(value):
        words = words_of(command, **{option: value})
        return COMMANDS[command].make_context(command, words).params[option]

    assert read(last) in (last, [last])
    with pytest.raises(typer.BadParameter):
        read(beyond)
