"""Runs side by side: what differs, within which errors, and what cannot be compared."""

import json
import math
import re

import numpy as np
import pytest

from tests.conftest import matches
from tfvae.app import comparing, comparison_page, run_folder
from tfvae.app.settings import Settings

EVALUATION = {
    "nll": 20.0, "nll_stderr": 0.3, "elbo": -21.0, "elbo_stderr": 0.3, "rate": 4.0,
    "rate_stderr": 0.1, "distortion": 17.0, "distortion_stderr": 0.3, "bits_per_dim": 0.5,
    "active_units": 6, "latent_dim": 8, "num_examples": 100, "num_samples": 500,
    "binarization": None,
}  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """Writes a run that has a report alone: `make(name, settings, **numbers)`."""

    def write(name, settings=(), held_out="aa" * 32, **numbers):
        settings = {**vars(Settings()), **dict(settings), "out": str(tmp_path / name)}
        report = {
            "settings": settings,
            "versions": {"tfvae": "0"},
            "evaluation": {**EVALUATION, **numbers},
            "export": {"sizes": {"decoder.tflite": 24_000}},
            "seconds": {"fit": 12.5},
            "alarms": {},
            "data": {
                "trained_on": {"examples": 500, "sha256": "bb" * 32},
                "evaluated_on": {"examples": 100, "sha256": held_out},
                "shared": 0,
            },
        }
        (tmp_path / name).mkdir(parents=True)
        run_folder.write_report(tmp_path / name, report)
        return tmp_path / name

    return write


def test_a_difference_has_the_error_of_both_numbers(make):
    found = comparing.compare(
        [
            make("a", nll=20.0, nll_stderr=0.3),
            make("b", {"latent_dim": 4}, nll=21.1, nll_stderr=0.4),
        ]
    )
    (difference,) = found["differences"]
    assert (difference["name"], difference["from"]) == ("b", "a")
    assert difference["nll"] == {
        "difference": pytest.approx(1.1), "stderr": pytest.approx(0.5), "within_errors": False
    }  # fmt: skip
    assert found["differing"] == ["latent_dim"]
    assert [run["settings"] for run in found["runs"]] == [{"latent_dim": None}, {"latent_dim": 4}]
    assert found["says"][0] == "The lowest NLL is that of a, 20.00 ± 0.30 nats."
    assert "higher by 1.10 ± 0.50 nats, more than 2 standard errors" in found["says"][1]
    assert found["units"]["nll"] == "nats"


def test_a_difference_within_the_errors_is_said_to_be_none(make):
    found = comparing.compare([make("a", nll=20.9), make("b", {"latent_dim": 4}, nll=20.1)])
    assert found["differences"][0]["nll"]["within_errors"] is True  # 0.8 of errors of 0.42
    assert "within 2 standard errors" in found["says"][1]


def test_runs_of_several_seeds_have_a_mean_and_a_deviation(make, tmp_path):
    numbers = [20.0, 20.4, 20.9]
    for seed, nll in enumerate(numbers):
        make(f"all/seed-{seed}", {"seed": seed}, nll=nll)
    make("all/wide-0", {"latent_dim": 16}, nll=22.0)
    make("all/wide-1", {"latent_dim": 16, "seed": 1}, nll=22.2)
    found = comparing.compare([tmp_path / "all"])

    assert [run["name"] for run in found["runs"]][:3] == ["seed-0", "seed-1", "seed-2"]
    three, two = found["seeds"]
    assert three["nll"]["mean"] == pytest.approx(np.mean(numbers))
    assert three["nll"]["std"] == pytest.approx(np.std(numbers, ddof=1))
    errors = [np.std(n, ddof=1) / math.sqrt(len(n)) for n in (numbers, [22.0, 22.2])]
    difference = found["differences"][0]["nll"]
    assert difference["stderr"] == pytest.approx(math.hypot(*errors))
    assert difference["difference"] == pytest.approx(22.1 - np.mean(numbers))
    assert two["name"] == "wide-0 and 1 other seed"


NOT_COMPARABLE = {
    "held-out examples": ({}, {"held_out": "cc" * 32}),
    "densities": ({}, {"bits_per_dim": None}),
    "binarized": ({}, {"binarization": "one Bernoulli draw per value, seed 0"}),
    "labels": ({"condition": "labels"}, {}),
}


@pytest.mark.parametrize("settings, numbers", NOT_COMPARABLE.values(), ids=NOT_COMPARABLE)
def test_numbers_that_cannot_be_compared_are_not(make, settings, numbers):
    found = comparing.compare([make("a"), make("b", settings, nll=30.0, **numbers)])
    assert found["not_comparable"]
    assert found["differences"] == []
    assert found["says"][0].startswith("The numbers in nats and bits cannot be compared. a: ")
    assert len(found["says"]) == 1


def test_runs_whose_held_out_examples_are_not_known_are_not_compared(make):
    found = comparing.compare([make("a", held_out=None), make("b", held_out=None)])
    assert "the report does not tell" in found["not_comparable"]
    assert found["differences"] == []


def test_other_counts_of_importance_samples_and_versions_are_told(make):
    notes = comparing.compare([make("a"), make("b", num_samples=5000)])["notes"]
    assert any("500 and 5,000" in note for note in notes)


def test_one_run_or_none_is_refused(make, tmp_path):
    with pytest.raises(ValueError, match=matches("two runs")):
        comparing.compare([make("a"), tmp_path / "a"])
    with pytest.raises(ValueError, match=matches("report.json")):
        comparing.compare([tmp_path / "a", tmp_path / "nowhere"])


def test_an_altered_report_is_refused(make):
    a, b = make("a"), make("b")
    text = (b / "report.json").read_text()
    (b / "report.json").write_text(text.replace("17.0", "16.0"))
    with pytest.raises(ValueError, match=matches("damaged, altered")):
        comparing.compare([a, b])


def test_the_command_prints_tables_or_json_and_writes_a_page(make, tfvae_command, tmp_path):
    make("a")
    make("b", {"latent_dim": 4, "hidden": [64]}, nll=21.5)
    status, out, err = tfvae_command("compare", "a", "b", "--html", "page.html")
    assert (status, err) == (0, "")
    assert "20.00 ± 0.30" in out and "21.50 ± 0.30" in out
    assert all(word in out for word in ("NLL, nats", "latent_dim", "6 of 8", "0.500", "[64]"))
    assert max(map(len, out.splitlines()[:8])) <= 80

    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 4 and page.count('class="dot"') == 8
    assert "21.50 ± 0.30" in page and "nats per held-out example" in page
    labels = re.findall('aria-label="(.*?)"', page)
    assert len(labels) == len(set(labels)) == 6  # four figures, two tables
    assert "http" not in page and "<script" not in page

    status, out, _ = tfvae_command("compare", "a", "b", "--json", "--html", "page.html")
    assert status == 0  # a page of the command itself is replaced
    assert json.loads(out)["differences"][0]["nll"]["difference"] == 1.5


def test_a_page_replaces_nothing_else(make, tfvae_command, tmp_path):
    make("a")
    make("b")
    (tmp_path / "page.html").write_text("<html>mine</html>")
    status, _, err = tfvae_command("compare", "a", "b", "--html", "page.html")
    assert status == 2 and "another file" in err
    assert (tmp_path / "page.html").read_text() == "<html>mine</html>"


def test_names_in_a_page_are_text(make):
    found = comparing.compare([make("a<b>&"), make("b", {"latent_dim": 4}, nll=None)])
    page = comparison_page.page(found)
    assert "a&lt;b&gt;&amp;" in page and "a<b>" not in page
    assert "none" in page
