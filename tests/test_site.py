"""The documentation is built as a site, with warnings as errors, and opens without network."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
FETCHED = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["'](https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="MkDocs Material is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_of_the_repository_is_in_the_site(site):
    built = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= built
    assert {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= built
    assert {"contributing", "changes"} <= built


def test_every_page_is_in_the_menu(site):
    menu = (site / "index.html").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert f'href="{path.stem}.html"' in menu, path.name


def test_links_between_repository_and_site_are_turned():
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)

    def turned(text, page):
        return hooks.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page)))

    text = "[a](../notebooks/first_road_map.ipynb) [b](../CONTRIBUTING.md) [c](../src/roadlift) [d](files.md#columns)"
    assert (
        turned(text, "index.md")
        == "[a](notebooks/first_road_map.md) [b](contributing.md) c [d](files.md#columns)"
    )
    text = "[a](docs/files.md) [b](CHANGELOG.md) [c](tests) [d](https://example.org/x)"
    assert turned(text, "contributing.md") == "[a](files.md) [b](changes.md) c [d](https://example.org/x)"
    assert turned("[a](../docs/metrics.md)", "notebooks/x.md") == "[a](../metrics.md)"


def test_pages_fetch_nothing_from_the_web(site):
    for page in site.rglob("*.html"):
        assert not FETCHED.search(re.sub(r'<link rel="canonical"[^>]*>', "", page.read_text())), page.name


def test_the_reference_shows_arguments_and_errors(site):
    text = (site / "api.html").read_text()
    for name in ("extract", "RoadMap", "evaluate", "write_page", "plot_roads", "patchify", "LimitError"):
        assert f">{name}<" in text or f"{name}</span>" in text, name
    assert text.count("Raises") > 10
