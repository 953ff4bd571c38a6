"""The report page: the figures it tells, its layers, and that nothing planted in a road map runs in it."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import re
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from shapely.affinity import translate
from shapely.geometry import LineString, MultiLineString

from roadlift.cli import cli
from roadlift.errors import OutputError, UsageError
from roadlift.imagery import Georef
from roadlift.imagery.burn import north_up
from roadlift.network import RoadMap
from roadlift.network.roadmap import ISSUE_COLUMNS
from roadlift.report import page, write_page
from roadlift.report.document import _asset
from roadlift.report.facts import Headlines, ranked_issues
from roadlift.report.frame import read_ground
from roadlift.report.tiles import TILE_PX, pyramid
from roadlift.scene import render

PLANTED = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


def two_pieces() -> RoadMap:
    """A cross of 400 m in one piece, a road of 100 m in another."""
    lines = [[(0, 0), (100, 0)], [(100, 0), (200, 0)], [(100, -100), (100, 0)], [(100, 0), (100, 100)]]
    geometry = translate(MultiLineString([*lines, [(300, 0), (400, 0)]]), 320_000, 4_690_000).geoms
    return RoadMap.from_lines(gpd.GeoDataFrame(geometry=list(geometry), crs="EPSG:32619"))


def with_issues(roads: RoadMap, rows) -> RoadMap:
    table = gpd.GeoDataFrame(
        [dict(zip(ISSUE_COLUMNS, row, strict=True)) for row in rows],
        geometry=[LineString([(320_000, 4_690_000), (320_000 + row[3], 4_690_000)]) for row in rows],
        crs=roads.crs,
    )
    return replace(roads, issues=table)


def data_of(html: bytes) -> dict:
    return json.loads(re.search(rb'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_headlines_of_a_cross_and_a_lonely_road():
    found = Headlines.of(two_pieces())
    assert (found.length_km, found.components, found.junctions) == (pytest.approx(0.5, rel=1e-3), 2, 1)
    assert found.largest_share == pytest.approx(0.8)
    assert np.isnan(found.probability)


def test_issues_with_the_most_road_at_stake_come_first():
    """A bridge of 10 m that alone joins 300 m, a removed road of 90 m, a bridge of 9 m beside another way."""
    corner = [(100, 0), (100, 50), (109, 50), (109, 0)]
    network = [[(0, 0), (100, 0)], corner, [(100, 0), (109, 0)], [(109, 0), (119, 0)], [(119, 0), (419, 0)]]
    lines = translate(MultiLineString(network), 320_000, 4_690_000).geoms
    roads = RoadMap.from_lines(gpd.GeoDataFrame(geometry=list(lines), crs="EPSG:32619"))
    along, beside, away = (
        LineString([(109, 0), (119, 0)]),
        LineString(network[2]),
        LineString([(0, 500), (90, 500)]),
    )
    table = gpd.GeoDataFrame(
        {
            "id": [0, 1, 2, 3],
            "kind": ["bridged", "removed", "bridged", "filled"],
            "reason": "r",
            "length_m": [9.0, 90.0, 10.0, 9.0],
            "cost_m": np.nan,
        },
        geometry=[translate(line, 320_000, 4_690_000) for line in (beside, away, along, away)],
        crs=roads.crs,
    )
    found = ranked_issues(replace(roads, issues=table))
    assert found["id"].tolist() == [2, 1, 0, 3]
    assert found["at_stake_m"].tolist() == pytest.approx([10 + 209 + 9, 90, 9, 9], rel=1e-3)


def test_a_pyramid_shows_the_picture_at_every_size():
    picture = np.zeros((700, 1300, 4), np.uint8)
    picture[:, :600] = (200, 40, 40, 255)
    found = pyramid(picture, quality=80, budget=10**6)
    assert set(found.tiles) == {(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (2, 0, 0)}
    for level in range(3):
        tile = np.asarray(
            Image.open(io.BytesIO(found.tiles[(level, 0, 0)])).convert("RGBA").resize((TILE_PX, TILE_PX))
        )
        edge = 600 // 2**level
        assert np.abs(tile[10, min(edge, 512) - 8, :3].astype(int) - (200, 40, 40)).max() < 12
        assert edge > 512 or tile[10, edge + 8, 3] == 0


def test_a_pyramid_leaves_out_the_finest_sizes_where_there_is_no_room():
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1100, 4), dtype=np.uint8)
    assert pyramid(noise, quality=50, budget=10**9).finest == 0
    assert pyramid(noise, quality=50, budget=500_000).finest == 1
    assert pyramid(noise, quality=50, budget=1).finest == 2


def test_a_map_without_image_lies_around_the_roads_in_metres():
    ground = read_ground(two_pieces().reproject("EPSG:4326"), None, None)
    frame = ground.frame
    assert frame.metres == pytest.approx(1.0, rel=2e-3)
    lines = frame.lines(frame.place(two_pieces()).edges)
    at = np.concatenate([np.asarray(line.coords) for line in lines])
    assert (at.min(axis=0) > 10).all()
    assert (at.max(axis=0) < np.array(frame.shape[::-1]) - 10).all()
    assert np.ptp(at[:, 0]) == pytest.approx(400, abs=2)


def test_a_probability_in_pixel_space_lies_where_its_transform_says(raster):
    image = raster(np.full((3, 40, 60), 90, np.uint8), "image.png")
    half = Georef(None, north_up(0, 0, 2.0).transform)
    probability = np.zeros((20, 30), np.uint8)
    probability[5, 7] = 254
    ground = read_ground(RoadMap.empty(), image, (probability, half))
    assert np.argwhere(ground.probability == 254).tolist() == [[10, 14], [10, 15], [11, 14], [11, 15]]


def test_roads_in_pixels_do_not_go_onto_an_image_with_crs(raster):
    image = raster(np.full((3, 40, 60), 90, np.uint8))
    with pytest.raises(UsageError, match="the image that"):
        page(RoadMap.empty(), image=image)


def test_what_is_planted_in_a_road_map_is_text():
    roads = with_issues(two_pieces(), [(0, PLANTED, PLANTED, 3.0, np.nan)])
    roads = replace(
        roads,
        edges=roads.edges.assign(class_hint=PLANTED),
        provenance={
            "notes": [PLANTED],
            "options": {"model": PLANTED},
            "model": {"name": PLANTED},
            "images": [PLANTED],
        },
    )
    html = page(roads, title=PLANTED)
    assert b"<img" not in html
    assert len(re.findall(rb"<script\b", html)) == 3
    assert data_of(html)["issues"]["reason"] == [PLANTED]


def test_only_the_two_scripts_of_the_policy_run():
    html = page(two_pieces()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy.startswith("default-src 'none'")
    assert re.findall(r"sha256-([^']+)", policy) == hashes


def test_the_same_road_map_gives_the_same_page_and_no_folder_is_told(tmp_path):
    roads = replace(two_pieces(), provenance={"images": ["/home/somebody/secret/city.tif"]})
    roads.save(tmp_path / "city.gpkg")
    html = page(roads, file=tmp_path / "city.gpkg")
    assert html == page(roads, file=tmp_path / "city.gpkg")
    assert b"city.tif" in html
    assert b"secret" not in html
    assert str(tmp_path).encode() not in html


def test_colours_of_texts_have_the_contrast_of_wcag_aa():
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", _asset("page.css")))
    texts = ("ink", "soft", "accent", "doubtful", "bridged", "removed", "filled")
    on = [
        *itertools.product(texts[:3], ("paper", "card", "field")),
        *((name, "card") for name in texts),
        ("on-accent", "accent"),
    ]
    for (text, ground), theme in itertools.product(on, (0, 1)):
        light, dark = sorted(
            (_luminance(pairs[name].split(", ")[theme]) for name in (text, ground)), reverse=True
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, theme)


def _luminance(colour: str) -> float:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_a_page_is_not_written_over_a_file_or_under_another_suffix(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        write_page(target, two_pieces())
    assert target.read_text() == "mine"
    with pytest.raises(UsageError, match=r"must end in \.html"):
        write_page(tmp_path / "page.pdf", two_pieces())


def test_extract_and_report_write_the_page(tmp_path):
    image, _, _ = render(5, shape=(320, 320)).save(tmp_path, "city")
    first, second = tmp_path / "first.html", tmp_path / "city_report.html"
    done = CliRunner().invoke(
        cli, ["extract", str(image), str(tmp_path / "city.gpkg"), "--report", str(first), "-q"]
    )
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["first.html"]
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "city.gpkg")])
    assert done.exit_code == 0, done.output
    assert data_of(first.read_bytes())["probability"]["tiles"]
    assert data_of(second.read_bytes())["probability"] is None
    assert data_of(first.read_bytes())["image"] == data_of(second.read_bytes())["image"]
    assert b"EfficientNet-Lite0" in second.read_bytes()
    (tmp_path / "city.tif").unlink()
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "city.gpkg"), "--overwrite"])
    assert "--image" in done.output
    assert data_of(second.read_bytes())["image"] is None
