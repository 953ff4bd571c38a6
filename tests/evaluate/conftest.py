"""Reference values and little masks drawn as text."""

import json
from pathlib import Path

import numpy as np
import pytest

VECTORS = Path(__file__).parents[2].parent / "shared" / "metric_vectors"


@pytest.fixture(scope="session")
def vectors():
    """Return a function that reads the values one reference implementation gave, by file stem."""

    def read(name):
        path = VECTORS / f"{name}.json"
        if not path.exists():
            pytest.skip(f"no reference values at {path}")
        return {key: case for key, case in json.loads(path.read_text()).items() if not key.startswith("_")}

    return read


@pytest.fixture(scope="session")
def drawn():
    """Return a function that turns rows of '#' and '.' into a mask."""
    return lambda rows: np.array([[letter == "#" for letter in row] for row in rows])
