"""What a browser makes of the page of a run: that it can be read, by everybody."""

import pytest

from tests.app.test_report_page import report_of
from tests.browser.driving import browse
from tfvae.app.report_page import page as report_page

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

# One width and one scheme of each, since both at once tell nothing more.
VIEWS = [
    {"name": "phone", "viewport": {"width": 390, "height": 844}, "colorScheme": "dark"},
    {"name": "desk", "viewport": {"width": 1280, "height": 900}, "colorScheme": "light"},
]


@pytest.fixture(scope="module")
def seen(node_modules, digits_vae, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    page = folder / report_page.NAME
    report_page.write(page, folder, report_of(digits_vae, digits), digits_vae, digits)
    return browse("report", page.as_uri(), views=VIEWS) | {"address": page.as_uri()}


def test_a_checker_of_accessibility_finds_nothing(seen):
    for view, found in zip(VIEWS, seen["views"], strict=True):
        assert found["violations"] == [], view["name"]
        assert found["passes"] > 20  # it has looked


def test_the_page_fits_a_phone(seen):
    assert [found["overflow"] for found in seen["views"]] == [0, 0]


def test_the_slider_shows_other_frames(seen):
    assert (seen["value"], seen["latent"], seen["said"]) == (True, True, "-2.2")


def test_the_page_needs_no_script_to_be_read_and_asks_nobody(seen):
    plain = seen["withoutScripts"]
    assert not plain["slider"]
    assert "What each latent does" in plain["text"] and "22.50 ± 0.25 nats" in plain["text"]
    asked = [address for address in seen["requests"] if not address.startswith("data:")]
    assert set(asked) == {seen["address"]}
