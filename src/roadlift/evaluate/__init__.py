"""How good a prediction is: pixels, buffers, graphs."""

from roadlift.evaluate.pixels import Confusion, ProbabilityHistogram

__all__ = ["Confusion", "ProbabilityHistogram"]
