"""Results for people: plots, pictures of road networks over their images and beside the truth, and a page with it all."""

from __future__ import annotations

from roadlift.report.document import check_page_name, image_of, page, write_page
from roadlift.report.figures import overlay, panels

__all__ = ["check_page_name", "image_of", "overlay", "page", "panels", "write_page"]
