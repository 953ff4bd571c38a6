"""A server in this process, with real child processes, and images and finished jobs on it."""

from __future__ import annotations

import numpy as np
import pytest
from serving import SIDE, client_of, extract, png_of, upload

from roadlift.scene import render


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """A server that all tests of the session share; its data folder is ``client.folder``."""
    folder = tmp_path_factory.mktemp("served")
    with client_of(folder, max_upload=2, queue=4) as shared:
        shared.folder = folder
        yield shared


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A small rendered scene as GeoTIFF: path."""
    return render(11, shape=(SIDE, SIDE)).save(tmp_path_factory.mktemp("scene"), "town")[0]


@pytest.fixture(scope="session")
def picture():
    """The bytes of a plain picture, 96 x 64."""
    return png_of(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))


@pytest.fixture(scope="session")
def image(client, scene):
    """The scene on the shared server."""
    return upload(client, scene.read_bytes(), "town.tif")


@pytest.fixture(scope="session")
def done(client, image):
    """A finished job of the scene."""
    return extract(client, image)
