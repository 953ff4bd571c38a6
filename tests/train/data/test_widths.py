import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadlift.export.lines import TAGS
from roadlift.train.data.widths import parse_width, road_widths


def _width(**tags):
    return road_widths(pd.DataFrame([{tag: tags.get(tag) for tag in TAGS}]))[0]


@pytest.mark.parametrize(
    ("tags", "metres"),
    [
        ({}, 7.0),
        ({"width": "5"}, 5.0),
        ({"width": "5", "lanes": "4", "highway": "motorway"}, 5.0),
        ({"width_m": "6.25"}, 6.25),
        ({"width": "narrow", "lanes": "3"}, 10.5),
        ({"width": "0", "lanes": "nan", "highway": "residential"}, 7.0),
        ({"width": "900", "lanes": "99", "highway": "tertiary"}, 7.0),
        ({"highway": "primary"}, 7.5),
        ({"highway": "primary", "oneway": "yes"}, 3.75),
        ({"highway": "primary", "oneway": "-1"}, 3.75),
        ({"highway": "motorway"}, 7.5),
        ({"highway": "motorway", "oneway": "no"}, 15.0),
        ({"highway": "motorway_link"}, 7.5),
        ({"highway": "secondary_link"}, 3.5),
        ({"highway": "service"}, 4.0),
        ({"highway": "service", "oneway": "yes"}, 4.0),
        ({"highway": "track"}, 3.0),
        ({"highway": "residential", "tunnel": "no"}, 7.0),
    ],
)
def test_width_comes_from_width_then_lanes_then_class(tags, metres):
    assert _width(**tags) == metres


@pytest.mark.parametrize(
    "tags",
    [
        {"highway": "footway"},
        {"highway": "cycleway", "width": "3"},
        {"highway": "construction"},
        {"highway": "service_link"},
        {"highway": "primary", "tunnel": "yes"},
        {"highway": "service", "area": "yes"},
    ],
)
def test_what_no_car_uses_or_no_picture_shows_is_no_road(tags):
    assert np.isnan(_width(**tags))


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("7", 7),
        ("7 m", 7),
        ("7,5m", 7.5),
        ("20'", 6.096),
        ("20 FT", 6.096),
        ("-3", None),
        ("3-4", None),
        ("", None),
        (None, None),
    ],
)
def test_the_text_of_a_width(text, metres):
    assert parse_width(text) == metres


@given(st.fixed_dictionaries({tag: st.none() | st.text(max_size=6) for tag in TAGS}))
def test_any_tags_give_a_width_that_can_be_drawn_or_no_road(tags):
    width = road_widths(pd.DataFrame([tags]))[0]
    assert np.isnan(width) or 0 < width <= 100


def test_no_lines_have_no_widths():
    assert road_widths(pd.DataFrame(columns=list(TAGS))).shape == (0,)
