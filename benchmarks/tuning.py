"""How much each option of the network matters: halved, doubled and turned off, by APLS and TOPO on aerial images.

    python -m benchmarks.tuning [--data ../shared/data/massachusetts/dev] [--model NAME]

Values are differences from the defaults in points (means over the images); a plateau is where they are small.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ablation import DEV, STEPS, Case, images, measure, roads
from roadlift import ExtractOptions, load_model
from roadlift.pipeline import network_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadlift.network import NetworkOptions

FACTORS = (0.0, 0.5, 2.0)
NAMES = tuple(name for _, step in STEPS for name in step if name != "threshold_low")


def rows(cases: list[Case], full: NetworkOptions) -> Iterator[str]:
    """Rows of the table, one by one."""
    apls, _, topo, _, free = measure([roads(case.probability, full) for case in cases], cases)
    yield f"defaults: APLS spacenet {apls:.1f}, TOPO F1 {topo:.1f}, {free:.2f} dead ends per km\n"
    yield "| option | default | " + " | ".join(f"x {factor:g}: APLS, TOPO" for factor in FACTORS) + " |"
    yield "|---|---|" + "---|" * len(FACTORS)
    for name in NAMES:
        default = getattr(full, name)
        cells = []
        for factor in FACTORS:
            options = replace(full, **{name: default * factor})
            found = measure([roads(case.probability, options) for case in cases], cases)
            cells.append(f"{found[0] - apls:+.1f}, {found[2] - topo:+.1f}")
        yield f"| `{name}` | {default:g} | " + " | ".join(cells) + " |"


def main() -> None:
    """Predict, vary, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DEV, help="folder with images/ and masks/")
    parser.add_argument("--model", default=ExtractOptions().model)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    options = network_options(model.card, threshold=None, threshold_low=None)
    for line in rows(list(images(arguments.data, model)), options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
