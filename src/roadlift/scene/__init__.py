"""Procedural aerial scenes with exact roads, for tests, the demo and a share of training."""

from __future__ import annotations

from roadlift.scene.scene import Centreline, Scene, render

__all__ = ["Centreline", "Scene", "render"]
