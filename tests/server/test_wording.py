"""Messages of other rooms, fit for a page that has no flags."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import roadlift
from roadlift.errors import InputError
from roadlift.server.problems import words_of
from roadlift.server.wording import ELSEWHERE, without_flags

SOURCES = Path(roadlift.__file__).parent
HEARD = ("imagery", "model", "segment", "network", "export", "pipeline", "preflight.py")
"""Rooms whose messages tasks of the server may pass on."""


def texts_with_flags():
    """Every text of those rooms that names a flag; what is filled in is an X."""
    for room in HEARD:
        path = SOURCES / room
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(source.read_text())):
                text = text_of(node)
                if text is not None and " --" in f" {text}" and "\n" not in text:
                    yield text


def text_of(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_no_flag_is_left_in_any_message_that_there_is():
    texts = list(texts_with_flags())
    assert len(texts) > 20
    for text in texts:
        said = without_flags(text)
        assert "--" not in said.replace(ELSEWHERE, "").replace(ELSEWHERE.capitalize(), ""), text
        assert said.strip(" ;.:"), text


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("a.tif is damaged.", "a.tif is damaged."),
        (
            "a.tif mixes two types; give three of one type with --bands.",
            "a.tif mixes two types; keep the bands for red, green and blue, or one for grey (gdal_translate -b).",
        ),
        (
            "the image has no CRS; give --gsd METRES for its scale, or --crs EPSG:CODE if it has a world file",
            "the image has no CRS; give its metres per pixel, or write its CRS into the file (gdal_edit -a_srs)",
        ),
        ("Too small. Allow it with --unheard-of.", f"Too small. {ELSEWHERE[0].upper()}{ELSEWHERE[1:]}."),
        ("well-known -- as they say -- and -t too", "well-known -- as they say -- and -t too"),
    ],
)
def test_the_part_that_says_what_to_do_is_replaced(message, said):
    assert without_flags(message) == said


def test_errors_go_through_it():
    assert words_of(InputError("No scale. Give it with --gsd in metres."))[2] == (
        "No scale. Give its metres per pixel."
    )
