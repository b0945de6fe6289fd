"""`tfvae share` and the other formats of `tfvae export`, on a run that is made by hand."""

import json

import pytest

import tfvae
from tests.support import zoo
from tfvae.app import other_formats, run_folder, runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    vae = tfvae.mlp_vae(zoo.SHAPE, 3, (8,), seed=0)
    vae.compile("adam")
    vae.save(folder / "model.keras")
    tfvae.plots.save_png(folder / "samples.png", tfvae.plots.grid(vae.sample(4, 0)))
    (folder / "decoder.json").write_text("{}")
    data = {"train": 10, "held_out": 2, "note": ""}
    settings = {"data": "mine.npz", "epochs": 3, "batch_size": 5, "seed": 0}
    run_folder.write_report(folder, {"settings": settings, "data": data, "versions": {}})
    return folder


def test_a_run_is_shared_with_its_files_and_facts(run, tfvae_command, tmp_path):
    status, out, _ = tfvae_command("share", run, "--out", "shared", "--license", "mit", "--json")
    assert status == 0
    assert json.loads(out) == {"out": "shared"}
    card = (tmp_path / "shared" / "README.md").read_text("utf-8")
    assert "license: mit" in card
    assert "Trained on `mine.npz`: 10 examples, 2 held out" in card
    assert "![samples.png](samples.png)" in card
    assert (tmp_path / "shared" / "decoder.json").is_file()
    assert tfvae.VAE.from_pretrained(tmp_path / "shared").event_shape == zoo.SHAPE


def test_what_is_typed_for_the_hub_is_what_it_is_given(run, tfvae_command, monkeypatch):
    given = {}
    monkeypatch.setattr(tfvae.VAE, "push_to_hub", lambda self, name, **o: given.update(o, n=name))
    typed = ("--hub", "user/name", "--private", "--license", "mit", "--quiet")
    assert tfvae_command("share", run, *typed)[0] == 0
    assert (given["n"], given["private"], given["license"]) == ("user/name", True, "mit")
    assert {path.name for path in given["files"]} == {"samples.png", "decoder.json"}
    assert given["report"]["data"]["train"] == 10


def test_what_is_typed_for_other_formats_is_what_is_written(run, tfvae_command, monkeypatch):
    given = []

    def writer(vae, folder, encoder):
        given.append((type(vae), folder, encoder))
        return {"decode.onnx": 1e-7}

    monkeypatch.setattr(other_formats, "check_ready", lambda *places: given.append(places))
    monkeypatch.setattr(other_formats, "WRITERS", {"onnx": writer, "coreml": writer})
    monkeypatch.setattr(runs, "held_out_of", lambda *_: (zoo.binary(), None))
    status, out, _ = tfvae_command("export", run, "--onnx", "a", "--coreml", "b", "--encoder")
    assert status == 0
    assert given == [("a", "b"), (tfvae.VAE, "a", True), (tfvae.VAE, "b", True)]
    assert "decode.onnx" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["share", "RUN"], "--out FOLDER or --hub"),
        (["share", "RUN", "--out", "a", "--hub", "user/name"], "one of them"),
        (["share", "RUN", "--out", "a", "--private"], "--private goes with --hub"),
        (["share", "RUN", "--hub", "name"], "user/name"),
        (["share", "nowhere", "--out", "a"], "nowhere"),
        (["export", "RUN"], "--onnx"),
        (["export", "RUN", "--onnx", "a", "--batch-size", "2"], "--batch-size goes with"),
        (["export", "RUN", "--web", "a", "--encoder"], "--encoder goes with"),
        (["export", "RUN", "--coreml", "a"], "macOS"),
    ],
)
def test_a_wrong_command_is_told_in_one_message(
    run, tfvae_command, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.setattr("sys.platform", "linux")
    status, _, errors = tfvae_command(*(run if word == "RUN" else word for word in arguments))
    assert status == 2
    assert words in " ".join(errors.split())
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
