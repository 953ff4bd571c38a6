"""The parts of the renderer on tiny inputs with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString

from roadlift.errors import OutputError
from roadlift.imagery.burn import burn, north_up
from roadlift.imagery.picture import write_image
from roadlift.scene.frame import Frame, blend, stamp
from roadlift.scene.layout import Box, road_surface
from roadlift.scene.noise import band_noise, ramp
from roadlift.scene.paving import ribbons
from roadlift.scene.relief import Sun, shadow
from roadlift.scene.sensor import Camera, compress, expose
from roadlift.scene.streets import Road, add_roundabouts, connected, dead_ends, junctions, node

WIDE = shapely.box(-100, -100, 100, 100)


def road(points, width_m=6.0, kind="main"):
    return Road(LineString(points), width_m, "asphalt_dark", kind)


def test_crossing_roads_are_split_at_one_node():
    pieces = node([road([(-50, 0), (50, 0)]), road([(0, -50), (0, 50)], kind="street")])
    assert len(pieces) == 4
    assert sorted(piece.kind for piece in pieces) == ["main", "main", "street", "street"]
    assert junctions(pieces).tolist() == [[0.0, 0.0]]


def test_a_stub_and_an_island_are_dropped():
    roads = [
        road([(-100, 0), (100, 0)]),
        road([(0, 0), (0, 9)], kind="street"),
        road([(20, 0), (20, 60)], kind="street"),
        road([(-80, 50), (-40, 50)], kind="street"),
    ]
    kept = connected(node(roads), WIDE)
    assert sum(piece.line.length for piece in kept) == pytest.approx(260)
    assert [(point.x, point.y) for point, _ in dead_ends(kept, WIDE)] == [(20.0, 60.0)]
    assert connected([], WIDE) == []


def test_roundabout_replaces_a_crossing():
    roads = [road([(-90, 0), (90, 0)]), road([(0, -90), (0, 90)])]
    pieces = node(add_roundabouts(np.random.default_rng(0), roads, chance=1.0))
    assert [piece.kind for piece in pieces].count("roundabout") == 4
    assert len(junctions(pieces)) == 4
    surface = road_surface(pieces)
    assert not surface.contains(shapely.Point(0, 0))
    assert surface.contains(shapely.Point(40, 0))


def test_road_surface_is_the_strip_and_a_turning_circle():
    lane = road([(0, 0), (100, 0)], 6.0, "street")
    assert road_surface([lane]).area == pytest.approx(600 + np.pi * 9, rel=0.01)
    wider = road_surface([lane], [(shapely.Point(100, 0), lane)])
    assert wider.contains(shapely.Point(100, 6.3))


def test_ribbons_measure_gap_and_sides():
    frame = Frame((21, 41), 1.0, 0.0, 0.0)
    bands = ribbons(frame, [road([(0, 10.5), (41, 10.5)])], reach_m=3.0)
    assert bands.gap[10, 20] == pytest.approx(-3.0)
    assert bands.across[13, 20] == pytest.approx(3.0)
    assert bands.across[7, 20] == pytest.approx(-3.0)
    assert bands.along[10, 20] == pytest.approx(20.5)
    assert bands.road[0, 20] == -1
    assert ribbons(frame, [road([(500, 0), (600, 0)])]).road.max() == -1


def test_stamp_covers_as_much_as_the_box_is_large():
    frame = Frame((60, 60), 0.5, 0.0, 0.0)
    place = stamp(frame, Box(15.2, 14.9, 0.4, 10.0, 4.0, 3.0, "house", (0, 0, 0)))
    assert place.coverage.sum() * 0.25 == pytest.approx(40.0, rel=0.03)
    assert stamp(frame, Box(-50.0, 0.0, 0.0, 4.0, 4.0, 3.0, "car", (0, 0, 0))) is None


def test_blend_is_the_same_on_views_and_sparse_covers():
    rng = np.random.default_rng(3)
    colour = rng.random((8, 9, 3)).astype(np.float32)
    cover = np.where(rng.random((8, 9)) < 0.3, 0.5, 0).astype(np.float32)
    canvas = rng.random((8, 9, 3)).astype(np.float32)
    wanted = canvas + (colour - canvas) * cover[..., None]
    sparse, view = canvas.copy(), np.asfortranarray(canvas)
    blend(sparse, colour, cover)
    blend(view, colour, cover)
    assert np.allclose(sparse, wanted)
    assert np.allclose(view, wanted)


def test_noise_keeps_to_its_band():
    field = band_noise(np.random.default_rng(0), (128, 128), 1.0, wavelengths_m=(16, 64))
    spectrum = np.abs(np.fft.rfft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None, :])
    assert spectrum[frequency < 1 / 10].sum() > 0.99 * spectrum.sum()
    assert abs(float(field.mean())) < 1e-5


def test_ramp_ends_at_its_ends():
    colours = ramp(np.array([[-9.0, 9.0]]), [(0, 0, 0), (10, 20, 30), (255, 255, 255)])
    assert colours[0].tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("x", "y", "where"), [(1.0, 0.0, (4, 3)), (-1.0, 0.0, (4, 5)), (0.0, 1.0, (3, 4)), (0.0, -1.0, (5, 4))]
)
def test_shadow_falls_away_from_the_sun(x, y, where):
    height = np.zeros((9, 9), np.float32)
    height[4, 4] = 2
    dark = shadow(height, Sun(x, y, np.pi / 4), 1.0)
    assert dark[where] == 1
    assert dark[4, 4] < 0.3
    assert shadow(np.zeros((4, 4), np.float32), Sun(x, y, 1.0), 1.0).max() <= 0.25


def test_compression_is_exact_for_flat_blocks_and_coarser_at_low_quality():
    flat = np.full((16, 24, 3), 100.0, np.float32)
    assert np.allclose(compress(flat, 50), 100, atol=2)
    noisy = np.random.default_rng(1).uniform(0, 255, (17, 21, 3)).astype(np.float32)
    errors = [np.abs(compress(noisy, quality) - noisy).mean() for quality in (95, 50, 5)]
    assert errors == sorted(errors)
    assert compress(noisy, 50).shape == noisy.shape


def test_exposure_keeps_order():
    camera = Camera.draw(np.random.default_rng(0))
    dark, bright = (
        expose(np.random.default_rng(2), np.full((32, 32, 3), value, np.float32), camera).mean()
        for value in (0.1, 0.6)
    )
    assert dark < bright


def test_burn_places_values_in_order():
    below, above = shapely.box(0, 0, 4, 4), shapely.box(2, 0, 4, 4)
    values = burn([below, above, shapely.Polygon()], (4, 4), north_up(0, 0, 1.0), values=[7, 300, 1])
    assert values.dtype == np.uint16
    assert values[0].tolist() == [7, 7, 300, 300]
    assert burn([], (2, 2), north_up(0, 0, 1.0)).sum() == 0


def test_burn_north_up_in_a_crs():
    georef = north_up(100, 200, 2.0, crs="EPSG:32619")
    assert burn([shapely.box(100, 196, 102, 198)], (3, 2), georef).tolist() == [[0, 0], [1, 0], [0, 0]]


def test_image_is_not_written_where_it_cannot_be(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_image(
            tmp_path / "missing" / "a.tif", np.zeros((4, 4), np.uint8), north_up(0, 0, 1.0, crs="EPSG:32619")
        )
