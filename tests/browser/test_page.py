"""What a person does with the page, in a real browser against a real server."""

import base64
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from roadlift.model import find_card

from .conftest import DESKTOP, PHONE, SHOTS, near, pixels, settle

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

EXTRACTED_MS = 90_000
SAVED_MS = 30_000
ROAD_YELLOW = (252, 250, 160)
COUNT_JUMPS = """new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.jumped = (window.jumped || 0) + entry.value;
}).observe({ type: "layout-shift", buffered: true })"""
PLANTED = '<img src=x onerror="window.pwned=1">'


def button(page, name, **options):
    return page.get_by_role("button", name=name, **options)


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def open_image(page, path):
    page.set_input_files("input[type=file]", path)
    button(page, "Extract roads").wait_for()


def drop(page, path):
    """Drop a file onto the page as a hand does."""
    content = base64.b64encode(path.read_bytes()).decode()
    held = page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
            const held = new DataTransfer();
            held.items.add(new File([bytes], name));
            return held;
        }""",
        [path.name, content],
    )
    page.dispatch_event(".drop", "dragover", {"dataTransfer": held})
    page.get_by_text("Drop to open the image").wait_for()
    page.dispatch_event(".drop", "drop", {"dataTransfer": held})
    button(page, "Extract roads").wait_for()


@pytest.fixture(scope="module")
def job(server, scene):
    """The id of a finished job."""
    return server.extracted(scene["tif"])


def open_job(open_page, job, **options):
    page = open_page(f"#/job/{job}", **options)
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for()
    return page


def roads_of(server, job, kind="edge"):
    features = server.get(f"jobs/{job}/roads.geojson")["features"]
    return [feature for feature in features if feature["properties"]["kind"] == kind]


def test_from_an_image_to_a_geopackage(open_page, scene, shot, tmp_path):
    page = open_page(size=DESKTOP)
    page.evaluate(COUNT_JUMPS)
    shot(page, "empty")
    drop(page, scene["tif"])
    assert page.get_by_role("heading", name="town.tif").is_visible()
    assert page.get_by_text("400 × 400 px").is_visible()
    bare = pixels(page)
    assert bare[200:600, 250:650].std() > 15, "the image is not on the map"
    shot(page, "image")

    button(page, "Extract roads").click()
    page.get_by_role("progressbar", name="Extraction").wait_for()
    page.screenshot(path=SHOTS / "running.png")
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for(timeout=EXTRACTED_MS)
    drawn = pixels(page)
    assert near(drawn, ROAD_YELLOW, 30).sum() > near(bare, ROAD_YELLOW, 30).sum() + 2000, (
        "no roads on the map"
    )
    assert page.evaluate("window.jumped || 0") < 0.02, "the layout jumps"
    shot(page, "result")

    with page.expect_download() as download:
        button(page, "GeoPackage").click()
    download.value.save_as(tmp_path / "town.gpkg")
    assert download.value.suggested_filename.endswith(".gpkg")
    edges = gpd.read_file(tmp_path / "town.gpkg", layer="edges")
    assert edges["length_m"].sum() > 1000
    assert page.get_by_role("tab", name=f"Roads {len(edges)}").is_visible()


def test_the_result_can_be_looked_at(open_page, job, server, shot):
    page = open_job(open_page, job, size=DESKTOP)
    show_evidence_of_a_clicked_road(page, shot)
    compare_image_and_roads(page, shot)
    fly_to_an_issue(page, server.get(f"jobs/{job}/issues.geojson")["features"], shot)


def show_evidence_of_a_clicked_road(page, shot):
    box = page.locator(".map").bounding_box()
    rows, cols = np.nonzero(near(pixels(page)[80:500, 40:600], ROAD_YELLOW, 25))
    page.mouse.click(box["x"] + 40 + float(cols[len(cols) // 2]), box["y"] + 80 + float(rows[len(rows) // 2]))
    evidence = page.locator(".evidence")
    evidence.wait_for()
    for name in ("Length", "Width", "Weakest point"):
        assert evidence.get_by_text(name, exact=True).is_visible()
    assert re.search(r"0\.\d\d\s+mean probability|1\.00\s+mean probability", evidence.inner_text())
    shot(page, "evidence")
    page.keyboard.press("Escape")
    evidence.wait_for(state="detached")


def compare_image_and_roads(page, shot):
    whole = near(pixels(page), ROAD_YELLOW, 25)
    button(page, "Compare").click()
    border = page.get_by_role("slider", name="Border between image and roads")
    border.wait_for()
    page.locator(".compare-map[aria-busy=false]").wait_for(state="attached")
    halved = near(pixels(page), ROAD_YELLOW, 25)
    middle = whole.shape[1] // 2
    assert halved[120:-120, : middle - 30].sum() < 0.2 * whole[120:-120, : middle - 30].sum()
    assert halved[120:-120, middle + 30 :].sum() > 0.8 * whole[120:-120, middle + 30 :].sum()
    shot(page, "compare")
    border.press("Home")
    assert near(pixels(page), ROAD_YELLOW, 25)[120:-120, 60:].sum() > 0.8 * whole[120:-120, 60:].sum()
    box = border.bounding_box()
    page.mouse.move(box["x"] + 22, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 300)
    page.mouse.up()
    assert 35 < int(border.get_attribute("aria-valuenow")) < 55
    button(page, "Compare").click()
    border.wait_for(state="detached")


def fly_to_an_issue(page, issues, shot):
    assert issues, "the scene has issues"
    before = pixels(page)
    tab(page, "Issues")
    items = page.get_by_role("list", name="Issues").get_by_role("button")
    assert items.count() == min(len(issues), 60)
    items.first.click()
    assert (pixels(page) != before).mean() > 0.2
    assert button(page, "Issues").get_attribute("aria-pressed") == "true"
    shot(page, "issues")


def test_the_network_is_drawn_anew_and_downloaded(open_page, job, server):
    page = open_job(open_page, job)
    before = server.get(f"jobs/{job}")
    length = page.locator(".figure.large dd")
    expected = f"{before['summary']['length_km']:.2f} km"
    expect(length).to_have_text(expected)
    slider = page.get_by_role("slider", name="Threshold")
    slider.fill("0.9")
    expect(length).not_to_have_text(expected, timeout=SAVED_MS)
    after = server.get(f"jobs/{job}")
    assert after["threshold"] == pytest.approx(0.9)
    assert after["summary"]["length_km"] < before["summary"]["length_km"]

    begins = {
        "GeoJSON": b"{",
        "FlatGeobuf": b"fgb",
        "GeoParquet": b"PAR1",
        "GraphML": b"<?xml",
        "OSM XML": b"<?xml",
        "Report": b"<!doctype html",
    }
    assert len(server.get("settings")["formats"]) == len(
        begins
    )  # GeoPackage has its own test; the report is none
    for name, start in begins.items():
        with page.expect_download() as download:
            button(page, re.compile(f"^{name}")).click()
        with open(download.value.path(), "rb") as file:  # noqa: PTH123 - Playwright's path may be none
            assert file.read(20).lower().startswith(start.lower()), name


def test_edits_are_kept_undone_and_downloaded(open_page, job, server, shot, tmp_path):
    page = open_job(open_page, job, size=DESKTOP)
    tab(page, "Edits")
    button(page, "Draw a road").click()
    box = page.locator(".map").bounding_box()
    for x, y in ((0.36, 0.42), (0.44, 0.5), (0.5, 0.47)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    shot(page, "drawing")
    button(page, "Finish").click()
    edits = page.locator(".edits li")
    expect(edits).to_have_text("Drew a road with 3 points", timeout=SAVED_MS)
    shot(page, "edits")
    page.keyboard.press("Control+z")
    expect(edits).to_have_count(0, timeout=SAVED_MS)
    page.keyboard.press("Control+Shift+z")
    expect(edits).to_have_count(1, timeout=SAVED_MS)
    assert any(road["properties"]["edited"] == "drawn" for road in roads_of(server, job))

    page.reload()
    page.get_by_role("tab", name="Edits 1").wait_for()
    with page.expect_download() as download:
        button(page, re.compile("^GeoJSON")).click()
    download.value.save_as(tmp_path / "edited.geojson")
    assert "drawn" in (tmp_path / "edited.geojson").read_text()
    tab(page, "Edits")
    button(page, "Take back: Drew a road with 3 points").click()
    expect(edits).to_have_count(0, timeout=SAVED_MS)
    assert not any(road["properties"]["edited"] for road in roads_of(server, job))
    decide_about_a_bridge(page, server, job, shot, tmp_path)


def decide_about_a_bridge(page, server, job, shot, folder):
    """Accepted, it is a road as any other; rejected, it is gone: in what is saved, and in the download."""
    issues = [one["properties"] for one in server.get(f"jobs/{job}/issues.geojson")["features"]]
    place, bridge = next((place, one["edge"]) for place, one in enumerate(issues) if one["kind"] == "bridged")
    tab(page, "Issues")
    page.get_by_role("list", name="Issues").get_by_role("button").nth(place).click()
    page.get_by_role("heading", name="Bridged gap").wait_for()
    shot(page, "bridge")
    for name, action, words in (
        ("Accept", "accept", f"Accepted bridge {bridge}"),
        ("Reject after all", "reject", f"Rejected bridge {bridge}"),
    ):
        button(page, name, exact=True).click()
        expect(page.get_by_role("tab", name="Edits 1")).to_be_visible(timeout=SAVED_MS)
        expect(page.locator(".at-work")).to_have_count(0, timeout=SAVED_MS)
        assert server.get(f"jobs/{job}/edits")["edits"] == [{"action": action, "edge": int(bridge)}]
        with page.expect_download() as download:
            tab(page, "Summary")
            button(page, "GeoPackage").click()
        download.value.save_as(folder / f"{action}.gpkg")
        tab(page, "Edits")
        expect(page.locator(".edits li")).to_have_text(words)
    accepted, rejected = (
        gpd.read_file(folder / f"{action}.gpkg", layer="edges") for action in ("accept", "reject")
    )
    assert accepted.loc[accepted["edited"] == "accepted", "unedited_id"].tolist() == [int(bridge)]
    assert int(bridge) not in rejected["unedited_id"].tolist()
    assert rejected["length_m"].sum() < accepted["length_m"].sum()
    button(page, f"Take back: Rejected bridge {bridge}").click()
    expect(page.locator(".edits li")).to_have_count(0, timeout=SAVED_MS)
    assert any(road["properties"]["bridged"] for road in roads_of(server, job))


def test_planted_scripts_are_shown_as_text(open_page, job, server):
    def plant(route):
        answer = route.fetch()
        body = answer.json()
        for feature in body["features"]:
            feature["properties"].update(
                class_hint=PLANTED, reason=PLANTED, words=PLANTED, source="javascript:window.pwned=1"
            )
            feature["properties"][PLANTED] = PLANTED
        route.fulfill(response=answer, json=body)

    page = open_page()
    page.route(re.compile(r"/(roads|issues)\.geojson"), plant)
    page.route(re.compile(r"/api/jobs/[\w-]{22}$"), rename)
    page.goto(f"{server.url}#/job/{job}")
    page.get_by_role("heading", name=PLANTED).wait_for()
    tab(page, "Issues")
    assert page.get_by_text(PLANTED).count() > 0
    tab(page, "Roads")
    page.get_by_role("list", name="Roads").get_by_role("button").first.click()
    page.get_by_text("All attributes").click()
    assert page.locator(".evidence dt", has_text=PLANTED).is_visible()
    assert page.locator(".evidence dd", has_text=PLANTED).count() >= 2
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src='x'], a[href^='javascript']").count() == 0


def rename(route):
    answer = route.fetch()
    body = answer.json()
    body["image"]["name"] = PLANTED
    route.fulfill(response=answer, json=body)


def test_what_cannot_be_opened_is_said_in_words(open_page, shot):
    page = open_page()
    page.set_input_files(
        "input[type=file]",
        files=[{"name": f"{PLANTED}.tif", "mimeType": "image/tiff", "buffer": b"hello " * 100}],
    )
    error = page.locator(".notice[data-kind=error]")
    error.wait_for()
    assert len(error.inner_text()) > 20
    assert "Traceback" not in error.inner_text()
    assert not re.search(r"/tmp|/home|/work|/root", error.inner_text())
    assert page.evaluate("window.pwned") is None
    shot(page, "error")
    button(page, "Close message").click()
    error.wait_for(state="detached")
    assert button(page, "Choose an image").is_visible()


def test_the_keyboard_is_enough_for_an_image_without_crs(open_page, scene, shot):
    page = open_page()

    def to(selector, key="Tab", limit=40):
        for _ in range(limit):
            page.keyboard.press(key)
            if page.locator(f"{selector}:focus").count():
                width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
                assert width >= 2, f"the focus on {selector} cannot be seen"
                return
        pytest.fail(f"{selector} is not reached with {key}")

    to("button:has-text('demo scene')")
    page.keyboard.press("Enter")
    button(page, "Extract roads").wait_for()
    to(".back", "Shift+Tab")
    page.keyboard.press("Enter")
    button(page, "Choose an image").wait_for()
    open_image(page, scene["png"])  # the system's file dialog is not the page's
    assert page.get_by_text("no CRS: shown in pixel space").is_visible()
    to("#gsd")
    page.keyboard.type("1")
    to("#threshold")
    page.keyboard.press("ArrowRight")
    threshold = round(find_card("roadlift-1m").threshold + 0.01, 2)
    expect(page.locator("output")).to_have_text(f"{threshold:.2f}")
    to("button:has-text('Extract roads')")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for(timeout=EXTRACTED_MS)
    assert near(pixels(page), ROAD_YELLOW, 30).sum() > 1000
    assert page.locator(".maplibregl-ctrl-scale").count() == 0, "metres of a made-up place"
    shot(page, "pixel-space")

    to("#tab-summary")
    page.keyboard.press("ArrowRight")
    to("#order")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".evidence:focus").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".picks li:nth-child(3) button")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator(".evidence:focus").wait_for()
    page.keyboard.press("Delete")
    expect(page.get_by_role("tab", name="Edits")).to_have_text("Edits1", timeout=SAVED_MS)

    to("#tab-roads", "Shift+Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    to("button:has-text('Draw a road')")
    page.keyboard.press("Enter")
    expect(page.locator(".maplibregl-canvas")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    settle(page)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Edits")).to_have_text("Edits2", timeout=SAVED_MS)


def test_it_works_on_a_phone(open_page, job, shot):
    page = open_page("", size=PHONE, has_touch=True, is_mobile=True)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    shot(page, "phone-empty")
    page = open_job(open_page, job, size=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate(fits)
    shot(page, "phone-result")
    tab(page, "Roads")
    page.get_by_role("list", name="Roads").get_by_role("button").first.tap()
    page.locator(".evidence").wait_for()
    map_box, card = page.locator(".map").bounding_box(), page.locator(".evidence").bounding_box()
    assert card["y"] >= map_box["y"] + map_box["height"] - 2, "the evidence covers the map"
    shot(page, "phone-evidence")
    sizes = page.evaluate(
        "[...document.querySelectorAll('button')].map(b => [b.offsetWidth, b.offsetHeight])"
    )
    assert all(min(size) >= 24 for size in sizes), "buttons too small for a finger"


def test_a_killed_server_is_waited_for_and_maps_survive(open_page, job, server, scene, shot):
    page = open_page()
    maps = len(server.get("jobs")["jobs"])
    an_image_without_a_map_is_listed_and_deleted(page, scene["png"])
    open_image(page, scene["tif"])
    button(page, "Extract roads").click()
    button(page, "Cancel").click()
    page.get_by_role("heading", name="Cancelled").wait_for(timeout=SAVED_MS)
    maps += 1
    button(page, "Try again").click()
    page.get_by_role("heading", name=re.compile("Reading the image…|Finding roads…")).wait_for(
        timeout=EXTRACTED_MS
    )
    server.kill()
    page.get_by_text("roadlift does not answer.").wait_for()
    page.get_by_role("heading", name="Waiting for roadlift…").wait_for()
    shot(page, "server-lost")
    server.start()
    page.get_by_text("roadlift does not answer.").wait_for(state="detached")
    ended = page.get_by_role("tab", name=re.compile(r"Roads \d+")).or_(
        page.get_by_role("heading", name="This did not work")
    )
    ended.wait_for(timeout=EXTRACTED_MS)
    page.get_by_role("link", name="roadlift, start page").click()
    cards = page.locator(".cards a[href^='#/job/']")
    expect(cards).to_have_count(maps + 1)
    button(page, "Delete town.tif").first.click()
    button(page, "Delete", exact=True).click()
    expect(cards).to_have_count(maps)
    page.locator(f".cards a[href$='{job}']").click()
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for()


def an_image_without_a_map_is_listed_and_deleted(page, path):
    open_image(page, path)
    page.reload()
    button(page, "Extract roads").wait_for()
    page.get_by_role("link", name="Your maps").click()
    waiting = page.locator(".cards li", has_text="Not extracted")
    waiting.first.wait_for()
    before = waiting.count()
    waiting.first.get_by_role("link").click()
    button(page, "Extract roads").wait_for()
    page.get_by_role("link", name="Your maps").click()
    waiting.first.get_by_role("button", name=f"Delete {path.name}").click()
    page.get_by_role("dialog", name="Delete this image?").get_by_role("button", name="Delete").click()
    expect(waiting).to_have_count(before - 1)


@pytest.fixture
def barriers():
    """Ask axe-core what stands in somebody's way on a page."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    program = (Path(axe.__file__).parent / "axe.min.js").read_text()

    def ask(page, *rules, within="html"):
        if not page.evaluate("'axe' in window"):
            page.evaluate(program)
        asked = "([within, rules]) => axe.run(within, { runOnly: rules })"
        found = page.evaluate(asked, [within, rules])["violations"]
        return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]

    return ask


def test_nothing_stands_in_the_way_of_anyone(open_page, job, server, barriers, shot):
    """Whole pages once; after that the parts that are new on them."""
    rules = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
    page = open_page(size=DESKTOP)
    button(page, "Choose an image").wait_for()
    assert barriers(page, *rules) == []
    page.emulate_media(color_scheme="dark")
    page.locator("html[data-theme=dark]").wait_for()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(value) for value in re.findall(r"\d+", background)) < 50, "dark follows the system"
    assert barriers(page, "color-contrast") == []
    shot(page, "empty-dark")
    page.emulate_media(color_scheme="light")
    page.goto(f"{server.url}#/job/{job}")
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for()
    assert barriers(page, *rules) == []
    for name in ("Issues", "Edits", "Roads"):
        tab(page, name)
        assert barriers(page, *rules, within="#panel") == []
    page.get_by_role("list", name="Roads").get_by_role("button").first.click()
    assert barriers(page, *rules, within=".evidence") == []
    button(page, "Use dark colours").click()
    assert barriers(page, "color-contrast") == []
    shot(page, "evidence-dark")
    tab(page, "Summary")
    button(page, "Delete this map").click()
    page.get_by_role("dialog").wait_for()
    assert barriers(page, *rules, within="dialog") == []
    shot(page, "question-dark")


def test_a_token_is_asked_for_once_and_sent_with_everything(open_page, job, server):
    def ask_for_token(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "needs_token": True})

    def check_token(route):
        if route.request.headers.get("authorization") == "Bearer the right one":
            sent.add(route.request.url.split("/api/")[1].split("/")[0])
            return route.continue_()
        return route.fulfill(
            status=401, json={"error": {"code": "token_needed", "message": "A token is needed."}}
        )

    sent = set()
    page = open_page()
    page.route(re.compile(r"/api/(jobs|images)"), check_token)
    page.route(re.compile(r"/api/settings"), ask_for_token)
    page.goto(f"{server.url}#/job/{job}")
    page.reload()
    page.get_by_label("Token", exact=True).fill("a wrong one")
    button(page, "Continue").click()
    page.get_by_text("That token was not accepted.").wait_for()
    page.get_by_label("Token", exact=True).fill("the right one")
    button(page, "Continue").click()
    page.get_by_role("tab", name=re.compile(r"Roads \d+")).wait_for()
    settle(page)
    assert sent == {"jobs", "images"}, "calls and tiles"
    assert "right" not in page.url
