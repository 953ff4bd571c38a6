"""Uploads: limits counted byte by byte, forms that are none, images that are something else. F16, F6, F20."""

from __future__ import annotations

import kinds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import png_of, problem

from roadlift.server.uploads import shown_name

MEBIBYTE = 2**20
TYPE = {"Content-Type": "multipart/form-data; boundary=line"}
HEAD = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.tif"\r\n\r\n'
TAIL = b"\r\n--line--\r\n"


def body_of(size, *, head=HEAD, tail=TAIL):
    """A form with a file of so many bytes, in parts of 64 KiB."""
    yield head
    for _ in range(size // 65536):
        yield b"\0" * 65536
    yield tail


def nothing_is_left(client):
    assert all(sorted(one.iterdir()) for one in (client.folder / "images").iterdir())
    known = {job["image"]["id"] for job in client.get("/api/jobs").json()["jobs"]}
    return {one.name for one in (client.folder / "images").iterdir()} - known


@pytest.mark.parametrize("announced", [True, False])
def test_too_large(client, announced):
    before = nothing_is_left(client)
    size = 3 * MEBIBYTE
    content = b"".join(body_of(size)) if announced else body_of(size)
    words = problem(client.post("/api/images", content=content, headers=TYPE), 413, "too_large")
    assert "2 MiB" in words
    assert nothing_is_left(client) == before


def test_a_file_of_just_the_limit_is_looked_at(client):
    answer = client.post("/api/images", content=body_of(2 * MEBIBYTE), headers=TYPE)
    problem(answer, 415, "unknown_format")


def test_a_file_just_above_the_limit_is_not(client):
    problem(
        client.post("/api/images", content=body_of(2 * MEBIBYTE, tail=b"x" + TAIL), headers=TYPE),
        413,
        "too_large",
    )


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", TYPE, 400, "broken_form"),
        (HEAD + b"abc", TYPE, 400, "broken_form"),
        (b"no form at all", TYPE, 400, "broken_form"),
        (HEAD + TAIL, TYPE, 422, "empty_file"),
        (HEAD.replace(b'"file"', b'"other"') + b"abc" + TAIL, TYPE, 400, "broken_form"),
        (HEAD.replace(b'; filename="a.tif"', b"") + b"abc" + TAIL, TYPE, 400, "broken_form"),
        (b"--line\r\n\r\n\r\n" * 50 + TAIL, TYPE, 400, "broken_form"),
        (b"--line\r\nX: " + b"y" * 100_000 + b"\r\n\r\n" + TAIL, TYPE, 400, "broken_form"),
        (b"{}", {"Content-Type": "application/json"}, 415, "no_form"),
        (b"{}", {"Content-Type": "multipart/form-data"}, 415, "no_form"),
        (b"{}", {"Content-Type": "multipart/form-data; boundary=" + "x" * 5000}, 400, "broken_form"),
    ],
)
def test_forms_that_are_none(client, content, headers, status, code):
    before = nothing_is_left(client)
    problem(client.post("/api/images", content=content, headers=headers), status, code)
    assert nothing_is_left(client) == before


VRT = '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'


@pytest.mark.parametrize(
    "content",
    [
        VRT.encode(),
        b"<MRF_META></MRF_META>",
        b"%PDF-1.7 ...",
        b"GIF89a....",
        b"SQLite format 3\0",
        b"\0" * 100,
        b"x",
    ],
)
def test_formats_that_are_not_taken(client, content):
    answer = client.post("/api/images", files={"file": ("image.tif", content, "image/tiff")})
    words = problem(answer, 415, "unknown_format")
    assert "GeoTIFF, PNG or JPEG" in words


@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        (b"II*\0" + b"\xff" * 40, 422, "unusable_image", "broken.tif"),
        (png_of(np.zeros((10, 900, 3), np.uint8)), 422, "unusable_image", "900 x 10"),
    ],
)
def test_images_that_cannot_be_used(client, content, status, code, says):
    words = problem(client.post("/api/images", files={"file": ("broken.tif", content)}), status, code)
    assert says in words


@given(st.text(max_size=300))
def test_shown_names_are_harmless(name):
    shown = shown_name(name)
    assert 1 <= len(shown) <= 120
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable() or " " in shown
    assert shown_name(shown) == shown


HARMFUL = (
    "strip_of_2048_by_a_billion",
    "bands_65535",
    "block_of_32768",
    "sparse_200000",
    "png_of_60000",
    "one_row_without_end",
    "big_tiff_with_a_huge_directory",
    "tif_of_lerc_garbage",
    "jpeg_cut_short",
    "degrees_taken_for_metres",
    "overviews_of_a_secret",
)


@pytest.mark.parametrize("name", HARMFUL)
def test_images_made_to_harm(client, tmp_path, name):
    """Some of the kinds of tests/hostile; all of them are uploaded by `python -m benchmarks.server hostile`."""
    case = kinds.all_kinds()[name]
    place = kinds.Place(tmp_path, "127.0.0.1:9", tmp_path / "none.onnx")
    command = case.build(place)
    content = (tmp_path / command[1]).read_bytes()
    answer = client.post("/api/images", files={"file": ("x.tif", content)})
    assert 400 <= answer.status_code < 500, answer.text
    words = problem(answer, answer.status_code, answer.json()["error"]["code"])
    assert "--" not in words
    assert kinds.SECRET not in words
    assert client.get("/api/health").status_code == 200
