from __future__ import annotations

import numpy as np
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import vectorize
from roadlift.network.classes import CLASS_HINTS

PIXELS = Georef(None, Affine.identity())


def test_roads_by_where_they_lead() -> None:
    raster = np.zeros((200, 200), np.uint8)
    raster[60:72] = 254  # a wide road through the image
    raster[:, 40:45] = 254  # a narrow one
    raster[72:130, 100:105] = 254  # a cul-de-sac with ...
    raster[110:115, 105:150] = 254  # ... a side road
    raster[170:175, 80:150] = 254  # a road of its own
    roads = vectorize(raster, PIXELS, ground_resolution_m=1.0)
    assert roads.edges["class_hint"].value_counts().to_dict() == {
        "main": 3, "through": 2, "access": 3, "isolated": 1,
    }  # fmt: skip
    assert set(roads.edges["class_hint"]) <= set(CLASS_HINTS)


def test_a_way_round_leads_on() -> None:
    raster = np.zeros((120, 120), np.uint8)
    raster[20:100, 20:100] = 254
    raster[27:93, 27:93] = 0
    raster[57:64, 93:119] = 254  # a stem that stops short of the border
    roads = vectorize(raster, PIXELS, ground_resolution_m=1.0)
    assert sorted(roads.edges["class_hint"]) == ["access", "through"]
