"""Killed ten times and resumed; and thousands of tiles in one process: what is computed again, and what is held.

    python -m benchmarks.kills                       # 4096 x 4096 pixels, ten kill -9; 3000 tiles
    python -m benchmarks.kills --side 1024 --kills 3 --tiles 300

The first table: a run that is killed at seeded moments and started again each time, beside one that was not. The second: the
resident memory and the open files of one process that computes one tile after another.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roadlift.pipeline import ExtractOptions, extract
from roadlift.scene import render

TILE = 256
SCENE = 512
RUN = """
import os, signal, sys
from roadlift.pipeline import ExtractOptions, extract
import roadlift.export

image, output, moment = sys.argv[1], sys.argv[2], int(sys.argv[3])
begun = []

def progress(done, total):
    begun.append(done)
    if len(begun) == moment:
        os.kill(os.getpid(), signal.SIGKILL)

roads = extract(image, ExtractOptions(tile_size=256), output=output, save_probability=sys.argv[4], progress=progress)
print(roads.provenance["runs"][0]["finished_earlier"])
"""
LONG = """
import json, os, sys
import numpy as np
from affine import Affine
from roadlift.imagery import Georef, Grid, Pixels, Stretch
from roadlift.model import load_model
from roadlift.segment import PredictOptions, predict_tiles, tile_grid

class Noise:
    shape, dtype, georef = (16_384, 16_384), np.dtype(np.uint8), Georef(None, Affine.identity())

    def read(self, window):
        seeded = np.random.default_rng(window.row * 65_536 + window.col)
        values = seeded.integers(0, 255, (3, *window.shape), dtype=np.uint8)
        return Pixels(values, np.ones(window.shape, bool))

tiles, marks = int(sys.argv[1]), []
model, options = load_model(), PredictOptions(tile_size=256)

def progress(done, total):
    if done % 100 == 0:
        resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        marks.append((done, resident, len(os.listdir("/proc/self/fd"))))

source = Noise()
predict_tiles(
    source, model, lambda tile, values: None, options, grid=tile_grid(source.shape, model.card, options),
    stretch=Stretch.none(source.dtype, fill=model.card.fill), tiles=range(tiles), progress=progress,
)
print(json.dumps(marks))
"""


@dataclass(frozen=True)
class Resumed:
    """What a run that was killed came to."""

    kills: int
    tiles: int
    computed_again: tuple[int, ...]
    same_raster: bool
    same_network: bool
    target_seen_early: bool


@dataclass(frozen=True)
class LongRun:
    """Resident memory (MB) and open files of a process, by finished tiles."""

    tiles: tuple[int, ...]
    resident_mb: tuple[float, ...]
    files: tuple[int, ...]

    @property
    def slope_mb(self) -> float:
        """What each 1000 tiles add, after the first 200: by least squares."""
        late = np.array(self.tiles) > 200
        return float(np.polyfit(np.array(self.tiles)[late], np.array(self.resident_mb)[late], 1)[0] * 1000)


def kill_and_resume(folder: Path, *, side: int, kills: int, seed: int = 0) -> Resumed:
    """Kill an extraction at seeded moments, start it again each time, and hold the result against one that ran through."""
    image = _image(folder, side)
    whole, killed = folder / "whole", folder / "killed"
    for place in (whole, killed):
        place.mkdir()
    options = ExtractOptions(tile_size=TILE)
    extract(image, options, output=whole / "roads.gpkg", save_probability=whole / "p.tif")
    total = (-(-side // TILE)) ** 2
    each = total // (kills + 1)
    moments = np.random.default_rng(seed).integers(1, max(each, 2), kills)
    known, again, early = 0, [], False
    for moment in moments.tolist():
        process = _run(image, killed, moment)
        if process.returncode != -signal.SIGKILL:
            raise RuntimeError(process.stderr)
        early |= (killed / "roads.gpkg").exists() or (killed / "p.tif").exists()
        found = _finished(killed / "roads.gpkg.roadlift")
        again.append(known + moment - found)
        known = found
    process = _run(image, killed, 0)
    if process.returncode or int(process.stdout) != known:
        raise RuntimeError(process.stderr or process.stdout)
    return Resumed(
        kills,
        total,
        tuple(again),
        (whole / "p.tif").read_bytes() == (killed / "p.tif").read_bytes(),
        _edges(whole / "roads.gpkg").equals(_edges(killed / "roads.gpkg")),
        early,
    )


def _image(folder: Path, side: int) -> Path:
    """Write a scene that is repeated up to the side."""
    import rasterio

    scene = np.moveaxis(render(7, shape=(SCENE, SCENE)).image, 2, 0)
    profile = {
        "driver": "GTiff",
        "count": 3,
        "dtype": "uint8",
        "height": side,
        "width": side,
        "crs": "EPSG:32619",
    }
    profile |= {"transform": rasterio.Affine(1, 0, 300_000, 0, -1, 4_700_000), "tiled": True}
    times = -(-side // SCENE)
    with rasterio.open(folder / "city.tif", "w", **profile) as file:
        file.write(np.tile(scene, (1, times, times))[:, :side, :side])
    return folder / "city.tif"


def _run(image: Path, folder: Path, moment: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        RUN,
        str(image),
        str(folder / "roads.gpkg"),
        str(moment),
        str(folder / "p.tif"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _finished(folder: Path) -> int:
    """Count the tiles that a journal holds."""
    from roadlift.imagery import Grid, TileStore

    return len(TileStore(folder, Grid((1 << 20, 1 << 20), core=(TILE, TILE), halo=0)).finished)


def _edges(path: Path) -> object:
    import geopandas as gpd

    return gpd.read_file(path, layer="edges").to_wkb()


def many_tiles(tiles: int) -> LongRun:
    """Compute tiles of noise one after another in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", LONG, str(tiles)], capture_output=True, text=True, check=True
    )
    done, resident, files = zip(*json.loads(process.stdout), strict=True)
    return LongRun(tuple(done), tuple(resident), tuple(files))


def table(found: Resumed) -> str:
    """Return the outcome as text."""
    again = ", ".join(map(str, found.computed_again))
    return "\n".join(
        [
            f"{found.kills} kills of {found.tiles} tiles; told as finished and computed again, for each: {again}",
            f"raster byte for byte the same: {found.same_raster}; network the same: {found.same_network}",
            f"target there before it was whole: {found.target_seen_early}",
        ]
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tiles", type=int, default=3000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table(kill_and_resume(Path(folder), side=arguments.side, kills=arguments.kills)), flush=True)
    if arguments.tiles:
        found = many_tiles(arguments.tiles)
        for done, resident, files in zip(
            found.tiles[::5], found.resident_mb[::5], found.files[::5], strict=True
        ):
            print(f"{done:>6} tiles {resident:>7.1f} MB {files:>4} files")
        print(f"slope after 200 tiles: {found.slope_mb:+.2f} MB for each 1000 tiles")


if __name__ == "__main__":
    main()
