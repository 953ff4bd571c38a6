from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skan import Skeleton, summarize
from skimage.morphology import skeletonize

from roadlift.network.trace import trace_pixels, trace_skeleton

S = np.sqrt(2)


def draw(picture: str) -> np.ndarray:
    return np.array([[character == "#" for character in line] for line in picture.split()])


CASES = {
    "nothing": ("... ...", [], []),
    "one pixel": ("... .#.", [0], []),
    "two pixels": ("## ..", [1, 1], [1]),
    "straight": ("#### ....", [1, 1], [3]),
    "diagonal": ("#.. .#. ..#", [1, 1], [2 * S]),
    "antidiagonal": ("..# .#. #..", [1, 1], [2 * S]),
    "corner": ("##. .#. .#.", [1, 1], [3]),
    "ring": (".#. #.# .#.", [2], [4 * S]),
    "wider ring": (".##. #..# .##.", [2], [2 + 4 * S]),
    "lollipop": (".#... #.### .#...", [3, 1], [2, 4 * S]),
    "plus": ("..#.. ..#.. ##### ..#.. ..#..", [1, 1, 4, 1, 1], [2, 2, 2, 2]),
    "diagonal cross": ("#...# .#.#. ..#.. .#.#. #...#", [1, 1, 4, 1, 1], [2 * S] * 4),
    "tee": ("##### ..#.. ..#..", [1, 1, 3, 1], [2, 2, 2]),
    "two-pixel junction": (
        "#...# .#.#. ..#.. ..#.. .#.#. #...#",
        [1, 1, 4, 1, 1],
        [2 * S, 2 * S, 1 + 2 * S, 1 + 2 * S],
    ),
    "block with four legs": ("#..# .##. .##. #..#", [1, 1, 4, 1, 1], [S, 1 + S, 1 + S, 2 * S]),
    "block with two legs": ("##.... .##... .##### ......", [1, 2, 1], None),
    "parallel edges": (".###. ##.## .###.", None, None),
    "two roads between two junctions": (
        "..###.. .#...#. ##...## .#...#. ..###..",
        [1, 3, 3, 1],
        [1, 1, 4 + 2 * S, 4 + 2 * S],
    ),
    "figure eight": (".#.. #.#. .#.. #.#. .#..", [4], [4 * S, 4 * S]),
    "rows do not wrap": ("...# #...", [0, 0], []),
}


@pytest.mark.parametrize("name", CASES)
def test_hand_drawn(name: str) -> None:
    picture, degrees, lengths = CASES[name]
    graph = trace_skeleton(draw(picture))
    if degrees is not None:
        assert sorted(graph.degree.tolist()) == sorted(degrees)
    if lengths is not None:
        np.testing.assert_allclose(np.sort(graph.lines.lengths), np.sort(np.array(lengths, dtype=float)))
    check_ends(graph)


def check_ends(graph) -> None:
    np.testing.assert_array_equal(graph.lines.starts, graph.nodes[graph.u].reshape(-1, 2))
    np.testing.assert_array_equal(graph.lines.ends, graph.nodes[graph.v].reshape(-1, 2))


def test_ring_node_is_marked() -> None:
    graph = trace_skeleton(draw(".#. #.# .#."))
    assert graph.rings.tolist() == [True]
    assert graph.u.tolist() == graph.v.tolist() == [0]


def test_line_goes_through_every_pixel_in_order() -> None:
    graph = trace_skeleton(draw("##.. ..#. ..#. .#.."))
    assert graph.lines[0].tolist() == [[0, 0], [0, 1], [1, 2], [2, 2], [3, 1]]


def test_nodes_come_in_reading_order() -> None:
    graph = trace_skeleton(draw("#...# .#.#. ..#.. ..#.."))
    assert graph.nodes.tolist() == [[0, 0], [0, 4], [2, 2], [3, 2]]


def test_wider_than_16_bit_columns() -> None:
    line = np.zeros((3, 70_000), dtype=bool)
    line[1] = True
    graph = trace_skeleton(line)
    assert graph.nodes.tolist() == [[1, 0], [1, 69_999]]
    assert graph.lines.lengths.tolist() == [69_999.0]


def test_more_nodes_than_16_bit_numbers() -> None:
    size = 300
    grid = np.zeros((2 * size + 1, 2 * size + 1), dtype=bool)
    grid[1::2, :] = grid[:, 1::2] = True
    graph = trace_skeleton(grid)
    assert (graph.degree == 4).sum() == size * size > 65_535
    assert len(graph.u) == 2 * size * (size + 1)
    assert (graph.lines.lengths == np.where(graph.degree[graph.u] * graph.degree[graph.v] == 16, 2, 1)).all()


def random_skeleton(seed: int, size: int = 60) -> np.ndarray:
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.random((size, size)), 1.5 + 2 * generator.random())
    return skeletonize(noise > np.quantile(noise, 0.3 + 0.4 * generator.random()))


def holes(skeleton: np.ndarray) -> int:
    return int(ndimage.label(~np.pad(skeleton, 1))[1]) - 1


@pytest.mark.parametrize("seed", range(20))
def test_topology_of_random_skeletons(seed: int) -> None:
    """Components and independent cycles agree with connected-component labelling, and no pixel is lost."""
    skeleton = random_skeleton(seed)
    graph = trace_skeleton(skeleton)
    parts = ndimage.label(skeleton, structure=np.ones((3, 3)))[1]
    assert len(graph.u) - len(graph.nodes) + parts == holes(skeleton)
    drawn = {tuple(point) for point in graph.lines.coordinates.astype(int)} | {tuple(n) for n in graph.nodes}
    lost = {tuple(pixel) for pixel in np.argwhere(skeleton)} - drawn
    assert drawn <= {tuple(pixel) for pixel in np.argwhere(skeleton)}
    assert all(is_junction_pixel(skeleton, pixel) for pixel in lost)
    check_ends(graph)


def is_junction_pixel(skeleton: np.ndarray, pixel: tuple[int, int]) -> bool:
    row, col = pixel
    return np.pad(skeleton, 1)[row : row + 3, col : col + 3].sum() >= 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(15))
def test_equals_skan_where_no_junctions_touch(seed: int) -> None:
    """Ends, branch lengths and total as skan has them, on skeletons whose junctions are single pixels."""
    skeleton = without_clusters(random_skeleton(seed))
    graph = trace_skeleton(skeleton)
    branches = summarize(Skeleton(skeleton), separator="_")
    np.testing.assert_allclose(
        np.sort(graph.lines.lengths), np.sort(branches["branch_distance"].to_numpy()), atol=1e-9
    )
    assert len(branches) > 3


def without_clusters(skeleton: np.ndarray) -> np.ndarray:
    """Cut the skeleton where junction pixels (8-neighbourhood) touch, until none do."""
    while True:
        neighbours = ndimage.convolve(skeleton.astype(int), np.ones((3, 3), int), mode="constant") - 1
        touching, _ = ndimage.label(skeleton & (neighbours > 2), structure=np.ones((3, 3)))
        clusters = np.bincount(touching.ravel()) > 1
        clusters[0] = False
        if not clusters.any():
            return skeleton
        skeleton = skeleton & ~clusters[touching]


def test_pixels_and_raster_agree() -> None:
    skeleton = random_skeleton(3)
    rows, cols = np.nonzero(skeleton)
    far = trace_pixels(rows + 10**6, cols + 10**6)
    near = trace_skeleton(skeleton)
    np.testing.assert_array_equal(far.lines.coordinates - 10**6, near.lines.coordinates)
