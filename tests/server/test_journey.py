"""From an image to a downloaded road map, as the page asks for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import shapely
from PIL import Image as Picture
from rio_tiler.constants import WEB_MERCATOR_TMS
from serving import SIDE, events, extract, features, problem, upload, wait

from roadlift import RoadMap


def tile_of(image, zoom=17):
    west, south, east, north = image["bounds"]
    tile = WEB_MERCATOR_TMS.tile((west + east) / 2, (south + north) / 2, zoom)
    return f"{tile.z}/{tile.x}/{tile.y}"


def pixels(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.moveaxis(np.asarray(Picture.open(io.BytesIO(answer.content)).convert("RGBA")), 2, 0)


def saved(client, job, folder, suffix="gpkg"):
    file = client.get(f"/api/jobs/{job}/download/{suffix}")
    assert file.status_code == 200, file.text
    assert file.headers["content-disposition"].startswith("attachment")
    (folder / f"roads.{suffix}").write_bytes(file.content)
    return RoadMap.from_file(folder / f"roads.{suffix}")


def test_health_and_settings(client):
    assert client.get("/api/health").json()["status"] == "ok"
    settings = client.get("/api/settings").json()
    assert settings["models"][0]["name"] == "roadlift-1m"
    assert settings["needs_token"] is False
    assert settings["max_upload_bytes"] == 2 * 2**20


def test_image_is_described_and_drawn(client, image):
    assert (image["width"], image["height"], image["bands"]) == (SIDE, SIDE, 3)
    assert (image["name"], image["crs"], image["georeferenced"]) == ("town.tif", "EPSG:32619", True)
    picture = pixels(client.get(f"/api/images/{image['id']}/tiles/{tile_of(image)}.png"))
    assert picture.shape == (4, 256, 256)
    assert 0.2 < (picture[3] == 255).mean() < 1
    assert picture[:3, picture[3] == 255].std() > 10
    problem(client.get(f"/api/images/{image['id']}/tiles/17/5/5.png"), 404, "outside")


def test_job_ends_with_roads(client, image, done, tmp_path):
    assert done["state"] == "done", done["error"]
    assert done["tiles_done"] == done["tiles_total"] == 1
    summary = done["summary"]
    assert summary["length_km"] > 0.3
    assert sum(summary["length_km_by_width"].values()) == pytest.approx(summary["length_km"], abs=0.01)
    picture = pixels(client.get(f"/api/jobs/{done['id']}/probability/{tile_of(image)}.png?v=1"))
    assert 0.02 < (picture[3] > 128).mean() < 0.6
    edges = features(client, done["id"])
    assert len(edges) == summary["edges"]
    assert all(edge["id"] == edge["properties"]["edge"] for edge in edges)
    roads = saved(client, done["id"], tmp_path)
    assert roads.crs.to_epsg() == 32619
    assert roads.length_km == pytest.approx(summary["length_km"], abs=0.01)
    west, south, east, north = image["bounds"]
    box = shapely.box(west, south, east, north).buffer(1e-5)
    assert all(box.contains(shapely.geometry.shape(edge["geometry"])) for edge in edges)
    assert dict(events(client, done["id"]))["job"]["state"] == "done"


def test_same_roads_as_on_the_command_line(client, scene, done, tmp_path):
    from roadlift import extract as extract_here

    served, here = saved(client, done["id"], tmp_path), extract_here(scene)
    assert served.edges.geometry.geom_equals_exact(here.edges.geometry, 1e-6).all()
    assert served.provenance["images"] == ["town.tif"]


def test_other_formats(client, done, tmp_path):
    assert saved(client, done["id"], tmp_path, "geojson").length_km == pytest.approx(
        done["summary"]["length_km"], rel=0.01
    )


def test_report(client, done):
    answer = client.get(f"/api/jobs/{done['id']}/report")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="town_report.html"'
    assert answer.text.startswith("<!doctype html>")
    assert "town.tif" in answer.text
    assert str(client.folder) not in answer.text


def test_vectorize_again(client, done):
    """Fewer roads with a higher threshold, and the same as before with the same."""
    again = client.post(f"/api/jobs/{done['id']}/vectorize", json={"threshold": 0.99}).json()
    assert (again["threshold"], again["state"]) == (0.99, "done")
    assert 0 < again["summary"]["length_km"] < done["summary"]["length_km"]
    back = client.post(f"/api/jobs/{done['id']}/vectorize", json={"threshold": done["threshold"]}).json()
    assert back["summary"] | {"seconds": 0} == done["summary"] | {"seconds": 0}


def test_image_without_crs_lies_in_a_box_around_zero(client, scene, tmp_path):
    with Picture.open(scene) as opened:
        wide = np.asarray(opened)[:200]
    file = io.BytesIO()
    Picture.fromarray(wide).save(file, "PNG")
    image = upload(client, file.getvalue(), "phone <b>.png")
    assert (image["name"], image["georeferenced"], image["crs"]) == ("phone <b>.png", False, None)
    west, south, east, north = image["bounds"]
    assert (west, south) == (-east, -north)
    assert (east - west) / (north - south) == pytest.approx(SIDE / 200, rel=1e-3)
    job = extract(client, image, gsd=1.0)
    assert job["state"] == "done", job["error"]
    assert job["gsd"] == 1.0
    line = features(client, job["id"])[0]["geometry"]["coordinates"]
    assert all(west <= x <= east and south <= y <= north for x, y in line)
    roads = saved(client, job["id"], tmp_path)
    assert roads.crs is None
    bounds = roads.edges.total_bounds
    assert (bounds >= 0).all()
    assert bounds[2] <= SIDE
    assert bounds[3] <= 200
    problem(client.get(f"/api/jobs/{job['id']}/download/geojson"), 422, "no_crs")
    _draw_in_pixels(client, job, image, tmp_path)
    assert client.get(f"/api/jobs/{job['id']}/report").status_code == 200
    assert client.delete(f"/api/images/{image['id']}").status_code == 204
    problem(client.get(f"/api/jobs/{job['id']}"), 404, "not_found")
    assert not (client.folder / "jobs" / job["id"]).exists()


def _draw_in_pixels(client, job, image, folder):
    """A line drawn on the map is where the pixels are, and as long as they say."""
    west, _, _, north = image["bounds"]
    edits = [{"action": "draw", "coordinates": [[west, north], [0, 0]]}]
    edits += [{"action": "delete", "edge": edge["id"]} for edge in features(client, job["id"])]
    answer = client.put(f"/api/jobs/{job['id']}/edits", json={"edits": edits})
    assert answer.status_code == 200, answer.text
    drawn = saved(client, job["id"], folder)
    assert shapely.get_coordinates(drawn.edges.geometry[0]) == pytest.approx(
        np.array([[0, 0], [SIDE / 2, 100]]), abs=1e-3
    )
    assert drawn.edges["length_m"].tolist() == pytest.approx([np.hypot(SIDE / 2, 100)], abs=0.01)


def test_cancelled_in_the_queue_and_while_running(client, image):
    running, waiting = (client.post("/api/jobs", json={"image": image["id"]}).json() for _ in range(2))
    assert client.post(f"/api/jobs/{waiting['id']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/api/jobs/{running['id']}/cancel").json()["state"] == "cancelled"
    assert wait(client, running["id"])["state"] == "cancelled"
    problem(client.get(f"/api/jobs/{running['id']}/roads.geojson"), 409, "not_done")
    problem(client.post(f"/api/jobs/{running['id']}/vectorize", json={"threshold": 0.4}), 409, "not_done")
    listed = [job["id"] for job in client.get("/api/jobs").json()["jobs"]]
    assert listed[:2] == [waiting["id"], running["id"]]
    for job in (running, waiting):
        assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
        problem(client.get(f"/api/jobs/{job['id']}"), 404, "not_found")
        assert not (client.folder / "jobs" / job["id"]).exists()
