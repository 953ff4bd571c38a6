"""The page that is shipped is the one that the sources make."""

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEB, STATIC = ROOT / "web", ROOT / "src" / "roadlift" / "server" / "static"
FILES = ("index.html", "package.json", "package-lock.json", "sources.ts", "tsconfig.json", "vite.config.ts")


def test_the_build_is_of_these_sources():
    inside = [path for folder in ("public", "src") for path in (WEB / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(
        [*(WEB / name for name in FILES), *inside], key=lambda path: path.relative_to(WEB).as_posix()
    ):
        digest.update(f"{path.relative_to(WEB).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    assert (STATIC / "sources.sha256").read_text().strip() == digest.hexdigest(), "run `make web`"


def test_the_build_is_whole_and_asks_nobody_else():
    page = (STATIC / "index.html").read_text()
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert linked
    assert all((STATIC / path).is_file() for path in linked)
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"\son\w+=", page)


def test_texts_reach_the_page_as_text():
    sources = "\n".join(path.read_text() for path in (WEB / "src").rglob("*.ts*"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|\beval\(", sources)


def test_licences_of_what_is_shipped_are_shipped():
    text = (STATIC / "LICENSES.txt").read_text()
    assert all(name in text for name in ("maplibre-gl", "preact", "@preact/signals"))
