import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from roadlift.errors import InputError, UsageError
from roadlift.evaluate import RoadGraph, road_graph
from roadlift.imagery import Georef
from roadlift.network import vectorize

UTM = Georef(CRS.from_epsg(32619), Affine(1.0, 0.0, 331_000.0, 0.0, -1.0, 4_690_100.0))


@pytest.fixture
def cross():
    mask = np.zeros((100, 120), bool)
    mask[47:54] = True
    mask[:, 57:64] = True
    return mask


def test_a_graph_of_lines_has_their_ends_as_nodes():
    graph = RoadGraph.from_lines([[(0, 0), (10, 0), (10, 10)], [(10, 10), (10, 30)]])
    assert graph.points.tolist() == [[0, 0], [10, 10], [10, 30]]
    assert graph.ends.tolist() == [[0, 1], [1, 2]]
    assert graph.degrees.tolist() == [1, 2, 1]


def test_lines_twice_or_without_length_are_dropped():
    graph = RoadGraph.from_lines([[(0, 0), (5, 0)], [(5, 0), (0, 0)], [(2, 2), (2, 2)]])
    assert graph.lengths.tolist() == [5]


def test_a_vertex_that_roads_share_is_a_node_in_tables():
    lines = [shapely.LineString([(0, 0), (5, 0), (10, 0)]), shapely.LineString([(5, 0), (5, 5)])]
    assert len(RoadGraph.from_geodataframe(gpd.GeoSeries(lines)).points) == 4


def test_simplified_joins_what_no_junction_parts():
    graph = RoadGraph.from_lines([[(0, 0), (5, 0)], [(5, 0), (9, 0)], [(9, 0), (9, 5)], [(9, 0), (9, -5)]])
    assert sorted(graph.simplified().lengths.tolist()) == [5, 5, 9]


def test_straight_makes_every_vertex_a_node():
    assert len(RoadGraph.from_lines([[(0, 0), (5, 0), (9, 3)]]).straight().points) == 3


def test_node_distances_take_the_shorter_of_two_parallel_roads():
    graph = RoadGraph.from_lines([[(0, 0), (10, 0)], [(0, 0), (5, 20), (10, 0)], [(90, 0), (99, 0)]])
    distances = graph.node_distances()
    assert distances[0, 1] == 10
    assert np.isinf(distances[0, 2])


def test_a_mask_becomes_its_axes(cross):
    graph = RoadGraph.from_mask(cross)
    assert sorted(graph.degrees.tolist()) == [1, 1, 1, 1, 4]
    assert graph.length_m == pytest.approx(220, abs=0.5)
    assert graph.points[graph.degrees == 4][0] == pytest.approx([60.5, 50.5], abs=0.1)


def test_a_gap_in_a_true_mask_is_not_bridged(cross):
    cross[:, 80:90] = False
    graph = RoadGraph.from_mask(cross)
    assert graph.length_m == pytest.approx(220 - 10 - 7, abs=2)
    assert graph.degrees.tolist().count(1) == 6


def test_no_data_hides_roads(cross):
    valid = np.ones_like(cross)
    valid[:, 70:] = False
    assert RoadGraph.from_mask(cross, valid=valid).points[:, 0].max() <= 71


def test_the_same_roads_in_every_form_are_the_same_graph(cross):
    roads = vectorize(np.where(cross, np.uint8(254), np.uint8(0)), UTM, ground_resolution_m=1.0)
    graphs = [road_graph(form) for form in (roads, roads.edges, roads.edges.geometry, roads.to_networkx())]
    graphs.append(road_graph(roads.edges.to_crs("EPSG:4326")))
    graphs.append(RoadGraph.from_mask(cross, UTM))
    for graph in graphs:
        assert graph.length_m == pytest.approx(graphs[0].length_m, rel=1e-3)
        assert sorted(graph.degrees.tolist()) == [1, 1, 1, 1, 4]
        assert graph.points.mean(axis=0) == pytest.approx(graphs[0].points.mean(axis=0), abs=0.01)
    assert road_graph(graphs[0]) is graphs[0]


def test_pixels_are_brought_to_metres():
    table = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (10, 0)])])
    assert road_graph(table, ground_resolution_m=0.5).length_m == 5


def test_what_is_no_road_is_refused():
    with pytest.raises(InputError, match="a Point lies among the roads"):
        road_graph(gpd.GeoSeries([shapely.Point(0, 0)]))
    with pytest.raises(InputError, match="str is no kind of roads"):
        road_graph("roads.gpkg")
    with pytest.raises(InputError, match="not finite"):
        road_graph([[(0, 0), (np.inf, 1)]])
    with pytest.raises(InputError, match="nodes need x and y"):
        road_graph(nx.path_graph(2))
    with pytest.raises(UsageError, match="not in metres"):
        road_graph(gpd.GeoSeries([shapely.LineString([(0, 0), (1, 1)])], crs=4326), crs="EPSG:4326")


def test_only_the_visible_parts_of_roads_are_left():
    graph = RoadGraph.from_lines(
        [[(0, 0), (100, 0)], [(0, 9), (50, 9)], [(80, 0), (80, 9)]], widths_m=[5, 6, 7]
    )
    left = graph.only_where(lambda at: (at[:, 0] < 60) | (at[:, 0] > 90), step_m=1)
    assert sorted(zip(left.lengths.tolist(), left.widths.tolist(), strict=True)) == [
        (10, 5),
        (50, 6),
        (60, 5),
    ]
    assert graph.only_where(lambda at: at[:, 0] > 900, step_m=1).length_m == 0


def test_widths_go_with_their_roads():
    lines = [shapely.LineString([(0, 0), (5, 0), (10, 0)]), shapely.LineString([(5, 0), (5, 5)])]
    table = gpd.GeoDataFrame({"width": ["7.5", "wide"]}, geometry=lines)
    assert road_graph(table).widths.tolist() == pytest.approx([7.5, 7.5, np.nan], nan_ok=True)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from([(0, {"x": 0, "y": 0}), (1, {"x": 9, "y": 0})])
    graph.add_edge(0, 1, width_m=4.0)
    assert road_graph(graph).widths.tolist() == [4]
