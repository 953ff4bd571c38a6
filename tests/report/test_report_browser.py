"""The report page in a real browser: from disk, without network, by mouse, keyboard and on a phone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import roadlift
from roadlift.report import write_page
from roadlift.scene import render

PLANTED = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a small scene; what strangers could plant is planted."""
    folder = tmp_path_factory.mktemp("report")
    image, mask, _ = render(21, shape=(600, 700)).save(folder, "city")
    roads = roadlift.vectorize(mask)
    issues = roads.edges[["id", "length_m", "geometry"]].assign(
        kind="doubtful", reason=PLANTED, cost_m=np.nan
    )
    roads = replace(
        roads,
        issues=issues,
        edges=roads.edges.assign(class_hint=PLANTED),
        provenance={"notes": [PLANTED]},
    )
    write_page(folder / "report.html", roads, image=image, probability=mask)
    return folder / "report.html"


@pytest.fixture
def opened(chromium, report):
    """Return a function that opens the page offline; complaints of the console are failures."""
    contexts, complaints, requests = [], [], []

    def open_page(**options):
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_selector("#list button")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def place(page):
    """Where the map stands: its scale and the offset of what it shows."""
    return page.evaluate(
        "[document.querySelector('.leaflet-control-scale-line').textContent,"
        " document.querySelector('.leaflet-map-pane').style.transform]"
    )


def test_an_issue_flies_to_its_place_and_planted_markup_stays_text(opened):
    page = opened()
    before = place(page)
    first = page.locator("#list button").first
    assert "<script>" in first.inner_text()
    first.click()
    assert place(page) != before
    assert first.get_attribute("aria-current") == "true"
    assert "shown on the map" in page.locator("#status").text_content()
    assert page.title() == "city.tif · roadlift"


def test_a_click_on_a_road_tells_its_evidence(opened):
    page = opened()
    page.locator("[data-layer=image]").uncheck(force=True)
    x, y = page.evaluate(
        """() => {
          const canvas = document.querySelector('.leaflet-network-pane canvas');
          const box = canvas.getBoundingClientRect();
          const frame = document.getElementById('map').getBoundingClientRect();
          const scale = canvas.width / box.width;
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          for (let y = 0; y < canvas.height; y += 3) for (let x = 0; x < canvas.width; x += 3) {
            const place = [box.left + x / scale, box.top + y / scale];
            const inside = place[0] > frame.left + 60 && place[0] < frame.right - 120
              && place[1] > frame.top + 250 && place[1] < frame.bottom - 60;
            const at = 4 * (y * canvas.width + x);
            if (inside && pixels[at + 3] > 250 && pixels[at] > 200) return place;
          }
        }"""
    )
    page.mouse.click(x, y)
    text = page.locator(".leaflet-popup-content").inner_text()
    assert "length" in text
    assert "<script>" in text
    assert page.title() == "city.tif · roadlift"


def moved(page, part, before):
    """Wait until one part of the map's place has changed; return the place."""
    for _ in range(40):
        page.wait_for_timeout(75)
        if place(page)[part] != before[part]:
            page.wait_for_timeout(300)  # an animation that has begun ends
            return place(page)
    pytest.fail(f"the map stayed at {before}")


def test_all_of_it_works_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#map")
    before = place(page)
    page.keyboard.press("+")
    zoomed = moved(page, 0, before)
    page.keyboard.press("ArrowRight")
    moved(page, 1, zoomed)
    page.focus("#list button")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#list button").nth(1).get_attribute("aria-current") == "true"


def test_swipe_shows_the_result_on_the_right_of_the_divider_only(opened):
    page = opened()
    clip = "document.querySelector('.leaflet-network-pane').style.clip"
    assert page.evaluate(clip) == ""
    page.focus("#compare")
    page.keyboard.press("Space")
    middle = page.evaluate(clip)
    page.focus("#swipe")
    page.keyboard.press("ArrowRight")
    assert middle.startswith("rect(")
    assert page.evaluate(clip) != middle


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(opened, scheme, tmp_path):
    page = opened(viewport={"width": 390, "height": 844}, color_scheme=scheme, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        "[...document.querySelectorAll('button, .chip span')].map(e => e.getBoundingClientRect())"
        ".filter(box => box.height > 0 && box.height < 40).length"
    )
    assert small == 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
