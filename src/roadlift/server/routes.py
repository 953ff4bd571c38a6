"""The REST API: what the page calls, and anybody else may."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, StreamingResponse

from roadlift import __version__
from roadlift.server import tiles
from roadlift.server.jobs import Workshop
from roadlift.server.layout import (
    FILLING,
    FORMATS,
    ISSUES_GEOJSON,
    PREVIEW,
    PROBABILITY,
    ROADS_GEOJSON,
    image_file,
    result_folder,
)
from roadlift.server.problems import Problem
from roadlift.server.schema import (
    ID_PATTERN,
    Edits,
    ErrorBody,
    Health,
    Image,
    ImageList,
    Job,
    JobList,
    JobRequest,
    JobState,
    ModelInfo,
    Settings,
    VectorizeRequest,
)
from roadlift.server.store import StoredImage, StoredJob, new_id
from roadlift.server.uploads import receive_file, suffix_of

GEOJSON = "application/geo+json"
MEDIA_TYPES = {
    "gpkg": "application/geopackage+sqlite3",
    "geojson": GEOJSON,
    "fgb": "application/octet-stream",
    "parquet": "application/vnd.apache.parquet",
    "graphml": "application/xml",
    "osm": "application/xml",
}
ONLY_ON_EARTH = ("geojson", "osm")
FOR_A_DAY = {"Cache-Control": "private, max-age=86400, immutable"}
STILL_HERE_SECONDS = 15.0
NEWS_PER_SECOND = 8
_FILE_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the error responses of a call."""
    return {status: {"model": ErrorBody} for status in (400, 401, 403, 422, *statuses)}


def png(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a response that is a picture."""
    return {
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(*statuses),
    }


def file_of(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Describe a response that is a file."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"content": content}, **errors(404, 409, 422, 429, 503)}


def the_workshop(request: Request) -> Workshop:
    """Return what the application works with."""
    workshop: Workshop = request.app.state.workshop
    return workshop


Shop = Annotated[Workshop, Depends(the_workshop)]


def stored_image(image: str, shop: Shop) -> StoredImage:
    """Find the image that the path names; an id is looked up and never a path."""
    if not re.match(ID_PATTERN, image):
        raise Problem(404, "not_found", "There is no such image; it may have been deleted.")
    return shop.store.image(image)


def stored_job(job: str, shop: Shop) -> StoredJob:
    """Find the job that the path names."""
    if not re.match(ID_PATTERN, job):
        raise Problem(404, "not_found", "There is no such job; it may have been deleted.")
    return shop.store.job(job)


async def an_image(image: str, shop: Shop) -> StoredImage:
    """As :func:`stored_image`, on the event loop, which owns the database."""
    return stored_image(image, shop)


async def a_job(job: str, shop: Shop) -> StoredJob:
    """As :func:`stored_job`, on the event loop."""
    return stored_job(job, shop)


TheImage = Annotated[StoredImage, Depends(an_image)]
TheJob = Annotated[StoredJob, Depends(a_job)]
Zoom = Annotated[int, PathParameter(ge=0, lt=len(tiles.ZOOMS))]
Place = Annotated[int, PathParameter(ge=0, lt=2 ** len(tiles.ZOOMS))]

api = APIRouter(prefix="/api")


@api.get("/health", tags=["server"])
async def health(shop: Shop) -> Health:
    """Tell whether the server works, and how much it has to do. Needs no token."""
    store = shop.store
    return Health(
        version=__version__, queued=store.count(JobState.QUEUED), running=store.count(JobState.RUNNING)
    )


@api.get("/settings", tags=["server"])
async def settings(shop: Shop) -> Settings:
    """Tell what can be chosen, and what is allowed. Needs no token."""
    models = [
        ModelInfo(
            name=card.name,
            description=card.description,
            threshold=card.threshold,
            ground_resolution_m=card.ground_resolution_m,
        )
        for _, card in shop.models.values()
    ]
    return Settings(
        version=__version__,
        needs_token=shop.options.token is not None,
        max_upload_bytes=shop.options.max_upload_bytes,
        formats=list(FORMATS),
        models=models,
        time_to_live_s=shop.options.time_to_live * 3600,
    )


@api.post(
    "/images",
    status_code=201,
    tags=["images"],
    openapi_extra=_FILE_FORM,
    responses=errors(408, 413, 415, 422, 429, 503, 507),
)
async def upload(request: Request, shop: Shop) -> Image:
    """Store an image (GeoTIFF, PNG or JPEG, in the form's field ``file``) and look at it."""

    async def take(folder: Path) -> tuple[str, str, dict[str, Any]]:
        arriving = folder / "arriving"
        name = await receive_file(request, arriving, largest=shop.options.max_upload_bytes)
        suffix = suffix_of(arriving)
        arriving.rename(folder / image_file(suffix))
        arguments = {"name": name, "suffix": suffix, "max_pixels": shop.options.max_pixels * 10**6}
        return name, suffix, await shop.quick_in("inspect", folder, arguments)

    return await _new_image(shop, take)


@api.post("/images/demo", status_code=201, tags=["images"], responses=errors(429, 503, 507))
async def demo(shop: Shop) -> Image:
    """Render the demonstration's scene as an image."""

    async def take(folder: Path) -> tuple[str, str, dict[str, Any]]:
        about = await shop.quick_in("demo", folder, {"max_pixels": shop.options.max_pixels * 10**6})
        return about.pop("name"), ".tif", about

    return await _new_image(shop, take)


async def _new_image(shop: Workshop, take: Callable[[Path], Any]) -> Image:
    """Make a folder, have it filled, and keep it; or leave nothing behind."""
    number = new_id()
    folder = shop.store.image_folder(number)
    folder.mkdir(mode=0o700)
    try:
        name, suffix, about = await take(folder)
        image = Image(id=number, name=name, created=time.time(), **about)
        shop.store.add_image(StoredImage(image, suffix))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return image


@api.get("/images", tags=["images"])
async def images(shop: Shop) -> ImageList:
    """Return all images, newest first; those that have no job are still there for one."""
    return ImageList(images=shop.store.images())


@api.get("/images/{image}", tags=["images"], responses=errors(404))
async def image(found: TheImage, shop: Shop) -> Image:
    """Return what an image is; who opens it uses it, and its time to live begins anew."""
    shop.store.touch(found.about.id)
    return found.about


@api.delete("/images/{image}", status_code=204, tags=["images"], responses=errors(404))
async def delete_image(found: TheImage, shop: Shop) -> None:
    """Remove an image with its jobs and their results."""
    await shop.delete_image(found.about.id)


@api.get(
    "/images/{image}/tiles/{z}/{x}/{y}.png", tags=["images"], response_class=Response, responses=png(404, 422)
)
async def image_tile(found: TheImage, z: Zoom, x: Place, y: Place, shop: Shop) -> Response:
    """Return a tile of the image in Web Mercator, 256 pixels, transparent outside of the image."""
    path = shop.store.image_folder(found.about.id) / PREVIEW
    return await _tile(shop, tiles.picture_tile, path, (z, x, y), final=True)


@api.post("/jobs", status_code=202, tags=["jobs"], responses=errors(404, 422, 429))
async def create_job(request: JobRequest, shop: Shop) -> Job:
    """Put an extraction into the queue."""
    return shop.view(shop.submit(request))


@api.get("/jobs", tags=["jobs"])
async def jobs(shop: Shop) -> JobList:
    """Return all jobs, newest first."""
    return JobList(jobs=[shop.view(job) for job in shop.store.jobs()])


@api.get("/jobs/{job}", tags=["jobs"], responses=errors(404))
async def job(found: TheJob, shop: Shop) -> Job:
    """Return how a job stands."""
    return shop.view(found)


@api.delete("/jobs/{job}", status_code=204, tags=["jobs"], responses=errors(404))
async def delete_job(found: TheJob, shop: Shop) -> None:
    """End a job where it runs, and remove its results."""
    await shop.delete_job(found)


@api.post("/jobs/{job}/cancel", tags=["jobs"], responses=errors(404))
async def cancel_job(found: TheJob, shop: Shop) -> Job:
    """End a job that waits or runs; a finished one stays as it is."""
    return shop.view(await shop.cancel(found))


@api.get(
    "/jobs/{job}/events",
    tags=["jobs"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **errors(404)},
)
async def events(found: TheJob, shop: Shop) -> StreamingResponse:
    """Watch a job by server-sent events: ``job`` on every change, ``probability`` when there is more to draw."""
    return StreamingResponse(_events(shop, found.id), media_type="text/event-stream")


@api.get(
    "/jobs/{job}/probability/{z}/{x}/{y}.png", tags=["jobs"], response_class=Response, responses=png(404, 422)
)
async def probability_tile(
    found: TheJob,
    z: Zoom,
    x: Place,
    y: Place,
    shop: Shop,
    v: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
) -> Response:
    """Return a tile of the road probability in colours; it fills in while the job runs. ``v`` is for caches."""
    del v
    folder = shop.store.job_folder(found.id)
    whole = folder / PROBABILITY
    path = whole if whole.exists() else folder / FILLING
    if not path.exists():
        raise Problem(404, "not_found", "There is no probability to look at yet.")
    return await _tile(shop, tiles.probability_tile, path, (z, x, y), final=found.state is JobState.DONE)


@api.get(
    "/jobs/{job}/roads.geojson", tags=["results"], responses=file_of(GEOJSON), response_class=FileResponse
)
async def roads(found: TheJob, shop: Shop) -> FileResponse:
    """Return edges and nodes in longitude and latitude, with the edits."""
    return _result_file(shop, found, ROADS_GEOJSON)


@api.get(
    "/jobs/{job}/issues.geojson", tags=["results"], responses=file_of(GEOJSON), response_class=FileResponse
)
async def issues(found: TheJob, shop: Shop) -> FileResponse:
    """Return the places that a person may want to look at, most important first."""
    return _result_file(shop, found, ISSUES_GEOJSON)


@api.post("/jobs/{job}/vectorize", tags=["results"], responses=errors(404, 409, 422, 429, 503))
async def vectorize(found: TheJob, request: VectorizeRequest, shop: Shop) -> Job:
    """Find the roads again in the stored probability, with another threshold."""
    return shop.view(await shop.revectorize(found, request.threshold, drop_edits=request.drop_edits))


@api.get("/jobs/{job}/edits", tags=["results"], responses=errors(404))
async def edits(found: TheJob, shop: Shop) -> Edits:
    """Return the edits of a job's roads."""
    return shop.edits_of(found)


@api.put("/jobs/{job}/edits", tags=["results"], responses=errors(404, 409, 422, 429, 503))
async def put_edits(found: TheJob, edits: Edits, shop: Shop) -> Edits:
    """Replace all edits; they are kept beside the result and are in every download."""
    return shop.edits_of(await shop.edit(found, edits))


@api.get(
    "/jobs/{job}/download/{format}",
    tags=["results"],
    responses=file_of(*MEDIA_TYPES.values()),
    response_class=FileResponse,
)
async def download(found: TheJob, format: Format, shop: Shop) -> FileResponse:  # noqa: A002 - the path says so
    """Return the roads, with the edits, as a file of a format."""
    suffix, about = str(format.value), shop.store.image(found.image).about
    if suffix in ONLY_ON_EARTH and not about.georeferenced:
        raise Problem(
            422,
            "no_crs",
            f"The image does not say where on Earth it lies, which {suffix} files need. Take another one, such as gpkg: its "
            "roads are in pixels of the image.",
        )
    path = shop.store.job_folder(found.id) / await shop.export(found, suffix)
    name = f"{_stem(about.name)}_roads.{suffix}"
    return FileResponse(path, media_type=MEDIA_TYPES[suffix], filename=name)


@api.get("/jobs/{job}/report", tags=["results"], responses=file_of("text/html"), response_class=FileResponse)
async def report(found: TheJob, shop: Shop) -> FileResponse:
    """Return the report of the roads, with the edits: one page that opens from disk without network."""
    path = shop.store.job_folder(found.id) / await shop.report(found)
    name = f"{_stem(shop.store.image(found.image).about.name)}_report.html"
    return FileResponse(path, media_type="text/html", filename=name)


def _stem(name: str) -> str:
    """Return the first part of a shown name, in letters that every file system takes."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name.rsplit(".", 1)[0]).strip("._-")
    return stem[:60] or "image"


def _result_file(shop: Workshop, job: StoredJob, name: str) -> FileResponse:
    if job.state is not JobState.DONE:
        raise Problem(409, "not_done", f"The job is {job.state.value}; there are no roads yet.")
    shop.store.touch(job.image)
    path = shop.store.job_folder(job.id) / result_folder(job.revision) / name
    return FileResponse(path, media_type=GEOJSON, headers={"Cache-Control": "private, no-cache"})


async def _tile(
    shop: Workshop,
    draw: Callable[[Path, int, int, int], bytes],
    path: Path,
    place: tuple[int, int, int],
    *,
    final: bool,
) -> Response:
    """Draw a tile in a thread; one that will not change is kept for the next who asks."""
    png = shop.tiles.get((path, *place)) if final else None
    if png is None:
        png = await to_thread.run_sync(draw, path, *place, limiter=shop.tile_threads)
    if final:
        shop.tiles.keep((path, *place), png)
    return Response(png, media_type="image/png", headers=FOR_A_DAY if final else None)


async def _events(shop: Workshop, job: str) -> AsyncIterator[str]:
    """Tell what is new of a job until nothing more will be."""
    told, drawn = "", 0
    with shop.watchers.watch(job) as news:
        while True:
            try:
                now = shop.view(shop.store.job(job))
            except Problem:
                return
            if shop.drawn(job) > drawn:
                drawn = shop.drawn(job)
                yield f'event: probability\ndata: {{"version": {drawn}}}\n\n'
            text = now.model_dump_json()
            if text != told:
                told = text
                yield f"event: job\ndata: {text}\n\n"
            if now.state.final or shop.watchers.closed:
                return
            try:
                await asyncio.wait_for(news.wait(), STILL_HERE_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
            await asyncio.sleep(1 / NEWS_PER_SECOND)
            news.clear()
