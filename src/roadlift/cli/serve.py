"""The web application: serve."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from roadlift.cli.options import PATH
from roadlift.errors import UsageError


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than this machine's own need --token.",
)
@click.option(
    "--port", type=int, default=8000, show_default=True, help="Port to listen on; 0 takes a free one."
)
@click.option(
    "--token",
    envvar="ROADLIFT_TOKEN",
    show_envvar=True,
    help="Secret that requests must carry; the page asks for it. Other users cannot see the variable.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Further name under which the server is reached, such as a reverse proxy's.",
)
@click.option(
    "--data",
    type=PATH,
    default=Path("roadlift-data"),
    show_default=True,
    help="Folder of images, jobs and results.",
)
@click.option(
    "--model",
    "-m",
    multiple=True,
    metavar="FILE",
    help="Further .onnx model to choose from, beside the built-in ones.",
)
@click.option(
    "--max-upload", type=int, default=1024, show_default=True, metavar="MIB", help="Largest image file."
)
@click.option(
    "--max-pixels",
    type=int,
    default=2000,
    show_default=True,
    metavar="MPX",
    help="Largest image, megapixels.",
)
@click.option(
    "--queue", type=int, default=50, show_default=True, help="Most jobs that wait; one runs at a time."
)
@click.option(
    "--time-to-live",
    type=float,
    default=168.0,
    show_default=True,
    metavar="HOURS",
    help="How long unused images and results are kept.",
)
@click.option(
    "--job-memory",
    type=int,
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Address space of a job's process.",
)
@click.option(
    "--job-time",
    type=float,
    default=60.0,
    show_default=True,
    metavar="MINUTES",
    help="How long a job may take.",
)
@click.option(
    "--receive-time",
    type=float,
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may take to arrive, plus a second for every 64 KiB received.",
)
def serve(**options: Any) -> None:
    """Open a web page on this machine: drop an image, watch the road map appear, download it.

    Listens on this machine's own address and opens nothing else. Ctrl+C ends it; jobs that were running start again
    with the next start.
    """
    missing = [
        name for name in ("fastapi", "uvicorn", "rio_tiler", "python_multipart") if find_spec(name) is None
    ]
    if missing:
        raise UsageError(
            f"Serving needs {', '.join(missing)}, which are not installed. Run: pip install 'roadlift[server]'"
        )
    from roadlift.server.options import ServerOptions
    from roadlift.server.run import serve

    chosen = ServerOptions(**options)
    serve(
        chosen, ready=lambda url: click.echo(f"roadlift is at {url}  (data in {chosen.data}; Ctrl+C ends it)")
    )
