"""The application: API, page, and one form for everything that goes wrong."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from roadlift import __version__
from roadlift.errors import RoadliftError
from roadlift.server.jobs import Workshop
from roadlift.server.options import ServerOptions
from roadlift.server.problems import Problem, code_of, words_of
from roadlift.server.routes import FOR_A_DAY, api
from roadlift.server.security import BodyGuard, Gatekeeper, ResponseHeaders, refusal

log = logging.getLogger(__name__)
_WORDS = {
    404: "There is nothing at this address.",
    405: "This address does not take requests of this kind.",
    400: "The request cannot be understood.",
}


def create_app(options: ServerOptions) -> FastAPI:
    """Make the application. Its data folder is opened when it starts and closed when it ends.

    Args:
        options: what the server may be told.

    Raises:
        UsageError, ModelError, OutputError: when it starts and the data folder or a model cannot be used.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Workshop(options).open() as workshop:
            app.state.workshop = workshop
            yield

    app = FastAPI(
        title="roadlift",
        version=__version__,
        summary="Imagery in, road map out.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.include_router(api)
    static = Path(str(files("roadlift.server"))) / "static"
    if static.is_dir():
        app.mount("/", Page(directory=static, html=True))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RoadliftError, _our_error)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Gatekeeper, options=options)
    app.add_middleware(BodyGuard, upload_bytes=options.max_upload_bytes, receive_seconds=options.receive_time)
    app.add_middleware(ResponseHeaders)
    return app


class Page(StaticFiles):
    """The page's files: those with a hash in their name may be kept, others are asked for each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        response = await super().get_response(path, scope)
        cache = FOR_A_DAY if path.startswith("assets/") else {"Cache-Control": "no-cache"}
        response.headers.update(cache)
        return response


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, Problem):
        return refusal(error)
    status = getattr(error, "status_code", 500)
    message = _WORDS.get(status, "The request was refused.")
    return refusal(Problem(status, code_of(status), message, getattr(error, "headers", None)))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    parts = [f"{_place(problem['loc'])}: {problem['msg']}" for problem in found[:3]]
    return refusal(Problem(422, "invalid", "; ".join(parts)[:500] or "The request is not as it should be."))


def _place(location: tuple[int | str, ...]) -> str:
    """Name the part of a request that an error is about."""
    return ".".join(str(part) for part in location if part not in ("body", "path", "query")) or "body"


async def _our_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RoadliftError):
        return refusal(Problem(*words_of(error)))
    raise error


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error)
    return refusal(
        Problem(500, "internal", "Something unexpected went wrong; the server's log has the details.")
    )
