"""What goes over the wire: the bodies of requests and responses."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ID_PATTERN = r"^[A-Za-z0-9_-]{22}$"
MAX_EDITS = 2000
MAX_POINTS = 2000


class Words(BaseModel):
    """What went wrong: a code for programs and words for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """Body of every response that is an error."""

    error: Words


class Health(BaseModel):
    """Whether the server works, and how much it has to do."""

    status: Literal["ok"] = "ok"
    version: str
    queued: int
    running: int


class ModelInfo(BaseModel):
    """A model that can be chosen."""

    name: str
    description: str
    threshold: float
    ground_resolution_m: float


class Settings(BaseModel):
    """What the page needs to know before anything else."""

    version: str
    needs_token: bool
    max_upload_bytes: int
    formats: list[str]
    models: list[ModelInfo]
    time_to_live_s: float


class Image(BaseModel):
    """An uploaded image as it was found to be.

    ``bounds`` are west, south, east, north in degrees. An image without CRS lies in a made-up box around 0, 0, one
    pixel a metre, and so do the roads of its jobs.
    """

    id: str
    name: str
    created: float
    width: int
    height: int
    bands: int
    dtype: str
    crs: str | None
    ground_resolution_m: float | None
    bounds: tuple[float, float, float, float]
    georeferenced: bool
    estimate_s: float
    notes: list[str]


class ImageList(BaseModel):
    """All images, newest first."""

    images: list[Image]


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class Summary(BaseModel):
    """The result in figures."""

    length_km: float
    edges: int
    junctions: int
    components: int
    mean_probability: float | None
    issues: int
    length_km_by_width: dict[str, float]
    seconds: float
    notes: list[str]


class Job(BaseModel):
    """One extraction."""

    id: str
    image: Image
    state: JobState
    created: float
    model: str
    threshold: float
    gsd: float | None
    tiles_done: int
    tiles_total: int
    remaining_s: float | None
    error: Words | None
    summary: Summary | None
    edits: int


class JobList(BaseModel):
    """All jobs, newest first."""

    jobs: list[Job]


class JobRequest(BaseModel):
    """What to extract from which image, and how."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(pattern=ID_PATTERN)
    model: str | None = Field(default=None, max_length=100)
    threshold: float | None = Field(default=None, gt=0, le=1)
    gsd: float | None = Field(default=None, ge=0.01, le=100)


class VectorizeRequest(BaseModel):
    """A new threshold for a finished job."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(gt=0, le=1)
    drop_edits: bool = False


class EdgeEdit(BaseModel):
    """A road that is not there, a bridge that is right, a bridge that is wrong."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["delete", "accept", "reject"]
    edge: int = Field(ge=0, lt=2**53)


Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


class DrawEdit(BaseModel):
    """A road that is missing: longitudes and latitudes of its line."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["draw"]
    coordinates: list[tuple[Longitude, Latitude]] = Field(min_length=2, max_length=MAX_POINTS)


Edit = Annotated[EdgeEdit | DrawEdit, Field(discriminator="action")]


class Edits(BaseModel):
    """All edits of a result, in the order in which they apply."""

    model_config = ConfigDict(extra="forbid")

    edits: list[Edit] = Field(max_length=MAX_EDITS)
