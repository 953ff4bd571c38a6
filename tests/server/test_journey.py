"""From an image to a downloaded road map, as the page asks for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from rio_tiler.constants import WEB_MERCATOR_TMS

from roadlift import RoadMap


def tile_of(image, zoom=17):
    west, south, east, north = image["bounds"]
    tile = WEB_MERCATOR_TMS.tile((west + east) / 2, (south + north) / 2, zoom)
    return f"{tile.z}/{tile.x}/{tile.y}"


def pixels(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.moveaxis(np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA")), 2, 0)


def test_health_and_settings(client):
    assert client.get("/api/health").json()["status"] == "ok"
    settings = client.get("/api/settings").json()
    assert settings["models"][0]["name"] == "roadlift-1m"
    assert settings["needs_token"] is False
    assert settings["max_upload_bytes"] == 32 * 2**20


def test_image_is_described_and_drawn(client, image):
    assert (image["width"], image["height"], image["bands"]) == (1024, 1024, 3)
    assert image["georeferenced"]
    assert image["crs"] == "EPSG:32619"
    picture = pixels(client.get(f"/api/images/{image['id']}/tiles/{tile_of(image)}.png"))
    assert picture.shape == (4, 256, 256)
    assert picture[3].mean() > 100
    assert picture[:3].std() > 10


def test_job_ends_with_roads(client, image, done):
    assert done["state"] == "done", done["error"]
    assert done["tiles_done"] == done["tiles_total"] == 1
    summary = done["summary"]
    assert 10 < summary["length_km"] < 15
    assert sum(summary["length_km_by_width"].values()) == pytest.approx(summary["length_km"], abs=0.01)
    picture = pixels(client.get(f"/api/jobs/{done['id']}/probability/{tile_of(image)}.png"))
    assert 0.03 < (picture[3] > 128).mean() < 0.5


def test_geojson_is_the_download(client, done, tmp_path):
    shown = client.get(f"/api/jobs/{done['id']}/roads.geojson")
    assert shown.headers["content-type"] == "application/geo+json"
    edges = [one for one in shown.json()["features"] if one["properties"]["kind"] == "edge"]
    assert len(edges) == done["summary"]["edges"]
    assert all(edge["id"] == edge["properties"]["edge"] for edge in edges)
    file = client.get(f"/api/jobs/{done['id']}/download/gpkg")
    assert file.headers["content-disposition"].startswith("attachment")
    (tmp_path / "roads.gpkg").write_bytes(file.content)
    roads = RoadMap.from_file(tmp_path / "roads.gpkg")
    assert len(roads.edges) == len(edges)
    assert roads.crs.to_epsg() == 32619
    assert np.isclose(roads.length_km, done["summary"]["length_km"], atol=0.01)


def test_image_upload(client, tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)).save(file, "PNG")
    answer = client.post("/api/images", files={"file": ("../../a b<i>.png", file.getvalue())})
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert found["name"] == "a b<i>.png"
    assert not found["georeferenced"]
    west, south, east, north = found["bounds"]
    assert west == -east
    assert south == -north
    assert (east - west) / (north - south) == pytest.approx(1.5, abs=0.01)
    assert client.delete(f"/api/images/{found['id']}").status_code == 204
    assert client.get(f"/api/images/{found['id']}").status_code == 404
