"""Jobs in their order: one runs, the others wait; who watches is told of every change."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter

from roadlift.model import ModelCard, find_card, list_models
from roadlift.server.layout import EDITS, REPORT, ROADS, export_file, image_file, result_folder
from roadlift.server.options import MEGABYTE, ServerOptions
from roadlift.server.problems import Problem
from roadlift.server.processes import Children
from roadlift.server.schema import Edits, Job, JobRequest, JobState, Summary, Words
from roadlift.server.store import Store, StoredImage, StoredJob, new_id
from roadlift.server.tiles import TileCache
from roadlift.server.watching import Live, Watchers
from roadlift.server.worker import Limits

log = logging.getLogger(__name__)
QUICK_SECONDS = 300.0
MOST_QUICK, MOST_WAITING = 2, 20
CLEANING_SECONDS = 60.0
TILE_THREADS = 4


class Workshop:
    """Everything the server does beyond talking: images and jobs, and the processes that work on them."""

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.store = Store(options.data)
        self.models = offered_models(options.model)
        self.watchers = Watchers()
        self.tiles = TileCache()
        self.tile_threads = CapacityLimiter(TILE_THREADS)
        limits = Limits(options.job_memory * MEGABYTE, 16 * options.max_upload_bytes, options.job_time * 60)
        self.children = Children(limits)
        self._live: dict[str, Live] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._wake = asyncio.Event()
        self._quick = asyncio.Semaphore(MOST_QUICK)
        self._waiting = 0
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Workshop]:
        """Take up what was left over, work, and end every process."""
        self.store.recover()
        self.children.prepare()
        self._tasks = [asyncio.create_task(self._run_jobs()), asyncio.create_task(self._clean())]
        try:
            yield self
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.children.close()
            self.store.close()

    def view(self, job: StoredJob) -> Job:
        """Return a job as it is told to clients."""
        live = self._live.get(job.id)
        return Job(
            id=job.id,
            image=self.store.image(job.image).about,
            state=job.state,
            created=job.created,
            model=job.model,
            threshold=job.threshold,
            gsd=job.gsd,
            tiles_done=live.done if live else job.tiles_done,
            tiles_total=live.total if live else job.tiles_total,
            remaining_s=live.remaining_s if live else None,
            error=job.error,
            summary=job.summary,
            edits=job.edits,
        )

    def drawn(self, job: str) -> int:
        """Return how often there was more probability to look at."""
        live = self._live.get(job)
        return 0 if live is None else live.drawn

    def submit(self, request: JobRequest) -> StoredJob:
        """Put a new job at the end of the queue.

        Raises:
            Problem: The queue is full, or there is no such image or model.
        """
        image = self.store.image(request.image)
        name = request.model or next(iter(self.models))
        if name not in self.models:
            raise Problem(
                422, "unknown_model", f"There is no such model; choose one of: {', '.join(self.models)}."
            )
        if request.gsd is not None and image.about.georeferenced:
            raise Problem(
                422,
                "gsd_not_needed",
                "The image has a CRS that tells its ground resolution; leave gsd out (null).",
            )
        if self.store.count(JobState.QUEUED) >= self.options.queue:
            raise Problem(
                429,
                "queue_full",
                f"{self.options.queue} jobs are waiting already; try again when some are done.",
                {"Retry-After": "30"},
            )
        card = self.models[name][1]
        gsd = None if image.about.georeferenced else request.gsd or card.ground_resolution_m
        threshold = card.threshold if request.threshold is None else request.threshold
        job = StoredJob(new_id(), image.about.id, time.time(), JobState.QUEUED, name, threshold, gsd)
        self.store.add_job(job)
        _link_image(self.store, image, job)
        self.store.touch(job.image)
        self._wake.set()
        return job

    async def cancel(self, job: StoredJob) -> StoredJob:
        """End a job that waits or runs; a finished one stays as it is."""
        if job.state.final:
            return job
        live = self._live.get(job.id)
        if live is not None and live.task is not None:
            live.task.cancel()
            await asyncio.gather(live.task, return_exceptions=True)
        job = replace(self.store.job(job.id))
        if not job.state.final:
            job = self._save(replace(job, state=JobState.CANCELLED))
        return job

    async def delete_job(self, job: StoredJob) -> None:
        """End a job and remove all that it made."""
        await self.cancel(job)
        async with self._lock(job.id):
            self.store.delete_job(job.id)
        self.watchers.tell(job.id)
        self._locks.pop(job.id, None)

    async def delete_image(self, image: str) -> None:
        """Remove an image with its jobs."""
        for job in self.store.jobs(image):
            await self.delete_job(job)
        self.store.delete_image(image)

    async def revectorize(self, job: StoredJob, threshold: float, *, drop_edits: bool) -> StoredJob:
        """Find the roads of a finished job with another threshold."""
        async with self._finished(job) as job:
            if job.edits and not drop_edits:
                raise Problem(
                    409,
                    "edits_exist",
                    f"The roads have {job.edits} edits, which do not fit roads that are found anew. Keep the threshold, or "
                    "send drop_edits: true.",
                )
            arguments = {"model": self._model(job), "threshold": threshold, "revision": job.revision + 1}
            summary = await self.quick("vectorize", job, arguments)
            return self._new_revision(job, summary, threshold=threshold, edits=0, listed=Edits(edits=[]))

    async def edit(self, job: StoredJob, edits: Edits) -> StoredJob:
        """Replace the edits of a finished job."""
        async with self._finished(job) as job:
            listed = edits.model_dump(mode="json")["edits"]
            bounds = self.store.image(job.image).about.bounds
            seconds = 0.0 if job.summary is None else job.summary.seconds
            arguments = {"edits": listed, "revision": job.revision, "bounds": bounds, "seconds": seconds}
            summary = await self.quick("edit", job, arguments)
            return self._new_revision(job, summary, threshold=job.threshold, edits=len(listed), listed=edits)

    async def export(self, job: StoredJob, suffix: str) -> str:
        """Return the name of the file with a job's roads in a format, made when it is not there."""
        async with self._finished(job) as job:
            if suffix == Path(ROADS).suffix[1:]:
                return f"{result_folder(job.revision)}/{ROADS}"
            name = f"{result_folder(job.revision)}/{export_file(suffix)}"
            if not (self.store.job_folder(job.id) / name).exists():
                await self.quick("export", job, {"suffix": suffix, "revision": job.revision})
            return name

    async def report(self, job: StoredJob) -> str:
        """Return the name of the file with the report of a job, made when it is not there."""
        async with self._finished(job) as job:
            name = f"{result_folder(job.revision)}/{REPORT}"
            folder = self.store.job_folder(job.id)
            if not (folder / name).exists():
                image = self.store.image(job.image)
                arguments = {"name": image.about.name, "suffix": image.suffix, "revision": job.revision}
                await self.quick_in("report", folder, arguments)
            return name

    async def quick(self, task: str, job: StoredJob, arguments: Mapping[str, Any]) -> Any:
        """Do a task that a user waits for, in a job's folder."""
        self.store.touch(job.image)
        return await self.quick_in(task, self.store.job_folder(job.id), arguments)

    async def quick_in(self, task: str, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Do a task that a user waits for; only so many at a time, and only so many that wait.

        Raises:
            Problem: Too many wait, or the task failed.
        """
        if self._waiting >= MOST_WAITING:
            raise Problem(
                429, "busy", "The server has much to do; try again in a moment.", {"Retry-After": "5"}
            )
        self._waiting += 1
        try:
            async with self._quick:
                return await self.children.run(task, folder, arguments, seconds=QUICK_SECONDS)
        finally:
            self._waiting -= 1

    def edits_of(self, job: StoredJob) -> Edits:
        """Return the edits of a job."""
        path = self.store.job_folder(job.id) / result_folder(job.revision) / EDITS
        return Edits.model_validate_json(path.read_bytes()) if job.edits else Edits(edits=[])

    def _new_revision(
        self, job: StoredJob, summary: Mapping[str, Any], *, threshold: float, edits: int, listed: Edits
    ) -> StoredJob:
        """Take a result that a child has made; the one before stays, for those who are reading it."""
        folder = self.store.job_folder(job.id)
        (folder / result_folder(job.revision + 1) / EDITS).write_text(
            listed.model_dump_json(), encoding="utf-8"
        )
        job = replace(
            job, revision=job.revision + 1, summary=Summary(**summary), threshold=threshold, edits=edits
        )
        job = self._save(job)
        shutil.rmtree(folder / result_folder(job.revision - 2), ignore_errors=True)
        return job

    @asynccontextmanager
    async def _finished(self, job: StoredJob) -> AsyncIterator[StoredJob]:
        """Hold a finished job; what others did to it before is known inside."""
        async with self._lock(job.id):
            job = self.store.job(job.id)
            if job.state is not JobState.DONE:
                raise Problem(409, "not_done", f"The job is {job.state.value}; there are no roads yet.")
            yield job

    def _lock(self, job: str) -> asyncio.Lock:
        return self._locks.setdefault(job, asyncio.Lock())

    def _model(self, job: StoredJob) -> str:
        if job.model not in self.models:
            raise Problem(409, "unknown_model", "The model of this job is no longer offered by this server.")
        return self.models[job.model][0]

    def _save(self, job: StoredJob) -> StoredJob:
        self.store.save_job(job)
        self.watchers.tell(job.id)
        return job

    async def _run_jobs(self) -> None:
        """Work through the queue for ever."""
        while True:
            waiting = self.store.queued()
            if not waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            job = self._save(replace(waiting[0], state=JobState.RUNNING))
            live = self._live[job.id] = Live()
            live.task = asyncio.create_task(self._run_job(job, live))
            try:
                await asyncio.wait([live.task])
            except asyncio.CancelledError:
                live.task.cancel()
                await asyncio.gather(live.task, return_exceptions=True)
                raise
            finally:
                del self._live[job.id]
                self.watchers.tell(job.id)

    async def _run_job(self, job: StoredJob, live: Live) -> None:
        """Run a job to its end, whatever that is."""
        try:
            summary = await self._extract(job, live)
            job = replace(job, state=JobState.DONE, tiles_done=live.done, tiles_total=live.total)
            self._new_revision(job, summary, threshold=job.threshold, edits=0, listed=Edits(edits=[]))
        except Problem as problem:
            self._fail(job, problem.code, problem.message)
        except Exception:
            log.exception("job %s", job.id)
            self._fail(job, "internal", "Something unexpected went wrong; the server's log has the details.")

    async def _extract(self, job: StoredJob, live: Live) -> Mapping[str, Any]:
        def report(message: Mapping[str, Any]) -> None:
            live.note(message)
            self.watchers.tell(job.id)

        image = self.store.image(job.image)
        arguments = {
            "name": image.about.name,
            "suffix": image.suffix,
            "model": self._model(job),
            "threshold": job.threshold,
            "gsd": job.gsd,
            "revision": job.revision + 1,
        }
        summary: Mapping[str, Any] = await self.children.run(
            "extract", self.store.job_folder(job.id), arguments, report=report
        )
        return summary

    def _fail(self, job: StoredJob, code: str, message: str) -> None:
        self._save(replace(job, state=JobState.FAILED, error=Words(code=code, message=message)))

    async def _clean(self) -> None:
        """Remove what nobody has used for the time to live, for ever."""
        while True:
            try:
                await self._remove_unused(time.time() - self.options.time_to_live * 3600)
            except Exception:
                log.exception("cleaning up")
            await asyncio.sleep(CLEANING_SECONDS)

    async def _remove_unused(self, before: float) -> None:
        for image in self.store.unused_images(before):
            if not any(job.id in self._live for job in self.store.jobs(image)):
                await self.delete_image(image)


def offered_models(files: tuple[str, ...]) -> dict[str, tuple[str, ModelCard]]:
    """Return what is to be loaded and its card for each name that clients may choose, the default first."""
    cards = {card.name: (card.name, card) for card in list_models()}
    for file in files:
        card = find_card(file)
        cards[card.name] = (os.path.abspath(file), card)  # noqa: PTH100 - it is text
    return cards


def _link_image(store: Store, image: StoredImage, job: StoredJob) -> None:
    """Give a job its image in its own folder, without a copy."""
    name = image_file(image.suffix)
    os.link(store.image_folder(image.about.id) / name, store.job_folder(job.id) / name)
