"""What holds for any road map: cutting and joining undo each other, ids come from the geometry alone."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from roadlift.network import RoadMap, merge
from roadlift.network.build import NetworkParts
from roadlift.network.polylines import Polylines

ORIGIN = np.array([300_000.0, 4_700_000.0])
# In general position: no two vertices in one line with a cut, no two roads across a cut at the same place.
COORDINATES = st.tuples(st.integers(0, 200), st.integers(0, 200)).map(
    lambda place: (
        place[0] + 0.3 * np.sin(place[1] * 7.1 + place[0]),
        place[1] + 0.3 * np.cos(place[0] * 5.3 + place[1]),
    )
)


@st.composite
def parts(draw) -> NetworkParts:
    """Roads between random points, some curved, some loops, some bridged; no two run along each other."""
    places = np.array(draw(st.lists(COORDINATES, min_size=2, max_size=8, unique=True)), float) + ORIGIN
    node = st.integers(0, len(places) - 1)
    inner = st.lists(COORDINATES, max_size=3, unique=True)
    roads = draw(st.lists(st.tuples(node, node, inner), min_size=1, max_size=8))
    lines, taken = [], set()
    for u, v, middle in roads:
        points = [places[u], *(np.array(middle, float).reshape(-1, 2) + ORIGIN), places[v]]
        line = shapely.remove_repeated_points(shapely.LineString(points))
        if line.length > 0 and (u != v or len(line.coords) > 3):
            stretches = [frozenset(stretch) for stretch in itertools.pairwise(line.coords)]
            if len(set(stretches)) == len(stretches) and not taken & set(stretches):
                taken |= set(stretches)
                lines.append((u, v, line))
    if not lines:
        lines = [(0, 1, shapely.LineString(places[:2]))]
    u, v, geometry = zip(*lines, strict=True)
    used, ends = np.unique([u, v], return_inverse=True)
    ends = ends.reshape(2, -1)
    polylines = Polylines.from_shapely(np.array(geometry, dtype=object))
    bridged = np.array(draw(st.lists(st.booleans(), min_size=len(u), max_size=len(u))))
    length = polylines.lengths
    measures = pd.DataFrame(
        {
            "length_m": length,
            "width_m": np.round(4 + length % 5, 3),
            "width_spread_m": 1.0,
            "probability": np.round(0.5 + (length % 7) / 14, 4),
            "probability_min": 0.25,
            "probability_p10": 0.5,
            "border": False,
            "bridged": bridged,
            "bridge_cost_m": np.where(bridged, length / 2, np.nan),
            "class_hint": "unknown",
            "source": "test",
        }
    )
    degree = np.bincount(ends.ravel())
    kinds = np.array(["end", "end", "joint", "junction"])[np.minimum(degree, 3)]
    kinds[ends[0][(ends[0] == ends[1]) & (degree[ends[0]] == 2)]] = "ring"
    issues = RoadMap.empty(crs=32619).issues
    return NetworkParts(places[used], kinds.astype("U8"), ends[0], ends[1], polylines, measures, issues)


def build(some: NetworkParts) -> RoadMap:
    roads = some.build(crs="EPSG:32619", provenance={})
    geodesic = [Geod(ellps="WGS84").geometry_length(line) for line in roads.edges.geometry.to_crs(4326)]
    roads.edges["length_m"] = np.round(geodesic, 3)
    return roads


def assert_same(one: RoadMap, two: RoadMap) -> None:
    values = [roads.edges.drop(columns="geometry") for roads in (one, two)]
    pd.testing.assert_frame_equal(*values, atol=0.005, rtol=0)
    assert shapely.equals_exact(one.edges.geometry.array, two.edges.geometry.array, tolerance=1e-5).all()
    assert one.nodes["kind"].tolist() == two.nodes["kind"].tolist()
    assert one.nodes["degree"].tolist() == two.nodes["degree"].tolist()


def halves(cut: float, *, upright: bool) -> list[tuple[float, float, float, float]]:
    (x, y), far = ORIGIN, 1_000.0
    if upright:
        return [(x - far, y - far, x + cut, y + far), (x + cut, y - far, x + far, y + far)]
    return [(x - far, y - far, x + far, y + cut), (x - far, y + cut, x + far, y + far)]


CUTS = st.floats(1.0, 199.0)


@settings(max_examples=25)
@given(parts(), CUTS, st.booleans())
def test_what_is_cut_in_two_and_added_is_whole_again(some: NetworkParts, cut: float, upright: bool) -> None:
    whole = build(some)
    one, two = (whole.clip(half) for half in halves(cut, upright=upright))
    assert one.length_km + two.length_km == pytest.approx(whole.length_km, abs=1e-5 * (1 + len(whole.edges)))
    assert_same(one + two, whole)
    assert_same(two + one, whole)


@settings(max_examples=12)
@given(parts(), CUTS, CUTS, st.permutations(range(4)))
def test_four_quarters_in_any_order(some: NetworkParts, x: float, y: float, order: list[int]) -> None:
    whole = build(some)
    quarters = [
        whole.clip(half).clip(quarter)
        for half in halves(x, upright=True)
        for quarter in halves(y, upright=False)
    ]
    assert_same(merge([quarters[index] for index in order]), whole)


@settings(max_examples=25)
@given(parts(), st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_order_or_direction(some: NetworkParts, random) -> None:
    nodes, edges = list(range(len(some.points))), list(range(len(some.u)))
    random.shuffle(nodes)
    random.shuffle(edges)
    flip = np.array([random.random() < 0.5 for _ in edges])
    number = np.argsort(nodes)
    u, v = number[some.u[edges]], number[some.v[edges]]
    shuffled = NetworkParts(
        some.points[nodes],
        some.kinds[nodes],
        np.where(flip, v, u),
        np.where(flip, u, v),
        some.lines.take(np.array(edges), flip=flip),
        some.measures.iloc[edges].reset_index(drop=True),
        some.issues,
    )
    one, two = (each.build(crs=None, provenance={}) for each in (some, shuffled))
    assert one.edges.to_wkt().equals(two.edges.to_wkt())
    assert one.nodes.to_wkt().equals(two.nodes.to_wkt())


@settings(max_examples=12)
@given(parts(), st.sampled_from([4326, 3857, 32618, 26986]))
def test_there_and_back_again(some: NetworkParts, epsg: int) -> None:
    whole = build(some)
    there = whole.reproject(epsg)
    assert there.length_km == whole.length_km
    back = there.reproject(32619)
    assert shapely.equals_exact(back.edges.geometry.array, whole.edges.geometry.array, tolerance=1e-3).all()
    assert back.edges.drop(columns="geometry").equals(whole.edges.drop(columns="geometry"))


@settings(max_examples=12)
@given(parts(), CUTS, st.sampled_from([4326, 3857, 26986]))
def test_lengths_are_geodesic_in_every_crs(some: NetworkParts, cut: float, epsg: int) -> None:
    """Metres of a cut road are metres on the ellipsoid, in degrees and in Mercator as well."""
    whole = build(some).reproject(epsg)
    west, _, east, _ = whole.edges.total_bounds
    if east - west < 1e-9:
        return
    clipped = whole.clip(
        shapely.box(west - 1, -1e9, west + (east - west) * cut / 200, 1e9)
        if epsg != 4326
        else shapely.box(west - 1, -90, west + (east - west) * cut / 200, 90)
    )
    geodesic = [Geod(ellps="WGS84").geometry_length(line) for line in clipped.edges.geometry.to_crs(4326)]
    assert clipped.edges["length_m"].tolist() == pytest.approx(geodesic, abs=0.01)


@settings(max_examples=25)
@given(parts(), st.floats(0.1, 60.0))
def test_simplifying_makes_no_new_contacts(some: NetworkParts, tolerance: float) -> None:
    whole = build(some)
    simple = whole.simplify(tolerance)
    before, after = whole.edges.geometry.array, simple.edges.geometry.array
    assert (shapely.is_simple(after) | ~shapely.is_simple(before)).all()
    for one in range(len(after)):
        for two in range(one):
            if not shapely.crosses(before[one], before[two]):
                assert not shapely.crosses(after[one], after[two])
    assert (shapely.hausdorff_distance(before, after) <= tolerance * 1.001 + 1e-6).all()
    assert simple.nodes.equals(whole.nodes)
