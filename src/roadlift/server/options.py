"""What the server may be told, and what must not be combined."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from roadlift.errors import UsageError

MEGABYTE = 2**20
SHORTEST_TOKEN = 16
LEAST_MEMORY = 1024


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Options of ``roadlift serve``; each has a flag of the same name.

    Attributes:
        data: Folder of images, jobs and their database; made when it is not there.
        host: Address to listen on.
        port: Port to listen on; 0 lets the system choose.
        token: Secret that requests must carry; needed for addresses that other machines reach.
        allow_host: Further host names under which the server is reached, such as that of a reverse proxy.
        model: ``.onnx`` files that are offered beside the built-in models.
        max_upload: Largest image file, MiB.
        max_pixels: Largest image, megapixels.
        queue: Most jobs that wait; more are refused.
        time_to_live: Hours after their last use for which images and results are kept.
        job_memory: Address space of a child process, MiB.
        job_time: Minutes that a job may take.
        receive_time: Seconds that a request has to arrive, plus one for every 64 KiB received.

    Raises:
        UsageError: A value is out of range, or an address that others reach has no token.

    Example:
        >>> ServerOptions(data=Path("work"), host="0.0.0.0")
        Traceback (most recent call last):
        roadlift.errors.UsageError: other machines reach 0.0.0.0; ...
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    allow_host: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    max_upload: int = 1024
    max_pixels: int = 2000
    queue: int = 50
    time_to_live: float = 168.0
    job_memory: int = 4096
    job_time: float = 60.0
    receive_time: float = 20.0

    def __post_init__(self) -> None:
        for name in (
            "max_upload",
            "max_pixels",
            "queue",
            "time_to_live",
            "job_memory",
            "job_time",
            "receive_time",
        ):
            if not getattr(self, name) > 0:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}; give a number above 0."
                )
        if self.job_memory < LEAST_MEMORY:
            raise UsageError(
                f"--job-memory is {self.job_memory}; a job needs at least {LEAST_MEMORY} MiB of address space."
            )
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}; allowed: 0 to 65535.")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(
                f"--token has {len(self.token)} characters; give at least {SHORTEST_TOKEN}, such as the output of: "
                "python -c 'import secrets; print(secrets.token_urlsafe(24))'"
            )
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise UsageError(
                "--token holds characters that a header cannot carry; use letters, digits and signs."
            )
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"other machines reach {self.host}; give a --token of at least {SHORTEST_TOKEN} characters, or listen on "
                "127.0.0.1."
            )

    @property
    def max_upload_bytes(self) -> int:
        """Largest image file, bytes."""
        return self.max_upload * MEGABYTE


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("example.org")
        (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
