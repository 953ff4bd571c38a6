from __future__ import annotations

import itertools

import numpy as np
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.morphology import skeletonize

from roadlift.imagery.georef import Georef
from roadlift.network import NetworkOptions, trace_skeleton, vectorize
from roadlift.network.chains import order_chains

BITS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))
EIGHT = np.ones((3, 3))


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_tracing_keeps_components_and_cycles(bits: np.ndarray) -> None:
    """Euler's formula holds for every thinned picture: edges - nodes + parts = holes.

    A hole of a single pixel may lie inside a cluster of junction pixels, which becomes one node.
    """
    skeleton = skeletonize(bits)
    graph = trace_skeleton(skeleton)
    parts = ndimage.label(skeleton, structure=EIGHT)[1]
    labels, count = ndimage.label(~np.pad(skeleton, 1))
    holes = count - 1
    pinholes = int((np.bincount(labels.ravel())[2:] == 1).sum())
    assert holes - pinholes <= len(graph.u) - len(graph.nodes) + parts <= holes


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_tracing_any_picture_keeps_its_ends_on_nodes(bits: np.ndarray) -> None:
    """Not only skeletons: whatever the picture, lines run over its pixels and end on nodes."""
    graph = trace_skeleton(bits)
    assert np.array_equal(graph.lines.starts, graph.nodes[graph.u].reshape(-1, 2))
    assert np.array_equal(graph.lines.ends, graph.nodes[graph.v].reshape(-1, 2))
    points = graph.lines.coordinates.astype(int)
    assert bits[points[:, 0], points[:, 1]].all()
    assert (graph.degree != 2)[~graph.rings].all() or bits.sum() > 3


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_tracing_does_not_depend_on_the_side_one_looks_from(bits: np.ndarray) -> None:
    skeleton = skeletonize(bits)
    one, two = trace_skeleton(skeleton), trace_skeleton(skeleton.T)
    assert sorted(one.degree.tolist()) == sorted(two.degree.tolist())
    assert len(one.u) == len(two.u)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_chains_come_back_in_order(sizes: list[int], random) -> None:
    names = list(range(sum(sizes)))
    random.shuffle(names)
    chains, links = [], []
    for size in sizes:
        chain, names = names[:size], names[size:]
        chains.append(chain)
        links += list(itertools.pairwise(chain))
    random.shuffle(links)
    first, second = (np.array([link[side] for link in links], dtype=np.int64) for side in (0, 1))
    found = order_chains(sum(sizes), first, second)
    ordered = np.split(found.order, found.offsets[1:-1])
    assert {tuple(chain.tolist()) for chain in ordered} == {
        tuple(chain if chain[0] <= chain[-1] else chain[::-1]) for chain in chains
    }
    assert not found.closed.any()


@settings(max_examples=10, deadline=None)
@given(arrays(np.uint8, (24, 24), elements=st.sampled_from([0, 0, 100, 254, 254, 255])), st.integers(1, 4))
def test_any_raster_gives_a_valid_network(values: np.ndarray, scale: int) -> None:
    """RoadMap checks its own invariants when it is made; here it must never refuse what vectorize made."""
    raster = np.kron(values, np.ones((scale, scale), np.uint8))
    options = NetworkOptions(min_object_m2=0, min_length_m=0, min_spur_m=2)
    roads = vectorize(raster, Georef(None, Affine.identity()), ground_resolution_m=1.0, options=options)
    degree = np.bincount(np.concatenate([roads.edges["u"], roads.edges["v"]]), minlength=len(roads.nodes))
    assert roads.nodes["degree"].tolist() == degree.tolist()
    assert (roads.edges["length_m"] >= 0).all()
    assert roads.edges["probability"].dropna().between(0, 1).all()
