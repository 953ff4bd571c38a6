"""Plots for notebooks and papers: they draw on the axes they are given, or on new ones, and return them.

Sizes follow the axes: line widths and texts are chosen when the plot is made, so that a thumbnail and a poster both read
well. Colours are those of `roadlift.report.figures`.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_hex
from matplotlib.patches import Patch

from roadlift.errors import InputError, UsageError
from roadlift.evaluate import load_pair
from roadlift.report.facts import (
    LENGTH_BOUNDS_M,
    WIDTH_BOUNDS_M,
    Headlines,
    kilometres_by,
)
from roadlift.report.figures import FALSE, MISSED, PROBABILITY_COLOURS, RIGHT
from roadlift.report.frame import Frame, read_ground
from roadlift.report.training import CURVES, draw_curve
from roadlift.report.worst import coloured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd
    from matplotlib.axes import Axes

    from roadlift.evaluate import Evaluation
    from roadlift.network import RoadMap

_BAR, _NIGHT, _SOFT = "#3f88c0", "#1b1f24", "#6e7781"
_GROUP_COLOURS = {
    "pixel": "#0072b2", "relaxed": "#d55e00", "centreline": "#009e73", "graph": "#aa4499", "network": "#6e7781",
}  # fmt: skip
_MAX_THUMBNAIL_LINES = 4000


def plot_roads(
    roads: RoadMap,
    ax: Axes | None = None,
    *,
    image: str | Path | None = None,
    probability: str | Path | None = None,
    legend: bool = True,
) -> Axes:
    """Draw a road network: as wide as the roads, from purple for doubtful to yellow for sure, dashed where bridged.

    Args:
        roads: The network.
        ax: Axes to draw on; None: new ones.
        image: Path of the image to draw beneath; the axes are then its pixels. Without it they are map coordinates.
        probability: Path of a probability raster to draw beneath, in the same way.
        legend: Draw the scale of probabilities.

    Returns:
        The axes.

    Raises:
        InputError: The image cannot be read.
        UsageError: The roads do not go with the image.

    Example:
        >>> from roadlift.network import RoadMap
        >>> plot_roads(RoadMap.empty()).get_aspect()
        1.0
    """
    ax = _axes(ax)
    if image is None and probability is None:
        edges = roads.edges
        aspect, metres = _map_units(roads)
        lines = edges.geometry.to_numpy()
        ax.set_facecolor(_NIGHT)
    else:
        ground = read_ground(roads, image, probability)
        _show_ground(ax, ground.image, ground.probability)
        edges, aspect, metres = _placed(roads, ground.frame), 1.0, ground.frame.metres or 1.0
        lines = ground.frame.lines(edges)
    ax.set_aspect(aspect)
    if len(edges) and (image is None and probability is None):
        west, south, east, north = shapely.total_bounds(lines)
        margin = 0.03 * max(east - west, north - south, 1e-9)
        ax.set_xlim(west - margin, east + margin)
        ax.set_ylim(
            *((south - margin, north + margin) if roads.crs is not None else (north + margin, south - margin))
        )
    _draw_edges(ax, edges, lines, metres)
    if legend and len(edges):
        scale = ScalarMappable(Normalize(*_limits(edges)), PROBABILITY_COLOURS)
        ax.figure.colorbar(scale, ax=ax, label="probability", shrink=0.6, pad=0.02)
    return ax


def _placed(roads: RoadMap, frame: Frame) -> gpd.GeoDataFrame:
    return frame.place(roads).edges


def _map_units(roads: RoadMap) -> tuple[float, float]:
    """Return the aspect of the axes, and about how many metres a unit of x is."""
    drawn = float(roads.edges.geometry.length.sum()) if len(roads.edges) else 0.0
    metres = float(roads.edges["length_m"].sum()) / drawn if drawn else 1.0
    if roads.crs is not None and roads.crs.is_geographic and drawn:
        latitude = float(np.mean(roads.edges.total_bounds[1::2]))
        return 1 / float(np.cos(np.radians(latitude))), metres
    return 1.0, metres


def _show_ground(ax: Axes, image: np.ndarray | None, probability: np.ndarray | None) -> None:
    rows, cols = next(each for each in (image, probability) if each is not None).shape[:2]
    extent = (0, cols, rows, 0)
    if image is not None:
        ax.imshow(image, extent=extent)
    if probability is not None:
        shown = np.ma.masked_where((probability == 255) | (probability < 20), probability)
        ax.imshow(shown, extent=extent, cmap=PROBABILITY_COLOURS, vmin=0, vmax=254, alpha=0.7)
    ax.set_xlim(0, cols)
    ax.set_ylim(rows, 0)
    ax.set_axis_off()


def _limits(edges: gpd.GeoDataFrame) -> tuple[float, float]:
    known = edges["probability"].dropna()
    return (min(0.5, float(np.floor(known.min() * 10) / 10)) if len(known) else 0.5), 1.0


def _draw_edges(ax: Axes, edges: gpd.GeoDataFrame, lines: np.ndarray, metres: float) -> None:
    """Draw the edges, doubtful ones first, over a thin dark casing."""
    if not len(edges):
        return
    probability = edges["probability"].to_numpy(dtype=float)
    order = np.argsort(np.nan_to_num(probability, nan=0.0), kind="stable")
    points = [shapely.get_coordinates(lines[index]) for index in order]
    ax.figure.canvas.draw_idle()
    left, right = sorted(ax.get_xlim())
    box = ax.get_window_extent()
    points_per_metre = box.width * 72 / ax.figure.dpi / max((right - left) * metres, 1e-9)
    size = float(np.sqrt(box.width * box.height)) * 72 / ax.figure.dpi
    width = np.nan_to_num(edges["width_m"].to_numpy(dtype=float), nan=5.0)[order]
    widths = np.clip(0.6 * width * points_per_metre, size / 320, size / 40)
    styles = np.where(edges["bridged"].to_numpy(dtype=bool)[order], "dashed", "solid").tolist()
    casing = LineCollection(
        points, linewidths=widths + size / 300, colors="#10141a", alpha=0.5, capstyle="round"
    )
    norm = Normalize(*_limits(edges))
    shades = PROBABILITY_COLOURS(norm(np.nan_to_num(probability[order], nan=0.5)))
    ax.add_collection(casing, autolim=False)
    ax.add_collection(
        LineCollection(points, linewidths=widths, colors=shades, linestyles=styles), autolim=False
    )


def plot_widths(roads: RoadMap, ax: Axes | None = None) -> Axes:
    """Draw kilometres of road by width.

    Args:
        roads: The network.
        ax: Axes to draw on; None: new ones.
    """
    return _plot_bars(roads, "width_m", WIDTH_BOUNDS_M, "width, metres", _axes(ax))


def plot_lengths(roads: RoadMap, ax: Axes | None = None) -> Axes:
    """Draw kilometres of road by the length of the roads between their junctions.

    Args:
        roads: The network.
        ax: Axes to draw on; None: new ones.
    """
    return _plot_bars(roads, "length_m", LENGTH_BOUNDS_M, "length of a road, metres", _axes(ax))


def _plot_bars(roads: RoadMap, column: str, bounds: Sequence[float], label: str, ax: Axes) -> Axes:
    edges = roads.edges
    length = edges["length_m"].to_numpy(dtype=float)
    bars = kilometres_by(edges[column].to_numpy(dtype=float), length, bounds)
    drawn = ax.barh(bars.names, bars.kilometres, color=_BAR, height=0.72)
    ax.bar_label(drawn, labels=[f"{km:.1f}" for km in bars.kilometres], padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.14)
    ax.set(xlabel="kilometres of road", ylabel=label)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_scores(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the scores of an evaluation that lie within 0..1, each with its 95 % interval; call it again to compare.

    Args:
        evaluation: What `roadlift.evaluate` returned.
        ax: Axes to draw on, for example those of another evaluation; None: new ones.
        label: Name for the legend; with it, points take the colour of the evaluation instead of that of their group.

    Returns:
        The axes.
    """
    ax = _axes(ax, height=7.0)
    total = evaluation.total
    shown = total[(total["better"] == "higher") & total["value"].between(0, 1)]
    known = [tick.get_text() for tick in ax.get_yticklabels()] if ax.collections else list(shown.index)
    shown = shown[shown.index.isin(known)]
    places = np.array([known.index(name) for name in shown.index], float)
    earlier = (
        0 if label is None else sum(not str(drawn.get_label()).startswith("_") for drawn in ax.collections)
    )
    shift = 0.22 * earlier
    colours: Any = [_GROUP_COLOURS.get(group, _SOFT) for group in shown["group"]]
    if label is not None:
        colours = list(_GROUP_COLOURS.values())[earlier % len(_GROUP_COLOURS)]
    ax.hlines(places + shift, shown["low"], shown["high"], colors=colours, linewidth=2, alpha=0.5)
    ax.scatter(shown["value"], places + shift, c=colours, s=36, zorder=3, label=label)
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": "small"}
    for place, value in zip(places, shown["value"], strict=True):
        colour = "black" if label is None else colours
        ax.annotate(f"{value:.2f}", (1.01 + 0.075 * earlier, place), color=colour, **beside)
    ax.set_yticks(range(len(known)), known)
    ax.set_ylim(len(known) - 0.3, -0.7)
    ax.set(xlim=(-0.02, 1.05), xlabel="score (higher is better) and 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if label is not None:
        ax.legend(loc="lower left")
    return ax


def plot_errors(
    prediction: Any, truth: Any, ax: Axes | None = None, *, image: Any = None, threshold: float = 0.5
) -> Axes:
    """Draw where a prediction is right (green), misses road (red) and sees false road (blue).

    Args:
        prediction: Raster or roads, as for `roadlift.evaluate`.
        truth: The same.
        ax: Axes to draw on; None: new ones.
        image: Image to draw in grey beneath; None: white.
        threshold: Probability from which a pixel is road.

    Raises:
        InputError: Something cannot be read, or brought onto one grid.

    Example:
        >>> road = np.zeros((60, 60), bool)
        >>> road[20:27] = True
        >>> plot_errors(road, np.roll(road, 3, axis=0)).get_legend().get_texts()[0].get_text()
        'right'
    """
    ax = _axes(ax)
    pair = load_pair(prediction, truth, image=image, threshold=threshold)
    ax.imshow(coloured(pair, image), interpolation="antialiased")
    ax.set_axis_off()
    legend = {"right": RIGHT, "missed": MISSED, "false": FALSE}
    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=name)
        for name, colour in legend.items()
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False)
    return ax


def plot_curves(
    run: str | Path | Mapping[str, Sequence[float]], ax: Sequence[Axes] | None = None
) -> list[Axes]:
    """Draw loss, score on the development images and learning rate of a training run over its steps.

    Args:
        run: The run's folder, or columns ``step``, ``loss``, ``dev_iou``, ``learning_rate`` of its ``log.csv``.
        ax: Three axes to draw on; None: new ones side by side.

    Raises:
        InputError: The folder holds no log.
        UsageError: There are not three axes.
    """
    log = _read_log(run) if isinstance(run, str | Path) else run
    axes = list(ax) if ax is not None else _row_of_axes(len(CURVES))
    if len(axes) != len(CURVES):
        raise UsageError(f"{len(axes)} axes are given; the curves need {len(CURVES)}.")
    for each, curve in zip(axes, CURVES, strict=True):
        draw_curve(each, log, curve)
    return axes


def _read_log(folder: str | Path) -> dict[str, list[float]]:
    path = Path(folder) / "log.csv"
    if not path.is_file():
        raise InputError(f"{folder} has no log.csv; give the folder of a run of roadlift train.")
    table = pd.read_csv(path)
    return {str(name): table[name].to_list() for name in table}


def explore(roads: RoadMap, *, tiles: str | None = None, **options: Any) -> Any:
    """Return an interactive map of the roads for a notebook, coloured by probability, a road's evidence at the mouse.

    It is that of GeoPandas and folium (extra ``notebook``), whose page loads Leaflet from the web; `roadlift report`
    makes a map that needs no network.

    Args:
        roads: The network; without CRS it is shown in its pixel space.
        tiles: Name of a background map such as ``CartoDB positron``; None: no background, nothing is fetched for it.
        options: For `geopandas.GeoDataFrame.explore`.

    Raises:
        UsageError: folium is not installed.
    """
    try:
        import folium  # noqa: F401
    except ImportError as error:
        raise UsageError("an interactive map needs folium; pip install 'roadlift[notebook]'") from error
    columns = ["id", "length_m", "width_m", "probability", "bridged", "class_hint"]
    edges = roads.edges[[*columns, "geometry"]]
    if roads.crs is None:
        edges = edges.set_geometry(edges.geometry.scale(1, -1, origin=(0, 0)))
    chosen: dict[str, Any] = {"tooltip": columns}
    if edges["probability"].notna().any():
        low, high = _limits(edges)
        chosen |= {"column": "probability", "cmap": PROBABILITY_COLOURS, "vmin": low, "vmax": high}
    return edges.explore(tiles=tiles, **{**chosen, "style_kwds": {"weight": 4}, **options})


def card(roads: RoadMap) -> str:
    """Return a small card of a road map as HTML: headline figures and a picture, for notebooks.

    Example:
        >>> from roadlift.network import RoadMap
        >>> "0.0 km" in card(RoadMap.empty())
        True
    """
    found = Headlines.of(roads)
    rows = (
        ("road", f"{found.length_km:,.1f} km"),
        ("roads between nodes", f"{len(roads.edges):,}"),
        ("junctions", f"{found.junctions:,}"),
        ("connected pieces", f"{found.components:,}"),
        ("mean probability", "unknown" if np.isnan(found.probability) else f"{found.probability:.0%}"),
        ("issues", f"{found.issues:,}"),
        ("CRS", "pixel coordinates" if roads.crs is None else roads.crs.name),
    )
    left = "style='text-align:left'"
    cells = "".join(
        f"<tr><td {left}>{name}</td><td {left}><b>{escape(value)}</b></td></tr>" for name, value in rows
    )
    table = f"<table style='margin:0'>{cells}</table>"
    return f"<div style='display:flex;flex-wrap:wrap;gap:16px;align-items:center'>{_thumbnail(roads)}{table}</div>"


def _thumbnail(roads: RoadMap, side: int = 260) -> str:
    """Return the longest roads as a small SVG picture."""
    edges = roads.edges.nlargest(_MAX_THUMBNAIL_LINES, "length_m")
    if not len(edges):
        return ""
    west, south, east, north = edges.total_bounds
    stretch, _ = _map_units(roads)
    scale = (side - 16) / max((east - west) / stretch, north - south, 1e-9)
    down = -1 if roads.crs is not None else 1

    def placed(points: np.ndarray) -> np.ndarray:
        x = (points[:, 0] - west) * scale / stretch
        y = (points[:, 1] - (north if down < 0 else south)) * scale * down
        return np.stack([x, y], axis=1) + 8

    lines = shapely.simplify(shapely.transform(edges.geometry.to_numpy(), placed), 0.4)
    share = Normalize(*_limits(edges))(np.nan_to_num(edges["probability"].to_numpy(dtype=float), nan=0.5))
    drawn = []
    for step in range(5):
        chosen = lines[np.minimum((np.asarray(share) * 5).astype(int), 4) == step]
        path = "".join(
            "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in shapely.get_coordinates(line)) for line in chosen
        )
        drawn.append(f"<path d='{path}' stroke='{to_hex(PROBABILITY_COLOURS(step / 4))}'/>" if path else "")
    width, height = (east - west) * scale / stretch + 16, (north - south) * scale + 16
    return (
        f"<svg width='{width:.0f}' height='{height:.0f}' role='img' aria-label='the road network' "
        f"style='background:{_NIGHT};border-radius:8px' fill='none' stroke-width='1.6' stroke-linecap='round'>"
        f"{''.join(drawn)}</svg>"
    )


def _axes(ax: Axes | None, *, height: float = 5.0) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(7.5, height), layout="constrained")[1]


def _row_of_axes(count: int) -> list[Axes]:
    from matplotlib import pyplot as plt

    return list(plt.subplots(1, count, figsize=(11, 3.6), layout="constrained")[1])
