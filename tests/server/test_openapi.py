"""Whatever the description of the API allows, and much that it does not, is answered without a server error. F21."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from serving import HEADERS, problem

schemathesis = pytest.importorskip("schemathesis")

SLOW = ("POST /api/images/demo", "POST /api/images")
EXAMPLES = 3


def operations(client):
    """The API's operations by name, as schemathesis reads them."""
    schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
    found = [result.ok() for result in schema.get_all_operations()]
    return {f"{one.method.upper()} {one.path}": one for one in found}


def test_description_is_complete(client):
    described = operations(client)
    assert len(described) >= 20
    assert client.get("/api/openapi.json").json()["info"]["title"] == "roadlift"
    for answer in (
        client.get("/api/openapi.json")
        .json()["paths"]["/api/jobs"]["post"]["responses"]["422"]["content"]
        .values()
    ):
        assert answer["schema"]["$ref"].endswith("ErrorBody")


def test_no_server_errors(client, image, done):
    known = {"image": image["id"], "job": done["id"]}
    for name, operation in operations(client).items():
        if name not in SLOW and not name.startswith("DELETE"):
            ask(client, operation, name, known)
    found_again = {"threshold": done["threshold"], "drop_edits": True}
    assert client.post(f"/api/jobs/{done['id']}/vectorize", json=found_again).status_code == 200


def ask(client, operation, name, known):
    """Call one operation with what its description allows, on made-up ids and on real ones."""

    @settings(
        max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(case=operation.as_strategy(), real=st.booleans())
    def check(case, real):
        given_ids = case.path_parameters or {}
        case.path_parameters = {
            key: known.get(key, value) if real else value for key, value in given_ids.items()
        }
        sent = case.as_transport_kwargs(base_url=str(client.base_url), headers=HEADERS)
        answer = client.request(**{key: value for key, value in sent.items() if key != "cookies"})
        assert answer.status_code < 500, (name, answer.text)
        if answer.status_code >= 400:
            problem(answer, answer.status_code, answer.json()["error"]["code"])

    check()
