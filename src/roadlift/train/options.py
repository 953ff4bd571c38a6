"""What a training run is told: one frozen value, saved in the run folder as ``config.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from roadlift.errors import InputError, UsageError


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run. Every field is a field of ``config.json`` and a flag of ``roadlift train``.

    Example:
        >>> TrainOptions(steps=1000).batch_size
        8
    """

    architecture: str = "lite0-unet"
    width: int = 16
    """Channels of the first level; of ``unet`` only."""
    steps: int = 3200
    batch_size: int = 8
    crop: int = 320
    """Side of a training crop in pixels, a multiple of the network's stride."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 200
    dice_weight: float = 0.5
    """Share of the Dice loss beside binary cross-entropy."""
    small_image_boost: float = 3.0
    """How much more often than by their area images under one megapixel are drawn: they come from more places."""
    scenes: int = 0
    """Rendered scenes to train on beside the images."""
    scene_share: float = 0.1
    """Share of the crops that come from rendered scenes, where there are any."""
    evaluate_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "crop", "evaluate_every", "width"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("dice_weight", "scene_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        if self.warmup_steps >= self.steps:
            raise UsageError(
                f"warmup_steps is {self.warmup_steps}; it must be below steps, which is {self.steps}."
            )

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
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            raise InputError(f"{path} must hold exactly the fields {', '.join(sorted(known))}.")
        return cls(**values)
