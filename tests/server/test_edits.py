"""Edits of a result: in the map, in the summary, in every download, and gone when they are taken back."""

from __future__ import annotations

import pytest
from serving import features, problem

from roadlift import RoadMap


@pytest.fixture
def edited(client, done):
    """A finished job; its edits are taken back afterwards."""
    before = client.get(f"/api/jobs/{done['id']}").json()["summary"]
    yield done["id"]
    answer = client.put(f"/api/jobs/{done['id']}/edits", json={"edits": []})
    assert answer.status_code == 200
    assert client.get(f"/api/jobs/{done['id']}").json()["summary"] | {"seconds": 0} == before | {"seconds": 0}


def put(client, job, *edits):
    return client.put(f"/api/jobs/{job}/edits", json={"edits": list(edits)})


def test_edits_are_in_map_summary_and_download(client, image, done, edited, tmp_path):
    west, south, east, north = image["bounds"]
    longest = max(features(client, edited), key=lambda edge: edge["properties"]["length_m"])
    line = [
        [west + 0.1 * (east - west), north - 0.1 * (north - south)],
        [(west + east) / 2, (south + north) / 2],
    ]
    drawn = {"action": "draw", "coordinates": line}
    answer = put(client, edited, {"action": "delete", "edge": longest["id"]}, drawn)
    assert answer.status_code == 200, answer.text
    assert client.get(f"/api/jobs/{edited}/edits").json() == answer.json()
    job = client.get(f"/api/jobs/{edited}").json()
    assert (job["state"], job["edits"]) == ("done", 2)
    assert job["summary"]["length_km_by_width"]["unknown"] > 0.05
    edges = features(client, edited)
    assert longest["id"] not in {edge["properties"]["edge"] for edge in edges}
    new = [edge["properties"] for edge in edges if edge["properties"]["edited"] == "drawn"]
    assert new
    assert all(edge["edit"] == 1 and edge["edge"] is None for edge in new)
    (tmp_path / "roads.gpkg").write_bytes(client.get(f"/api/jobs/{edited}/download/gpkg").content)
    roads = RoadMap.from_file(tmp_path / "roads.gpkg")
    assert len(roads.edges) == len(edges)
    assert (roads.edges["source"] == "drawn").sum() == len(new)
    problem(client.post(f"/api/jobs/{edited}/vectorize", json={"threshold": 0.5}), 409, "edits_exist")


def test_dropped_with_the_roads_that_they_are_about(client, done, edited):
    assert put(client, edited, {"action": "delete", "edge": 0}).status_code == 200
    body = {"threshold": done["threshold"], "drop_edits": True}
    job = client.post(f"/api/jobs/{edited}/vectorize", json=body).json()
    assert job["edits"] == 0
    assert client.get(f"/api/jobs/{edited}/edits").json() == {"edits": []}


@pytest.mark.parametrize(
    ("edit", "code", "says"),
    [
        ({"action": "delete", "edge": "99999"}, "bad_edit", "edit 2: there is no road 99999"),
        ({"action": "draw", "coordinates": [[0, 0], [1e-9, 0]]}, "bad_edit", "edit 2"),
        (
            {"action": "draw", "coordinates": [[10, 50], [10, 51]]},
            "bad_edit",
            "edit 2: the drawn road leaves the image",
        ),
        ({"action": "draw", "coordinates": [[0, 0]]}, "invalid", "coordinates"),
        ({"action": "draw", "coordinates": [[0, 91], [0, 0]]}, "invalid", "90"),
        ({"action": "move", "edge": 1}, "invalid", "action"),
        ({"action": "delete", "edge": "../x"}, "invalid", "edge"),
        ({"action": "delete", "edge": 1, "more": 1}, "invalid", "more"),
    ],
)
def test_edits_that_cannot_be_change_nothing(client, done, edit, code, says):
    assert says in problem(put(client, done["id"], {"action": "delete", "edge": 0}, edit), 422, code)
    assert client.get(f"/api/jobs/{done['id']}/edits").json() == {"edits": []}


def test_issues_most_important_first(client, done):
    issues = [one["properties"] for one in features(client, done["id"], "issues")]
    assert len(issues) == client.get(f"/api/jobs/{done['id']}").json()["summary"]["issues"]
    at_stake = [one["at_stake_m"] for one in issues]
    assert at_stake == sorted(at_stake, reverse=True)
    assert all(one["at_stake_m"] >= one["length_m"] - 1e-6 for one in issues)
    assert all(one["words"] and one["reason"] and one["kind"] for one in issues)
    edges = {edge["id"]: edge["properties"] for edge in features(client, done["id"])}
    for one in issues:
        if one["kind"] == "bridged":
            assert edges[one["edge"]]["bridged"]
