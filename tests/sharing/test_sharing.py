"""Models go to others and come back the same: by a folder, by a hub, and by Keras' own paths."""

import json
import sys

import keras
import numpy as np
import pytest
import yaml

import tfvae
from tests.conftest import largest_difference, matches
from tests.sharing import fake_hub
from tests.support import zoo
from tfvae.errors import InputError, InputTypeError, WriteError

pytest.importorskip("huggingface_hub")

from huggingface_hub import constants, hf_api  # noqa: F401  (they hold the address)


@pytest.fixture(scope="module")
def vae():
    """A model after one step, so that its optimizer and step count are no first ones."""
    keras.utils.set_random_seed(0)
    vae = tfvae.mlp_vae(zoo.SHAPE, 3, (8,), condition=4, seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    vae.fit(zoo.binary(), np.arange(12) % 4, verbose=0)
    return vae


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with fake_hub.running() as found:
        addresses = {
            "ENDPOINT": found.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": found.address
            + "/{repo_id}/resolve/{revision}/{filename}",
        }
        # Some modules have them by name; which ones depends on the version.
        modules = [m for name, m in sys.modules.items() if name.startswith("huggingface_hub.")]
        for module in modules:
            for name in addresses.keys() & vars(module).keys():
                monkeypatch.setattr(module, name, addresses[name])
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", fake_hub.TOKEN)
        yield found


def assert_same(found, vae):
    assert isinstance(found, tfvae.VAE)
    labels = np.arange(4)
    assert largest_difference(found.sample(4, 7, labels), vae.sample(4, 7, labels)) == 0
    assert int(found.steps_trained) == int(vae.steps_trained) == 1
    for one, other in zip(found.optimizer.variables, vae.optimizer.variables):
        np.testing.assert_array_equal(one, other)


def test_a_folder_comes_back_the_same(vae, tmp_path):
    vae.save_pretrained(tmp_path / "model")
    assert_same(tfvae.VAE.from_pretrained(tmp_path / "model"), vae)
    assert_same(tfvae.sharing.from_pretrained(str(tmp_path / "model")), vae)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "README.md", "config.json", "metadata.json", "model.weights.h5", "tfvae.json",
    }  # fmt: skip


def test_the_weights_alone_may_come_back(vae, tmp_path):
    vae.save_pretrained(tmp_path / "model")
    assert tfvae.VAE.from_pretrained(tmp_path / "model", compile=False).compiled is False


def test_a_folder_is_replaced_only_if_it_is_one(vae, tmp_path):
    vae.save_pretrained(tmp_path / "model")
    vae.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(WriteError, match=matches("mine.txt")):
        vae.save_pretrained(tmp_path / "model")


def test_the_card_tells_the_pieces_and_the_numbers(vae, tmp_path):
    numbers = {"nll": 9.87, "nll_stderr": 0.12, "elbo": -10.0, "elbo_stderr": 0.1, "rate": 1.5}
    numbers |= {"rate_stderr": 0.01, "distortion": 8.5, "distortion_stderr": 0.2, "gap": 0.1}
    report = tfvae.evaluation.Report(
        12, 10, 0, **numbers, gap_stderr=0.01, bits_per_dim=0.89, active_units=2, latent_dim=3,
        binarization=None,
    )  # fmt: skip
    picture = tmp_path / "samples.png"
    tfvae.plots.save_png(picture, np.zeros((8, 8), np.uint8))
    vae.save_pretrained(tmp_path / "model", report=report, license="apache-2.0", files=[picture])

    text = (tmp_path / "model" / "README.md").read_text("utf-8")
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "apache-2.0"
    assert yaml.safe_load(head)["library_name"] == "keras"
    for words in (
        f"`{vae.likelihood!r}`",
        "a label from 0 to 3",
        "9.87 ± 0.12 nats",
        "2 of 3",
        "12 held-out examples",
        "10 importance samples",
        "![samples.png](samples.png)",
        f"| {vae.count_params():,} |",
    ):
        assert words in body
    assert (tmp_path / "model" / "samples.png").read_bytes() == picture.read_bytes()
    code = body.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code.replace('"user/name"', repr(str(tmp_path / "model"))), names)
    assert names["x"].shape == (4, *zoo.SHAPE)


def test_the_card_tells_the_facts_of_a_run(vae, tmp_path):
    report = {
        "settings": {"data": "mnist", "epochs": 3, "batch_size": 128, "seed": 5},
        "data": {"train": 60000, "held_out": 10000, "note": "divided by 255"},
        "versions": {"tfvae": "0.1.0", "python": "3.11"},
        "alarms": ["2 of 3 latents are not active."],
    }
    vae.save_pretrained(tmp_path / "model", report=report)
    text = (tmp_path / "model" / "README.md").read_text("utf-8")
    for words in ("60,000 examples, 10,000 held out (divided by 255)", "3 epochs", "seed 5",
                  "python 3.11", "- 2 of 3 latents are not active."):  # fmt: skip
        assert words in text
    assert "## Evaluation" not in text


def test_damage_and_what_is_no_model_is_refused(vae, tmp_path):
    vae.save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match=matches("model.weights.h5", "tfvae.json")):
        tfvae.VAE.from_pretrained(tmp_path / "model")
    weights.unlink()
    with pytest.raises(InputError, match=matches("no model.weights.h5")):
        tfvae.VAE.from_pretrained(tmp_path / "model")
    with pytest.raises(InputError, match=matches("neither")):
        tfvae.VAE.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(InputTypeError, match=matches("int")):
        tfvae.VAE.from_pretrained(7)


def test_wrong_arguments_are_refused_before_a_file_is_written(vae, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for options in ({"files": [tmp_path / "config.json"]}, {"files": [tmp_path / "absent.png"]}):
        with pytest.raises(InputError, match=matches()):
            vae.save_pretrained(tmp_path / "model", **options)
    with pytest.raises(InputTypeError, match=matches("list")):
        vae.save_pretrained(tmp_path / "model", report=[1.0])
    assert not (tmp_path / "model").exists()


def test_a_model_goes_to_a_hub_and_comes_back(vae, hub):
    address = vae.push_to_hub("user/garments", private=True, token=fake_hub.TOKEN)

    assert address == f"{hub.address}/user/garments/commit/{fake_hub.COMMIT}"
    assert "user/garments" in hub.private
    kept = hub.repositories["user/garments"]
    assert kept["README.md"].startswith(b"---\nlibrary_name: keras\n")
    assert json.loads(kept["tfvae.json"])["files"].keys() < kept.keys()
    kept["harmful.py"] = b"raise SystemExit"

    assert_same(tfvae.VAE.from_pretrained("user/garments"), vae)
    assert_same(tfvae.VAE.from_pretrained("hf://user/garments"), vae)
    assert_same(tfvae.load_model("hf://user/garments"), vae)
    downloaded = {path.rsplit("/", 1)[1] for _, path in hub.asked if "/resolve/" in path}
    assert downloaded == {"config.json", "metadata.json", "model.weights.h5", "tfvae.json"}


def test_keras_reads_what_was_pushed_and_is_read_where_it_has_pushed(vae, hub):
    vae.push_to_hub("user/garments")
    assert_same(keras.saving.load_model("hf://user/garments"), vae)

    vae.save("hf://user/by-keras")
    assert_same(tfvae.load_model("hf://user/by-keras"), vae)


def test_what_a_hub_does_not_have_or_allow_is_refused(vae, hub, monkeypatch):
    with pytest.raises(InputError, match=matches("user/nothing")):
        tfvae.VAE.from_pretrained("hf://user/nothing")
    with pytest.raises(InputError, match=matches("user/garments")):
        vae.push_to_hub("user/garments", token="hf_other")
    with pytest.raises(InputError, match=matches("'user/name'")):
        vae.push_to_hub("garments")
    vae.push_to_hub("user/garments")
    hub.repositories["user/garments"]["config.json"] += b" "
    with pytest.raises(InputError, match=matches("config.json", "tfvae.json")):
        tfvae.VAE.from_pretrained("user/garments")


def test_the_extra_is_named_where_the_library_is_missing(vae, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"tfvae\[hub\]"):
        tfvae.VAE.from_pretrained("hf://user/garments")
