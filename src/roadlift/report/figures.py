"""Pictures of results: roads drawn over their image, and image, probability, network and truth side by side.

Everything is drawn with matplotlib's objects (no pyplot state), in colours that colour-blind readers tell
apart: roads from purple (doubtful) to yellow (sure); right lines green, missed ones red and dashed, false
ones blue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from roadlift.errors import InputError, UsageError
from roadlift.export.atomic import replacing
from roadlift.imagery import NO_DATA, Stretch, open_imagery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd
    from matplotlib.axes import Axes

    from roadlift.imagery import Georef
    from roadlift.network import RoadMap

PROBABILITY_COLOURS = LinearSegmentedColormap.from_list(
    "roadlift", ["#7b3fa0", "#c83e73", "#f2764b", "#fdc328", "#fcffa4"]
)
RIGHT, MISSED, FALSE = "#5fe0a8", "#e03020", "#3a6df0"
"""Green, red and blue that differ in lightness as much as in hue: colour-blind readers tell them apart too."""
_INK, _PAPER, _FRAME = "#1b1f24", "#ffffff", "#8b949e"
_DPI = 100
_LEGEND_FROM_PX = 240
_SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")


@dataclass(frozen=True)
class Backdrop:
    """An image to draw on.

    Attributes:
        pixels: uint8 (rows, cols, 3).
        georef: georeference of the full grid, or None where lines are in pixel coordinates already.
        full_shape: rows, columns of the grid that ``georef`` describes; ``pixels`` may be coarser.
    """

    pixels: np.ndarray
    georef: Georef | None
    full_shape: tuple[int, int]


def overlay(
    image: np.ndarray | str | Path,
    roads: RoadMap,
    path: str | Path,
    *,
    georef: Georef | None = None,
    bands: Sequence[int] | None = None,
    longest_side: int = 2400,
    overwrite: bool = True,
) -> Path:
    """Draw a road network over its image: width by road width, colour by probability, legend, scale bar.

    Args:
        image: uint8 (rows, cols, 3), or the path of an image, which is read coarsely when it is large and
            stretched for display.
        roads: the network; it is brought to the image's CRS when its own differs.
        path: picture to write; .png, .jpg, .pdf or .svg.
        georef: georeference of an image given as an array; None when the roads are in its pixel coordinates.
        bands: bands of an image file to show, counted from 1.
        longest_side: pixels of the picture's longer side at most.
        overwrite: replace an existing file.

    Returns:
        The path.

    Raises:
        InputError: the image cannot be read or is no uint8 (rows, cols, 3).
        UsageError: the suffix is unknown.
        OutputError: the picture cannot be written.

    Example:
        >>> import tempfile
        >>> from roadlift.network import RoadMap
        >>> target = Path(tempfile.mkdtemp()) / "roads.png"
        >>> overlay(np.zeros((40, 60, 3), np.uint8), RoadMap.empty(), target).name
        'roads.png'
    """
    _check_suffix(path)
    backdrop = backdrop_of(image, georef, bands, longest_side)
    return write_figure(overlay_figure(backdrop, roads, longest_side=longest_side), path, overwrite=overwrite)


def overlay_figure(backdrop: Backdrop, roads: RoadMap, *, longest_side: int = 2400) -> Figure:
    """Draw what `overlay` writes, and return the figure; an image pixel becomes a whole number of pixels.

    Example:
        >>> from roadlift.network import RoadMap
        >>> scene = Backdrop(np.zeros((300, 400, 3), np.uint8), None, (300, 400))
        >>> overlay_figure(scene, RoadMap.empty()).get_size_inches().tolist()
        [16.0, 12.0]
    """
    rows, cols = backdrop.pixels.shape[:2]
    zoom = max(1, min(4, 1600 // max(rows, cols), longest_side // max(rows, cols)))
    figure = new_figure(cols * zoom, rows * zoom)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    scale = zoom * rows / backdrop.full_shape[0]
    metres = _metres_per_pixel(backdrop)
    _show(axes, backdrop.pixels, backdrop.full_shape)
    axes.set_axis_off()
    limits = _draw_network(axes, backdrop, roads, points_per_metre=scale / metres * 72 / _DPI)
    shorter = min(rows, cols) * zoom
    if shorter < _LEGEND_FROM_PX:
        return figure
    unit = max(shorter, 480) / 1000
    _scale_bar(figure, axes, backdrop, scale, unit)
    if len(roads.edges):
        _probability_legend(figure, limits, unit)
    return figure


def panels(
    image: np.ndarray,
    probability: np.ndarray,
    roads: RoadMap,
    truth: gpd.GeoDataFrame,
    path: str | Path,
    *,
    georef: Georef | None = None,
    title: str = "",
    figures: Mapping[str, float | str] | None = None,
    tolerance_m: float = 5.0,
    columns: int = 4,
    overwrite: bool = True,
) -> Path:
    """Write image, probability, network and comparison with the truth side by side.

    Args:
        image: uint8 (rows, cols, 3).
        probability: uint8 (rows, cols), 0..254, 255 where there is no data.
        roads: the network that was found.
        truth: the true roads; their ``geometry`` in the same coordinates as ``georef``.
        path: picture to write; .png, .jpg, .pdf or .svg.
        georef: georeference of the arrays; None when all lines are in pixel coordinates.
        title: headline.
        figures: headline figures for the caption by name; numbers are shown with three digits.
        tolerance_m: how far apart a found and a true line may be to count as the same.
        columns: panels side by side, 4 or 2.
        overwrite: replace an existing file.

    Returns:
        The path.

    Raises:
        InputError: the arrays do not fit together.
        UsageError: the suffix is unknown, or ``columns`` is neither 2 nor 4.
        OutputError: the picture cannot be written.
    """
    _check_suffix(path)
    figure = panels_figure(
        image, probability, roads, truth,
        georef=georef, title=title, figures=figures, tolerance_m=tolerance_m, columns=columns,
    )  # fmt: skip
    return write_figure(figure, path, overwrite=overwrite)


def panels_figure(
    image: np.ndarray,
    probability: np.ndarray,
    roads: RoadMap,
    truth: gpd.GeoDataFrame,
    *,
    georef: Georef | None = None,
    title: str = "",
    figures: Mapping[str, float | str] | None = None,
    tolerance_m: float = 5.0,
    columns: int = 4,
) -> Figure:
    """Draw what `panels` writes, and return the figure."""
    if columns not in {2, 4}:
        raise UsageError(f"columns is {columns}; the four panels stand in 2 or 4 columns")
    backdrop = backdrop_of(image, georef, None, 1400)
    if probability.shape != image.shape[:2]:
        raise InputError(
            f"the probability is {probability.shape} and the image {image.shape[:2]}; they must agree"
        )
    figure, axes = _panel_grid(backdrop, columns, title, _caption(figures))
    width_px = axes[0].get_position().width * figure.get_figwidth() * _DPI
    scale = width_px / backdrop.full_shape[1]
    points_per_metre = scale / _metres_per_pixel(backdrop) * 72 / _DPI
    _show(axes[0], backdrop.pixels, backdrop.full_shape)
    _scale_bar(figure, axes[0], backdrop, scale, width_px / 850)
    _show_probability(axes[1], probability, backdrop.full_shape)
    _show(axes[2], _dimmed(backdrop.pixels, colour=0.8, light=0.85), backdrop.full_shape)
    _draw_network(axes[2], backdrop, roads, points_per_metre=points_per_metre)
    _show(axes[3], _dimmed(backdrop.pixels, colour=0.0, light=0.5), backdrop.full_shape)
    _draw_comparison(axes[3], backdrop, roads, truth, tolerance_m, points_per_metre)
    return figure


def compare_lines(
    found: np.ndarray | Sequence[Any], true: np.ndarray | Sequence[Any], tolerance: float
) -> tuple[list[Any], list[Any], list[Any]]:
    """Split lines into right, missed and false ones by buffers, in the lines' own unit.

    Buffer comparison of Heipke, Mayer, Wiedemann and Jamet, "Evaluation of automatic road extraction",
    ISPRS Archives 32, 1997, drawn instead of counted.

    Args:
        found: lines that were found.
        true: lines that exist.
        tolerance: distance within which they count as the same.

    Returns:
        The found lines near a true one, the true lines far from any found one, the found lines far from any
        true one.

    Example:
        >>> found = [shapely.LineString([(0, 0), (10, 0)])]
        >>> true = [shapely.LineString([(0, 1), (10, 1)]), shapely.LineString([(0, 50), (9, 50)])]
        >>> [sum(line.length for line in lines) for lines in compare_lines(found, true, 2.0)]
        [10.0, 9.0, 0]
    """
    near_true = shapely.union_all(shapely.buffer(np.array(true, dtype=object), tolerance))
    near_found = shapely.union_all(shapely.buffer(np.array(found, dtype=object), tolerance))
    found_lines, true_lines = shapely.MultiLineString(list(found)), shapely.MultiLineString(list(true))
    parts = (
        shapely.intersection(found_lines, near_true),
        shapely.difference(true_lines, near_found),
        shapely.difference(found_lines, near_true),
    )
    right, missed, false = ([line for line in shapely.get_parts(part) if line.length > 0] for part in parts)
    return right, missed, false


def backdrop_of(
    image: np.ndarray | str | Path, georef: Georef | None, bands: Sequence[int] | None, longest_side: int
) -> Backdrop:
    """Read an image to draw on, stretched to 8 bits and at most about ``longest_side`` pixels long."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"the image is {image.dtype} {image.shape}; a picture needs uint8 (rows, cols, 3)"
            )
        return Backdrop(_coarser(image, longest_side), georef, (image.shape[0], image.shape[1]))
    with open_imagery(image, bands=bands, ground_resolution=None) as source:
        pixels = source.sample(max_pixels=_sample_size(source.shape, longest_side))
        stretched = Stretch.fit(pixels, low_percent=0.5, high_percent=99.5).apply(pixels)
        return Backdrop(_coarser(stretched, longest_side), source.georef, source.shape)


def _sample_size(shape: tuple[int, int], longest_side: int) -> int:
    """Choose how many pixels to read so that, where the image is large, each shown pixel averages four."""
    rows, cols = shape
    shrink = min(1.0, 2 * longest_side / max(rows, cols))
    return int(np.ceil(rows * shrink) * np.ceil(cols * shrink))


def _coarser(image: np.ndarray, longest_side: int) -> np.ndarray:
    """Average whole blocks of pixels until the longer side fits; rows and columns left over are cut off."""
    factor = int(np.ceil(max(image.shape[:2]) / longest_side))
    if factor <= 1:
        return image
    rows, cols = (size // factor for size in image.shape[:2])
    blocks = image[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor, 3)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)), dtype=np.uint8)


def _metres_per_pixel(backdrop: Backdrop) -> float:
    if backdrop.georef is None or backdrop.georef.crs is None:
        return 1.0
    down, across = backdrop.georef.ground_resolution(backdrop.full_shape)
    return float(np.sqrt(down * across))


def _in_pixels(backdrop: Backdrop, geometries: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Bring lines from map coordinates to x = column, y = row of pixel corners, and cut them to the image.

    Returns:
        The lines, and for each the index of the geometry that it is part of.
    """
    shapes = np.array(list(geometries), dtype=object)
    georef = backdrop.georef

    def corners(points: np.ndarray) -> np.ndarray:
        if georef is None:
            return points
        rows, cols = georef.to_pixel(points[:, 0], points[:, 1])
        return np.stack([cols + 0.5, rows + 0.5], axis=1)

    rows, cols = backdrop.full_shape
    apron = 0.02 * max(rows, cols)
    cut = shapely.clip_by_rect(shapely.transform(shapes, corners), -apron, -apron, cols + apron, rows + apron)
    lines, owner = shapely.get_parts(cut, return_index=True)
    drawn = (shapely.get_type_id(lines) == 1) & (shapely.length(lines) > 0)
    return lines[drawn], owner[drawn]


def new_figure(width_px: float, height_px: float) -> Figure:
    """Return an empty figure of a size in pixels."""
    figure = Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    return figure


def _show(axes: Axes, pixels: np.ndarray, full_shape: tuple[int, int], **options: Any) -> None:
    """Show an image so that the axes' coordinates are pixels of the full grid, and take away ticks."""
    rows, cols = full_shape
    axes.imshow(pixels, extent=(0, cols, rows, 0), aspect="auto", interpolation="antialiased", **options)
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_FRAME)
        spine.set_linewidth(0.6)


def _show_probability(axes: Axes, probability: np.ndarray, full_shape: tuple[int, int]) -> None:
    shown = np.ma.masked_equal(probability, NO_DATA)
    _show(axes, shown, full_shape, cmap="magma", vmin=0, vmax=254)
    axes.set_facecolor("#5b616a")


def _dimmed(pixels: np.ndarray, *, colour: float, light: float) -> np.ndarray:
    """Take colour and light out of an image, so that lines stand out."""
    grey = pixels.mean(axis=2, keepdims=True)
    return np.asarray(np.rint((grey + (pixels - grey) * colour) * light), dtype=np.uint8)


def _lines(
    axes: Axes,
    lines: np.ndarray | Sequence[Any],
    *,
    widths: np.ndarray | float,
    casing: float = 0.9,
    **style: Any,
) -> LineCollection:
    """Draw lines with a thin dark casing that keeps them apart from any background."""
    points = [shapely.get_coordinates(line) for line in lines]
    rounded: dict[str, Any] = {"capstyle": "round", "joinstyle": "round"}
    if casing:
        under = LineCollection(
            points, colors="black", alpha=0.45, linewidths=np.asarray(widths) + 2 * casing, **rounded
        )
        axes.add_collection(under, autolim=False)
    collection = LineCollection(
        points, linewidths=widths, **({} if "linestyles" in style else rounded), **style
    )
    axes.add_collection(collection, autolim=False)
    return collection


def _draw_network(
    axes: Axes, backdrop: Backdrop, roads: RoadMap, *, points_per_metre: float
) -> tuple[float, float]:
    """Draw the edges, doubtful ones first, and return the range of probabilities that the colours span."""
    edges = _matching(backdrop, roads).sort_values("probability", kind="stable")
    lines, owner = _in_pixels(backdrop, edges.geometry)
    if not len(lines):
        return 0.5, 1.0
    edges = edges.iloc[owner]
    probability = edges["probability"].to_numpy(dtype=float)
    low = min(0.5, float(np.floor(np.nanmin(probability) * 10) / 10))
    width = np.nan_to_num(edges["width_m"].to_numpy(dtype=float), nan=5.0)
    widths = np.clip(0.4 * width * points_per_metre, 1.3, 14.0)
    norm = Normalize(low, 1.0)
    _lines(axes, lines, widths=widths, array=probability, cmap=PROBABILITY_COLOURS, norm=norm)
    return low, 1.0


def _matching(backdrop: Backdrop, roads: RoadMap) -> gpd.GeoDataFrame:
    """Bring the edges to the image's CRS."""
    crs = None if backdrop.georef is None else backdrop.georef.crs
    if crs is None or roads.crs is None or roads.crs == crs:
        return roads.edges
    return roads.reproject(crs.to_wkt()).edges


def _draw_comparison(
    axes: Axes,
    backdrop: Backdrop,
    roads: RoadMap,
    truth: gpd.GeoDataFrame,
    tolerance_m: float,
    points_per_metre: float,
) -> None:
    found, _ = _in_pixels(backdrop, _matching(backdrop, roads).geometry)
    true, _ = _in_pixels(backdrop, truth.geometry)
    right, missed, false = compare_lines(found, true, tolerance_m / _metres_per_pixel(backdrop))
    width = float(np.clip(3.2 * points_per_metre, 1.6, 4.0))
    _lines(axes, right, widths=width, colors=RIGHT)
    _lines(axes, missed, widths=width, colors=MISSED, linestyles=[(0, (1.6, 0.9))])
    _lines(axes, false, widths=width, colors=FALSE)


def _panel_grid(backdrop: Backdrop, columns: int, title: str, caption: str) -> tuple[Figure, list[Axes]]:
    """Lay out four equal panels with a name above each, the title over all and the caption below."""
    rows, cols = backdrop.full_shape
    across = (2400 if columns == 4 else 1600) / columns
    margin, gap, name, lower = 24.0, 16.0, 44.0, 64.0 if caption else 24.0
    upper = 72.0 if title else 14.0
    width = (across * columns - 2 * margin - gap * (columns - 1)) / columns
    height = width * rows / cols
    lines = 4 // columns
    total = (across * columns, upper + lines * (height + name) + (lines - 1) * gap + lower)
    figure = new_figure(*total)
    axes = []
    for index, text in enumerate(("Image", "Road probability", "Network found", "Against the truth")):
        line, column = divmod(index, columns)
        left, top = margin + column * (width + gap), upper + name + line * (height + name + gap)
        box = (left / total[0], 1 - (top + height) / total[1], width / total[0], height / total[1])
        axes.append(figure.add_axes(box))
        baseline = 1 - (top - 12) / total[1]
        figure.text(
            left / total[0], baseline, text, fontsize=18, fontweight="bold", color=_INK, va="baseline"
        )
    if title:
        figure.text(margin / total[0], 1 - 46 / total[1], title, fontsize=24, fontweight="bold", color=_INK)
    figure.text(margin / total[0], 22 / total[1], caption, fontsize=17, color=_INK, va="baseline")
    _comparison_key(figure, axes[3])
    return figure, axes


def _comparison_key(figure: Figure, axes: Axes) -> None:
    """Name the colours of the comparison, flush right above its panel."""
    box = axes.get_position()
    width, height = figure.get_size_inches() * _DPI
    right = box.x1 * width
    for text, colour in (("false", FALSE), ("missed", MISSED), ("right", RIGHT)):
        reach = 11.0 * len(text)
        figure.text(
            (right - reach) / width, box.y1 + 12 / height, text, fontsize=15, color=_INK, va="baseline"
        )
        swatch = ((right - reach - 30) / width, box.y1 + 14 / height)
        figure.add_artist(
            Rectangle(swatch, 22 / width, 10 / height, facecolor=colour, edgecolor=_INK, linewidth=0.6)
        )
        right -= reach + 50


def _caption(figures: Mapping[str, float | str] | None) -> str:
    """Join headline figures: ``completeness 0.91   ·   correctness 0.88``."""
    shown = (
        f"{name} {value if isinstance(value, str) else format(value, '.3g')}"
        for name, value in (figures or {}).items()
    )
    return "   ·   ".join(shown)


def _plate(figure: Figure, box: tuple[float, float, float, float]) -> None:
    """Lay a dark translucent plate (left, bottom, width, height in pixels) under a legend."""
    width, height = figure.get_size_inches() * _DPI
    corner = (box[0] / width, box[1] / height)
    plate = Rectangle(
        corner, box[2] / width, box[3] / height, facecolor="black", alpha=0.55, edgecolor="none"
    )
    figure.add_artist(plate)


def _scale_bar(figure: Figure, axes: Axes, backdrop: Backdrop, scale: float, unit: float) -> None:
    """Draw a bar of a round length in the lower left corner of the axes; none where metres are unknown."""
    if backdrop.georef is None or backdrop.georef.crs is None:
        return
    metres = _metres_per_pixel(backdrop)
    width, height = figure.get_size_inches() * _DPI
    box = axes.get_position()
    room_m = 0.24 * box.width * width / scale * metres
    length_m = _round_length(room_m)
    length = length_m / metres * scale
    left, bottom = box.x0 * width + 18 * unit, box.y0 * height + 18 * unit
    _plate(figure, (left, bottom, length + 24 * unit, 50 * unit))
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    x0, y = (left + 12 * unit) / width, (bottom + 12 * unit) / height
    figure.add_artist(
        Rectangle((x0, y), length / width, 5 * unit / height, facecolor="white", edgecolor="none")
    )
    middle = x0 + length / 2 / width
    figure.text(
        middle, y + 11 * unit / height, text, fontsize=13 * unit, color="white", ha="center", va="bottom"
    )


def _round_length(room_m: float) -> float:
    """Choose the largest of 1, 2, 5, 10, 20, 50 ... that fits.

    Example:
        >>> [_round_length(room) for room in (1.2, 49.0, 730.0)]
        [1.0, 20.0, 500.0]
    """
    power = 10.0 ** np.floor(np.log10(max(room_m, 1e-9)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= max(room_m, power)))


def _probability_legend(figure: Figure, limits: tuple[float, float], unit: float) -> None:
    """Draw the colours of the probabilities in the lower right corner."""
    width, height = figure.get_size_inches() * _DPI
    wide, tall = 230 * unit, 62 * unit
    left, bottom = width - wide - 18 * unit, 18 * unit
    _plate(figure, (left, bottom, wide, tall))
    bar = figure.add_axes(
        (
            (left + 16 * unit) / width,
            (bottom + 12 * unit) / height,
            (wide - 32 * unit) / width,
            10 * unit / height,
        )
    )
    bar.imshow(np.linspace(0, 1, 256)[None, :], aspect="auto", cmap=PROBABILITY_COLOURS)
    bar.set_axis_off()
    bar.set_zorder(5)
    words = (
        (0.0, f"{limits[0]:.1f}", "left"),
        (0.5, "probability", "center"),
        (1.0, f"{limits[1]:.1f}", "right"),
    )
    for share, text, side in words:
        x = (left + 16 * unit + share * (wide - 32 * unit)) / width
        y = (bottom + 28 * unit) / height
        figure.text(x, y, text, fontsize=13 * unit, color="white", ha=side, va="bottom")


def _check_suffix(path: str | Path) -> None:
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path} is no picture that can be written; use one of {', '.join(_SUFFIXES)}")


def write_figure(figure: Figure, path: str | Path, *, overwrite: bool) -> Path:
    """Write a figure, the same bytes for the same figure."""
    with replacing(path, overwrite=overwrite) as temporary:
        png = temporary.suffix.lower() == ".png"
        options: dict[str, Any] = (
            {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 4}} if png else {}
        )
        figure.savefig(temporary, dpi=_DPI, **options)
    return Path(path)
