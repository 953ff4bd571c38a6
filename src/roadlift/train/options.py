"""What a training run is told: one frozen value, saved in the run folder as ``config.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from roadlift.errors import InputError, UsageError

SCHEDULES = ("cosine", "linear", "constant")
RANDOM = "random"
USUAL_ARCHITECTURE = "lite0-unet"


def option(default: Any, text: str) -> Any:
    """Declare a field with the words that ``roadlift train --help`` says of it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run. Every field is a field of ``config.json`` and a flag of ``roadlift train``.

    Example:
        >>> TrainOptions(steps=1000).batch_size
        8
    """

    architecture: str = option(
        "", f"Network, by name; empty: that of the model to start from, else {USUAL_ARCHITECTURE}."
    )
    width: int = option(16, "Channels of the first level; of unet only.")
    start: str = option(
        "",
        "Model to start from, a built-in name or an .onnx file; random: random weights; empty: pretrained encoder.",
    )
    teacher: str = option("", "Model whose opinion is mixed into the labels; empty: labels alone.")
    teacher_share: float = option(0.5, "Share of the teacher's opinion in the labels.")
    steps: int = option(3200, "Gradient steps.")
    batch_size: int = option(8, "Crops in a batch.")
    crop: int = option(320, "Side of a crop in pixels, a multiple of the network's stride.")
    learning_rate: float = option(1.5e-3, "Largest learning rate.")
    schedule: str = option("cosine", "How it falls after the warm-up: cosine, linear or constant.")
    weight_decay: float = option(1e-2, "Decay of AdamW.")
    warmup_steps: int = option(200, "Steps up to the largest learning rate.")
    dice_weight: float = option(0.5, "Share of the overlap losses beside binary cross-entropy.")
    focal_gamma: float = option(0.0, "Exponent that makes easy pixels weigh less in the cross-entropy.")
    cldice_weight: float = option(0.0, "Share of centreline Dice beside Dice.")
    cldice_from: float = option(0.7, "Share of the steps after which centreline Dice begins: it is dear.")
    ignore_rim: int = option(0, "Pixels on either side of a label's edge that are ignored.")
    small_image_boost: float = option(
        3.0,
        "How much more often than by their area images under one megapixel are drawn: they come from more places.",
    )
    scale_octaves: float = option(
        1.0,
        "Crops are scaled by up to two to the power of this, up and down: other resolutions and widths of roads.",
    )
    roadless_share: float = option(
        1.0, "Share of the crops without road that is kept; the others are drawn again."
    )
    light_share: float = option(
        0.9,
        "Share of the crops whose light, colours and sharpness are changed: other sensors, seasons, hours.",
    )
    scenes: int = option(0, "Rendered scenes to train on beside the images.")
    scene_share: float = option(
        0.1, "Share of the crops that come from rendered scenes, where there are any."
    )
    average_steps: int = option(400, "Over how many of the last steps the weights are averaged.")
    evaluate_every: int = option(200, "Steps between scores.")
    patience: int = option(0, "Scores in a row without a better one after which the run stops; 0: never.")
    seed: int = option(0, "Seed of everything random.")

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "crop", "evaluate_every", "width", "average_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 0.")
        if self.schedule not in SCHEDULES:
            raise UsageError(f"schedule is {self.schedule!r}; choose one of: {', '.join(SCHEDULES)}.")
        if self.warmup_steps >= self.steps:
            raise UsageError(
                f"warmup_steps is {self.warmup_steps}; it must be below steps, which is {self.steps}."
            )

    @property
    def start_model(self) -> str | None:
        """The model that the run starts from; None where it starts from a pretrained encoder or random weights."""
        return self.start if self.start not in ("", RANDOM) else None

    def to_json(self) -> str:
        """Return the options as indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> TrainOptions:
        """Read the options of a run.

        Raises:
            InputError: The file is not the configuration of a run.
        """
        try:
            values = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as the configuration of a run: {error}.") from error
        known = {each.name for each in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            raise InputError(f"{path} must hold exactly the fields {', '.join(sorted(known))}.")
        return cls(**values)


_SHARES = (
    "dice_weight",
    "cldice_weight",
    "cldice_from",
    "scene_share",
    "teacher_share",
    "roadless_share",
    "light_share",
)
_NOT_NEGATIVE = (
    "learning_rate",
    "weight_decay",
    "warmup_steps",
    "focal_gamma",
    "ignore_rim",
    "small_image_boost",
    "scale_octaves",
    "scenes",
    "patience",
)
