"""Results for people: pictures of road networks over their images and beside the truth."""

from __future__ import annotations

from roadlift.report.figures import overlay, panels

__all__ = ["overlay", "panels"]
