"""Images and jobs on disk: rows in SQLite, and one folder for each."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from roadlift.errors import OutputError, UsageError
from roadlift.server.problems import Problem
from roadlift.server.schema import Image, JobState, Summary, Words

VERSION = 1
DATABASE = "roadlift.sqlite"
_TABLES = """
create table if not exists images (
    id text primary key, created real not null, used real not null, suffix text not null, about text not null
) strict;
create table if not exists jobs (
    number integer primary key autoincrement, id text unique not null,
    image text not null references images (id) on delete cascade, created real not null, state text not null,
    model text not null, threshold real not null, gsd real, tiles_done integer not null, tiles_total integer not null,
    error text, summary text, revision integer not null, edits integer not null
) strict;
create index if not exists jobs_of_image on jobs (image);
"""


@dataclass(frozen=True)
class StoredImage:
    """An image: what it is, and the suffix of its file."""

    about: Image
    suffix: str


@dataclass(frozen=True)
class StoredJob:
    """A job as it is kept; ``revision`` counts the results it has had."""

    id: str
    image: str
    created: float
    state: JobState
    model: str
    threshold: float
    gsd: float | None = None
    tiles_done: int = 0
    tiles_total: int = 0
    error: Words | None = None
    summary: Summary | None = None
    revision: int = 0
    edits: int = 0


def new_id() -> str:
    """Return 128 random bits as 22 letters that fit into a path."""
    return secrets.token_urlsafe(16)


class Store:
    """The data folder. One process uses it at a time; one thread of it.

    Raises:
        UsageError: Another server uses the folder, or it is of a newer version.
        OutputError: It cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        try:
            for folder in (self.root, self.root / "images", self.root / "jobs"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(self.root / DATABASE, isolation_level=None, timeout=0.2)
            self._prepare()
        except OSError as error:
            raise OutputError(f"{root} cannot be used for --data: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise UsageError(
                f"{root} cannot be used for --data: {error}. Does another server use it? Give another folder."
            ) from error

    def _prepare(self) -> None:
        self._database.execute("pragma locking_mode = exclusive")
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.execute("pragma foreign_keys = on")
        (version,) = self._database.execute("pragma user_version").fetchone()
        if version > VERSION:
            raise sqlite3.DatabaseError("it was written by a newer roadlift")
        self._database.executescript(f"begin immediate; {_TABLES} pragma user_version = {VERSION}; commit;")

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def image_folder(self, image: str) -> Path:
        """Folder of an image; ``image`` is an id of ours."""
        return self.root / "images" / image

    def job_folder(self, job: str) -> Path:
        """Folder of a job; ``job`` is an id of ours."""
        return self.root / "jobs" / job

    def add_image(self, image: StoredImage) -> None:
        """Keep an image whose folder is complete."""
        about = image.about
        self._database.execute(
            "insert into images values (?, ?, ?, ?, ?)",
            (about.id, about.created, about.created, image.suffix, about.model_dump_json()),
        )

    def image(self, image: str) -> StoredImage:
        """Return an image.

        Raises:
            Problem: There is none.
        """
        row = self._database.execute("select suffix, about from images where id = ?", (image,)).fetchone()
        if row is None:
            raise Problem(404, "not_found", "There is no such image; it may have been deleted.")
        return StoredImage(Image.model_validate_json(row[1]), row[0])

    def images(self) -> list[Image]:
        """Return what all images are, newest first."""
        rows = self._database.execute("select about from images order by created desc, rowid desc")
        return [Image.model_validate_json(row[0]) for row in rows]

    def touch(self, image: str) -> None:
        """Note that an image or one of its jobs was used now."""
        self._database.execute("update images set used = ? where id = ?", (time.time(), image))

    def delete_image(self, image: str) -> None:
        """Forget an image and its jobs, and remove their folders."""
        jobs = [job.id for job in self.jobs(image)]
        self._database.execute("delete from images where id = ?", (image,))
        for folder in (self.image_folder(image), *map(self.job_folder, jobs)):
            shutil.rmtree(folder, ignore_errors=True)

    def unused_images(self, before: float) -> list[str]:
        """Ids of images that were not used since ``before`` (seconds since 1970)."""
        return [row[0] for row in self._database.execute("select id from images where used < ?", (before,))]

    def add_job(self, job: StoredJob) -> None:
        """Keep a new job and make its folder."""
        self.job_folder(job.id).mkdir(mode=0o700)
        values = _job_values(job)
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._database.execute(f"insert into jobs ({names}) values ({marks})", tuple(values.values()))  # noqa: S608

    def save_job(self, job: StoredJob) -> None:
        """Keep what has changed of a job."""
        values = _job_values(job)
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(f"update jobs set {names} where id = ?", (*values.values(), job.id))  # noqa: S608

    def job(self, job: str) -> StoredJob:
        """Return a job.

        Raises:
            Problem: There is none.
        """
        found = self._select("where id = ?", job)
        if not found:
            raise Problem(404, "not_found", "There is no such job; it may have been deleted.")
        return found[0]

    def jobs(self, image: str | None = None) -> list[StoredJob]:
        """Return all jobs, or those of one image, newest first."""
        if image is None:
            return self._select("order by number desc")
        return self._select("where image = ? order by number desc", image)

    def queued(self) -> list[StoredJob]:
        """Return the jobs that wait, oldest first."""
        return self._select("where state = ? order by number", JobState.QUEUED)

    def count(self, state: JobState) -> int:
        """Return the number of jobs in a state."""
        return int(
            self._database.execute("select count(*) from jobs where state = ?", (state,)).fetchone()[0]
        )

    def delete_job(self, job: str) -> None:
        """Forget a job and remove its folder."""
        self._database.execute("delete from jobs where id = ?", (job,))
        shutil.rmtree(self.job_folder(job), ignore_errors=True)

    def recover(self) -> None:
        """Put jobs that ran when the server ended back into the queue, and remove folders that nobody knows."""
        for job in self._select("where state = ?", JobState.RUNNING):
            self.save_job(replace(job, state=JobState.QUEUED, tiles_done=0))
        for table in ("images", "jobs"):
            known = {row[0] for row in self._database.execute(f"select id from {table}")}  # noqa: S608
            for folder in (self.root / table).iterdir():
                if folder.name not in known:
                    shutil.rmtree(folder, ignore_errors=True)

    def _select(self, rest: str, *values: Any) -> list[StoredJob]:
        columns = ", ".join(field.name for field in fields(StoredJob))
        rows = self._database.execute(f"select {columns} from jobs {rest}", values)  # noqa: S608
        return [_job_of(row) for row in rows.fetchall()]


def _job_values(job: StoredJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "image": job.image,
        "created": job.created,
        "state": job.state.value,
        "model": job.model,
        "threshold": job.threshold,
        "gsd": job.gsd,
        "tiles_done": job.tiles_done,
        "tiles_total": job.tiles_total,
        "error": job.error and job.error.model_dump_json(),
        "summary": job.summary and job.summary.model_dump_json(),
        "revision": job.revision,
        "edits": job.edits,
    }


def _job_of(row: tuple[Any, ...]) -> StoredJob:
    job = StoredJob(*row)
    return replace(
        job,
        state=JobState(job.state),
        error=None if row[9] is None else Words(**json.loads(row[9])),
        summary=None if row[10] is None else Summary(**json.loads(row[10])),
    )
