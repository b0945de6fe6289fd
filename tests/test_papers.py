"""The papers of the project are whole, and say the same as the package."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import tfvae

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"


def parsed(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_citation_is_of_this_version():
    found = parsed(ROOT / "CITATION.cff")
    # What the Citation File Format 1.2.0 requires.
    assert {"cff-version", "message", "title", "authors"} <= set(found)
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert found["license"] == "Apache-2.0"
    assert found["version"] == tfvae.__version__
    assert found["authors"] == [{"name": "The tfvae developers"}]


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads
    for head in heads:
        assert re.fullmatch(r"\d+\.\d+\.\d+ \((unreleased|\d{4}-\d{2}-\d{2})\)", head)
    assert heads[0].startswith(f"{tfvae.__version__} (")
    assert not any("unreleased" in head for head in heads[1:])


def test_no_link_of_the_package_is_made_up():
    """The project has no public address yet; once it has, the two name the same."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    urls = setup["metadata"].get("project_urls", "") + setup["metadata"].get("url", "")
    citation = parsed(ROOT / "CITATION.cff").get("repository-code")
    assert (citation is None) == (urls == "")
    assert citation is None or citation in urls


@pytest.mark.parametrize("name", ["bug", "wish"])
def test_an_issue_form_is_one(name):
    form = parsed(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for part in form["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert part["attributes"]["label"]
    assert any(part.get("validations", {}).get("required") for part in form["body"])


def test_the_policy_of_security_says_where_to_report():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "## Report" in text
    assert "private" in text


def test_a_release_is_built_then_tested_then_published_without_a_password():
    found = parsed(GITHUB / "workflows" / "release.yml")
    jobs = found["jobs"]
    assert found[True]["push"]["tags"] == ["v*.*.*"]  # YAML 1.1 reads `on` as true
    assert jobs["test"]["needs"] == "build"
    assert jobs["publish"]["needs"] == "test"
    assert jobs["publish"]["if"] == "github.ref_type == 'tag'"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert found["permissions"] == {"contents": "read"}
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text("utf-8")


def test_a_release_names_the_addresses_of_its_repository(tmp_path):
    steps = parsed(GITHUB / "workflows" / "release.yml")["jobs"]["build"]["steps"]
    names = [step.get("run", "").strip() for step in steps]
    step = next(step for step in steps if "project_urls" in step.get("run", ""))
    assert names.index(step["run"].strip()) < names.index("python -m build")

    shutil.copy(ROOT / "setup.cfg", tmp_path)
    address = {"GITHUB_SERVER_URL": "https://host", "GITHUB_REPOSITORY": "a/b"}
    environment = {**os.environ, **address, "GITHUB_REF_NAME": "v9.9.9"}
    subprocess.run(["bash", "-ec", step["run"]], cwd=tmp_path, env=environment, check=True)
    setup = configparser.ConfigParser()
    setup.read(tmp_path / "setup.cfg", encoding="utf-8")
    urls = [line.split(" = ") for line in setup["metadata"]["project_urls"].split("\n") if line]
    assert dict(urls) == {
        "Source": "https://host/a/b",
        "Changelog": "https://host/a/b/blob/v9.9.9/CHANGELOG.md",
        "Issues": "https://host/a/b/issues",
    }
    setup.remove_option("metadata", "project_urls")
    before = configparser.ConfigParser()
    before.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup == before


def test_a_release_is_of_the_versions_that_python_requires():
    release = parsed(GITHUB / "workflows" / "release.yml")["jobs"]["test"]["strategy"]["matrix"]
    ci = parsed(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    classifiers = (ROOT / "setup.cfg").read_text("utf-8")
    assert release == ci
    found = re.findall(r"Programming Language :: Python :: (3\.\d+)", classifiers)
    assert found == release["python"]


def test_what_a_release_compares_with_its_tag_is_there():
    """The three lines that the workflow searches for, with the version of today."""
    version = re.escape(tfvae.__version__)
    lines = (
        ("tfvae/_version.py", rf'^__version__ = "{version}"$'),
        ("CITATION.cff", rf"^version: {version}$"),
        ("CHANGELOG.md", rf"^## {version} \(.*\)$"),
    )
    for name, pattern in lines:
        assert re.search(pattern, (ROOT / name).read_text("utf-8"), re.MULTILINE), name
    workflow = (GITHUB / "workflows" / "release.yml").read_text("utf-8")
    for name, _ in lines:
        assert name in workflow
    tested = re.findall(r"(tests/\S+\.py)", workflow)
    assert tested
    assert all((ROOT / path).is_file() for path in tested)
