"""What MkDocs cannot do alone: pages that live outside this folder, and links to them that also work in the repository.

Notebooks become pages of words and code; CONTRIBUTING, CHANGELOG and SECURITY are pages of their own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "SECURITY.md": "security.md"}
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)(?:#[^)]*)?\)")
SHIM = "https://unpkg.com/iframe-worker/shim"
NOTEBOOK = re.compile(r"\]\((?:\.\./)?(?:notebooks/)?(\w+)\.ipynb\)")
DOCS = re.compile(r"\]\((?:\.\./)?docs/")


def on_config(config: Any) -> Any:
    """Leave entries out of the menu whose page is not there, so that a page may be added or removed alone."""
    config.nav = _existing(config.nav)
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from outside."""
    for name, page in OUTSIDE.items():
        if (ROOT / name).is_file():
            files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = notebook_page(json.loads(notebook.read_text("utf-8")))
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Turn links of the repository into links of the site."""
    markdown = LINK.sub(lambda link: _without_code_link(link, _folder(page.file.src_uri)), markdown)
    inside = page.file.src_uri.startswith("notebooks/")
    for name, target in OUTSIDE.items():
        markdown = re.sub(
            rf"\]\((?:\.\./)?{re.escape(name)}\)", f"]({'../' if inside else ''}{target})", markdown
        )
    markdown = DOCS.sub("](../" if inside else "](", markdown)
    return NOTEBOOK.sub(rf"]({'' if inside else 'notebooks/'}\1.md)", markdown)


def _folder(page: str) -> Path:
    """Where the file of a page lies in the repository."""
    if page.startswith("notebooks/"):
        return ROOT / "notebooks"
    return ROOT if page in OUTSIDE.values() else ROOT / "docs"


def _without_code_link(link: re.Match[str], folder: Path) -> str:
    """Leave the words of a link to code, which the site does not hold; other links stay."""
    target = (folder / link[2]).resolve()
    is_page = target.name in OUTSIDE or target.suffix == ".ipynb" or (ROOT / "docs") in target.parents
    return link[1] if target.exists() and not is_page else link[0]


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Take the search's helper from these pages instead of from the web."""
    up = "../" * page.file.src_uri.count("/")
    return output.replace(SHIM, f"{up}assets/iframe-worker.js")


def on_post_template(output_content: str, **_: Any) -> str:
    """Do the same for the page that says that there is no such page."""
    return output_content.replace(SHIM, "/assets/iframe-worker.js")


def notebook_page(notebook: dict[str, Any]) -> str:
    """Write a notebook's words and code as Markdown."""
    cells = (("".join(cell["source"]), cell["cell_type"]) for cell in notebook["cells"])
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for text, kind in cells)


def _existing(entries: list[Any]) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _existing(target)})
        elif _is_there(target):
            kept.append(entry)
    return kept


def _is_there(page: str) -> bool:
    outside = {target: name for name, target in OUTSIDE.items()}
    if page in outside:
        return (ROOT / outside[page]).is_file()
    if page.startswith("notebooks/"):
        return (ROOT / page).with_suffix(".ipynb").is_file()
    return (ROOT / "docs" / page).is_file()
