"""Who may ask: hosts, origins, tokens; what every answer carries; ids and file names that try to be paths. F17 to F19."""

from __future__ import annotations

import dataclasses
import os
import secrets

import pytest
from click.testing import CliRunner
from serving import client_of, problem

from roadlift.cli import cli
from roadlift.errors import UsageError
from roadlift.server.options import ServerOptions
from roadlift.server.uploads import shown_name

TOKEN = secrets.token_urlsafe(24)
JOB = {"image": "x" * 22}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.168.1.7", "[::1", "a@b"])
def test_foreign_host_is_refused(client, host):
    problem(client.get("/api/health", headers={"Host": host}), 400, "unknown_host")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:1", "[::1]:9", "LOCALHOST"])
def test_own_host_is_served(client, host):
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_page"),
        ({"Origin": "null"}, "foreign_page"),
        ({"Origin": "http://127.0.0.1:9"}, "foreign_page"),
        ({"Sec-Fetch-Site": "cross-site"}, "foreign_page"),
        ({"Sec-Fetch-Site": "same-site"}, "foreign_page"),
        ({"X-Roadlift": None}, "header_missing"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/jobs"), ("DELETE", "/api/images/x"), ("PUT", "/api/jobs/x/edits")]
)
def test_pages_of_others_cannot_change_anything(client, headers, code, method, path):
    kept = {
        name: value for name, value in client.headers.items() if name.lower() not in map(str.lower, headers)
    }
    request = client.build_request(method, path, json=JOB)
    request.headers.clear()
    request.headers.update(
        kept | {k: v for k, v in headers.items() if v is not None} | {"Host": "127.0.0.1:8000"}
    )
    problem(client.send(request), 403, code)


def test_own_page_may_change_things(client):
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin", "Host": "127.0.0.1:8000"}
    problem(client.post("/api/jobs", json=JOB, headers=headers), 404, "not_found")


def test_pages_of_others_cannot_read_either(client):
    problem(client.get("/api/jobs", headers={"Sec-Fetch-Site": "cross-site"}), 403, "foreign_page")


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/jobs/nothing", "/nothing", "/api/openapi.json"])
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    "number",
    [
        "..",
        "%2e%2e%2f",
        "a%2fb",
        "..%2f..%2f..%2fetc%2fpasswd",
        "x" * 22,
        "x" * 5000,
        "%00",
        "x" * 21 + "%0a",
        "a b",
        "é",
    ],
)
@pytest.mark.parametrize("where", ["jobs", "images"])
def test_ids_are_no_paths(client, number, where):
    answer = client.get(f"/api/{where}/{number}")
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/app.py", "/..%2fapp.py", "/assets/../../app.py", "//etc/passwd"]
)
def test_page_files_are_no_paths(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x.png", "x.png"),
        ("a" * 300 + ".png", "a" * 120),
        ("a\0b\nc.png", "abc.png"),
        ("/", "image"),
    ],
)
def test_file_names_are_for_showing_only(name, shown):
    assert shown_name(name) == shown


def test_file_names_are_no_paths(client, picture):
    before = {path for path in client.folder.rglob("*") if path.is_dir()}
    name = b"../../../<img src=x onerror=alert(1)>.png"
    head = b'--line\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    answer = client.post("/api/images", content=head + picture + b"\r\n--line--\r\n", headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "<img src=x onerror=alert(1)>.png"
    folder = client.folder / "images" / answer.json()["id"]
    assert {path for path in client.folder.rglob("*") if path.is_dir()} - before == {folder}
    assert sorted(path.name for path in folder.iterdir()) == ["image.png", "preview.tif"]
    assert client.delete(f"/api/images/{answer.json()['id']}").status_code == 204
    assert not folder.exists()


def test_token(tmp_path, picture, monkeypatch):
    monkeypatch.setenv("ROADLIFT_TOKEN", TOKEN)
    with client_of(tmp_path, token=TOKEN) as client:
        assert client.get("/api/settings").json()["needs_token"] is True
        assert client.get("/api/health").status_code == 200
        for value in (None, "Bearer", "Bearer " + TOKEN[:-1], "Bearer é", f"Basic {TOKEN}", TOKEN):
            headers = {} if value is None else {"Authorization": value.encode()}
            answer = client.get("/api/jobs", headers=headers)
            problem(answer, 401, "token_needed")
            assert answer.headers["www-authenticate"] == "Bearer"
        problem(client.get(f"/api/jobs?token={TOKEN}"), 401, "token_needed")
        problem(client.post("/api/images", files={"file": picture}), 401, "token_needed")
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert client.get("/api/jobs").json() == {"jobs": []}
        assert "ROADLIFT_TOKEN" not in os.environ, "processes that open strangers' files inherit it"


def test_other_addresses_need_a_token():
    ended = CliRunner().invoke(cli, ["serve", "--host", "0.0.0.0"])
    assert isinstance(ended.exception, UsageError)
    assert ended.exception.exit_code == 2
    assert "--token" in str(ended.exception)
    ServerOptions(data="x", host="0.0.0.0", token=TOKEN)


@pytest.mark.parametrize("token", ["short", "", "with a newline and more\n"])
def test_tokens_that_are_none(token):
    with pytest.raises(UsageError, match="--token"):
        ServerOptions(data="x", host="0.0.0.0", token=token)


def test_token_is_not_shown():
    assert TOKEN not in repr(ServerOptions(data="x", token=TOKEN))


def test_reverse_proxy_and_other_addresses(tmp_path):
    """The application need not be started for what is refused at the door."""
    client = client_of(tmp_path, host="0.0.0.0", token=TOKEN, allow_host=("Roads.Example",))
    headers = {"Host": "roads.example", "Origin": "https://roads.example"}
    problem(client.post("/api/jobs", json=JOB, headers=headers), 401, "token_needed")
    problem(client.post("/api/jobs", json=JOB, headers={"Host": "10.0.0.7:8000"}), 401, "token_needed")
    problem(client.post("/api/jobs", json=JOB, headers={"Host": "other.example"}), 400, "unknown_host")


def test_unexpected_errors_are_words(client, monkeypatch):
    def broken():
        raise ValueError("/etc/passwd is secret")

    monkeypatch.setattr(client.app.state.workshop.store, "jobs", broken)
    problem(client.get("/api/jobs"), 500, "internal")


def test_wrong_methods_and_bodies(client, image):
    problem(client.put("/api/jobs"), 405, "method_not_allowed")
    problem(client.post("/api/jobs", content=b"{"), 422, "invalid")
    problem(client.post("/api/jobs", json={"image": image["id"], "threshold": 2}), 422, "invalid")
    problem(
        client.post("/api/jobs", json={"image": image["id"], "model": "/etc/passwd"}), 422, "unknown_model"
    )
    problem(client.post("/api/jobs", json={"image": image["id"], "gsd": 1}), 422, "gsd_not_needed")
    problem(client.post("/api/jobs", content=b'{"x":' * 600_000), 413, "too_large")


def test_flags_and_fields_share_names_and_defaults():
    fields = {field.name: field.default for field in dataclasses.fields(ServerOptions)}
    asked = cli.commands["serve"].make_context("serve", []).params
    assert asked.keys() == fields.keys()
    assert {name: value for name, value in asked.items() if name != "data"} == {
        name: value for name, value in fields.items() if name != "data"
    }
