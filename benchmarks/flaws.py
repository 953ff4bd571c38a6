"""What each road metric makes of each kind of flaw: one drawn town, flawed on purpose, scored with all of them."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import shapely

from roadlift.evaluate import Scores, load_pair
from roadlift.evaluate.metrics import METRICS
from roadlift.imagery.burn import burn, north_up
from roadlift.report.figures import new_figure, write_figure
from roadlift.report.worst import coloured

SHAPE = (1200, 1200)
BLOCK_M = 150
COLUMNS = (
    "iou",
    "relaxed_f1",
    "quality",
    "cldice",
    "apls_spacenet",
    "apls_sat2graph",
    "topo_f1",
    "junction_correct",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", type=Path, help="also draw the flaws into a file")
    options = parser.parse_args()
    print(run(picture=options.picture))


def run(*, size: int = SHAPE[0], picture: Path | None = None) -> str:
    """Score every flaw and return the table."""
    truth = drawn(streets(size), size)
    pairs = {name: load_pair(mask, truth, name=name) for name, mask in flaws(size).items()}
    rows = [f"{'flaw':<38}" + "".join(f"{name:>17}" for name in COLUMNS)]
    for name, pair in pairs.items():
        scores = Scores.of(pair)
        values = {
            m.name: float(m.value(np.array([m.parts(scores)]))[0]) for m in METRICS if m.name in COLUMNS
        }
        rows.append(f"{name:<38}" + "".join(f"{values[column]:17.2f}" for column in COLUMNS))
    if picture is not None:
        draw(pairs, picture)
    return "\n".join(rows)


def streets(size: int) -> list[shapely.LineString]:
    """Straight streets from border to border, and every third block a lane across it."""
    at = range(BLOCK_M // 2, size, BLOCK_M)
    through = [shapely.LineString([(0, y), (size, y)]) for y in at]
    through += [shapely.LineString([(x, 0), (x, size)]) for x in at]
    lanes = [
        shapely.LineString([(x, y), (x + BLOCK_M, y + BLOCK_M)])
        for i, x in enumerate(at[:-1])
        for j, y in enumerate(at[:-1])
        if (i + 2 * j) % 5 == 0
    ]
    return through + lanes


def drawn(lines: list[shapely.LineString], size: int, width: float = 7.0) -> np.ndarray:
    """Return the mask of lines as bands."""
    return (
        burn([line.buffer(width / 2, cap_style="flat") for line in lines], (size, size), north_up(0, 0, 1.0))
        > 0
    )


def flaws(size: int) -> dict[str, np.ndarray]:
    """Return the flawed masks by name."""
    rng = np.random.default_rng(1)
    lines = streets(size)
    mask = drawn(lines, size)
    middles = [
        (line.interpolate(m), line) for line in lines for m in np.arange(BLOCK_M, line.length, 2 * BLOCK_M)
    ]
    gaps = [point.buffer(22) for point, _ in middles]
    park = [shapely.box(x + 20, y + 20, x + 90, y + 90) for x, y in rng.integers(0, size - 100, (12, 2))]
    spurs = [shapely.LineString([(p.x, p.y), (p.x + 30, p.y + 30)]) for p, _ in middles]
    lanes = [line for line in lines if line.length > size or line.length < 2 * BLOCK_M]
    area = lambda shapes: burn(shapes, (size, size), north_up(0, 0, 1.0)) > 0  # noqa: E731
    return {
        "none": mask,
        "3 m beside": np.roll(mask, 3, axis=(0, 1)),
        "6 m beside": np.roll(mask, 6, axis=(0, 1)),
        "bands of 11 m instead of 7 m": drawn(lines, size, 11.0),
        "a gap of 44 m in every second block": mask & ~area(gaps),
        "lanes missed": drawn([line for line in lines if line not in lanes], size),
        "false spurs of 42 m": mask | drawn(spurs, size),
        "false areas of 70 x 70 m": mask | area(park),
    }


def draw(pairs: dict[str, object], path: Path) -> None:
    """Draw a corner of every flaw: right green, missed red, false blue."""
    across, side, head = 4, 340, 44
    down = -(-len(pairs) // across)
    figure = new_figure(across * side, down * (side + head))
    for index, (name, pair) in enumerate(pairs.items()):
        row, col = divmod(index, across)
        box = (
            col / across + 0.008,
            1 - (row + 1) / down + 0.012,
            1 / across - 0.016,
            side / (side + head) / down - 0.02,
        )
        axes = figure.add_axes(box)
        axes.imshow(coloured(pair)[:400, :400], interpolation="nearest")  # type: ignore[arg-type]
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(name, fontsize=12)
    write_figure(figure, path, overwrite=True)


if __name__ == "__main__":
    main()
